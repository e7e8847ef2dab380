"""The purge: what is dead is removed in pieces, what is alive stays, and what could not be removed stays noted."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from lakefs_hl.local.disk.tables import history, imports, meta, pulls, staging, tags, uploads
from lakefs_hl.local.disk.tables.tags import Row as Tag
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine import purge as purge_module
from lakefs_hl.local.engine.clock import seconds
from lakefs_hl.local.engine.contents import UPLOAD_SECONDS
from lakefs_hl.local.engine.purge import Purge
from lakefs_hl.local.engine.snapshot import Transaction
from lakefs_hl.spec.errors import LakeLockedError
from tests.local.engine.support import paths, put

DEAD = 10**6  # a token, and the number of a repository, that nobody has


@pytest.fixture(autouse=True)
def _pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge_module, "CHUNK", 3)


def kill(engine: Engine, amount: int, purge: Purge | None = None) -> None:
    """Leaves rows under a dead token; the lake's own purge knows of it, unless that is another's."""

    def work(transaction: Transaction) -> None:
        for index in range(amount):
            staging.put(transaction.writer, DEAD, b"%d" % index, b"v")
        (purge or engine.lake.purge).add_token(transaction.writer, DEAD)

    engine.lake.write(None, work)


def left(engine: Engine) -> tuple[int, bool]:
    """How many rows there are under the dead token, and whether it is noted."""
    with engine.lake.read() as snapshot:
        noted = meta.first(snapshot.reader, "dead token ") is not None
        return staging.count(snapshot.reader, [DEAD], 1000), noted


def test_a_transaction_removes_a_piece(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    kill(engine, 8)
    write, seen = engine.lake.write, list[int]()

    def watch(*args: Any, **options: Any) -> Any:
        found = write(*args, **options)
        seen.append(left(engine)[0])
        return found

    monkeypatch.setattr(engine.lake, "write", watch)
    engine.lake.purge.run()
    assert seen[:3] == [5, 2, 0]
    assert left(engine) == (0, False)
    seen.clear()
    engine.lake.purge.run()
    assert seen == [], "who finds nothing writes nothing"


@pytest.mark.parametrize("amount", [0, 3, 6])
def test_whole_pieces_end_too(engine: Engine, amount: int) -> None:
    kill(engine, amount)
    engine.lake.purge.run()
    assert left(engine) == (0, False)


def test_what_others_left_is_found_by_who_looks(engine: Engine) -> None:
    kill(engine, 4, Purge(engine.lake))  # as another process does
    engine.lake.purge.run()
    assert left(engine) == (4, True)
    engine.lake.purge.run(look=True)
    assert left(engine) == (0, False)


def test_what_could_not_be_removed_is_removed_the_next_time(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    kill(engine, 4)

    def refuse(*_: object, **__: object) -> None:
        raise LakeLockedError("somebody writes")

    with monkeypatch.context() as patch:
        patch.setattr(engine.lake, "write", refuse)
        engine.lake.purge.run()  # whoever deletes has done what it was asked for
    assert left(engine) == (4, True)
    engine.lake.purge.run()
    assert left(engine) == (0, False)


def test_without_patience_it_waits_for_nobody(engine: Engine) -> None:
    kill(engine, 4)
    begun, end = threading.Event(), threading.Event()

    def hold(_transaction: Transaction) -> None:
        begun.set()
        assert end.wait(30)

    holder = threading.Thread(target=lambda: engine.lake.write(None, hold))
    holder.start()
    try:
        assert begun.wait(30)
        engine.lake.purge.run(patience=0.0)
        assert not end.is_set()
        assert left(engine) == (4, True)
    finally:
        end.set()
        holder.join(30)
    engine.lake.purge.run()
    assert left(engine) == (0, False)


def test_a_deleted_repository_leaves_nothing_and_others_stay(engine: Engine) -> None:
    put(engine, "a")
    tables = (history, imports, pulls, tags)
    with engine.lake.read("repo") as snapshot:
        living = snapshot.repo.id

    def rows(transaction: Transaction) -> None:
        for number in (DEAD, living):
            for index in range(7):
                name = f"{index}"
                history.put(transaction.writer, number, name.encode(), b"v")
                imports.put(transaction.writer, number, name, b"v")
                pulls.put(transaction.writer, number, name, b"v")
                tags.insert(transaction.writer, Tag(number, name, b"h" * 32))

    engine.lake.write("repo", rows)

    def numbers() -> list[list[int]]:
        with engine.lake.read() as snapshot:
            return [sorted({row[0] for row in table.scan(snapshot.reader)}) for table in tables]

    assert numbers() == [[living, DEAD]] * 4
    engine.lake.write(None, lambda transaction: engine.lake.purge.add_repository(transaction.writer, DEAD))
    assert numbers() == [[living, DEAD]] * 4, "not while others wait"
    engine.lake.purge.run()
    assert numbers() == [[living]] * 4
    with engine.lake.read() as snapshot:
        assert meta.first(snapshot.reader, meta.DELETED) is None
        assert len([row for row in history.scan(snapshot.reader) if row[0] == living]) == 8
    assert paths(engine) == ["a"]


def test_uploads_that_nobody_linked_expire(engine: Engine) -> None:
    now = seconds()

    def work(transaction: Transaction) -> None:
        for index in range(7):
            uploads.put(transaction.writer, f"old-{index}", now - UPLOAD_SECONDS - 1, b"v")
        uploads.put(transaction.writer, "new", now, b"v")

    engine.lake.write(None, work)
    engine.lake.purge.run()
    with engine.lake.read() as snapshot:
        assert len(uploads.scan(snapshot.reader)) == 8, "found by who looks only"
    engine.lake.purge.run(look=True)
    with engine.lake.read() as snapshot:
        assert uploads.scan(snapshot.reader) == [("new", b"v")]
