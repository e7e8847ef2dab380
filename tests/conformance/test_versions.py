"""Versions of an object: which there are, and how one comes back."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from lakefs_hl import exceptions
from tests.worlds import REAL, World, bare


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


@pytest.fixture
def main(repo: Any) -> Any:
    return repo.branch("main")


def put(branch: Any, content: str, path: str = "config.json") -> str:
    """Write an object that carries its content in its type and metadata too, and commit it."""
    branch.upload(content.encode(), path, content_type=f"text/{content}", metadata={"v": content})
    return str(branch.commit_changes(content).id)


def messages(ref: Any, path: str = "config.json", **options: Any) -> list[str]:
    return [version.commit.message for version in ref.history(path, **options)]


def test_versions_are_those_of_commits_newest_first(main: Any) -> None:
    first, second = put(main, "one"), put(main, "two")
    put(main, "other", "other.json")
    main.upload(b"overwritten before the commit", "config.json")
    main.upload(b"three", "config.json")
    third = main.commit_changes("three").id
    main.upload(b"staged only", "config.json")
    versions = list(main.history("config.json"))
    assert [version.commit.id for version in versions] == [third, second, first]
    assert [version.info.size_bytes for version in versions] == [5, 3, 3]
    assert versions[1].info.metadata == {"v": "two"}
    assert versions[1].info.content_type == "text/two"
    assert versions[1].info.download() == b"two"
    assert versions[1].info.reference_id == second
    commit, info = bare(versions[0])
    assert (commit.id, info.path) == (third, "config.json")
    assert not versions[0].is_deleted


def test_a_deletion_is_a_version_without_an_object(main: Any) -> None:
    put(main, "one")
    main.delete_objects("config.json")
    gone = main.commit_changes("gone").id
    put(main, "two")
    versions = list(main.history("config.json"))
    assert [version.is_deleted for version in versions] == [False, True, False]
    assert versions[1].commit.id == gone
    assert versions[1].info is None
    shown = versions[1].to_dict()
    assert shown["commit_id"] == gone
    assert shown["is_deleted"] is True
    assert shown["checksum"] is None
    assert versions[0].to_dict()["metadata"] == {"v": "two"}


def test_the_history_of_what_never_was_is_empty(main: Any) -> None:
    put(main, "one")
    assert list(main.history("config.js")) == []
    assert list(main.history("config.json/x")) == []


def test_the_history_of_a_commit_a_tag_and_an_expression(repo: Any, main: Any) -> None:
    first = put(main, "one")
    put(main, "two")
    tag = repo.tag("v1").create(first)
    for ref in (tag, repo.commit(first), repo.ref("main~1")):
        assert messages(ref) == ["one"]


def test_max_amount_and_further_pages(main: Any) -> None:
    wanted = [put(main, f"v{number}") for number in range(7)][::-1]
    assert [version.commit.id for version in main.history("config.json", max_amount=3)] == wanted[:3]
    assert [version.commit.id for version in main.history("config.json", 0)] == []
    assert [version.commit.id for version in main.history("config.json")] == wanted


def test_pages_go_on_where_the_last_one_ended(main: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakefs_hl.ops.versions.MAX_ROWS", 2)
    wanted = [put(main, f"v{number}") for number in range(5)][::-1]
    main.delete_objects("config.json")
    wanted.insert(0, main.commit_changes("gone").id)
    assert [version.commit.id for version in main.history("config.json")] == wanted


def test_versions_of_a_merged_branch_and_of_the_loser_of_a_conflict(repo: Any, main: Any) -> None:
    put(main, "base")
    side = repo.branch("side").create("main")
    put(side, "theirs")
    put(main, "ours")
    side.merge_into("main", strategy="dest-wins")
    assert messages(main) == ["ours", "base"]
    other = repo.branch("other").create("main")
    put(other, "theirs2")
    put(main, "ours2")
    other.merge_into("main", strategy="source-wins")
    assert messages(main) == ["theirs2", "ours", "base"]
    assert main.download("config.json") == b"theirs2"


def test_versions_of_a_squashed_branch(repo: Any, main: Any) -> None:
    put(main, "base")
    side = repo.branch("side").create("main")
    put(side, "draft")
    put(side, "final")
    side.merge_into("main", squash=True, message="squashed")
    assert messages(main) == ["squashed", "base"]
    assert messages(side) == ["final", "draft", "base"]


def test_versions_of_reverts_and_cherry_picks(repo: Any, main: Any) -> None:
    put(main, "one")
    two = put(main, "two")
    main.revert(two, message="undone")
    assert messages(main) == ["undone", "two", "one"]
    assert [version.info.download() for version in main.history("config.json")] == [b"one", b"two", b"one"]
    other = repo.branch("other").create("main~1")
    main.delete_objects("config.json")
    gone = main.commit_changes("gone").id
    other.reset()
    other.hard_reset("main~1")
    other.cherry_pick(gone)
    assert messages(other)[:2] == ["gone", "undone"]


def test_versions_made_by_transactions(main: Any) -> None:
    for content in ("one", "two"):
        with main.transaction(f"load {content}") as tx:
            tx.upload(content.encode(), "config.json")
    assert messages(main) == ["load two", "load one"]
    assert [version.info.download() for version in main.history("config.json")] == [b"two", b"one"]


def test_the_history_of_a_missing_reference(world: World, repo: Any) -> None:
    with pytest.raises(exceptions.NotFoundException, match="nothing-here"):
        list(repo.ref("nothing-here").history("a"))
    with pytest.raises(exceptions.NotFoundException, match="t-missing"):
        list(world.repository("t-missing").ref("main").history("a"))
    with pytest.raises(ValueError, match="path must not be empty"):
        repo.ref("main").history("")


def test_a_version_can_be_pickled_and_compared(world: World, main: Any) -> None:
    if world.kind not in ("in process", "served", REAL):
        pytest.skip("the client of this world is a function, which stays in its process")
    put(main, "one")
    found = [bare(version) for _ in range(2) for version in main.history("config.json")]
    assert found[0] == found[1]
    assert hash(found[0]) == hash(found[1])
    again = pickle.loads(pickle.dumps(found[0]))
    assert again.info.metadata == {"v": "one"}
    assert again.to_dict() == found[0].to_dict()


def test_the_history_as_a_data_frame(world: World, main: Any) -> None:
    put(main, "one")
    main.delete_objects("config.json")
    main.commit_changes("gone")
    listing = bare(main).history("config.json")
    assert [world.settle(row).commit.message for row in world.settle(listing.head(1))] == ["gone"]
    frame = world.settle(listing.to_pandas())
    assert list(frame.message) == ["gone", "one"]
    assert list(frame.is_deleted) == [True, False]
    assert frame.size_bytes[1] == 3


# ------------------------------------------------------------------------------------------------------------ restore


def test_restore_by_everything_that_names_a_version(repo: Any, main: Any) -> None:
    first = put(main, "one")
    put(main, "two")
    repo.tag("v1").create(first)
    version = list(main.history("config.json"))[-1]
    for given in (version, version.commit, first, first[:12], "main~1", "v1", repo.tag("v1"), repo.ref("main~1")):
        main.upload(b"something else", "config.json")
        restored = main.restore("config.json", given)
        assert (restored.path, restored.reference_id) == ("config.json", "main")
        stored = main.stat_object("config.json")
        assert main.download("config.json") == b"one"
        assert (stored.content_type, stored.metadata) == ("text/one", {"v": "one"})
    assert [change.type for change in main.list_uncommitted()] == ["changed"]
    assert main.commit_changes("back").message == "back"
    assert messages(main) == ["back", "two", "one"]


def test_restore_a_deleted_object(main: Any) -> None:
    put(main, "one")
    main.delete_objects("config.json")
    main.commit_changes("gone")
    deleted, made = list(main.history("config.json"))
    with pytest.raises(exceptions.ObjectNotFoundException, match="does not exist in this version"):
        main.restore("config.json", deleted)
    with pytest.raises(exceptions.ObjectNotFoundException, match="does not exist in this version"):
        main.restore("config.json", deleted.commit)
    assert not main.exists("config.json")
    main.restore("config.json", made)
    assert main.download("config.json") == b"one"
    assert main.stat_object("config.json").metadata == {"v": "one"}


def test_restore_from_the_branch_drops_what_is_staged(main: Any) -> None:
    put(main, "one")
    main.upload(b"staged", "config.json")
    main.restore("config.json", main)
    assert main.download("config.json") == b"one"
    assert list(main.list_uncommitted()) == []


def test_restore_refuses_what_is_no_version_of_the_object(world: World, repo: Any, main: Any) -> None:
    put(main, "one")
    (version,) = main.history("config.json")
    with pytest.raises(ValueError, match=r"version is one of .*, not of 'other'"):
        main.restore("other", version)
    with pytest.raises(exceptions.NotFoundException, match="nothing-here"):
        main.restore("config.json", "nothing-here")
    with pytest.raises(TypeError, match="version must be"):
        main.restore("config.json", None)
    elsewhere = world.fresh().branch("main")
    with pytest.raises(ValueError, match="version"):
        elsewhere.restore("config.json", version)
    with pytest.raises(exceptions.NotFoundException):
        repo.branch("missing").restore("config.json", version)
