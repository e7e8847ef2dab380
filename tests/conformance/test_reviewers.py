"""Reviewers of a repository."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from tests.worlds import World, bare

ODD = ["Ada Lovelace", "ada@example.com", "arn:aws:iam::1:user/ada", "a%2Fb", "Ünï-🙂", "x" * 255, "=", "a.b"]


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


def test_reviewers_are_added_listed_and_removed(repo: Any) -> None:
    assert repo.reviewers() == []
    repo.set_metadata({"mine": "kept"})
    repo.add_reviewer("grace")
    repo.add_reviewer("ada")
    repo.add_reviewer("ada")  # is one already
    assert repo.reviewers() == ["ada", "grace"]
    assert repo.metadata()["lakefs_hl.reviewer.ada"] == "ada"
    repo.remove_reviewer("ada")
    assert repo.reviewers() == ["grace"]
    with pytest.raises(exceptions.NotFoundException, match="no reviewer has this ID; the reviewers are 'grace'"):
        repo.remove_reviewer("ada")
    repo.remove_reviewer("grace")
    assert repo.metadata() == {"mine": "kept"}


def test_odd_names_stay_as_they_are(repo: Any) -> None:
    for reviewer in ODD:
        repo.add_reviewer(reviewer)
    assert repo.reviewers() == sorted(ODD)
    for reviewer in ODD:
        repo.remove_reviewer(reviewer)
    assert repo.metadata() == {}


@pytest.mark.parametrize("bad", ["", " ada", "ada\n", "a\x00b", " ", "x" * 256, "\u200b"])
def test_what_is_no_id(repo: Any, bad: str) -> None:
    for call in (repo.add_reviewer, repo.remove_reviewer):
        with pytest.raises(ValueError, match="reviewer_id must"):
            call(bad)
    assert repo.metadata() == {}


def test_a_repository_that_does_not_exist(world: World) -> None:
    missing = world.repository("t-missing")
    for call in (missing.reviewers, lambda: missing.add_reviewer("ada"), lambda: missing.remove_reviewer("ada")):
        with pytest.raises(exceptions.NotFoundException, match="t-missing"):
            call()


def test_two_adders_at_a_time_lose_nothing(world: World, repo: Any) -> None:
    if world.awaitable:
        pytest.skip("needs threads; the op is the same in both colours")
    client, name = bare(world.client), repo.id
    wanted = [f"user-{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: lakefs_hl.repository(name, client=client).add_reviewer(each), wanted))
    assert repo.reviewers() == wanted
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: lakefs_hl.repository(name, client=client).remove_reviewer(each), wanted[1:]))
    assert repo.reviewers() == wanted[:1]
