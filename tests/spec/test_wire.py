"""Endpoints, requests and responses: words without secrets."""

from __future__ import annotations

import pytest

from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Phase, Request, Response, TransportError


def test_an_endpoint_names_its_path_parameters_in_order() -> None:
    assert endpoints.GET_OBJECT.parameters == ("repository", "ref")
    assert endpoints.LIST_REPOSITORIES.parameters == ()


def test_an_endpoint_says_what_it_does_to_what() -> None:
    words = endpoints.GET_BRANCH.describe("example", "dev")
    assert "lakefs://example" in words
    assert "'dev'" in words
    assert "…" in endpoints.GET_BRANCH.describe("example")  # a value that is missing
    assert "'other'" in endpoints.GET_BRANCH.describe("example", "dev", branch="other")


def test_a_request_shows_neither_headers_nor_credentials_nor_urls() -> None:
    request = Request(
        endpoints.GET_OBJECT,
        ("example", "main"),
        {"path": "a"},
        {"x-key": "s3cr3t"},
        authorization="s3cr3t",
        url="https://store/?signature=s3cr3t",
    )
    assert "s3cr3t" not in repr(request)
    assert repr(request).endswith("at a pre-signed URL>")
    assert "lakefs://example/main/a" in request.describe()


def test_a_copy_is_described_by_its_destination() -> None:
    request = Request(endpoints.COPY_OBJECT, ("example", "main"), {"dest_path": "b"})
    assert "lakefs://example/main/b" in request.describe()


def test_a_response_shows_its_status_and_length_only() -> None:
    assert repr(Response(302, {"location": "https://store/?s3cr3t"}, b"s3cr3t")) == "<Response 302 6 bytes>"


@pytest.mark.parametrize(("phase", "applied"), [("connect", False), ("tls", False), ("send", None), ("read", None)])
def test_only_what_never_reached_the_server_is_known_not_to_be_applied(phase: Phase, applied: bool | None) -> None:
    assert TransportError(phase, "it broke").applied is applied
