"""Awaitable objects: the same answers and errors as the blocking ones; many at once; listings; bodies of every sort."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl import aio, exceptions
from lakefs_hl.ops.stream import FIRST


async def paths(items: AsyncIterator[Any]) -> list[str]:
    return [item.path async for item in items]


def test_what_is_written_is_read(branch: aio.Branch) -> None:
    async def main() -> None:
        info = await branch.upload(b"abc", "d/a", metadata={"k": "v"}, content_type="x/y")
        assert (info.path, info.size_bytes, info.metadata, info.content_type) == ("d/a", 3, {"k": "v"}, "x/y")
        assert await branch.download("d/a") == b"abc"
        assert await branch.download("d/a", start=1, end=-1) == b"b"
        assert (await branch.stat_object("d/a")) == info
        assert await branch.exists("d/a") is True
        assert await branch.exists("d/b") is False
        with pytest.raises(FileNotFoundError, match="d/b"):
            await branch.download("d/b")

    asyncio.run(main())


def test_bodies_of_every_sort(branch: aio.Branch, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"path")

    async def parts() -> AsyncIterator[bytes]:
        for part in (b"a", b"syn", b"c"):
            await asyncio.sleep(0)
            yield part

    async def main() -> None:
        with (tmp_path / "a").open("rb") as file:
            bodies: dict[str, tuple[Any, bytes]] = {
                "bytes": (b"bytes", b"bytes"),
                "str": ("ü", "ü".encode()),
                "view": (memoryview(b"view"), b"view"),
                "path": (tmp_path / "a", b"path"),
                "file": (file, b"path"),
                "buffer": (io.BytesIO(b"buffer"), b"buffer"),
                "text": (io.StringIO("text"), b"text"),
                "iterable": (iter([b"it", b"er"]), b"iter"),
                "async": (parts(), b"async"),
            }
            for path, (body, content) in bodies.items():
                assert (await branch.upload(body, path)).size_bytes == len(content)
                assert await branch.download(path) == content
            assert not file.closed
        with pytest.raises(TypeError, match="bytes"):
            await branch.upload(1, "x")  # type: ignore[arg-type]

    asyncio.run(main())


def test_an_async_iterable_that_raises_sends_nothing(branch: aio.Branch) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"half"
        raise ZeroDivisionError

    async def wrong() -> AsyncIterator[Any]:
        yield 7

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await branch.upload(parts(), "a")
        with pytest.raises(TypeError, match="bytes"):
            await branch.upload(wrong(), "a")
        assert not await branch.exists("a")

    asyncio.run(main())


def test_listings(branch: aio.Branch) -> None:
    async def main() -> None:
        await asyncio.gather(*(branch.upload(b"", path) for path in ("a/1", "a/2", "b", "c")))
        assert await paths(branch.list_objects()) == ["a/", "b", "c"]
        assert await paths(branch.list_objects(recursive=True)) == ["a/1", "a/2", "b", "c"]
        assert await paths(branch.list_objects(2, "a/1", "", "")) == ["a/2", "b"]
        assert await paths(branch.list_objects(0)) == []
        with pytest.raises(ValueError, match="max_amount"):
            branch.list_objects(-1)
        listing = branch.list_objects()
        assert (await anext(listing)).path == "a/"  # and is abandoned here
        prefix = aio.CommonPrefix(branch.repository_id, "main", "a/", branch._given)
        assert await prefix.exists()

    asyncio.run(main())


def test_many_at_once(branch: aio.Branch) -> None:
    async def main() -> None:
        infos = await asyncio.gather(*(branch.upload(b"%d" % number, f"{number:03}") for number in range(100)))
        assert [info.path for info in infos] == [f"{number:03}" for number in range(100)]
        contents = await asyncio.gather(*(branch.download(info.path) for info in infos))
        assert contents == [b"%d" % number for number in range(100)]
        report = await branch.delete_objects([info.path for info in infos])
        assert (report.requested, report.failed) == (100, ())
        assert await paths(branch.list_objects()) == []

    asyncio.run(main())


def test_an_object_made_by_hand_is_loaded_first(branch: aio.Branch) -> None:
    async def main() -> None:
        await branch.upload(b"abc", "a")
        info = aio.ObjectInfo(branch.repository_id, "main", "a", branch._given)
        assert info.path == "a"
        with pytest.raises(
            RuntimeError, match=r"main/a was made by hand and is not loaded: `await info.load\(\)` first"
        ):
            _ = info.size_bytes
        assert (await info.load()) is info
        assert info.size_bytes == 3
        await info.delete()
        with pytest.raises(exceptions.ObjectNotFoundException):
            await aio.ObjectInfo(branch.repository_id, "main", "a", branch._given).load()

    asyncio.run(main())


def test_copy_and_metadata(branch: aio.Branch) -> None:
    async def main() -> None:
        await branch.upload(b"abc", "a", metadata={"k": "v"})
        copied = await branch.copy_object(branch, "a", "b")
        assert (copied.path, copied.metadata) == ("b", {"k": "v"})
        await branch.set_object_metadata("b", {"n": "ü"})
        assert (await branch.stat_object("b")).metadata == {"n": "ü"}
        with pytest.warns(UserWarning, match="lower case") as caught:
            await branch.set_object_metadata("b", {"N": "1"})
        assert caught[0].filename == __file__

    asyncio.run(main())


def test_b6_68_one_client_in_two_loops(branch: aio.Branch) -> None:
    asyncio.run(branch.upload(b"one", "a"))
    assert asyncio.run(branch.download("a")) == b"one"


def test_b6_69_a_cancelled_upload_is_all_or_nothing(branch: aio.Branch) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(branch.upload(bytes(3 << 20), "a"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        if await branch.exists("a"):
            assert (await branch.stat_object("a")).size_bytes == 3 << 20
        await branch.upload(b"next", "b")

    asyncio.run(main())


def test_a_download_to_a_file_leaves_the_loop_alone(branch: aio.Branch, tmp_path: Path) -> None:
    threads: list[int] = []

    class File:
        def write(self, data: bytes) -> int:
            threads.append(threading.get_ident())
            return len(data)

    async def main() -> None:
        info = await branch.upload(b"abc", "a")
        assert await branch.download("a", File()) == 3
        assert await info.download(tmp_path / "a") == 3
        assert threads != []
        assert threading.get_ident() not in threads
        async with info.open("rb") as file:
            assert await file.read() == b"abc"

    asyncio.run(main())
    assert (tmp_path / "a").read_bytes() == b"abc"


def test_a_cancelled_download_to_a_file_leaves_nothing(branch: aio.Branch, tmp_path: Path) -> None:
    entered, resume = threading.Event(), threading.Event()

    class File(io.BytesIO):
        def write(self, data: Any, /) -> int:
            entered.set()
            assert resume.wait(60)
            return super().write(data)

    async def main() -> None:
        await branch.upload(bytes(FIRST + 1), "a")
        file = File()
        task = asyncio.ensure_future(branch.download("a", file))
        await asyncio.to_thread(entered.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        resume.set()
        assert len(file.getvalue()) <= FIRST  # the thread ends after the range that it is at

    asyncio.run(main())
