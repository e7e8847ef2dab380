"""Snapshots: of committed and of uncommitted work, and restored exactly."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lakefs_hl import exceptions
from tests.worlds import World


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


@pytest.fixture
def main(repo: Any) -> Any:
    return repo.branch("main")


def content(ref: Any) -> dict[str, tuple[Any, ...]]:
    """All that a reference has: content, type, metadata and time of each object."""
    return {
        row.path: (ref.download(row.path), row.content_type, row.metadata) for row in ref.list_objects(recursive=True)
    }


def staged(branch: Any) -> list[tuple[str, str]]:
    return [(change.type, change.path) for change in branch.list_uncommitted()]


def fill(branch: Any) -> None:
    """Commit three objects; then stage a new one, a changed one, new metadata of one, and a deletion."""
    for path in ("changed", "deleted", "kept", "renamed"):
        branch.upload(f"old {path}".encode(), path, content_type="text/old", metadata={"path": path})
    branch.commit_changes("base")
    branch.upload(b"new", "added/x", content_type="text/new", metadata={"a": "b"})
    branch.upload(b"new content", "changed", content_type="text/new")
    branch.set_object_metadata("renamed", {"path": "other"})
    branch.delete_objects("deleted")


CHANGES = [("added", "added/x"), ("changed", "changed"), ("removed", "deleted"), ("changed", "renamed")]


def hidden(repo: Any) -> list[str]:
    return [branch.id for branch in repo.list_branches(hidden=True)]


def test_a_snapshot_of_a_clean_branch_is_a_tag_of_its_commit(repo: Any, main: Any) -> None:
    main.upload(b"1", "a")
    head = main.commit_changes("one")
    tag = repo.create_snapshot("first")
    assert tag == repo.tag("first")
    assert tag.get_commit().id == head.id
    assert [found.id for found in repo.snapshots()] == ["first"]
    assert [found.id for found in repo.tags()] == ["first"]


def test_a_snapshot_has_uncommitted_work_and_leaves_the_branch_alone(repo: Any, main: Any) -> None:
    fill(main)
    head, before = main.head().id, content(main)
    tag = repo.create_snapshot("draft")
    assert content(tag) == before
    assert staged(main) == CHANGES
    assert main.head().id == head
    assert hidden(repo) == ["main"]
    commit = tag.get_commit()
    assert commit.parents == [head]
    assert commit.message == "Snapshot 'draft' of 'main'"
    assert commit.id not in [each.id for each in main.log()]
    modified = {row.path: row.modified_time for row in main.list_objects(recursive=True)}
    times = {row.path: row.modified_time for row in tag.list_objects(recursive=True)}
    assert times == modified


def test_no_content_is_copied(repo: Any, main: Any) -> None:
    fill(main)
    tag = repo.create_snapshot("draft")
    main.reset()
    repo.restore_snapshot("draft")
    for path in ("added/x", "changed", "kept"):
        assert main.stat_object(path).physical_address == tag.stat_object(path).physical_address


def test_a_snapshot_shares_the_content_of_uncommitted_objects(repo: Any, main: Any) -> None:
    fill(main)
    tag = repo.create_snapshot("draft")
    for path in ("added/x", "changed", "kept", "renamed"):  # lakeFS on a directory shows two forms of one address
        ours, theirs = (ref.stat_object(path).physical_address.rpartition("/data/")[2] for ref in (main, tag))
        assert ours == theirs


def test_a_snapshot_outlives_what_it_was_taken_of(repo: Any, main: Any) -> None:
    side = repo.branch("side").create("main")
    fill(side)
    before = content(side)
    tag = repo.create_snapshot("draft", ref=side)
    side.reset()
    side.delete()
    assert content(tag) == before


def test_the_message_of_a_snapshot(repo: Any, main: Any) -> None:
    main.upload(b"1", "a")
    assert repo.create_snapshot("dirty", message="as of today").commit_message() == "as of today"
    main.commit_changes("one")
    head = main.head().id
    clean = repo.create_snapshot("clean", message="as of now")
    assert clean.commit_message() == "as of now"
    assert main.head().id == head
    assert hidden(repo) == ["main"]


def test_snapshots_of_references_that_are_no_branches(repo: Any, main: Any) -> None:
    main.upload(b"1", "a")
    first = main.commit_changes("one")
    main.upload(b"2", "a")
    second = main.commit_changes("two")
    main.upload(b"3", "a")
    repo.tag("v1").create(first)
    for number, (ref, wanted) in enumerate(
        {"v1": first, "main~1": first, first.id: first, "main@": second, second.id[:10]: second}.items()
    ):
        assert repo.create_snapshot(f"s{number}", ref=ref).get_commit().id == wanted.id
    assert len(list(repo.snapshots())) == 5


def test_a_name_is_made_from_the_time(repo: Any) -> None:
    tags = [repo.create_snapshot(), repo.create_snapshot()]
    assert all(re.fullmatch(r"snapshot-\d{8}T\d{6}Z-[0-9a-f]{6}", tag.id) for tag in tags)
    assert {tag.id for tag in repo.snapshots()} == {tag.id for tag in tags}


def test_other_tags_are_no_snapshots(repo: Any, main: Any) -> None:
    repo.tag("v1").create("main")
    assert list(repo.snapshots()) == []
    for name in ("b", "a", "c"):
        repo.create_snapshot(name)
    assert [tag.id for tag in repo.snapshots()] == ["a", "b", "c"]
    assert [tag.id for tag in repo.snapshots(1, after="a")] == ["b"]
    repo.tag("b").delete()
    assert [tag.id for tag in repo.snapshots()] == ["a", "c"]
    main.upload(b"1", "a")
    main.commit_changes("one")
    repo.tag("b").create("main")  # of the same name, by others, elsewhere
    assert [tag.id for tag in repo.snapshots()] == ["a", "c"]


def test_a_name_that_is_taken(repo: Any, main: Any) -> None:
    main.upload(b"1", "a")
    repo.tag("taken").create("main")
    with pytest.raises(exceptions.ConflictException, match="a tag of this name exists"):
        repo.create_snapshot("taken")
    with pytest.raises(exceptions.ConflictException):
        repo.create_snapshot("main")  # that of a branch
    assert list(repo.snapshots()) == []
    assert hidden(repo) == ["main"]
    assert staged(main) == [("added", "a")]


def test_a_snapshot_of_what_does_not_exist(world: World, repo: Any) -> None:
    with pytest.raises(exceptions.NotFoundException, match="nothing-here"):
        repo.create_snapshot("s", ref="nothing-here")
    with pytest.raises(exceptions.NotFoundException, match="t-missing"):
        world.repository("t-missing").create_snapshot("s")
    assert list(repo.snapshots()) == []


def test_many_changes(repo: Any, main: Any) -> None:
    main.upload_many([(f"old/{number:04}", b"old") for number in range(60)])
    main.commit_changes("base")
    main.remove("old", recursive=True)
    main.upload_many([(f"new/{number:04}", str(number).encode()) for number in range(120)])
    tag = repo.create_snapshot("many")
    assert [row.path for row in tag.list_objects(recursive=True)] == [f"new/{number:04}" for number in range(120)]
    assert tag.download("new/0077") == b"77"
    assert len(staged(main)) == 180


# ------------------------------------------------------------------------------------------------------------ restore


def test_a_snapshot_is_restored_exactly_by_one_commit(repo: Any, main: Any) -> None:
    fill(main)
    before = content(main)
    repo.create_snapshot("draft")
    main.reset()
    main.upload(b"later", "later")
    main.delete_objects("kept")
    head = main.commit_changes("later").id
    restored = repo.restore_snapshot("draft")
    assert content(main) == before
    assert (restored.id, restored.parents) == (main.head().id, [head])
    assert restored.message == "Restore snapshot 'draft'"
    assert staged(main) == []
    assert [commit.message for commit in main.log(3)] == ["Restore snapshot 'draft'", "later", "base"]


def test_a_dirty_branch_is_an_error_unless_its_changes_are_to_be_discarded(repo: Any, main: Any) -> None:
    main.upload(b"1", "a")
    main.commit_changes("one")
    repo.create_snapshot("s")
    main.upload(b"2", "a")
    main.commit_changes("two")
    main.upload(b"3", "b")
    with pytest.raises(exceptions.BadRequestException, match=r"uncommitted changes \('b' is one\).*force=True"):
        repo.restore_snapshot("s")
    assert staged(main) == [("added", "b")]
    assert main.download("a") == b"2"
    repo.restore_snapshot("s", force=True, message="back")
    assert content(main).keys() == {"a"}
    assert main.download("a") == b"1"
    assert main.head().message == "back"


def test_uncommitted_work_comes_back_after_it_was_discarded(repo: Any, main: Any) -> None:
    fill(main)
    before = content(main)
    repo.create_snapshot("draft")
    main.reset()
    repo.restore_snapshot("draft")
    assert content(main) == before


def test_nothing_differs(repo: Any, main: Any) -> None:
    main.upload(b"1", "a")
    head = main.commit_changes("one")
    repo.create_snapshot("s")
    assert repo.restore_snapshot("s").id == head.id
    assert main.head().id == head.id


def test_a_snapshot_goes_back_to_its_branch_or_to_another(repo: Any, main: Any) -> None:
    side = repo.branch("side").create("main")
    side.upload(b"1", "a")
    repo.create_snapshot("s", ref="side")
    side.reset()
    repo.restore_snapshot("s")
    assert content(side).keys() == {"a"}
    assert content(main) == {}
    side.delete()
    repo.restore_snapshot("s")  # the default branch, now that its own is gone
    assert content(main).keys() == {"a"}
    other = repo.branch("other").create("main~1")
    repo.restore_snapshot("s", branch=other)
    assert content(other).keys() == {"a"}
    repo.tag("plain").create("main~1")
    repo.restore_snapshot("plain", branch="other")  # any tag
    assert content(other) == {}


def test_an_empty_snapshot(repo: Any, main: Any) -> None:
    repo.create_snapshot("empty")
    main.upload_many([(f"a/{number}", b"1") for number in range(5)])
    main.commit_changes("load")
    restored = repo.restore_snapshot("empty")
    assert content(main) == {}
    assert restored.id == main.head().id
    assert hidden(repo) == ["main"]


def test_a_protected_branch(repo: Any, main: Any) -> None:
    main.upload(b"1", "a")
    main.commit_changes("one")
    repo.create_snapshot("s")
    main.upload(b"2", "a")
    main.commit_changes("two")
    repo.protect("main")
    restored = repo.restore_snapshot("s")
    assert main.download("a") == b"1"
    assert restored.id == main.head().id
    assert hidden(repo) == ["main"]
    repo.unprotect("main")


def test_a_snapshot_that_does_not_exist(repo: Any) -> None:
    with pytest.raises(exceptions.NotFoundException, match="nothing-here"):
        repo.restore_snapshot("nothing-here")
    repo.create_snapshot("s")
    with pytest.raises(exceptions.NotFoundException, match="missing"):
        repo.restore_snapshot("s", branch="missing")
