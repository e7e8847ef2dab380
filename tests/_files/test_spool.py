"""What is written to a file: in memory, then in a temporary file."""

from __future__ import annotations

import io
import random
import sys
import tempfile
from typing import Any, cast

import pytest

from lakefs_hl._files import spool
from lakefs_hl._files.bodies import SPOOL
from lakefs_hl._files.spool import Spool
from lakefs_hl.spec.wire import FileSlice


def content(made: Spool) -> bytes:
    body = made.body()
    if isinstance(body, FileSlice):
        with open(body.fd, "rb", closefd=False) as file:
            file.seek(body.offset)
            return file.read(body.length)
    return body


def is_in_memory(made: Spool) -> bool:
    return isinstance(made._file, io.BytesIO)


@pytest.mark.parametrize("size", [0, SPOOL - 1, SPOOL, SPOOL + 1])
def test_above_the_limit_it_is_a_file(size: int) -> None:
    made = Spool()
    for at in range(0, size, 1 << 20):
        made.write(bytes(min(1 << 20, size - at)))
    assert is_in_memory(made) == (size <= SPOOL)
    assert isinstance(made.body(), FileSlice) == (size > SPOOL)
    assert content(made) == bytes(size)
    made.release()
    made.release()
    assert made.closed


def test_it_is_a_file_like_any_other(monkeypatch: pytest.MonkeyPatch, rng: random.Random) -> None:
    monkeypatch.setattr(spool, "SPOOL", 100)
    moved = 0
    for _ in range(200):
        made, model = Spool(), tempfile.SpooledTemporaryFile(100)  # noqa: SIM115
        for _ in range(rng.randrange(1, 30)):
            match rng.randrange(6):
                case 0:
                    at = rng.randrange(150)
                    assert made.seek(at) == model.seek(at)
                case 1:
                    assert made.seek(0, io.SEEK_END) == model.seek(0, io.SEEK_END)
                case 2:
                    size = rng.randrange(150)
                    made.truncate(size)
                    model.truncate(size)
                case _:
                    data = rng.randbytes(rng.randrange(40))
                    assert made.write(data) == model.write(data)
            assert made.tell() == model.tell()
        model.seek(0)
        assert content(made) == model.read()
        moved += not is_in_memory(made)
        made.release()
        model.close()
    assert 20 < moved < 180


def test_room_counts_what_can_be_written_before_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "SPOOL", 100)
    made = Spool()
    made.write(bytes(90))
    assert made.room == 10
    made.seek(20)
    assert made.room == 80
    made.write(bytes(80))
    assert is_in_memory(made)
    made.write(b"x")
    assert not is_in_memory(made)
    assert made.room == sys.maxsize
    made.room = -1
    made.make_room()
    assert made.room == sys.maxsize
    made.release()


def test_a_disk_that_is_full_breaks_it_and_leaves_no_file_open(monkeypatch: pytest.MonkeyPatch) -> None:
    files = list[Any]()

    class Full(io.BytesIO):
        def __init__(self) -> None:
            super().__init__()
            files.append(self)

        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool, "SPOOL", 100)
    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    made = Spool()
    made.write(bytes(100))
    with pytest.raises(OSError, match="No space left"):
        made.write(b"x")
    assert made.broken
    assert [file.closed for file in files] == [True]
    made.release()


def test_an_interrupted_write_breaks_it() -> None:
    made = Spool()

    def interrupt(data: Any) -> int:
        raise KeyboardInterrupt

    made.put = interrupt
    with pytest.raises(KeyboardInterrupt):
        made.write(b"x")
    assert made.broken


def test_a_text_wrapper_around_it_neither_closes_nor_reads_it() -> None:
    made = Spool()
    text = io.TextIOWrapper(cast("Any", made), "utf-8")
    text.write("ü")
    with pytest.raises(io.UnsupportedOperation):
        text.read()
    text.close()
    del text
    assert (content(made), made.closed) == ("ü".encode(), False)
    made.release()
