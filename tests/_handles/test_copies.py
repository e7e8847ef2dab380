"""Arguments of removals and copies: URIs and handles, prefixes, and what is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

import lakefs_hl
from lakefs_hl._handles import copies
from lakefs_hl._handles.copies import Copying, Location, locate
from tests.ops.script import session

AT = lakefs_hl.Branch("example", "main")
S = session()


def make(repository: str, reference: str, client: Any) -> lakefs_hl.ReadIOBase:
    return lakefs_hl.ReadIOBase(repository, reference, client)


@pytest.mark.parametrize(
    ("value", "uri"),
    [
        ("lakefs://example/main/a/b", "lakefs://example/main/a/b"),
        ("lakefs://example/main/a/", "lakefs://example/main/a/"),
        ("lakefs://example/main", "lakefs://example/main/"),
        (lakefs_hl.ObjectInfo("example", "v1", "a"), "lakefs://example/v1/a"),
        (lakefs_hl.CommonPrefix("example", "v1", "a/"), "lakefs://example/v1/a/"),
        (AT, "lakefs://example/main/"),
    ],
)
def test_a_place_is_a_uri_or_a_handle(value: Any, uri: str) -> None:
    assert locate(value, "src_uri", make, None).uri == uri


def test_a_client_that_is_given_wins() -> None:
    with lakefs_hl.Client("mem://") as one, lakefs_hl.Client("mem://") as other:
        branch = lakefs_hl.Branch("example", "main", one)
        assert locate(branch, "src_uri", make, None).at._client is one
        assert locate(branch, "src_uri", make, other).at._client is other
        assert locate("lakefs://example/main/", "src_uri", make, other).at._client is other


@pytest.mark.parametrize("value", ["a/b", "lakefs://example", "lakefs:///main/a", "s3://b/k", ""])
def test_something_else_is_no_place(value: str) -> None:
    with pytest.raises(ValueError, match="dst_uri must"):
        locate(value, "dst_uri", make, None)
    with pytest.raises(TypeError, match="dst_uri must be a URI, an ObjectInfo, a CommonPrefix or a reference, not int"):
        locate(5, "dst_uri", make, None)


def test_both_sides_of_a_copy_are_uris() -> None:
    copying = Copying(AT, "a/", f"{AT.uri}b/", "dev", None, "raise", moves=False)
    assert (copying.source, copying.target) == ("lakefs://example/dev/a/", "lakefs://example/main/b/")
    prefix = lakefs_hl.CommonPrefix("example", "main", "a/")
    assert Copying(AT, prefix, "b/", None, 3, "return", moves=True).source == "lakefs://example/main/a/"
    assert Location(AT, "a").uri == "lakefs://example/main/a"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((5, "b/", None, None, "raise"), TypeError, "from_prefix"),
        (("a/", None, None, None, "raise"), TypeError, "to_prefix"),
        (("a/", "b/", 5, None, "raise"), TypeError, "from_reference"),
        (("a/", "b/", None, 0, "raise"), ValueError, "max_workers must be at least 1"),
        (("a/", "b/", None, None, "ignore"), ValueError, "on_error must be 'raise' or 'return'"),
        (("lakefs://other/main/a/", "b/", None, None, "raise"), ValueError, "from_prefix"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Copying(AT, *arguments, moves=False)


def test_an_empty_path_is_not_removed() -> None:
    with pytest.raises(
        ValueError, match=r"path must not be empty; to delete every object of the branch, delete_objects"
    ):
        copies.remove(S, AT, "", True, None)  # type: ignore[arg-type]
