"""The twin for asyncio: on the loop of the caller, on the lakes of `conftest`."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

import lakefs_hl
from lakefs_hl import aio
from lakefs_hl.filesystem import LakeFSAsyncFileSystem, LakeFSFileSystem, asynchronous
from tests.ecosystem.conftest import Lake


def run(lake: Lake, scenario: Callable[[LakeFSAsyncFileSystem, str], Awaitable[Any]]) -> Any:
    """Run a scenario on a new loop, with a client that is closed at its end."""

    async def main() -> Any:
        async with aio.Client(*lake.options.values()) as client:
            fs = LakeFSAsyncFileSystem(client=client, skip_instance_cache=True)
            return await scenario(fs, f"{lake.branch.repository_id}/main")

    return asyncio.run(main())


def test_every_call_on_the_loop_of_the_caller(lake: Lake, tmp_path: Path) -> None:
    branch = lake.branch

    async def scenario(fs: LakeFSAsyncFileSystem, top: str) -> None:
        (tmp_path / "up" / "deep").mkdir(parents=True)
        (tmp_path / "up" / "1").write_bytes(b"one")
        (tmp_path / "up" / "deep" / "2").write_bytes(b"two")
        await fs._pipe_file(f"lakefs://{top}/a.csv", b"0123456789", content_type="text/x", metadata={"k": "v"})
        await fs._pipe({f"{top}/d/{number}/f": b"%d" % number for number in range(3)})
        await fs._put(str(tmp_path / "up") + "/", f"{top}/put/", recursive=True)
        assert await fs._cat_file(f"{top}/a.csv", 2, 5) == b"234"
        assert await fs._cat_file(f"{top}/a.csv", -3) == b"789"
        assert await fs._cat_ranges([f"{top}/a.csv", f"{top}/missing"], [0, 0], [1, 1]) != [b"0", b"0"]
        assert await fs._cat(f"{top}/d", recursive=True) == {f"{top}/d/{n}/f": b"%d" % n for n in range(3)}
        blocking = LakeFSFileSystem(**lake.options, skip_instance_cache=True)
        for name in (f"{top}/a.csv", f"{top}/d", f"{top}/d/", top, top.partition("/")[0], ""):
            assert await fs._info(name) == blocking.info(name), name
            assert sorted(await fs._ls(name, detail=False)) == sorted(blocking.ls(name, detail=False)), name
            assert await fs._exists(name)
        for pattern in ("**/f", "d/*", "d/[12]/f", "a.*", "a.csv"):
            assert await fs._glob(f"{top}/{pattern}") == blocking.glob(f"{top}/{pattern}"), pattern
        for options in ({}, {"withdirs": True}, {"maxdepth": 1}, {"maxdepth": 2, "withdirs": True}):
            found = await fs._find(f"{top}/d", **options)
            assert set(found) - {f"{top}/d"} == set(blocking.find(f"{top}/d", **options)) - {f"{top}/d"}, options
        assert [row async for row in fs._walk(f"{top}/d")] == list(blocking.walk(f"{top}/d"))
        assert await fs._du(f"{top}/d") == 3
        await fs._cp_file(f"{top}/a.csv", f"{top}/copy")
        await fs._mv_file(f"{top}/copy", f"{top}/moved")
        await fs._copy(f"{top}/put", f"{top}/again", recursive=True)
        await fs._get(f"{top}/again", str(tmp_path / "down"), recursive=True)
        assert (tmp_path / "down" / "deep" / "2").read_bytes() == b"two"
        await fs._rm(f"{top}/d", recursive=True)
        await fs._rm([f"{top}/again/1", f"{top}/again/deep/2"])
        await fs._mkdir(f"{top}/empty")
        await fs._makedirs(f"{top}/empty/er")

    run(lake, scenario)
    info = branch.stat("a.csv")
    assert (info.content_type, info.metadata) == ("text/x", {"k": "v"})
    found = {row.path: branch.download(row.path) for row in branch.list_objects(recursive=True)}
    assert found == {"a.csv": b"0123456789", "moved": b"0123456789", "put/1": b"one", "put/deep/2": b"two"}


def test_a_reference_gives_it(lake: Lake) -> None:
    """Of every kind of reference, with its client, as the blocking one does."""
    lake.branch.upload(b"1", "a")
    commit = lake.branch.commit("one")
    lake.branch.upload(b"2", "a")

    async def main() -> None:
        async with aio.Client(*lake.options.values()) as client:
            branch = aio.repository(lake.branch.repository_id, client=client).branch("main")
            fs = branch.fs()
            assert type(fs) is LakeFSAsyncFileSystem
            assert await fs._cat_file(branch.uri("a")) == b"2"
            pinned = aio.repository(lake.branch.repository_id, client=client).commit(commit.id)
            assert pinned.fs() is fs
            assert await fs._cat_file(pinned.uri("a")) == b"1"
            await branch.reset()
            async with branch.transaction("two") as tx:
                await tx.fs()._pipe_file(tx.uri("b"), b"3")
            assert await fs._cat_file(branch.uri("b")) == b"3"

    asyncio.run(main())


def test_open(lake: Lake) -> None:
    async def scenario(fs: LakeFSAsyncFileSystem, top: str) -> None:
        async with await fs.open_async(f"{top}/a", "wb", content_type="text/x") as file:
            await file.write(b"1\n2\n")
        async with await fs.open_async(f"{top}/a") as file:
            assert [await file.readline(), await file.read()] == [b"1\n", b"2\n"]
        with pytest.raises(RuntimeError, match="stop"):
            async with await fs.open_async(f"{top}/half", "wb") as file:
                await file.write(b"1")
                raise RuntimeError("stop")
        assert not await fs._exists(f"{top}/half")
        with pytest.raises(FileExistsError):
            await fs.open_async(f"{top}/a", "xb")
        with pytest.raises(FileNotFoundError):
            await fs.open_async(f"{top}/missing")

    run(lake, scenario)


def test_errors(lake: Lake) -> None:
    async def scenario(fs: LakeFSAsyncFileSystem, top: str) -> None:
        repository = top.partition("/")[0]
        missing = (f"{top}/x", f"{repository}/nowhere/x", "no-repository/main/x")
        for name in (*missing, "Not A Name/main/x", f"{top}/{'x' * 2000}"):
            assert not await fs._exists(name)
            assert not await fs._isdir(name)
        for name in missing:
            for call in (fs._cat_file, fs._info, fs._ls, fs._rm_file):
                with pytest.raises(FileNotFoundError):
                    await call(name)
        with pytest.raises(FileNotFoundError):
            await fs._pipe_file(f"{repository}/mian/x", b"1")
        with pytest.raises(FileExistsError):
            await fs._pipe_file(f"{top}/a", b"1")
            await fs._pipe_file(f"{top}/a", b"2", mode="create")
        for name in (top, repository):
            with pytest.raises(PermissionError):
                await fs._rm(name, recursive=True)
        lakefs_hl.Tag(repository, "v1").create("main")
        commit = lakefs_hl.Tag(repository, "v1").get_commit().id
        for version in ("v1", "main~0", commit, commit[:12]):  # refused before anything is sent or read
            name = f"{repository}/{version}/x"
            calls = (
                fs._pipe_file(name, b"1"),
                fs.open_async(name, "wb"),
                fs._cp_file(f"{top}/a", name),
                fs._rm_file(name),
            )
            for writing in calls:
                with pytest.raises(
                    PermissionError, match="is not a branch; tags, commits and ref expressions are read"
                ):
                    await writing
        with pytest.raises(IsADirectoryError):
            await fs._pipe_file(top, b"1")
        creates = LakeFSAsyncFileSystem(client=fs._given, create_branch_ok=True, skip_instance_cache=True)
        await creates._pipe_file(f"{repository}/created/x", b"1")
        assert await fs._cat_file(f"{repository}/created/x") == b"1"

    run(lake, scenario)
    assert [found.id for found in lakefs_hl.repository(lake.branch.repository_id).branches()] == ["created", "main"]


def test_blocking_calls_name_the_one_to_await() -> None:
    fs = LakeFSAsyncFileSystem("mem://twin")
    for name in asynchronous.BLOCKING:
        with pytest.raises(RuntimeError, match=rf"fs\._{name}\(…\)"):
            getattr(fs, name)("r/main/x")
        assert asyncio.iscoroutinefunction(getattr(fs, f"_{name}")) or name == "walk"
    for call in (fs.open, fs.touch, fs.head, fs.read_text, fs.cp):
        with pytest.raises(RuntimeError, match="LakeFSFileSystem"):
            call("r/main/x")
    with pytest.raises(NotImplementedError, match="async with branch"):
        _ = fs.transaction


def test_it_is_what_asynchronous_means(tmp_path: Path) -> None:
    options = {"host": f"local:{tmp_path / 'lake'}"}
    fs = fsspec.filesystem("lakefs", asynchronous=True, **options)
    assert type(fs) is LakeFSAsyncFileSystem
    assert fs is LakeFSAsyncFileSystem(**options)
    assert fs is pickle.loads(pickle.dumps(fs))
    assert type(fs.from_json(fs.to_json())) is LakeFSAsyncFileSystem
    assert type(fsspec.filesystem("lakefs", **options)) is LakeFSFileSystem
    with pytest.raises(TypeError, match=r"client must be a lakefs_hl\.aio\.Client, not lakefs_hl\.Client"):
        LakeFSAsyncFileSystem(client=lakefs_hl.Client("mem://twin"))
    with pytest.raises(TypeError, match="'hots' is not an option"):
        LakeFSAsyncFileSystem(hots="x")
    secret = LakeFSAsyncFileSystem("http://127.0.0.1:1", "key", "very secret")
    assert "very secret" not in repr(secret) + secret.to_json(include_password=False)


def test_without_options_it_follows_the_default_client(lake: Lake) -> None:
    async def scenario() -> bytes:
        fs = LakeFSAsyncFileSystem()
        await fs._pipe_file(f"{lake.branch.repository_id}/main/a", b"1")
        content: bytes = await fs._cat_file(f"lakefs://{lake.branch.repository_id}/main/a")
        return content

    before = {thread.name for thread in threading.enumerate()}  # other file systems have a thread of fsspec
    assert asyncio.run(scenario()) == asyncio.run(scenario()) == b"1"  # one instance on two loops, one after the other
    assert lake.branch.download("a") == b"1"
    assert "fsspecIO" not in {thread.name for thread in threading.enumerate()} - before
