"""Requests that several operations build alike."""

from __future__ import annotations

import pytest

from lakefs_hl.ops.requests import json_request, page_query
from lakefs_hl.spec import endpoints, models


def test_a_json_request_is_encoded_once_with_its_content_type() -> None:
    request = json_request(
        endpoints.COPY_OBJECT,
        ("r", "b"),
        models.ObjectCopy("from", "main"),
        query={"dest_path": "to"},
        extra={"if-none-match": "*"},
    )
    assert request.body == b'{"src_path":"from","src_ref":"main"}'
    assert request.headers == {"content-type": "application/json", "if-none-match": "*"}
    assert (request.params, request.query) == (("r", "b"), {"dest_path": "to"})


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({"after": "", "amount": 1}, {"amount": "1"}),
        ({"after": "k", "amount": 1000}, {"amount": "1000", "after": "k"}),
        (
            {"after": "", "amount": 2, "prefix": "a/", "delimiter": "/"},
            {"amount": "2", "prefix": "a/", "delimiter": "/"},
        ),
    ],
)
def test_a_page_query_has_no_empty_parameters(arguments: dict[str, object], query: dict[str, str]) -> None:
    assert page_query(**arguments) == query  # type: ignore[arg-type]
