"""What `upload` takes: a body is measured where its own descriptor is read, and read to its end everywhere else."""

from __future__ import annotations

import array
import asyncio
import bz2
import codecs
import enum
import gzip
import io
import lzma
import mmap
import os
import re
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from lakefs_hl import exceptions
from lakefs_hl._files.bodies import BLOCK, SPOOL
from tests.worlds import World

Temporary: Any = tempfile._TemporaryFileWrapper  # the type of NamedTemporaryFile
TEXT = b"hello,world\n" * 3000


@pytest.fixture
def branch(world: World) -> Any:
    """`main` of a new repository."""
    return world.fresh().branch("main")


def stored(branch: Any, data: Any) -> bytes:
    """What is in the lake after an upload."""
    info = branch.upload(data, "a")
    content = branch.download("a")
    assert info.size_bytes == len(content)
    return bytes(content)


class Decoder(io.RawIOBase):
    """Changes what it reads, and tells the descriptor of what it reads from."""

    def __init__(self, file: io.BufferedReader) -> None:
        self.file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.file.tell()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self.file.seek(offset, whence)

    def fileno(self) -> int:
        return self.file.fileno()

    def readinto(self, buffer: Any, /) -> int:
        content = self.file.read(len(buffer)).upper()
        buffer[: len(content)] = content
        return len(content)


class Upper(io.FileIO):
    """A file that changes what it reads."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(-1 if size is None else size).upper()

    def readinto(self, buffer: Any, /) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


class UpperReader(io.BufferedReader):
    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size).upper()


class UpperBytes(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size).upper()


class Wrapper:
    """Has a `file`, as a temporary file has, and reads in its own way."""

    def __init__(self, file: io.BufferedRandom) -> None:
        self.file = file
        self.name = file.name

    def read(self, size: int = -1) -> bytes:
        return self.file.read(size).upper()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def archives(folder: Path) -> dict[str, Callable[[], Any]]:
    """Streams that are not what the descriptor below them holds; each gives TEXT."""
    for module, name in ((gzip, "gz"), (bz2, "bz2"), (lzma, "xz")):
        with module.open(folder / name, "wb") as file:
            file.write(TEXT)
    (folder / "plain").write_bytes(TEXT)
    with zipfile.ZipFile(folder / "zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "plain", "member")
    with tarfile.open(folder / "tar", "w") as tar:
        tar.add(folder / "plain", "member")
    (folder / "low").write_bytes(TEXT.lower())
    return {
        "gzip": lambda: gzip.open(folder / "gz"),
        "gzip under a buffer": lambda: io.BufferedReader(gzip.open(folder / "gz")),
        "bz2 under a buffer": lambda: io.BufferedReader(bz2.open(folder / "bz2")),
        "lzma under a buffer": lambda: io.BufferedReader(lzma.open(folder / "xz")),
        "member of a zip": lambda: zipfile.ZipFile(folder / "zip").open("member"),
        "member of a tar": lambda: tarfile.open(folder / "tar").extractfile("member"),
        "codec": lambda: codecs.open(str(folder / "plain"), "r", "utf-8"),
        "temporary wrapper of one": lambda: Temporary(gzip.open(folder / "gz"), "x", delete=False),
    }


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_what_is_decoded_on_the_way_is_stored_decoded(branch: Any, tmp_path: Path) -> None:
    for name, opened in archives(tmp_path).items():
        file = opened()
        assert stored(branch, file) == TEXT, name
        file.close()


def test_a_subclass_or_wrapper_is_read_as_it_wants_to_be(branch: Any, tmp_path: Path) -> None:
    local = tmp_path / "low"
    local.write_bytes(b"abc")
    with open(local, "rb") as plain, open(local, "rb") as buffered, open(local, "r+b") as random, Upper(local) as raw:
        for data in (
            Decoder(plain),
            io.BufferedReader(Decoder(buffered)),
            raw,
            UpperReader(io.FileIO(local)),
            io.BufferedReader(Upper(local)),
            Wrapper(random),
            UpperBytes(b"abc"),
        ):
            assert stored(branch, data) == b"ABC", data
            if isinstance(data, io.IOBase):
                data.close()


def test_pipes_and_devices_are_read_to_their_end(branch: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    def feed() -> None:
        with open(tmp_path / "fifo", "wb") as out:
            out.write(TEXT)

    feeder = threading.Thread(target=feed)
    feeder.start()
    assert stored(branch, tmp_path / "fifo") == TEXT
    feeder.join()
    for as_path in (True, False):
        reading, writing = os.pipe()
        os.write(writing, b"payload")
        os.close(writing)
        with open(reading, "rb") as pipe:  # what /dev/stdin and bash's <(command) are
            assert stored(branch, Path(f"/dev/fd/{reading}") if as_path else pipe) == b"payload"
    assert stored(branch, Path("/dev/null")) == b""


def pseudo_files() -> Iterator[str]:
    """Files whose size is not what they say, where this system has them."""
    for name in ("/proc/version", "/proc/self/status", "/sys/kernel/mm/transparent_hugepage/enabled"):
        if Path(name).is_file():
            yield name


@pytest.mark.parametrize("name", list(pseudo_files()))
def test_files_that_tell_a_wrong_size_are_stored_whole(branch: Any, name: str) -> None:
    path = Path(name)
    content = path.read_bytes()
    assert len(content) != path.stat().st_size  # else this would try nothing
    lines = content.count(b"\n")
    assert stored(branch, path).count(b"\n") == lines
    for buffering in (-1, 0):
        with open(path, "rb", buffering=buffering) as file:
            assert stored(branch, file).count(b"\n") == lines
    if name == "/proc/version":
        assert branch.download("a") == content


def test_a_directory_is_refused_by_name(branch: Any, tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=re.escape(str(tmp_path))) as caught:
        branch.upload(tmp_path, "a")
    assert "upload its files one by one" in str(caught.value)
    assert not branch.exists("a")


@pytest.mark.parametrize("how", ["path", "buffered", "raw", "temporary"])
@pytest.mark.parametrize("change", ["grows", "shrinks", "is written over", "gets its time back"])
def test_a_file_that_changes_while_it_is_sent_is_an_error_and_nothing_is_stored(
    branch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, how: str
) -> None:
    size = 3 * BLOCK + 5
    with tempfile.NamedTemporaryFile(dir=tmp_path) as made:
        made.write(bytes(size))
        made.flush()
        made.seek(0)
        os.utime(made.name, (1, 1))
        pread, todo = os.pread, [change]

        def disturbed(fd: int, count: int, offset: int, /) -> bytes:
            found = pread(fd, count, offset)
            if offset <= BLOCK < offset + count and todo:  # some transports read all of it at once
                todo.pop()
                with open(made.name, "r+b") as other:
                    other.truncate({"grows": size + 1, "shrinks": size - 2}.get(change, size))
                    other.write(b"x")
                before = os.fstat(fd).st_ctime_ns if change == "gets its time back" else 0
                while os.fstat(fd).st_ctime_ns == before:  # the clock of a file system goes by steps
                    os.utime(made.name, (1, 1))
            return found

        monkeypatch.setattr(os, "pread", disturbed)
        with open(made.name, "rb") as buffered, open(made.name, "rb", buffering=0) as raw:
            data: Any = {"path": Path(made.name), "buffered": buffered, "raw": raw, "temporary": made}[how]
            now = {"grows": f"now has {size + 1};", "shrinks": f"now has {size - 2};"}.get(change)
            what = "it was modified;" if now is None else f"it had {size} bytes, and {now}"
            if change == "gets its time back":
                what = "its attributes were modified, and maybe its content"
            with pytest.raises(exceptions.IntegrityError) as caught:
                branch.upload(data, "a")
            assert f"{made.name!r} changed while it was uploaded: {what}" in str(caught.value)
            assert todo == []
            assert not branch.exists("a")
            assert how == "path" or data.tell() == 0
            assert branch.upload(data, "a").size_bytes == Path(made.name).stat().st_size


def test_a_file_stands_where_it_was_read_to(branch: Any, tmp_path: Path) -> None:
    local = tmp_path / "a"
    local.write_bytes(TEXT)
    for buffering in (-1, 0):
        with open(local, "rb", buffering=buffering) as file:
            file.read(6)
            assert stored(branch, file) == TEXT[6:]
            assert file.tell() == len(TEXT)
            assert stored(branch, file) == b""
            file.seek(len(TEXT) + 10)
            assert stored(branch, file) == b""
            assert file.tell() == len(TEXT) + 10
    with open(local, "wb") as out, pytest.raises(io.UnsupportedOperation):
        branch.upload(out, "b")
    assert not branch.exists("b")


def test_after_a_failed_upload_a_stream_in_memory_stands_where_it_stood(branch: Any) -> None:
    stream = io.BytesIO(b"0123456789")
    stream.seek(3)
    with pytest.raises(exceptions.BadRequestException):
        branch.upload(stream, "a" * 2000)
    assert stream.tell() == 3
    assert stored(branch, stream) == b"3456789"


class Gives:
    """A stream that gives what it is told to."""

    def __init__(self, *blocks: Any) -> None:
        self.blocks = list(blocks)
        self.name = "a stream"

    def read(self, size: int = -1) -> Any:
        return self.blocks.pop(0)


@pytest.mark.parametrize("first", [(), (b"half",), ("half",)])
def test_none_is_not_the_end(branch: Any, first: tuple[Any, ...]) -> None:
    with pytest.raises(BlockingIOError, match=r"read\(\) of Gives 'a stream' returned None.*os\.set_blocking"):
        branch.upload(Gives(*first, None, b"rest", b""), "a")
    with pytest.raises((BlockingIOError, TypeError), match=r"None|bytes"):
        branch.upload([*first, None], "a")
    assert not branch.exists("a")


@pytest.mark.parametrize("buffering", [-1, 0])
def test_a_non_blocking_pipe_is_an_error(branch: Any, buffering: int) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.write(writing, b"half")
    with open(reading, "rb", buffering=buffering) as pipe, open(writing, "wb"):
        with pytest.raises(BlockingIOError, match="non-blocking"):
            branch.upload(pipe, "a")
    assert not branch.exists("a")


@pytest.mark.parametrize("wrong", [0, [], 7, object(), ["x"]])
def test_a_stream_that_gives_something_else_is_refused(branch: Any, wrong: Any) -> None:
    for first in ((), (b"half",)):
        with pytest.raises(TypeError, match=rf"'a stream' must return bytes or str, not {type(wrong).__name__}"):
            branch.upload(Gives(*first, wrong), "a")
    for blocks in ((b"a", "b", b""), ("a", b"b", "")):
        with pytest.raises(TypeError, match="both bytes and str"):
            branch.upload(Gives(*blocks), "a")
    assert not branch.exists("a")


def test_blocks_of_any_kind_of_bytes(branch: Any) -> None:
    blocks = [b"a", bytearray(b"b"), memoryview(b"c-d-")[::2], np.bytes_(b"e"), memoryview(array.array("H", [0x6666]))]
    assert stored(branch, iter(blocks)) == b"abcdeff"
    assert stored(branch, Gives(*blocks, b"")) == b"abcdeff"


def test_a_text_file_is_stored_as_the_text_that_it_gives(branch: Any, tmp_path: Path) -> None:
    local = tmp_path / "a"
    local.write_bytes("ä\r\nb\r\n".encode("latin-1"))
    with open(local, encoding="latin-1") as text:
        assert stored(branch, text) == "ä\nb\n".encode()
    with open(local, encoding="latin-1", newline="") as text:
        assert stored(branch, text) == "ä\r\nb\r\n".encode()
    with open(local, "rb") as binary:
        assert stored(branch, binary) == local.read_bytes()


class Name(enum.StrEnum):
    ONE = "one"


class Loud(bytes):
    """Bytes whose own methods say something else."""

    def __bytes__(self) -> bytes:
        return b"other"

    def __len__(self) -> int:
        return 0


def test_bytes_and_text_by_their_content_whatever_their_class_says(branch: Any) -> None:
    assert stored(branch, np.bytes_(b"abc")) == b"abc"
    assert stored(branch, Loud(b"abc")) == b"abc"
    assert stored(branch, np.str_("ü")) == "ü".encode()
    assert stored(branch, Name.ONE) == b"one"


def test_buffers_of_bytes_are_their_bytes(branch: Any) -> None:
    grid: Any = np.arange(24, dtype=np.uint8).reshape(4, 6)
    assert stored(branch, memoryview(grid)[::2]) == grid[::2].tobytes()
    assert stored(branch, grid.T) == grid.T.tobytes()
    assert stored(branch, array.array("B", b"abc")) == b"abc"
    assert stored(branch, np.zeros(0, np.uint8)) == b""
    numbers = array.array("d", [1.0, 2.0])
    assert stored(branch, memoryview(numbers)) == numbers.tobytes()  # a view is asked for by name
    with mmap.mmap(-1, 10) as mapped:
        mapped.write(b"0123456789")
        mapped.seek(3)
        assert stored(branch, mapped) == b"3456789"


def test_arrays_of_numbers_are_their_memory(branch: Any) -> None:
    grid: Any = np.arange(24, dtype=np.float64).reshape(4, 6)
    kinds = [grid.astype(kind) for kind in (">i4", "complex128", "float16", "bool")]
    for data in (grid, grid.T, grid[::2, ::-1], *kinds):
        assert stored(branch, data) == data.tobytes()
    numbers = array.array("i", [1, 2, 3])
    assert stored(branch, numbers) == numbers.tobytes()
    assert stored(branch, (row for row in grid)) == grid.tobytes()
    assert stored(branch, np.zeros(0)) == b""
    large = np.arange(SPOOL // 4)
    assert stored(branch, large) == large.tobytes()
    assert stored(branch, [large, large]) == large.tobytes() * 2


def test_iterables_of_text_are_their_utf_8(branch: Any) -> None:
    assert stored(branch, ["a\n", "ü\n", ""]) == "a\nü\n".encode()
    assert stored(branch, (f"{number}," for number in range(3))) == b"0,1,2,"
    assert stored(branch, iter([np.str_("é"), Name.ONE])) == "éone".encode()
    assert stored(branch, []) == b""


def test_a_bytearray_is_stored_as_it_was_when_it_was_uploaded(branch: Any) -> None:
    data = bytearray(b"before")
    assert branch.upload(data, "a").size_bytes == 6
    data[:] = b"after!!"
    assert branch.download("a") == b"before"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.array(["ab", "c"]), r"ndarray of items in the format '2w'.*tobytes\(\)"),
        (np.array([b"ab", b"c"]), "ndarray of items"),
        (np.zeros(2, dtype=[("a", "i4"), ("b", "f8")]), "ndarray of items"),
        (np.array([object()]), "ndarray of items in the format 'O'"),
        (np.float64(3), "float64 with a single item"),
        (np.array(5), "ndarray with a single item"),
        ([np.float64(3)], "float64 with a single item"),
        (memoryview(cast("Any", np.array([object()]))), "Python objects"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "datetime64 with a single item"),
        ({b"a": 1}, "not dict"),
        ({b"a"}, "not set"),
        (range(3), "must return bytes or str, not int"),
        (["text", b"bytes"], "returned both bytes and str"),
        ([["text"]], "must return bytes or str, not list"),
        (object(), "not object"),
        (pd.DataFrame({"a": ["1"]}), "DataFrame of 2 dimensions, whose iteration gives names or rows"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_bytes_of_its_own_is_refused(branch: Any, data: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        branch.upload(data, "a")
    assert not branch.exists("a")


def test_an_open_file_that_knows_its_path_is_read_from_where_it_stands(branch: Any, tmp_path: Path) -> None:
    class Opener(io.BytesIO):
        """As fsspec's: an open file, perhaps a decompressing one, and the path of what is below."""

        def __fspath__(self) -> str:
            return str(tmp_path / "compressed")

    (tmp_path / "compressed").write_bytes(b"compressed")
    assert stored(branch, Opener(b"content")) == b"content"


@pytest.mark.parametrize("size", [SPOOL - 1, SPOOL, SPOOL + 1])
def test_streams_around_the_spools_limit(branch: Any, size: int) -> None:
    content = os.urandom(size)
    assert stored(branch, UpperBytes(content)) == content.upper()
    view = memoryview(content)
    parts = (view[at : at + 1_000_003] for at in range(0, size, 1_000_003))
    assert stored(branch, parts) == content


def test_a_callable_makes_the_data_anew(branch: Any, tmp_path: Path) -> None:
    def blocks() -> Iterator[bytes]:
        yield b"con"
        yield b"tent"

    assert stored(branch, blocks) == stored(branch, blocks) == b"content"
    (tmp_path / "file").write_bytes(b"content")
    assert stored(branch, lambda: (tmp_path / "file").open("rb")) == b"content"
    with pytest.raises(TypeError, match="returned another one"):
        branch.upload(lambda: blocks, "a")


# -- awaitable only ----------------------------------------------------------------------------------------------------


class AsyncStream:
    """A stream whose `read` is awaited, as that of aiofiles or of an uploaded form."""

    def __init__(self, *blocks: Any) -> None:
        self.blocks = list(blocks)

    async def read(self, size: int = -1) -> Any:
        await asyncio.sleep(0)
        return self.blocks.pop(0)


def test_what_is_awaited(world: World, branch: Any) -> None:
    async def parts(*blocks: Any) -> AsyncIterator[Any]:
        for block in blocks:
            await asyncio.sleep(0)
            yield block

    if not world.awaitable:
        with pytest.raises(TypeError, match=r"read\(\) of AsyncStream returned a coroutine.*lakefs_hl\.aio"):
            branch.upload(AsyncStream(b"a", b""), "a")
        with pytest.raises(TypeError, match=r"not async_generator; .*lakefs_hl\.aio"):
            branch.upload(parts(b"a"), "a")
        assert not branch.exists("a")
        return
    assert stored(branch, AsyncStream(b"a", bytearray(b"b"), b"")) == b"ab"
    assert stored(branch, AsyncStream("ä", "b", "")) == "äb".encode()
    assert stored(branch, parts(b"a", memoryview(b"b-c-")[::2])) == b"abc"
    assert stored(branch, parts("ä", "b")) == "äb".encode()
    assert stored(branch, parts(np.arange(3.0), np.arange(2))) == np.arange(3.0).tobytes() + np.arange(2).tobytes()
    big = bytes(SPOOL // 2 + 7)
    assert stored(branch, parts(big, big, b"end")) == big + big + b"end"
    assert stored(branch, AsyncStream(big, big, b"end", b"")) == big + big + b"end"
    branch.upload(TEXT, "source")
    for mode in ("r", "rb"):
        with branch.open("source", mode) as file:
            assert stored(branch, file._target) == TEXT
    branch.delete_objects("a")
    for wrong, error in ((AsyncStream(b"a", None), BlockingIOError), (parts(b"a", None), BlockingIOError)):
        with pytest.raises(error, match="returned None"):
            branch.upload(wrong, "a")
    for bad in (AsyncStream(b"a", 7), AsyncStream(b"a", "b", b""), parts(b"a", "b")):
        with pytest.raises(TypeError, match="bytes"):
            branch.upload(bad, "a")
    assert not branch.exists("a")
