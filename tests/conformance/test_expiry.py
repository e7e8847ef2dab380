"""Objects that expire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakefs_hl import exceptions
from tests.worlds import World

WEEK = timedelta(days=7)


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


@pytest.fixture
def main(repo: Any) -> Any:
    branch = repo.branch("main")
    for path in ("keep/a.log", "temp/a.log", "temp/b.txt", "temp/deep/c.log"):
        branch.upload(path.encode(), path)
    branch.commit_changes("base")
    return branch


def later(branch: Any, path: str = "temp/a.log", **more: int) -> datetime:
    """A week after an object was written."""
    modified: datetime = branch.stat_object(path).modified_time
    return modified + WEEK + timedelta(**more)


def names(branch: Any) -> list[str]:
    return [row.path for row in branch.list_objects(recursive=True)]


def test_what_is_young_stays(main: Any) -> None:
    report = main.expire("temp/", WEEK)
    assert (report.planned, report.requested, report.deleted, report.commit_id) == ([], 0, 0, None)
    assert list(main.list_uncommitted()) == []


def test_what_is_old_is_deleted(main: Any) -> None:
    report = main.expire("temp/", WEEK, now=later(main, hours=1))
    assert report.planned == ["temp/a.log", "temp/b.txt", "temp/deep/c.log"]
    assert (report.deleted, report.failed, report.errors, report.dry_run) == (3, (), (), False)
    assert names(main) == ["keep/a.log"]
    assert [change.type for change in main.list_uncommitted()] == ["removed"] * 3
    assert main.head().message == "base"


def test_an_age_counts_to_the_second(main: Any) -> None:
    main.upload(b"1", "one")
    moment = later(main, "one")
    assert main.expire("one", WEEK, now=moment - timedelta(seconds=1)).planned == []
    assert main.expire("one", WEEK, now=moment).planned == ["one"]


def test_a_suffix(main: Any) -> None:
    report = main.expire("", WEEK, suffix=".log", now=later(main, hours=1))
    assert report.planned == ["keep/a.log", "temp/a.log", "temp/deep/c.log"]
    assert names(main) == ["temp/b.txt"]


def test_a_dry_run_deletes_nothing(repo: Any, main: Any) -> None:
    report = main.expire("temp/", WEEK, dry_run=True, commit_message="never made", now=later(main, hours=1))
    assert report.planned == ["temp/a.log", "temp/b.txt", "temp/deep/c.log"]
    assert (report.dry_run, report.deleted, report.commit_id) == (True, 0, None)
    assert len(names(main)) == 4
    assert report.to_dict()["planned"] == report.planned
    assert main.head().message == "base"


def test_one_commit(repo: Any, main: Any) -> None:
    report = main.expire("temp/", WEEK, commit_message="clean up", now=later(main, hours=1))
    head = main.head()
    assert (report.commit_id, head.message) == (head.id, "clean up")
    assert names(main) == ["keep/a.log"]
    assert list(main.list_uncommitted()) == []
    assert [branch.id for branch in repo.list_branches(hidden=True)] == ["main"]
    assert main.expire("temp/", WEEK, commit_message="again", now=later(main, "keep/a.log")).commit_id is None
    assert main.head().id == head.id


def test_one_commit_on_a_protected_branch(repo: Any) -> None:
    repo.protect("main")  # before anything is written: lakeFS may not notice it for a second otherwise
    main, side = repo.branch("main"), repo.branch("side").create("main")
    for path in ("keep/a.log", "temp/a.log", "temp/b.txt", "temp/deep/c.log"):
        side.upload(b"1", path)
    side.commit_changes("base")
    side.merge_into(main)
    side.delete()
    with pytest.raises(exceptions.PartialFailureError) as caught:
        main.expire("temp/", WEEK, now=later(main, hours=1))
    assert [failure.path for failure in caught.value.report.failed] == caught.value.report.planned
    assert caught.value.report.deleted == 0
    assert main.expire("temp/", WEEK, commit_message="clean up", now=later(main, hours=1)).deleted == 3
    assert names(main) == ["keep/a.log"]
    repo.unprotect("main")


def test_uncommitted_changes_are_an_error_of_a_commit(main: Any) -> None:
    main.upload(b"1", "mine")
    with pytest.raises(exceptions.TransactionStartError, match="uncommitted changes"):
        main.expire("temp/", WEEK, commit_message="clean up", now=later(main, hours=1))
    assert len(names(main)) == 5
    main.expire("temp/", WEEK, now=later(main, hours=1))
    assert names(main) == ["keep/a.log", "mine"]


def test_an_object_that_is_written_meanwhile_is_kept(repo: Any, main: Any) -> None:
    moment = later(main, hours=1)
    with (
        pytest.raises(exceptions.TransactionMergeError) as caught,
        main.transaction("clean up", delete_on_error=True) as tx,
    ):
        assert tx.expire("temp/", WEEK, now=moment).deleted == 3
        main.upload(b"new", "temp/a.log")
        main.commit_changes("written meanwhile")
    assert caught.value.conflicts == ("temp/a.log",)
    assert main.download("temp/a.log") == b"new"
    assert len(names(main)) == 4
    assert [branch.id for branch in repo.list_branches(hidden=True)] == ["main"]


def test_many_pages(repo: Any) -> None:
    main = repo.branch("main")
    main.upload_many([(f"{'temp' if number % 3 else 'keep'}/{number:04}", b"1") for number in range(2400)])
    main.commit_changes("base")
    assert main.expire("", WEEK, suffix="5", now="2100-01-31").deleted == 240
    assert len(names(main)) == 2160


def test_in_a_transaction(main: Any) -> None:
    moment = later(main, hours=1)
    with main.transaction("load and clean") as tx:
        assert tx.expire("temp/", WEEK, now=moment).deleted == 3
        with pytest.raises(ValueError, match=r"commit_message='x'.*committed with all its changes"):
            tx.expire("temp/", WEEK, commit_message="x")
    assert names(main) == ["keep/a.log"]


def test_nowhere(world: World, repo: Any, main: Any) -> None:
    with pytest.raises(exceptions.NotFoundException, match="missing"):
        repo.branch("missing").expire("", WEEK)
    with pytest.raises(exceptions.NotFoundException, match="missing"):
        repo.branch("missing").expire("", WEEK, dry_run=True)
    with pytest.raises(ValueError, match="older_than must not be negative"):
        main.expire("", timedelta(-1))
    with pytest.raises(TypeError, match="older_than must be a timedelta"):
        main.expire("", 7)
    with pytest.raises(ValueError, match="no time zone"):
        main.expire("", WEEK, now=datetime(2026, 1, 1))


def test_the_clock_of_this_machine(main: Any) -> None:
    assert main.expire("temp/", timedelta(0), now=datetime.now(UTC) + timedelta(minutes=5)).deleted == 3
