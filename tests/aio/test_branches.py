"""Awaitable branches, references and transactions: the same meaning as the blocking ones."""

from __future__ import annotations

import asyncio

import pytest

from lakefs_hl import aio, exceptions


async def change(branch: aio.Branch, path: str, content: str) -> aio.Commit:
    await branch.upload(content, path)
    return await branch.commit_changes(path)


def test_commit_diff_merge_log_revert(repo: aio.Repository, branch: aio.Branch) -> None:
    async def main() -> None:
        dev = await repo.branch("dev").create(branch)
        commit = await change(dev, "d/a", "1")
        assert await commit.metadata() == {}
        assert await dev.metadata() == {}
        assert await dev.commit_message() == "d/a"
        assert [one.path async for one in branch.diff(dev)] == ["d/"]
        assert [one.path async for one in branch.diff(dev, recursive=True)] == ["d/a"]
        merged = await dev.merge_into(branch, message="merge")
        assert await merged.commit_message() == "merge"
        assert (await branch.head()).id == merged.id
        assert [one.message async for one in branch.log(2)][0] == "merge"
        undone = await branch.revert(merged, 1)
        assert not await branch.exists("d/a")
        await branch.hard_reset(merged)
        assert await branch.exists("d/a")
        assert (await branch.cherry_pick(undone)).message
        assert (await branch.pin()).id == (await branch.head()).id

    asyncio.run(main())


def test_staged_changes(branch: aio.Branch) -> None:
    async def main() -> None:
        await branch.upload("1", "a")
        assert [one.path async for one in branch.list_uncommitted()] == ["a"]
        await branch.reset("a")
        assert [one async for one in branch.list_uncommitted()] == []
        with pytest.raises(exceptions.BadRequestException, match="no changes"):
            await branch.commit_changes("m")

    asyncio.run(main())


def test_a_conflict_and_a_strategy(repo: aio.Repository, branch: aio.Branch) -> None:
    async def main() -> None:
        dev = await repo.branch("dev").create("main")
        await change(dev, "a", "dev")
        await change(branch, "a", "main")
        with pytest.raises(exceptions.MergeConflict) as caught:
            await dev.merge_into(branch)
        assert caught.value.conflicts == ("a",)
        await dev.merge_into(branch, strategy="source-wins")
        assert await branch.download("a") == b"dev"

    asyncio.run(main())


def test_a_transaction(repo: aio.Repository, branch: aio.Branch) -> None:
    async def main() -> None:
        async with branch.transaction("load", tag="v1") as tx:
            await tx.upload("1", "a")
            async with tx.open("b", "w") as file:
                await file.write("2")
            assert not await branch.exists("a")
        assert tx.state == "COMMITTED"
        assert [item.path async for item in branch.list_objects()] == ["a", "b"]
        assert await repo.tag("v1").commit_message() == "load"
        assert [found.id async for found in repo.list_branches(hidden=True)] == ["main"]

    asyncio.run(main())


def test_b8_75_a_transaction_that_fails(repo: aio.Repository, branch: aio.Branch) -> None:
    async def main() -> None:
        with pytest.raises(exceptions.TransactionException) as caught:
            async with branch.transaction("never") as tx:
                await tx.upload("1", "a")
                raise ZeroDivisionError
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert not await branch.exists("a")
        assert await repo.branch(caught.value.branch).exists("a")

    asyncio.run(main())


def test_b6_69_a_cancelled_transaction_merges_nothing_and_keeps_its_branch(
    repo: aio.Repository, branch: aio.Branch
) -> None:
    inside = asyncio.Event()

    async def work() -> None:
        async with branch.transaction("never") as tx:
            await tx.upload("1", "a")
            inside.set()
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.ensure_future(work())
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not await branch.exists("a")
        kept = [found.id async for found in repo.list_branches(hidden=True) if found.id != "main"]
        assert len(kept) == 1
        assert await repo.branch(kept[0]).exists("a")

    asyncio.run(main())


def test_b8_81_transactions_side_by_side(branch: aio.Branch) -> None:
    async def work(number: int) -> None:
        async with branch.transaction(f"t{number}") as tx:
            await tx.upload(f"{number}", f"{number}")

    async def main() -> None:
        await asyncio.gather(*(work(number) for number in range(6)))
        assert [item.path async for item in branch.list_objects()] == [str(number) for number in range(6)]

    asyncio.run(main())
