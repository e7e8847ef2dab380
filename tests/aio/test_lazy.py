"""Objects that are looked up when they are loaded, and paths that are read as they are deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.aio.default import of
from lakefs_hl.aio.lazy import delete_all


@pytest.fixture
def main(lake_branch: lakefs_hl.Branch) -> Any:
    """`main` of the test's repository, awaitable."""
    return aio.Branch(lake_branch.repository_id, "main", of(lake_branch._client))


def test_an_object_is_looked_up_once_by_load(main: Any, lake_branch: lakefs_hl.Branch, mocker: MockerFixture) -> None:
    lake_branch.upload(b"content", "a")
    info = aio.ObjectInfo("example", "main", "a", main._client)
    with pytest.raises(RuntimeError, match=r"not loaded: `await info\.load\(\)` first"):
        _ = info.size_bytes
    send = mocker.spy(type(lake_branch._client._transport), "send")

    async def load() -> None:
        assert await info.load() is info
        await info.load()

    asyncio.run(load())
    assert info.size_bytes == 7
    send.assert_called_once()


def test_an_object_that_does_not_exist_is_not_loaded(main: Any) -> None:
    info = aio.ObjectInfo("example", "main", "nothing", main._client)
    with pytest.raises(exceptions.ObjectNotFoundException):
        asyncio.run(info.load())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_paths_of_either_kind_of_iterable_are_deleted(
    main: Any, lake_branch: lakefs_hl.Branch, asynchronous: bool
) -> None:
    for name in "abc":
        lake_branch.upload(b"", name)

    async def names() -> AsyncIterator[str]:
        for name in "ab":
            yield name

    async def work() -> None:
        paths, failed = await delete_all(main._client, main, names() if asynchronous else iter("ab"))
        assert (paths.count, failed) == (2, [])

    asyncio.run(work())
    assert [info.path for info in lake_branch.list_objects()] == ["c"]
