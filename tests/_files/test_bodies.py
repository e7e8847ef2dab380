"""Data as a body that can be sent again. tests/conformance/test_bodies.py uploads what is here only converted."""

from __future__ import annotations

import array
import io
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl._files import bodies
from lakefs_hl._files.bodies import SPOOL, Abandoned, block_of, body_of, replayable, source_of, stream_block
from lakefs_hl.spec.errors import IntegrityError
from lakefs_hl.spec.wire import FileSlice
from lakefs_hl.transport.body import whole


def test_a_regular_file_is_a_slice_from_its_position(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    with replayable(path) as body:
        assert isinstance(body, FileSlice)
        assert (body.offset, body.length) == (0, 10)
    with path.open("rb") as file:
        file.read(4)
        with replayable(file) as body:
            assert isinstance(body, FileSlice)
            assert (body.offset, whole(body)) == (4, b"456789")
            assert file.tell() == 4
        assert file.tell() == 10


def test_a_file_that_changed_since_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    with replayable(path) as body:
        assert isinstance(body, FileSlice)
        path.write_bytes(b"01234567890")
        with pytest.raises(IntegrityError, match="it had 10 bytes, and now has 11"):
            whole(body)


def test_a_stream_is_read_to_its_end_and_its_position_is_restored_after_a_failure() -> None:
    stream = io.BytesIO(b"0123456789")
    stream.seek(4)
    with pytest.raises(RuntimeError), replayable(stream) as body:
        assert body == b"456789"
        raise RuntimeError
    assert stream.tell() == 4


def test_reading_stops_when_nobody_waits_for_it() -> None:
    with pytest.raises(Abandoned), replayable([b"a", b"b"], lambda: True):
        pass


def test_a_spool_is_bytes_while_it_is_small() -> None:
    for size in (0, SPOOL, SPOOL + 1):
        with tempfile.SpooledTemporaryFile(SPOOL) as spool:
            spool.write(bytes(size))
            body = body_of(spool)
            assert isinstance(body, FileSlice) == (size > SPOOL)
            assert len(whole(body)) == size


@pytest.mark.parametrize("block", [b"ab", bytearray(b"ab"), memoryview(b"xabx")[1:3]])
def test_a_block_is_bytes(block: object) -> None:
    assert block_of(block, "it") == b"ab"


def test_a_coroutine_instead_of_a_block_is_closed_and_refused() -> None:
    async def read() -> bytes:
        return b""

    with pytest.raises(TypeError, match=r"it returned a coroutine.*lakefs_hl\.aio"):
        block_of(read(), "it")


def test_a_stream_gives_text_or_bytes_but_not_both() -> None:
    assert stream_block("ü", None, "it") == ("ü".encode(), str)
    assert stream_block(b"a", bytes, "it") == (b"a", bytes)
    with pytest.raises(TypeError, match="both bytes and str"):
        stream_block(b"a", str, "it")


@pytest.mark.parametrize("data", ["a\ud800", ["a", "b\ud800"], io.StringIO("\ud800")], ids=["text", "blocks", "stream"])
def test_a_lone_surrogate_is_refused_with_the_way_to_do_it(data: Any) -> None:
    with pytest.raises(UnicodeEncodeError, match=r"upload the bytes, such as text\.encode\(errors="):
        with replayable(data):
            pass


def test_a_stream_is_called_by_its_type_and_name() -> None:
    assert source_of(io.StringIO()) == "read() of StringIO"
    with tempfile.NamedTemporaryFile() as file:
        assert repr(file.name) in source_of(file.file)


def test_items_that_are_not_numbers_are_refused_with_the_way_to_do_it() -> None:
    text: Any = array.array("u", "a")
    with pytest.raises(TypeError, match=r"format '.'.*\.tobytes\(\)"), replayable(text):
        pass


def test_numbers_are_sent_as_they_are_in_memory() -> None:
    numbers: Any = array.array("i", [1, 2])
    with replayable(numbers) as body:
        assert body == numbers.tobytes()


def test_a_text_that_names_a_file_warns(tmp_path: Path) -> None:
    path = tmp_path / "a"
    bodies.warn_of_file_name(str(path))
    bodies.warn_of_file_name("")
    bodies.warn_of_file_name(b"a")
    path.touch()
    with pytest.warns(UserWarning, match=r"there is a file of that name.*pathlib\.Path"):
        bodies.warn_of_file_name(str(path))


class Closable:
    """An iterable that notes when it is closed."""

    def __init__(self, *blocks: Any) -> None:
        self.blocks = blocks
        self.closed = False

    def __iter__(self) -> Iterator[Any]:
        return iter(self.blocks)

    def close(self) -> None:
        self.closed = True


def test_what_a_callable_returns_is_read_and_closed(tmp_path: Path) -> None:
    made = Closable(b"con", b"tent")
    with bodies.replayable(lambda: made) as body:
        assert (whole(body), made.closed) == (b"content", False)
    assert made.closed
    (tmp_path / "file").write_bytes(b"content")
    opened = list[Any]()

    def make() -> Any:
        opened.append((tmp_path / "file").open("rb"))
        return opened[-1]

    with bodies.replayable(make) as body:
        assert isinstance(body, FileSlice)
        assert whole(body) == b"content"
    assert opened[0].closed
    with bodies.replayable(partial(bytes, 3)) as body:  # type: ignore[arg-type]
        assert body == bytes(3)


def test_what_a_callable_returns_is_closed_after_a_failure() -> None:
    made = Closable(b"a", "b")
    with pytest.raises(TypeError, match="both bytes and str"), bodies.replayable(lambda: made):
        pass
    assert made.closed


def test_a_callable_is_refused_that_returns_no_data() -> None:
    def nested() -> Any:
        return nested

    with pytest.raises(TypeError, match="the callable that was passed as data returned another one"):
        with bodies.replayable(nested):
            pass
    with pytest.raises(TypeError, match="not int"), bodies.replayable(lambda: 5):  # type: ignore[arg-type,return-value]
        pass
    with pytest.raises(ZeroDivisionError), bodies.replayable(lambda: [b"%d" % (1 // 0)]):
        pass

    async def later() -> bytes:
        return b"content"

    with pytest.raises(TypeError, match=r"is asynchronous: its data can be uploaded with lakefs_hl\.aio only"):
        with bodies.replayable(later):  # type: ignore[arg-type]
            pass
