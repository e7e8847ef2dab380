"""The blocks of a database: reads within reads are one, and each block gives back what it took, however it ends."""

from __future__ import annotations

import threading

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import DiskError
from lakefs_hl.local.disk.rows import Reader

PUT = "INSERT INTO staging(token, path, value) VALUES(1, ?, 'v')"
COUNT = "SELECT count(*) FROM staging"


def put(database: Database, path: bytes) -> None:
    database.run(lambda writer: writer.execute(PUT, (path,)))


def count(reader: Reader) -> int:
    found = reader.row(COUNT)
    assert found is not None
    return int(found[0])


def test_a_read_within_a_read_is_the_same_one(database: Database) -> None:
    with database.read() as outer:
        before = count(outer)
        put(database, b"a")
        with database.read() as inner:
            assert inner is outer
            assert count(inner) == before
        assert len(database.readers.lent()) == 1, "the outer one still has it"
        assert count(outer) == before
    assert database.readers.lent() == []
    with database.read() as after:
        assert count(after) == before + 1


def test_another_thread_has_another_reader(database: Database) -> None:
    seen = list[Reader]()

    def read() -> None:
        with database.read() as reader:
            seen.append(reader)
            assert len(database.readers.lent()) == 2

    with database.read() as mine:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join(30)
        (other,) = seen
        assert other is not mine
        assert database.readers.lent() == [mine._connection]


def test_a_thread_knows_whether_it_reads(database: Database) -> None:
    local = database.local
    assert not local.reading()
    with database.read():
        assert local.reading()
        with database.read():
            assert local.reading()
        assert local.reading()
        seen = list[bool]()
        thread = threading.Thread(target=lambda: seen.append(local.reading()))
        thread.start()
        thread.join(30)
        assert seen == [False]
    assert not local.reading()


def test_a_block_that_was_lost_within_another_ends_with_it(database: Database) -> None:
    with database.read():
        lost = database.read()
        lost.__enter__()
        del lost  # as an interrupt on its way in leaves it: nobody ends it
    # The depth is too large now, and the reader is gone all the same.
    assert not database.local.reading()
    assert database.readers.lent() == []
    with database.read() as reader:
        assert count(reader) == 0


def test_ending_a_block_twice_gives_back_once(database: Database) -> None:
    block = database.read()
    with database.read() as outer:
        block.__enter__()
        for _ in range(2):
            block.__exit__(None, None, None)
        assert len(database.readers.lent()) == 1
        assert count(outer) == 0
    assert database.readers.lent() == []


def test_an_error_within_leaves_the_read_around_it_as_it_was(database: Database) -> None:
    with database.read() as outer:
        with pytest.raises(DiskError, match=r"lake\.db: SQLError"), database.read() as inner:
            inner.execute("SELECT nonsense")
        assert count(outer) == 0
        with pytest.raises(ZeroDivisionError), database.read():
            raise ZeroDivisionError
        assert count(outer) == 0
    assert database.readers.lent() == []


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), None])
def test_a_write_is_kept_or_undone_whole(database: Database, error: BaseException | None) -> None:
    def write() -> None:
        with database.write() as writer:
            writer.execute(PUT, (b"a",))
            writer.execute(PUT, (b"b",))
            if error is not None:
                raise error

    if error is None:
        write()
    else:
        with pytest.raises(type(error)) as caught:
            write()
        assert caught.value is error
    with database.read() as reader:
        assert count(reader) == (2 if error is None else 0)
    put(database, b"c")  # nobody holds the locks


def test_what_was_not_begun_is_not_ended(database: Database) -> None:
    block = database.write()
    with database.write() as writer:
        with pytest.raises(RuntimeError, match="write inside a write"):
            block.__enter__()
        del block  # it must not let go of the other's locks
        assert database.writing
        writer.execute(PUT, (b"a",))
    with database.read() as reader:
        assert count(reader) == 1
