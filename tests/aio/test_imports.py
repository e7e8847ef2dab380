"""Awaitable imports: a second `wait()` answers again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lakefs_hl import aio, exceptions
from lakefs_hl.types import ErrorKind

SOON = timedelta(seconds=0.05)


@pytest.fixture
def mine() -> Iterator[aio.Client]:
    """A lake in this process: a served one does not read this machine's folders."""
    client = aio.Client("mem://")
    yield client
    asyncio.run(client.close())


def test_waiting_twice(mine: aio.Client, tmp_path: Path) -> None:
    async def work() -> None:
        branch = (await aio.repository("example", client=mine).create()).branch("main")
        manager = branch.import_from(f"local://{tmp_path}/later/", "d/")
        with pytest.raises(exceptions.ImportFailedException) as failed:
            await manager.run(SOON)
        with pytest.raises(exceptions.ImportFailedException) as again:
            await manager.wait(SOON)
        assert again.value is not failed.value
        assert str(again.value) == str(failed.value)
        (tmp_path / "later").mkdir()
        (tmp_path / "later" / "a").write_text("x")
        made = await manager.run(SOON)
        assert await manager.wait(SOON) is made
        await branch.upload("x", "staged")
        with pytest.raises(exceptions.BadRequestException) as dirty:
            await manager.run(SOON)
        assert dirty.value.kind is ErrorKind.DIRTY_BRANCH

    asyncio.run(work())
