"""Names as lakeFS allows them, and reference expressions taken apart."""

from __future__ import annotations

import pytest

from lakefs_hl.local.engine import names
from lakefs_hl.local.engine.expressions import Expression, parse
from lakefs_hl.spec.errors import BadRequestException


@pytest.mark.parametrize("name", ["main", "a", "_x", "0", "a-b", "A_1-", "tx-main-0123"])
def test_branch_names(name: str) -> None:
    names.check_branch(name)


@pytest.mark.parametrize("name", ["", "-a", "a.b", "a/b", "a b", "é", "a~1", "a@", "a\n", "a$"])
def test_no_branch_names(name: str) -> None:
    with pytest.raises(BadRequestException, match="branch id: invalid value: validation error"):
        names.check_branch(name)


@pytest.mark.parametrize("name", ["v1", "v1.0", "a~b", ".x", "é", "a@b", "-"])
def test_tag_names(name: str) -> None:
    names.check_tag(name)


@pytest.mark.parametrize(
    "name", ["", "@", "a..b", "a/b", "a@{", "a^", "a:b", "a?", "a*", "a[", "a\\", "a b", "a.", "x.lock"]
)
def test_no_tag_names(name: str) -> None:
    with pytest.raises(BadRequestException, match="tag id: invalid value: validation error"):
        names.check_tag(name)


def test_paths_are_counted_in_bytes() -> None:
    assert names.path_key("é" * 512) == "é".encode() * 512
    for path in ("é" * 513, "a" * 1025, ""):
        with pytest.raises(BadRequestException):
            names.path_key(path)


@pytest.mark.parametrize("path", ["/", "//", "..", "a/../b", "\x00", "\n", " ", "%2F", "\U0001f600"])
def test_paths_are_not_touched(path: str) -> None:
    assert names.path_key(path) == path.encode()


def test_what_utf8_cannot_write_is_no_path() -> None:
    for check in (names.path_key, names.prefix_key, names.after_key, names.delimiter_key):
        with pytest.raises(BadRequestException):
            check("a\ud800")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("main", Expression("main")),
        ("main~", Expression("main", (("~", 1),))),
        ("main~0", Expression("main", (("~", 0),))),
        ("main~2^2~", Expression("main", (("~", 2), ("^", 2), ("~", 1)))),
        ("main^^", Expression("main", (("^", 1), ("^", 1)))),
        ("main@", Expression("main", (), "@")),
        ("main$", Expression("main", (), "$")),
        ("main@~1", Expression("main", (("@", 1), ("~", 1)))),  # an error, once there is a main
        ("main~1@", Expression("main", (("~", 1), ("@", 1)))),
        ("main$$", Expression("main", (("$", 1), ("$", 1)))),
    ],
)
def test_expressions(text: str, expected: Expression) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text", ["~1", "@", "$", "^", "main~x", "main^-1", "main@1", "main~1$x", "main@@x", "a~9999999999"]
)
def test_no_expressions(text: str) -> None:
    with pytest.raises(BadRequestException, match="ref: invalid value: validation error"):
        parse(text)
