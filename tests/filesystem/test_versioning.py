"""`with fs.transaction(repository, branch, message) as tx:` commits and merges, and the other forms of the call."""

from __future__ import annotations

from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.filesystem import LakeFSFileSystem
from tests.ecosystem.conftest import Lake


@pytest.fixture
def fs(lake: Lake) -> LakeFSFileSystem:
    return LakeFSFileSystem(**lake.options, skip_instance_cache=True)


def branches(branch: lakefs_hl.Branch) -> list[str]:
    return [found.id for found in lakefs_hl.repository(branch.repository_id).list_branches(hidden=True)]


def test_with_a_message_it_commits_and_merges(fs: LakeFSFileSystem, lake: Lake) -> None:
    main = lake.branch
    with fs.transaction(main.repository_id, "main", "two files") as tx:
        top = f"{main.repository_id}/{tx.branch.id}"
        fs.pipe(f"{top}/a", b"1")
        with fs.open(f"{top}/b", "wb") as file:
            file.write(b"2")
        assert fs.find(top) == [f"{top}/a", f"{top}/b"], "what is written is visible inside"
        assert not main.exists("a")
    assert {row.path: main.download(row.path) for row in main.list_objects()} == {"a": b"1", "b": b"2"}
    assert not list(main.list_uncommitted())
    assert [commit.message for commit in main.log(max_amount=2)] == ["two files"] * 2
    assert branches(main) == ["main"]
    with fs.transaction(main.repository_id, main, message="third", metadata={"k": "v"}) as tx:
        fs.rm(f"{main.repository_id}/{tx.branch.id}/a")
        fs.cp(f"{main.repository_id}/main/b", f"{main.repository_id}/{tx.branch.id}/c")
        first = tx.commit("by hand")  # the rest is committed with the message
        fs.pipe(f"{main.repository_id}/{tx.branch.id}/d", b"3")
    assert sorted(row.path for row in main.list_objects()) == ["b", "c", "d"]
    merge, *rest = main.log(max_amount=3)
    assert merge.message == "third"
    assert first.id in [commit.id for commit in rest]
    with fs.transaction(main.repository_id, main, "all by hand") as tx:
        fs.pipe(f"{main.repository_id}/{tx.branch.id}/e", b"3")
        tx.commit("by hand")
    assert main.exists("e")
    head = main.head()
    with fs.transaction(main.repository_id, main, "nothing"):
        pass
    assert main.head().id == head.id
    assert branches(main) == ["main"]


@pytest.mark.parametrize(("delete", "kept"), [("onsuccess", 1), ("always", 0), ("never", 1)])
def test_a_failing_block_merges_nothing(fs: LakeFSFileSystem, lake: Lake, delete: Any, kept: int) -> None:
    main, head = lake.branch, lake.branch.head().id
    with pytest.raises(KeyError) as caught, fs.transaction(main.repository_id, main, "load", delete=delete) as tx:
        fs.pipe(f"{main.repository_id}/{tx.branch.id}/a", b"1")
        raise KeyError("mine")
    assert caught.value.args == ("mine",), "the exception of the block is raised as it is"
    assert main.head().id == head
    assert len(branches(main)) == 1 + kept
    assert tx.branch.exists() is bool(kept)


def test_the_forms_of_the_call(fs: LakeFSFileSystem, lake: Lake) -> None:
    main = lake.branch
    repository = main.repository_id
    # lakefs-spec's order: branch_name, automerge, delete, merge_kwargs.
    with fs.transaction(repository, "main", "topic", True, "never", {"message": "merged"}) as tx:
        assert tx.branch.id == "topic"
        fs.pipe(f"{repository}/topic/a", b"1")
        tx.commit("by hand")
    assert main.head().message == "merged"
    assert tx.branch.exists()
    # A message and the options of lakefs-spec.
    with fs.transaction(repository, "main", "one word", branch_name="other", automerge=False, delete="never"):
        fs.pipe(f"{repository}/other/b", b"1")
    other = lakefs_hl.repository(repository).branch("other")
    assert (main.exists("b"), other.head().message) == (False, "one word")
    with fs.transaction(repository, "main", "squashed", merge_kwargs={"squash_merge": True}) as tx:
        fs.pipe(f"{repository}/{tx.branch.id}/c", b"1")
    assert [commit.message for commit in main.log(max_amount=2)] == ["squashed", "merged"]
    wrong: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
        ((repository, "main", "a"), {"message": "b"}, TypeError, "message is given twice"),
        ((repository, "main", "a", True, "never", None, 7), {}, TypeError, "at most 6 positional"),
        ((repository,), {"delete": "sometimes"}, ValueError, "'sometimes'"),
        ((repository,), {"merge_kwargs": {"squash": True}}, TypeError, "unknown options of a merge: 'squash'"),
        ((7,), {}, TypeError, "not int"),
    ]
    for given, named, kind, words in wrong:
        with pytest.raises(kind, match=words):
            fs.transaction(*given, **named)
    assert not fs._intrans


def test_what_stands_in_the_way(fs: LakeFSFileSystem, lake: Lake) -> None:
    main = lake.branch
    with pytest.raises(exceptions.NotFoundException), fs.transaction(main.repository_id, "mian", "x"):
        pass
    main.upload(b"1", "staged")
    with pytest.raises(exceptions.TransactionStartError, match="uncommitted changes"):
        with fs.transaction(main.repository_id, "main", "x"):
            pass
    main.reset()
    main.upload(b"1", "a")
    main.commit_changes("base")
    with (
        pytest.raises(exceptions.TransactionMergeError) as caught,
        fs.transaction(main.repository_id, "main", "x") as tx,
    ):
        fs.pipe(f"{main.repository_id}/{tx.branch.id}/a", b"mine")
        main.upload(b"theirs", "a")
        main.commit_changes("meanwhile")
    assert caught.value.conflicts
    assert main.download("a") == b"theirs"
    assert tx.branch.download("a") == b"mine", "the work is kept"
    with pytest.raises(exceptions.TransactionStateError, match="inside of its `with` block"):
        _ = fs.transaction(main.repository_id).branch


def test_several_at_a_time_and_files_of_a_plain_one_beside_them(fs: LakeFSFileSystem, lake: Lake) -> None:
    main = lake.branch
    repository = main.repository_id
    dev = lakefs_hl.repository(repository).branch("dev").create("main")
    with fs.transaction(repository, "main", "one") as one, fs.transaction(repository, dev, "two") as two:
        fs.pipe(f"{repository}/{one.branch.id}/1", b"1")
        fs.pipe(f"{repository}/{two.branch.id}/2", b"2")
        assert one.branch.id != two.branch.id
        assert repr(one).startswith(f"<LakeFSVersioning lakefs://{repository}/main tx-main-")
    assert (main.exists("1"), main.exists("2"), dev.exists("1"), dev.exists("2")) == (True, False, False, True)
    with fs.transaction(repository, "main", "both") as tx, fs.transaction:
        fs.pipe(f"{repository}/{tx.branch.id}/3", b"3")
        fs.pipe(f"{repository}/{tx.branch.id}/4", b"4")
        assert not tx.branch.exists("3")
    assert main.exists("3")
    assert main.exists("4")
