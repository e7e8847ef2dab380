"""The record of a link, uploads by others, and what their calls refuse before a request is sent."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl._handles import links as calls
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.links import SignedURL, UploadFields, UploadOptions
from lakefs_hl.ops import links as ops
from lakefs_hl.spec.errors import UnsupportedOperationException
from lakefs_hl.spec.secret import Secret
from tests.ops.script import session

SESSION = session()
AT = Handle("example", "main")
URL = "https://lake.example/_object?path=a&signature=s3cr3t"
LINK = SignedURL(URL, datetime(2026, 1, 31, tzinfo=UTC), "GET")


def upload(link: SignedURL | None = LINK) -> UploadFields:
    return UploadFields(AT, UploadOptions("a", "text/csv", {"k": "v"}, False), link, ("s3://b/x,token", {"h": "v"}))


def test_a_link_of_the_op_becomes_a_record() -> None:
    found = SignedURL._of(ops.Link(Secret(URL), 1_769_817_600.9), "GET")
    assert found == LINK
    assert type(found.url) is str, "it is there to be passed on"
    assert SignedURL._of(ops.Link(Secret(URL), 5), "PUT").method == "PUT"


def test_a_link_is_printed_without_its_signature() -> None:
    for text in (repr(LINK), str(LINK), f"{LINK}", f"{[LINK]}", "%s" % (LINK,), repr(upload())):  # noqa: UP031
        assert "s3cr3t" not in text
    assert repr(LINK).startswith("SignedURL(url='https://lake.example/_object?…', expires_at=datetime")
    assert LINK.to_dict() == {"url": URL, "expires_at": LINK.expires_at, "method": "GET"}
    assert lakefs_hl.SignedURL is SignedURL


def test_an_upload_is_pickled_without_its_url() -> None:
    made = upload()
    assert (made.url, made.expires_at, made.path) == (URL, LINK.expires_at, "a")
    assert (made.physical_address, made.headers) == ("s3://b/x,token", {"h": "v"})
    made.headers["other"] = "x"
    assert made.headers == {"h": "v"}
    data = pickle.dumps(made)
    assert b"s3cr3t" not in data
    there = pickle.loads(data)
    assert (there, hash(there)) == (made, hash(made))
    assert (there.path, there.headers) == ("a", {"h": "v"})
    for name in ("url", "expires_at"):
        with pytest.raises(ValueError, match="was unpickled"):
            getattr(there, name)
    assert made != upload()._branch
    assert made != UploadFields(AT, UploadOptions("b", "x", {}, False), None, ("s3://b/x,token", {}))


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"path": ""}, ValueError, "path must not be empty"),
        ({"path": "lakefs://example/other/a"}, ValueError, "at reference 'other'"),
        ({"path": b"a"}, TypeError, "path must be"),
        ({"expires_in_seconds": 0}, ValueError, "must be 1 to 604800, which is a week"),
        ({"expires_in_seconds": 604_801}, ValueError, "expires_in_seconds=604801"),
        ({"expires_in_seconds": 1.5}, TypeError, "expires_in_seconds must be an integer"),
        ({"method": "get"}, ValueError, "method must be 'GET' or 'PUT', not 'get'"),
        ({"via": None}, TypeError, "via must be a string"),
        ({"method": "PUT", "max_bytes": -1}, ValueError, "max_bytes"),
        ({"max_bytes": 1}, ValueError, "links to write"),
        (
            {"method": "PUT", "writable": False},
            UnsupportedOperationException,
            r"\.branch\('main'\)\.presign\('a', meth",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(
    given: dict[str, Any], error: type[Exception], said: str
) -> None:
    usual: dict[str, Any] = {
        "path": "a",
        "expires_in_seconds": 60,
        "method": "GET",
        "via": "auto",
        "max_bytes": None,
        "writable": True,
    }
    with pytest.raises(error, match=said):
        calls.presign(SESSION, AT, **{**usual, **given})


@pytest.mark.parametrize(("etag", "size"), [("e", None), (None, 5), ("", 5), ('""', 0)])
def test_half_of_what_was_uploaded_is_an_error(etag: str | None, size: int | None) -> None:
    with pytest.raises(ValueError, match=r"lakefs://example/main/a: .* without .*: give both, or neither"):
        calls.finish(SESSION, upload(), etag, size)


def test_options_of_an_upload_are_those_of_upload() -> None:
    found = calls.upload_options(AT, "a.csv", None, {"k": "v"}, True)
    assert found == ("a.csv", "text/csv", {"k": "v"}, True)
    assert calls.upload_options(AT, "a.csv", "x/y", None, False) == ("a.csv", "x/y", {}, False)
    with pytest.raises(TypeError, match="if_none_match"):
        calls.upload_options(AT, "a", None, None, "yes")
