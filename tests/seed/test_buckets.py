"""The jobs of seed 000 in the order of its pages, by a program in asyncio as its users have it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl import aio, exceptions, types


class Recursive:
    """Progress as the seed has it: an object with a method for each event."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def _note(self, kind: str, data: Any) -> None:
        self.events.append((kind, str(data.uri if kind == "delete" else data.src).rpartition("/")[2]))

    def start(self, data: Any) -> None:
        self._note("start", data)

    def progress(self, data: Any) -> None:
        assert 0 < data.current <= data.size

    def complete(self, data: Any) -> None:
        self._note("complete", data)

    def enter(self, data: Any) -> None:
        self._note("enter", data)

    def leave(self, data: Any) -> None:
        self._note("leave", data)

    def fail(self, data: Any) -> None:
        self._note("fail", data)

    def delete(self, data: Any) -> None:
        self._note("delete", data)


async def _bucket(client: aio.Client) -> aio.Branch:
    return (await aio.repository("my_bucket".replace("_", "-"), client=client).create()).branch("main")


def test_buckets_are_created_listed_found_and_removed() -> None:
    async def run() -> None:
        async with aio.Client("mem://") as client:
            unnamed = await aio.repository(client=client).create()
            named = await aio.repository("named", client=client).create(metadata={"owner": "ada", "org": "physics"})
            async with aio.repositories(client=client) as listed:
                assert [bucket.id async for bucket in listed] == ["named", unnamed.id]
            bucket = await named.info()
            assert (bucket.id, bucket.name, bucket.owner, bucket.org) == ("named", "named", "ada", "physics")
            assert bucket.provider is types.BlockstoreType.LOCAL
            assert bucket.uri == "lakefs://named"
            await unnamed.delete()
            with pytest.raises(exceptions.NotFoundException):
                await unnamed.info()

    asyncio.run(run())


def test_blobs_are_put_fetched_looked_up_and_deleted(tmp_path: Path) -> None:
    (tmp_path / "large_file.dat").write_bytes(b"line\n" * 1000)

    async def body_stream() -> AsyncIterator[bytes]:
        with (tmp_path / "large_file.dat").open("rb") as file:
            for line in file:
                yield line

    async def run() -> None:
        async with aio.Client("mem://") as client:
            branch = await _bucket(client)
            await branch.upload(body_stream(), "large_file.dat")
            blob = await branch.stat_object("large_file.dat")
            assert (blob.key, blob.size, blob.bucket) == ("large_file.dat", 5000, "my-bucket")
            async with branch.stream("large_file.dat", start=4990) as content:
                assert b"".join([data async for data in content]) == b"line\nline\n"
            async with branch.stream("large_file.dat", 4995) as content:  # the offset is the third argument there
                assert [data async for data in content] == [b"line\n"]
            await branch.delete_objects("large_file.dat")
            with pytest.raises(exceptions.ObjectNotFoundException):
                await branch.stat_object("large_file.dat")

    asyncio.run(run())


def test_blobs_are_listed_and_globbed() -> None:
    async def run() -> None:
        async with aio.Client("mem://") as client:
            branch = await _bucket(client)
            for path in ("folder1/a.txt", "folder1/sub/b.txt", "folder1/c.bin", "d"):
                await branch.upload(b"1", path)
            entries = await branch.list_objects().to_list()
            assert [(entry.key, entry.is_dir()) for entry in entries] == [("d", False), ("folder1/", True)]
            assert len(await branch.list_objects(2, recursive=True).to_list()) == 2
            bucket = aio.ref("blob:my-bucket", client=client)
            async with bucket.glob("folder1/**/*.txt") as blobs:
                assert [blob.key async for blob in blobs] == ["folder1/a.txt", "folder1/sub/b.txt"]
            assert [await bucket.is_dir(path) for path in ("folder1", "folder1/sub", "d")] == [True, True, False]
            usages = [usage async for usage in branch.iter_usage()]
            assert usages[-1] == await branch.usage() == (4, 4)

    asyncio.run(run())


def test_files_and_folders_with_progress(tmp_path: Path) -> None:
    folder, copy = tmp_path / "folder", tmp_path / "copy"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.txt", "sub/b.txt", "secret.key"):
        (folder / name).write_bytes(b"content")
    (folder / ".gitignore").write_text("*.key\n", encoding="utf-8")
    progress = Recursive()

    async def chosen(path: str) -> bool:
        return not path.endswith(".gitignore")

    async def run() -> None:
        async with aio.Client("mem://") as client:
            branch = await _bucket(client)
            await branch.upload_dir(
                folder, "up", filter=chosen, ignore_file_names=frozenset({".gitignore"}), progress=progress
            )
            assert [row.key async for row in branch.list_objects(recursive=True)] == ["up/a.txt", "up/sub/b.txt"]
            again = await branch.upload_dir(
                folder, "up", update=True, filter=chosen, ignore_file_names=frozenset({".gitignore"})
            )
            assert (again.transferred, again.skipped) == (0, 2)
            await branch.download_dir("up/", copy, progress=progress)
            (copy / "a.txt").write_bytes(b"con")  # an earlier download that was interrupted
            os.utime(copy / "a.txt", (2_000_000_000, 2_000_000_000))
            await branch.download_file("up/a.txt", copy / "a.txt", continue_=True)
            assert (copy / "a.txt").read_bytes() == b"content"
            with pytest.raises(IsADirectoryError):
                await branch.remove("up")
            await branch.remove("up", recursive=True, progress=progress)
            assert not [row async for row in branch.list_objects()]

    asyncio.run(run())
    kinds = {kind for kind, _ in progress.events}
    assert kinds == {"start", "complete", "enter", "leave", "delete"}
    assert progress.events.count(("complete", "a.txt")) == 2
    assert ("delete", "b.txt") in progress.events


def test_no_bucket_is_public() -> None:
    async def run() -> None:
        async with aio.Client("mem://") as client:
            branch = await _bucket(client)
            with pytest.raises(exceptions.UnsupportedOperationException, match="presign"):
                await aio.repository("my-bucket", client=client).set_public_access(True)
            await branch.upload(b"1", "a")

    asyncio.run(run())
