"""Reviewers: keys of the repository's metadata."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.ops import reviewers
from lakefs_hl.spec import errors
from tests.ops.script import Play, Step, ok, session, step

S = session()
SET, DELETE = "setRepositoryMetadata", "deleteRepositoryMetadata"


def metadata(**found: str) -> Step:
    return step("getRepositoryMetadata", "r", answer=ok(found))


def changed(name: str, body: Any) -> Step:
    return step(name, "r", answer=ok(), body=body)


def test_keys_of_reviewers_and_of_others() -> None:
    found = {
        "lakefs_hl.reviewer.b%2F%20c": "b/ c",
        "lakefs_hl.reviewer.a@x": "someone else's words",
        "lakefs_hl.reviewer.": "no one",
        "lakefs_hl.reviewers": "another key",
    }
    assert Play(metadata(**found)).run(reviewers.names(S, "r")) == ["a@x", "b/ c"]


@pytest.mark.parametrize(
    ("reviewer", "key"),
    [
        ("ada", "ada"),
        ("Ada.L+x-y_z@example.com", "Ada.L+x-y_z@example.com"),
        ("arn:aws:iam::1:user/ada", "arn%3Aaws%3Aiam%3A%3A1%3Auser%2Fada"),
        ("ä ö%41", "%C3%A4%20%C3%B6%2541"),
    ],
)
def test_add(reviewer: str, key: str) -> None:
    key = f"lakefs_hl.reviewer.{key}"
    Play(metadata(), changed(SET, {"metadata": {key: reviewer}})).run(reviewers.add(S, "r", reviewer))
    assert Play(metadata(**{key: ""})).run(reviewers.names(S, "r")) == [reviewer]


def test_remove_takes_every_spelling_of_the_key() -> None:
    found = {"lakefs_hl.reviewer.a b": "", "lakefs_hl.reviewer.a%20b": "a b", "lakefs_hl.reviewer.a": "a"}
    keys = ["lakefs_hl.reviewer.a b", "lakefs_hl.reviewer.a%20b"]
    play = Play(metadata(**found), metadata(**found), changed(DELETE, {"keys": keys}))
    play.run(reviewers.remove(S, "r", "a b"))


def test_remove_one_that_does_not_exist() -> None:
    with pytest.raises(errors.NotFoundException, match=r"no reviewer has this ID; the reviewers are 'a', 'c'"):
        Play(metadata(**{"lakefs_hl.reviewer.c": "", "lakefs_hl.reviewer.a": ""})).run(reviewers.remove(S, "r", "b"))
    with pytest.raises(
        errors.NotFoundException, match=r"removing reviewer 'b' of lakefs://r: .*there are no reviewers"
    ):
        Play(metadata()).run(reviewers.remove(S, "r", "b"))
