"""The parts of a lake: what is kept in memory has a bound, and reading and writing speak the public tree's errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from lakefs_hl.local.disk import errors as disk
from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.disk.tables import meta, nodes
from lakefs_hl.local.engine import Engine, idempotency, lake, records
from lakefs_hl.local.engine.idempotency import KeyedRequest, RepeatedRequest
from lakefs_hl.local.engine.lake import KeptCommits, Lake
from lakefs_hl.local.engine.records import CommitRecord
from lakefs_hl.local.engine.snapshot import Transaction
from lakefs_hl.local.tree import TreeCorruptError
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import (
    LakeCorruptError,
    LakeError,
    LakeLockedError,
    LakeResourceError,
    NotFoundException,
)
from tests.local.engine.support import commit, put, refused

Work = Callable[[Writer], object]
Write = Callable[[Lake, Work], object]

WRITES: dict[str, Write] = {
    "write": lambda one, work: one.write("repo", lambda transaction: work(transaction.writer)),
    "write, not durable": lambda one, work: one.write(
        None, lambda transaction: work(transaction.writer), durable=False
    ),
    "submit": lambda one, work: one.submit(work),
    "effect": lambda one, work: one.effect("repo", lambda transaction: work(transaction.writer)),
}
EVERY = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


def noted(engine: Engine) -> str | None:
    with engine.lake.read() as snapshot:
        return meta.get(snapshot.reader, "mark")


def mark(writer: Writer) -> str:
    meta.put(writer, "mark", "made")
    return "done"


def record(message: str) -> CommitRecord:
    return CommitRecord([], None, "me", message, 1, {}, 1)


# --------------------------------------------------------------------------------------------------- what is kept


def test_kept_commits_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake, "KEPT", 3)
    kept = KeptCommits()
    assert kept.get(b"0") is None
    for index in range(10):
        name, made = b"%d" % index, record(f"{index}")
        assert kept.add(name, made) is made
        assert kept.get(name) is made
        known = [one for one in range(index + 1) if kept.get(b"%d" % one) is not None]
        assert 1 <= len(known) <= 3
        assert all(kept.get(b"%d" % one) == record(f"{one}") for one in known)


def test_kept_repositories_have_a_bound_and_are_right(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake, "KEPT", 2)
    names = ["repo", *(f"more-{index}" for index in range(4))]
    for name in names[1:]:
        engine.repositories.create(models.RepositoryCreation(name, f"local://{name}"), who="me")
    for name in [*names, *names]:
        with engine.lake.read(name) as snapshot:
            assert (snapshot.repo.name, snapshot.repo.record.namespace) == (name, f"local://{name}")
            assert len(engine.lake._repos) <= 2
            assert engine.lake.repo(snapshot.reader, name) is snapshot.repo, "read once while it stays as it is"


def test_a_repository_that_was_made_again_is_another(engine: Engine) -> None:
    with engine.lake.read("repo") as snapshot:
        before = snapshot.repo
    engine.repositories.delete("repo")
    engine.repositories.create(models.RepositoryCreation("repo", "local://again"), who="me")
    with engine.lake.read("repo") as snapshot:
        assert snapshot.repo.id != before.id
        assert snapshot.repo.record.namespace == "local://again"


def test_the_tree_that_holds_nothing_is_on_the_disk(engine: Engine) -> None:
    with engine.lake.read("repo") as snapshot:
        assert nodes.exists(snapshot.reader, engine.lake.empty)
        assert list(snapshot.tree.scan(engine.lake.empty)) == []


# ------------------------------------------------------------------------------------------------------------ reading


def test_a_missing_repository(engine: Engine) -> None:
    def read() -> None:
        with engine.lake.read("none"):
            pytest.fail("there is nothing to read")

    refused(404, read, "repository not found")
    assert engine.lake.database.readers.lent() == []
    for write in (engine.lake.write, engine.lake.effect):
        with pytest.raises(NotFoundException, match="repository not found"):
            write("none", lambda _transaction: pytest.fail("there is nothing to write"))
    put(engine, "a")  # and nobody holds the lake


# ------------------------------------------------------------------------------------------------------------ writing


@EVERY
def test_what_returned_is_there(engine: Engine, write: Write) -> None:
    assert write(engine.lake, mark) == "done"
    assert noted(engine) == "made"


@EVERY
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (disk.NoSpace("x"), LakeResourceError),
        (disk.Damaged("x"), LakeCorruptError),
        (disk.LockTimeout("x"), LakeLockedError),
        (TreeCorruptError(b"d" * 32, "x"), LakeCorruptError),
        (msgspec.DecodeError("x"), LakeCorruptError),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), LakeCorruptError),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else "",
)
def test_errors_are_those_of_the_public_tree(
    engine: Engine, write: Write, error: Exception, expected: type[LakeError]
) -> None:
    def work(writer: Writer) -> None:
        mark(writer)
        raise error

    with pytest.raises(expected) as caught:
        write(engine.lake, work)
    assert type(caught.value) is expected
    assert caught.value.__cause__ is error
    assert noted(engine) is None


@EVERY
def test_other_errors_pass_and_nothing_is_kept(engine: Engine, write: Write) -> None:
    error = ValueError("not the disk's")

    def work(writer: Writer) -> None:
        mark(writer)
        raise error

    with pytest.raises(ValueError, match="not the disk's") as caught:
        write(engine.lake, work)
    assert caught.value is error
    assert noted(engine) is None


def keyed() -> KeyedRequest:
    return KeyedRequest("me", "key", "operation", b"f", lambda result: str(result).encode())


def test_an_effect_happens_once_under_a_key(engine: Engine) -> None:
    def count(transaction: Transaction) -> int:
        found = int(meta.get(transaction.reader, "mark") or 0) + 1
        meta.put(transaction.writer, "mark", str(found))
        return found

    request = keyed()
    with request:
        assert engine.lake.effect("repo", count) == 1
        assert request.noted
    with keyed(), pytest.raises(RepeatedRequest) as caught:
        engine.lake.effect("repo", count)
    assert caught.value.answer == b"1"
    assert noted(engine) == "1"
    assert idempotency.current() is None
    assert [engine.lake.effect("repo", count) for _ in range(2)] == [2, 3], "without a key, each time"


def test_a_write_is_told_of_the_key_and_ends_when_it_says_so(engine: Engine) -> None:
    seen = list[Any]()
    request = keyed()
    with request:
        engine.lake.write("repo", lambda transaction: seen.append(transaction.keyed))
    assert seen == [request]
    assert not request.noted
    with keyed():
        engine.lake.write("repo", lambda transaction: transaction.must_be_first())  # nothing was written down


def test_a_commit_is_read_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    put(engine, "a")
    made = bytes.fromhex(commit(engine))
    engine.lake.commits = KeptCommits()
    with engine.lake.read("repo") as snapshot:
        first = snapshot.commit(made)
    monkeypatch.setattr(records, "read_commit", lambda _data: pytest.fail("read again"))
    with engine.lake.read("repo") as snapshot:
        assert snapshot.commit(made) is first
