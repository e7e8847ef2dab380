"""Calls that write objects: arguments are checked before the body is read."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_mock import MockerFixture

from lakefs_hl._handles import writes as calls
from lakefs_hl._handles.handle import Handle
from lakefs_hl.ops import objects as ops
from lakefs_hl.ops import upload
from tests.ops.script import session

AT = Handle("example", "main")
SESSION = session()


def test_an_upload_is_checked_first_and_gets_its_body_later(mocker: MockerFixture) -> None:
    sent = mocker.patch.object(upload, "upload")
    found = calls.Upload(AT, "lakefs://example/main/a", "text/csv", {"k": "v"}, True, False)
    assert sent.call_count == 0
    for _ in range(2):
        found.of(SESSION, b"content")
    given = sent.call_args.kwargs
    assert (given["repository"], given["branch"], given["path"], given["body"]) == ("example", "main", "a", b"content")
    assert (given["content_type"], given["create_only"], given["pre_signed"]) == ("text/csv", True, False)
    assert len({call.kwargs["op_id"] for call in sent.call_args_list}) == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"path": 7}, "path"),
        ({"content_type": 7}, "content_type"),
        ({"metadata": {"k": 1}}, "metadata"),
        ({"if_none_match": "yes"}, "if_none_match"),
        ({"pre_signed": "no"}, "pre_signed"),
    ],
)
def test_an_argument_is_refused_by_its_name(given: Any, words: str) -> None:
    every = {"path": "a", "content_type": None, "metadata": None, "if_none_match": False, "pre_signed": None}
    with pytest.raises(TypeError, match=words):
        calls.Upload(AT, **{**every, **given})


def test_a_copy_keeps_its_path_unless_another_is_given(mocker: MockerFixture) -> None:
    copy = mocker.patch.object(ops, "copy")
    calls.copy(SESSION, AT, "dev", "lakefs://example/dev/a", None, False)
    assert copy.call_args.args[1:] == ("example", "main", "a", "dev", "a")
    calls.copy(SESSION, AT, "dev", "a", "b", True)
    assert copy.call_args.args[1:] == ("example", "main", "b", "dev", "a")
    assert copy.call_args.kwargs == {"shallow": True}


def test_metadata_must_be_given() -> None:
    calls.set_metadata(SESSION, AT, "a", {}).close()
    with pytest.raises(TypeError, match="metadata"):
        calls.set_metadata(SESSION, AT, "a", None)
