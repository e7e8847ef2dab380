"""Bisection of a repository: the first bad commit, its tests, and what is refused."""

from __future__ import annotations

import asyncio
import json
import pickle
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from tests.worlds import World, bare


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


@pytest.fixture
def main(repo: Any) -> Any:
    return repo.branch("main")


def load(branch: Any, *numbers: int) -> list[str]:
    """Make commits of these messages."""
    ids = list[str]()
    for number in numbers:
        branch.upload(b"%d" % number, "n")
        ids.append(branch.commit_changes(f"{number}").id)
    return ids


class Below:
    """Commits whose number is below another one are good. It notes what it was asked."""

    def __init__(self, first_bad: int, skipped: tuple[int, ...] = ()) -> None:
        self.first_bad = first_bad
        self.skipped = skipped
        self.seen = list[int]()

    def __call__(self, commit: Any) -> bool | None:
        number = int(commit.message) if commit.message.isdigit() else 0
        self.seen.append(number)
        return None if number in self.skipped else number < self.first_bad


def test_the_first_bad_commit_is_found_with_few_tests(repo: Any, main: Any) -> None:
    ids = load(main, *range(1, 17))
    main.upload(b"staged", "n")
    test = Below(11)
    found = repo.bisect(ids[0], main, test)
    assert found.first_bad.id == ids[10]
    assert [commit.id for commit in found.suspects] == [ids[10]]
    assert (found.good.id, found.bad.id) == (ids[0], ids[-1])
    assert test.seen[:2] == [1, 16]  # the ends first
    assert found.tests == len(test.seen) <= 6
    assert list(found.verdicts.values()) == [number < 11 for number in test.seen]
    assert json.loads(json.dumps(found.to_dict()))["first_bad"] == ids[10]
    assert ids[10][:12] in repr(found)


def test_verdicts_are_not_asked_for_again(repo: Any, main: Any) -> None:
    ids = load(main, *range(1, 9))
    first = repo.bisect("main~7", "main", Below(4))
    again = Below(4)
    found = repo.bisect("main~7", "main", again, verdicts=first.verdicts)
    assert (found.tests, again.seen) == (0, [])
    assert found.first_bad.id == ids[3] == first.first_bad.id
    assert found.verdicts == first.verdicts
    unverified = Below(4)
    assert repo.bisect("main~7", "main", unverified, verify=False).first_bad.id == ids[3]
    assert not {1, 8} & set(unverified.seen)


def test_skipped_commits_may_hide_it(repo: Any, main: Any) -> None:
    ids = load(main, *range(1, 9))
    found = repo.bisect("main~7", "main", Below(5, skipped=(4, 5)))
    assert found.first_bad is None
    assert [commit.id for commit in found.suspects] == [ids[5], ids[4], ids[3]]
    assert "3 suspects" in repr(found)
    assert found.to_dict()["first_bad"] is None
    assert repo.bisect("main~7", "main", Below(7, skipped=(4, 5))).first_bad.id == ids[6]


def test_the_commit_of_a_merged_branch_is_found(repo: Any, main: Any) -> None:
    load(main, 1)
    dev = repo.branch("dev").create("main")
    dev.upload(b"fine", "other")
    dev.commit_changes("2")
    dev.upload(b"broken", "other")
    culprit = dev.commit_changes("3").id
    load(main, 4, 5)
    merge = dev.merge_into("main", message="6").id
    load(main, 7)

    broken = {commit.id for commit in main.log() if culprit in {each.id for each in repo.commit(commit.id).log()}}

    def is_good(commit: Any) -> bool:
        return commit.id not in broken

    assert repo.bisect("main~4", "main", is_good).first_bad.id == culprit
    assert repo.bisect("main~4", "main", is_good, first_parent=True).first_bad.id == merge


def test_a_branch_that_began_before_the_good_commit(repo: Any, main: Any) -> None:
    """Of its commits, only those that the good one does not reach are candidates."""
    load(main, 1)
    dev = repo.branch("dev").create("main")
    ids = load(dev, 2)
    dev.upload(b"x", "other")
    side = dev.commit_changes("9").id
    load(main, 3, 4)
    good = main.head().id
    dev.merge_into("main", message="10", strategy="dest-wins")
    test = Below(9)
    assert repo.bisect(good, "main", test).first_bad.id == side
    assert set(test.seen) <= {2, 4, 9, 10}
    assert ids


def test_ends_that_are_wrong_are_refused(repo: Any, main: Any) -> None:
    load(main, *range(1, 6))
    dev = repo.branch("dev").create("main~2")
    load(dev, 8)
    test = Below(3)
    with pytest.raises(ValueError, match="is not an ancestor of"):
        repo.bisect("main", "main~3", test)
    with pytest.raises(ValueError, match="is not an ancestor of"):
        repo.bisect("dev", "main", test)
    with pytest.raises(ValueError, match="same commit"):
        repo.bisect("main", "main~0", test)
    assert test.seen == []
    with pytest.raises(ValueError, match=r"says that good=.* is bad"):
        repo.bisect("main~1", "main", test)
    with pytest.raises(ValueError, match=r"says that bad=.* is good"):
        repo.bisect("main~4", "main~3", test)
    with pytest.raises(exceptions.NotFoundException):
        repo.bisect("none", "main", test)


def test_a_good_commit_beside_the_first_parents(repo: Any, main: Any) -> None:
    load(main, 1)
    dev = repo.branch("dev").create("main")
    dev.upload(b"x", "other")
    side = dev.commit_changes("2").id
    load(main, 3)
    dev.merge_into("main", message="4")
    with pytest.raises(ValueError, match="is not an ancestor by first parents of"):
        repo.bisect(side, "main", Below(3), first_parent=True)
    assert repo.bisect(side, "main", Below(3)).first_bad.message == "3"


def test_what_the_test_raises_names_the_commit(repo: Any, main: Any) -> None:
    ids = load(main, *range(1, 6))

    def fail(commit: Any) -> bool:
        if commit.message == "3":
            msg = "mine"
            raise LookupError(msg)
        return bool(commit.message == "1")

    with pytest.raises(LookupError, match="mine") as caught:
        repo.bisect("main~4", "main", fail)
    (note,) = caught.value.__notes__
    assert ids[2] in note
    assert ids[4] in note  # the verdicts so far
    for wrong in ("yes", 1, 0, [True]):
        with pytest.raises(TypeError, match=r"must be True \(good\), False \(bad\) or None \(skip\)"):
            repo.bisect("main~4", "main", lambda commit, wrong=wrong: wrong)


def test_a_coroutine_function_tests_in_asyncio_only(world: World, repo: Any, main: Any) -> None:
    ids = load(main, *range(1, 6))

    async def is_good(commit: Any) -> bool:
        await asyncio.sleep(0)
        if world.awaitable:
            return bool(await commit.download("n") < b"3")
        return False

    if world.awaitable:
        assert repo.bisect("main~4", "main", is_good).first_bad.id == ids[2]
        return
    with pytest.raises(TypeError, match=r"lakefs_hl\.aio takes those"):
        repo.bisect("main~4", "main", is_good)
    found = repo.bisect("main~4", "main", lambda commit: commit.download("n") < b"3")
    assert found.first_bad.id == ids[2]
    assert isinstance(found.first_bad, lakefs_hl.Commit)


def test_commits_are_handed_over_read_only(repo: Any, main: Any) -> None:
    load(main, *range(1, 4))
    seen = list[Any]()
    repo.bisect("main~2", "main", lambda commit: seen.append(bare(commit)) or commit.message == "1")  # type: ignore[func-returns-value]
    assert seen
    assert not any(hasattr(commit, name) for commit in seen for name in ("upload", "delete_objects", "commit_changes"))


def test_a_result_travels(world: World, repo: Any, main: Any) -> None:
    load(main, *range(1, 4))
    found = bare(repo.bisect("main~2", "main", Below(3)))
    copy = pickle.loads(pickle.dumps(found))
    assert copy.to_dict() == found.to_dict()
    assert copy == found
