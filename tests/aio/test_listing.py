"""Awaitable listings: looked ahead into without losing a row, as a list, as a data frame, and in a notebook."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from lakefs_hl import aio, exceptions
from lakefs_hl._handles.listings import Ahead
from lakefs_hl.aio.listing import Listing

NAMES = [f"{number:05}" for number in range(1200)]


async def fill(branch: aio.Branch, amount: int) -> None:
    async with branch.transaction("fill") as tx:
        for path in NAMES[:amount]:
            await tx.upload(b"", path)


def paths(rows: Any) -> list[str]:
    return [row.path for row in rows]


@pytest.mark.parametrize("taken", [0, 1, 3, 99])
def test_head_consumes_nothing(branch: aio.Branch, taken: int) -> None:
    async def main() -> None:
        await fill(branch, 5)
        listing = branch.list_objects()
        assert paths(await listing.head(taken)) == NAMES[:5][:taken]
        assert (await anext(listing)).path == NAMES[0]
        seen = list[str]()
        async for row in listing:
            seen.append(row.path)
            assert paths(await listing.head(taken)) == NAMES[len(seen) + 1 : 5][:taken]
        assert seen == NAMES[1:5]
        assert (await listing.head(), await listing.to_list()) == ([], [])

    asyncio.run(main())


def test_head_over_several_pages(branch: aio.Branch) -> None:
    async def main() -> None:
        await fill(branch, 1200)
        async with branch.list_objects() as listing:
            assert paths(await listing.head(1100)) == NAMES[:1100]
            assert paths(await listing.to_list()) == NAMES
        listing = branch.list_objects()
        async with listing:
            await listing.head(3)
        assert (await listing.head(), await listing.to_list()) == ([], [])

    asyncio.run(main())


def test_a_failure_of_head_is_not_the_end_of_the_listing(branch: aio.Branch) -> None:
    async def main() -> None:
        listing = aio.Branch(branch.repository_id, "nowhere", branch._client).list_objects()
        for call in (listing.head, listing.head, listing.to_list):
            with pytest.raises(exceptions.NotFoundException, match="nowhere"):
                await call()

    asyncio.run(main())


def test_a_listing_that_failed_never_looks_complete(branch: aio.Branch) -> None:
    async def main() -> None:
        missing = aio.Branch(branch.repository_id, "nowhere", branch._client)
        for method in ("to_list", "to_pandas", "head", "__anext__"):
            listing = missing.list_objects()
            for call in (getattr(listing, method), listing.to_list, listing.head, listing.__anext__, listing.to_pandas):
                with pytest.raises(exceptions.NotFoundException, match="nowhere"):
                    await call()
            with pytest.raises(exceptions.NotFoundException, match="nowhere"):
                [row async for row in listing]

    asyncio.run(main())


def test_a_listing_whose_reader_was_cancelled_never_looks_complete(branch: aio.Branch) -> None:
    async def main() -> None:
        await fill(branch, 3)
        listing = branch.list_objects()
        reader = asyncio.ensure_future(listing.to_list())
        await asyncio.sleep(0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        for call in (listing.to_list, listing.head, listing.__anext__):
            with pytest.raises(RuntimeError, match="interrupted while rows were fetched"):
                await call()

    asyncio.run(main())


def test_two_tasks_cannot_read_one_listing_and_do_not_break_it(branch: aio.Branch) -> None:
    async def main() -> None:
        await fill(branch, 3)
        listing = branch.list_objects()
        first, second = await asyncio.gather(listing.head(1), listing.head(1), return_exceptions=True)
        assert not isinstance(first, BaseException)
        assert isinstance(second, RuntimeError)
        assert paths(await listing.to_list()) == NAMES[:3]

    asyncio.run(main())


def test_as_a_data_frame(branch: aio.Branch, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        await fill(branch, 5)
        listing = branch.list_objects()
        await listing.head(2)
        frame = await listing.to_pandas()
        assert list(frame.path) == NAMES[:5]
        empty = await branch.list_objects(prefix="nothing").to_pandas()
        assert list(empty.dtypes.items()) == list(frame.dtypes.items())
        assert list((await branch.log().to_pandas()).message) == ["fill", "fill", "Repository created"]
        monkeypatch.setitem(sys.modules, "pandas", None)
        listing = branch.list_objects()
        with pytest.raises(ImportError, match=r"pip install 'lakefs-hl\[pandas\]'"):
            await listing.to_pandas()
        assert paths(await listing.to_list()) == NAMES[:5]

    asyncio.run(main())


def test_a_notebook_shows_rows_and_loses_none(branch: aio.Branch, kind: str) -> None:
    async def main() -> None:
        await fill(branch, 25)
        listing = branch.list_objects()
        shown = listing._repr_html_()
        if kind == "in process":
            assert (NAMES[19] in shown, NAMES[20] in shown) == (True, False)
        else:
            assert "no rows fetched yet: head(n) fetches some" in shown
        assert repr(listing) == "<Listing of objects, 0 fetched ahead>"
        await listing.head(2)
        shown = listing._repr_html_()
        assert (NAMES[1] in shown, NAMES[2] in shown) == (True, False)
        assert paths(await listing.to_list()) == NAMES[:25]
        assert "no rows</i>" in listing._repr_html_()
        listing = branch.list_objects()
        await anext(listing)
        assert "no rows fetched ahead: head(n) fetches some" in listing._repr_html_()
        await listing.head(25)
        await listing.close()
        assert "no rows</i>" in listing._repr_html_()
        if kind == "in process":
            nowhere = aio.Branch(branch.repository_id, "nowhere", branch._client)
            assert "nowhere" in nowhere.list_objects()._repr_html_()

    asyncio.run(main())


def test_every_listing_is_a_listing(repo: aio.Repository) -> None:
    async def main() -> None:
        main = repo.branch("main")
        for listing in (
            main.list_objects(),
            main.log(),
            main.diff("main~0"),
            main.list_uncommitted(),
            repo.list_branches(),
            repo.list_tags(),
            repo.transactions(),
            aio.repositories(client=repo._client),
        ):
            assert type(listing) is aio.Listing
            assert list((await listing.to_pandas()).columns) == list(listing._columns.types)
            assert len(listing._columns.types) >= 2

    asyncio.run(main())


class Rows:
    """Rows, and how many were fetched."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.fetched = 0
        self.closed = False

    async def all(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(self.count):
                self.fetched += 1
                yield number
        finally:
            self.closed = True


def test_rows_are_fetched_as_they_are_taken() -> None:
    async def main() -> None:
        rows = Rows(5)
        listing = Listing(rows.all(), Ahead[int]())
        assert rows.fetched == 0
        assert await anext(listing) == 0
        assert rows.fetched == 1
        assert await listing.to_list() == [1, 2, 3, 4]
        assert await listing.to_list() == []
        with pytest.raises(StopAsyncIteration):
            await anext(listing)

    asyncio.run(main())


def test_closing_ends_it() -> None:
    async def main() -> None:
        rows = Rows(3)
        async with Listing(rows.all(), Ahead[int]()) as listing:
            await anext(listing)
        assert rows.closed
        assert await listing.to_list() == []

    asyncio.run(main())
