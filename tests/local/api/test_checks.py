"""lakeFS's schema layer: what is refused before anything is looked up."""

from __future__ import annotations

import re

import pytest

from lakefs_hl.local.api import checks
from lakefs_hl.spec import models
from lakefs_hl.spec.endpoints import COMMIT, UPLOAD_OBJECT
from lakefs_hl.spec.errors import BadRequestException, UnsupportedOperationException
from lakefs_hl.spec.wire import FileSlice, Query, Request


@pytest.mark.parametrize(
    ("query", "expected"), [({}, 100), ({"amount": "0"}, 100), ({"amount": "-1"}, 100), ({"amount": "1000"}, 1000)]
)
def test_amount(query: Query, expected: int) -> None:
    assert checks.amount(query) == expected


@pytest.mark.parametrize("value", ["1001", "-2", "x", "1.5", "9" * 30, "٣"])
def test_amount_outside(value: str) -> None:
    with pytest.raises(BadRequestException, match='parameter "amount" in query'):
        checks.amount({"amount": value})


def test_a_string_is_never_taken_for_its_characters() -> None:
    class Text(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "not its characters"

    query: Query = {"path": Text("img/0.png"), "prefix": Text("data/"), "empty": Text("")}
    assert (checks.path(query), checks.prefix(query), checks.text(query, "empty")) == ("img/0.png", "data/", "")
    assert checks.texts(query, "path") == ("img/0.png",)
    assert {type(checks.path(query)), type(checks.prefix(query)), type(checks.texts(query, "path")[0])} == {str}


def test_required_and_path() -> None:
    assert checks.path({"path": "a/é"}) == "a/é"
    assert checks.path({"path": ("first", "second")}) == "first"
    assert checks.path({"path": "x" * 1024}) == "x" * 1024
    query: Query
    for query, words in (
        ({}, "value is required but missing"),
        ({"path": ""}, "empty value is not allowed"),
        ({"path": "x" * 1025}, "1025 bytes, at most 1024"),
        ({"path": "é" * 513}, "1026 bytes"),
        ({"path": "\ud800"}, "not valid UTF-8"),
    ):
        with pytest.raises(BadRequestException, match=words):
            checks.path(query)


def test_flags_words_and_moments() -> None:
    assert checks.flag({"force": "true"}, "force")
    assert not checks.flag({"force": "0"}, "force", True)
    assert checks.word({}, "type", ("three_dot", "two_dot")) == "three_dot"
    since = checks.moment({"since": "2000-01-01T00:00:00Z"}, "since")
    assert since is not None
    assert since.timestamp() == 946684800
    assert checks.moment({"since": "2000-01-01T01:00:00+01:00"}, "since") == since
    for call in (
        lambda: checks.flag({"force": "yes"}, "force"),
        lambda: checks.word({"type": "bad"}, "type", ("a", "b")),
        lambda: checks.moment({"since": "bad"}, "since"),
    ):
        with pytest.raises(BadRequestException):
            call()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"message": 1}',
        b"{}",
        b'{"message": "\xff"}',
        b'{"message": "m", "metadata": {"k": 1}}',
        b'{"metadata": ' + b"[" * 100_000,
    ],
)
def test_bodies_that_are_refused(body: bytes) -> None:
    with pytest.raises(BadRequestException, match="request body has an error"):
        checks.body(models.CommitCreation, Request(COMMIT, body=body))


def test_bodies() -> None:
    unknown = b'{"message": "m", "unknown": 1}'
    assert checks.body(models.CommitCreation, Request(COMMIT, body=unknown)).message == "m"
    assert checks.optional_body(models.Merge, Request(COMMIT)).strategy is None
    with pytest.raises(BadRequestException, match="got a file"):
        checks.body(models.CommitCreation, Request(COMMIT, body=FileSlice(0, 0, 1)))


def test_fields() -> None:
    checks.one_of("a", ("a", "b"), "type")
    checks.matches(re.compile("a+"), "aa", "name")
    with pytest.raises(BadRequestException, match='"/type"'):
        checks.one_of("c", ("a", "b"), "type")
    with pytest.raises(BadRequestException, match='"/name"'):
        checks.matches(re.compile("a+"), "aa\n", "name")


def test_conditions_of_a_write() -> None:
    assert not checks.create_only(Request(UPLOAD_OBJECT))
    assert checks.create_only(Request(UPLOAD_OBJECT, headers={"if-none-match": "*"}))
    for headers in ({"if-none-match": '"x"'}, {"if-match": "*"}, {"if-match": ""}):
        with pytest.raises(UnsupportedOperationException, match="Not Implemented"):
            checks.create_only(Request(UPLOAD_OBJECT, headers=headers))
