"""Snapshots and transactions: all of one moment, checked where it is read, and nothing kept of what failed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec
import pytest

from lakefs_hl.local.disk import errors as disk
from lakefs_hl.local.disk.tables import history
from lakefs_hl.local.engine import Engine, records
from lakefs_hl.local.engine.idempotency import KeyedRequest, RepeatedRequest
from lakefs_hl.local.engine.lake import KeptCommits
from lakefs_hl.local.engine.records import CommitRecord
from lakefs_hl.local.engine.settings import PROTECTION
from lakefs_hl.local.engine.snapshot import Transaction
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import LakeCorruptError, LakeError
from tests.local.engine.support import commit, head, put, refused

RECORD = CommitRecord([], None, "me", "made by hand", 1, {}, 1)


def elsewhere(work: Callable[[], object]) -> None:
    """Runs what another thread does in the midst of a read of this one."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()


def test_all_of_it_is_of_one_moment(engine: Engine) -> None:
    with engine.lake.read("repo") as snapshot:
        before = snapshot.head("main")
        elsewhere(lambda: put(engine, "a"))
        elsewhere(lambda: commit(engine))
        elsewhere(lambda: engine.settings.set_protection("repo", [models.BranchProtectionRule("x")], None))
        assert snapshot.head("main") == before
        assert snapshot.setting(PROTECTION) is None
        elsewhere(lambda: engine.repositories.delete("repo"))
        assert snapshot.find_head("main") == before
        assert snapshot.repo.name == "repo"
    refused(404, lambda: head(engine))


def test_branches(engine: Engine) -> None:
    with engine.lake.read("repo") as snapshot:
        assert snapshot.find_head("main") == snapshot.head("main")
        assert snapshot.find_head("none") is None
        refused(404, lambda: snapshot.head("none"), "branch not found")


def test_read_only_unless_overridden(engine: Engine) -> None:
    creation = models.RepositoryCreation("frozen", "local://frozen", read_only=True)
    engine.repositories.create(creation, who="me")
    with engine.lake.read("frozen") as snapshot:
        for force in (None, False):
            refused(403, lambda force=force: snapshot.must_be_writable(force), "read-only repository")  # type: ignore[misc]
        snapshot.must_be_writable(force=True)
    with engine.lake.read("repo") as snapshot:
        snapshot.must_be_writable()


# ------------------------------------------------------------------------------------------------------------- commits


def test_a_commit_is_named_by_what_it_says(engine: Engine) -> None:
    name = engine.lake.write("repo", lambda transaction: transaction.add_commit(RECORD))
    assert name == records.commit_id(records.write_commit(RECORD))
    with engine.lake.read("repo") as snapshot:
        assert snapshot.commit(name) == RECORD
        assert snapshot.root(name) == engine.lake.empty, "a first commit holds nothing"


def test_the_root_of_a_commit(engine: Engine) -> None:
    put(engine, "a")
    made = bytes.fromhex(commit(engine))
    with engine.lake.read("repo") as snapshot:
        root = snapshot.root(made)
        assert root == snapshot.commit(made).root
        assert [key for keys, _ in snapshot.tree.scan(root) for key in keys] == [b"a"]


def test_a_commit_that_is_missing(engine: Engine) -> None:
    with engine.lake.read("repo") as snapshot, pytest.raises(LakeCorruptError, match=f"{'00' * 32} is missing"):
        snapshot.commit(bytes(32))


def test_a_commit_that_is_another_is_never_shown(engine: Engine) -> None:
    name = b"n" * 32
    data = records.write_commit(RECORD)
    engine.lake.write("repo", lambda transaction: history.put(transaction.writer, transaction.repo.id, name, data))
    for _ in range(2):  # and it is not kept in memory
        with engine.lake.read("repo") as snapshot, pytest.raises(LakeCorruptError, match="is not what its id says"):
            snapshot.commit(name)


# -------------------------------------------------------------------------------------------------------- transactions


def test_settings(engine: Engine) -> None:
    def work(transaction: Transaction) -> bytes | None:
        transaction.set_setting("kind", b"1")
        return transaction.setting("kind")

    assert engine.lake.write("repo", work) == b"1", "it sees its own changes"
    with engine.lake.read("repo") as snapshot:
        assert snapshot.setting("kind") == b"1"
    engine.lake.write("repo", lambda transaction: transaction.set_setting("kind", None))
    with engine.lake.read("repo") as snapshot:
        assert snapshot.setting("kind") is None


def test_nothing_stays_of_what_failed(engine: Engine) -> None:
    made = list[bytes]()

    def work(transaction: Transaction) -> None:
        made.append(transaction.add_commit(RECORD))
        transaction.set_setting("kind", b"1")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        engine.lake.write("repo", work)
    with engine.lake.read("repo") as snapshot:
        assert snapshot.setting("kind") is None
        assert not history.exists(snapshot.reader, snapshot.repo.id, made[0])


def test_nodes_die_with_their_operation_unless_flushed(engine: Engine) -> None:
    with engine.lake.read() as snapshot:
        name = snapshot.nodes.put(b"node")
        assert snapshot.nodes.get(name) == b"node"
    with engine.lake.read() as snapshot, pytest.raises(KeyError):
        snapshot.nodes.get(name)

    def work(transaction: Transaction) -> None:
        transaction.nodes.put(b"node")
        transaction.nodes.flush(transaction.writer)

    engine.lake.write(None, work)
    with engine.lake.read() as snapshot:
        assert snapshot.nodes.get(name) == b"node"


def test_without_a_key_an_answer_is_passed_on(engine: Engine) -> None:
    def work(transaction: Transaction) -> str:
        transaction.must_be_first()
        return transaction.note("answer")

    assert [engine.lake.write("repo", work) for _ in range(2)] == ["answer"] * 2


def test_with_a_key_it_is_written_down_and_stands(engine: Engine) -> None:
    def keyed() -> KeyedRequest:
        return KeyedRequest("me", "key", "operation", b"f", str.encode)

    with keyed():
        assert engine.lake.write("repo", lambda transaction: transaction.note("first")) == "first"

    def begins(transaction: Transaction) -> None:
        transaction.must_be_first()

    def ends(transaction: Transaction) -> None:
        transaction.set_setting("kind", b"1")
        transaction.note("second")

    for work in (begins, ends):
        with keyed(), pytest.raises(RepeatedRequest) as caught:
            engine.lake.write("repo", work)
        assert caught.value.answer == b"first"
    with engine.lake.read("repo") as snapshot:
        assert snapshot.setting("kind") is None


# --------------------------------------------------------------------------------------------------- errors of a block


@pytest.mark.parametrize("error", [disk.Damaged("x"), msgspec.DecodeError("x")])
def test_errors_in_a_block_are_those_of_the_public_tree(engine: Engine, error: Exception) -> None:
    with pytest.raises(LakeCorruptError, match="x") as caught, engine.lake.read("repo"):
        raise error
    assert caught.value.__cause__ is error
    assert engine.lake.database.readers.lent() == []


def test_a_row_that_cannot_be_read(engine: Engine) -> None:
    engine.lake.commits = KeptCommits()
    junk = b"\xc1"
    name = records.commit_id(junk)
    engine.lake.write("repo", lambda transaction: history.put(transaction.writer, transaction.repo.id, name, junk))
    with pytest.raises(LakeCorruptError, match="lakefs-hl fsck"), engine.lake.read("repo") as snapshot:
        snapshot.commit(name)


def test_other_errors_pass(engine: Engine) -> None:
    error = KeyError("x")
    with pytest.raises(KeyError) as caught, engine.lake.read("repo"):
        raise error
    assert caught.value is error
    assert engine.lake.database.readers.lent() == []


def test_a_closed_lake_is_not_read(engine: Engine) -> None:
    engine.lake.database.close()
    with pytest.raises(LakeError, match="has been closed"), engine.lake.read():
        pytest.fail("there is nothing to read")
