"""Pinned work: one version for many readers, its objects split between them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.ops import transaction
from tests.worlds import PREFIXES, World, bare


@pytest.fixture
def main(world: World) -> Any:
    branch = world.fresh().branch("main")
    for name in ("a", "b/1", "b/2", "c"):
        branch.upload(name.encode(), name)
    branch.commit_changes("first")
    return branch


@pytest.fixture
def split(world: World) -> Callable[..., list[Any]]:
    """Split a reference, and return its partitions in the colour of the test."""

    def split(ref: Any, *args: Any, **options: Any) -> list[Any]:
        return [world.settle(part) for part in ref.partition(*args, **options)]

    return split


def paths(part: Any) -> list[str]:
    return [info.path for info in part.objects()]


def test_a_pin_leaves_out_what_is_staged_and_what_is_committed_later(main: Any) -> None:
    main.upload(b"staged", "staged")
    version = main.pin()
    assert not version.exists("staged")
    main.commit_changes("second")
    assert [info.path for info in version.list_objects(recursive=True)] == ["a", "b/1", "b/2", "c"]
    assert version.message == "first"
    assert main.pin().id != version.id
    assert bare(version.pin()) == bare(version)
    assert bare(version.pin()).__reduce__() == bare(version).__reduce__()


def test_a_tag_a_commit_and_an_expression_are_pinned_too(world: World, main: Any) -> None:
    head = main.head().id
    repo = world.repository(main.repository_id)
    repo.tag("v1").create("main")
    for ref in (repo.tag("v1"), repo.commit(head), repo.ref("main~0"), repo.ref("main@")):
        assert ref.pin().id == head
    for missing in (repo.branch("none"), repo.tag("none"), repo.ref("main~9")):
        with pytest.raises(exceptions.NotFoundException):
            missing.pin()


def test_each_object_is_in_one_partition(main: Any, split: Callable[..., list[Any]]) -> None:
    main.upload(b"staged", "staged")
    for n, expected in {1: 1, 2: 2, 4: 4, 100: 4}.items():
        parts = split(main, n)
        assert [part.index for part in parts] == list(range(expected))
        assert [path for part in parts for path in paths(part)] == ["a", "b/1", "b/2", "c"]
        assert [part.last for part in parts] == [paths(part)[-1] for part in parts]
        assert [part.after for part in parts] == ["", *(part.last for part in parts[:-1])]
        assert {part.reference.id for part in parts} == {main.head().id}


def test_partitions_of_a_prefix_by_bytes_and_by_objects(main: Any, split: Callable[..., list[Any]]) -> None:
    main.upload(b"x" * 100, "b/0")
    main.commit_changes("second")
    assert [paths(part) for part in split(main, 2, prefix="b/")] == [["b/0"], ["b/1", "b/2"]]
    assert [paths(part) for part in split(main, 2, by="objects", prefix="b/")] == [["b/0", "b/1"], ["b/2"]]
    (part,) = split(main, 1, prefix="b/")
    assert (part.object_count, part.total_bytes, part.prefix) == (3, 106, "b/")
    assert split(main, 3, prefix="none/") == []
    assert [info.download() for info in part.objects()] == [b"x" * 100, b"b/1", b"b/2"]


def test_odd_paths_are_partitioned(main: Any, split: Callable[..., list[Any]]) -> None:
    odd = ["\U0001f600", "a b", "a//b", "é/ü", "z%2F", "lakefs:/x", "~"]
    for path in odd:
        main.upload(b"1", path)
    main.commit_changes("odd")
    found = [path for part in split(main, 5) for path in paths(part)]
    assert found == sorted([*odd, "a", "b/1", "b/2", "c"], key=lambda path: path.encode())


def test_an_empty_branch_has_no_partitions(world: World) -> None:
    assert world.fresh().branch("main").partition(4) == []


def test_partitions_travel(world: World, main: Any) -> None:
    one, two = main.partition(2)
    if world.kind not in PREFIXES:  # their clients stay in their process
        copy = pickle.loads(pickle.dumps(one))
        assert copy.to_dict() == one.to_dict()
        assert copy == one
        assert hash(copy) == hash(one)
    assert one == type(one)(one.reference, "", 0, one.__reduce__()[1][3])
    assert hash(one) == hash(type(one)(one.reference, "", 0, one.__reduce__()[1][3]))
    assert one != two
    assert list(one.to_dict()) == ["commit_id", "index", "prefix", "after", "last", "object_count", "total_bytes"]
    assert "2 objects" in repr(one)
    assert "2 objects" in one._repr_html_()


def test_a_partition_does_not_change_with_its_branch(main: Any, split: Callable[..., list[Any]]) -> None:
    parts = split(main, 2)
    main.delete_objects(["a", "c"])
    main.upload(b"new", "b/1")
    main.commit_changes("second")
    assert [path for part in parts for path in paths(part)] == ["a", "b/1", "b/2", "c"]
    assert next(iter(parts[0].objects())).download() == b"a"


def test_wrong_arguments_are_refused(world: World, main: Any) -> None:
    for n in (0, -1):
        with pytest.raises(ValueError, match="n must be at least 1"):
            main.partition(n)
    with pytest.raises(exceptions.NotFoundException):
        world.repository(main.repository_id).branch("none").partition(2)


def test_a_handle_of_a_transaction_reads_and_writes_in_it(world: World, main: Any) -> None:
    with main.transaction("by workers") as tx:
        handle = tx.handle()
        assert handle.source_branch_id == "main"
        assert handle.id == f"tx-main-{handle.transaction_id}"
        info = handle.upload(b"1", "new")
        assert (info.path, info.size_bytes) == ("new", 1)
        handle.upload_many([("d/1", b"1"), ("d/2", b"2")])
        assert handle.download("new") == b"1"
        assert not main.exists("new")
        copy = pickle.loads(pickle.dumps(bare(handle))) if world.kind not in PREFIXES else bare(handle)
        assert (copy.id, copy.transaction_id, type(copy)) == (handle.id, handle.transaction_id, type(bare(handle)))
        for name in ("commit", "commit_changes", "merge_into", "delete", "reset", "transaction", "resolve"):
            assert not hasattr(copy, name)
        with pytest.raises(ValueError, match="commit_message"):
            handle.upload(b"1", "own", commit_message="of its own")
    assert next(iter(main.log(3))).message == "by workers"
    assert main.download("d/2") == b"2"


def test_a_late_worker_is_told_that_the_transaction_has_ended(world: World, main: Any) -> None:
    with main.transaction("quick") as tx:
        handle = tx.handle()
        handle.upload(b"1", "in time")
    late: list[Callable[[], Any]] = [
        lambda: handle.upload(b"2", "late"),
        lambda: handle.upload_many([("late", b"2")]),
        lambda: handle.delete_objects("in time"),
        lambda: handle.download("in time"),
        lambda: handle.stat_object("in time"),
        lambda: list(handle.list_objects()),
    ]
    for call in late:
        with pytest.raises(exceptions.NotFoundException, match="the transaction on 'main' has ended") as caught:
            call()
        assert not isinstance(caught.value, exceptions.ObjectNotFoundException)
    assert not main.exists("late")
    assert main.download("in time") == b"1"


def test_what_a_worker_writes_after_the_commit_is_kept(
    world: World, client: lakefs_hl.Client, main: Any, mocker: MockerFixture
) -> None:
    merge = transaction._merge

    def merge_late(session: Any, tx: Any, source: str, now: float) -> Iterator[Any]:
        lakefs_hl.TransactionHandle(main.repository_id, tx.plan.branch, client).upload(b"2", "late")
        return (yield from merge(session, tx, source, now))

    mocker.patch.object(transaction, "_merge", merge_late)
    with pytest.warns(RuntimeWarning, match=r"left over: workers wrote to it after the commit \('late' is one\)"):
        with main.transaction("by workers") as tx:
            tx.handle().upload(b"1", "in time")
    mocker.stopall()
    assert (tx.state, tx.leaked_branch) == ("COMMITTED", tx.id)
    assert [main.exists(name) for name in ("in time", "late")] == [True, False]
    (kept,) = world.repository(main.repository_id).transactions()
    with kept.resume():
        pass
    assert [main.download(name) for name in ("in time", "late")] == [b"1", b"2"]


def test_a_worker_of_a_resumed_transaction_goes_on(world: World, main: Any) -> None:
    tx = main.transaction("resumed")
    tx.__enter__()
    handle = tx.handle()
    handle.upload(b"1", "before")
    (kept,) = world.repository(main.repository_id).transactions()
    with kept.resume("resumed") as again:
        assert bare(again.handle()) == bare(handle)
        handle.upload(b"2", "after")
    assert (main.download("before"), main.download("after")) == (b"1", b"2")


def test_a_handle_is_that_of_a_transaction(world: World) -> None:
    with pytest.raises(ValueError, match=r"tx\.handle\(\)"):
        world.make("TransactionHandle", "example", "main")
    made = world.make("TransactionHandle", "example", f"tx-main-{'0' * 32}")
    with pytest.raises(exceptions.NotFoundException):
        made.upload(b"1", "a")
