"""Transactions on an embedded lake that are interrupted at any moment: their outcome is always known."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from lakefs_hl import aio

ROOT = Path(__file__).parents[2]


def test_the_outcome_is_known_after_ctrl_c_at_any_moment(tmp_path: Path, rng: random.Random) -> None:
    command = [sys.executable, "-m", "tests.faults.interrupted", str(tmp_path / "lake"), str(rng.random()), "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    report = json.loads(done.stdout)
    assert report["interruptions"] > 20, report
    assert (report["unknown"], report["wrong"], report["torn"]) == (0, [], False), report
    # Python delivers a signal on entering `__exit__` too, before its first line: nothing can be done about that.
    border = 1 + report["interruptions"] // 20
    assert report["open"] + report["silent"] + report["left"].get("empty", 0) <= border, report
    assert report["left"].get("merged", 0) <= border, report


@pytest.mark.parametrize("times", [300])
def test_the_outcome_is_known_after_a_cancellation_at_any_step(times: int, rng: random.Random) -> None:
    client = aio.Client("mem://")
    repo = aio.repository("repo", client=client)
    branch = repo.branch("main")
    transactions: list[aio.BranchTransaction] = []

    async def one(number: int) -> None:
        async with branch.transaction(str(number)) as tx:
            transactions.append(tx)
            await tx.upload(b"%d" % number, "x")

    async def main() -> None:
        await repo.create()
        cancelled = 0
        for number in range(times):
            task = asyncio.ensure_future(one(number))
            for _ in range(rng.randrange(60)):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
            cancelled += task.cancelled()
        assert cancelled > times // 10
        merged = {commit.message async for commit in branch.log()}
        for tx in transactions:
            assert tx.state in ("COMMITTED", "ABORTED")
            assert (tx.state == "COMMITTED") == (tx._tx.plan.message in merged)
        left = [kept.state async for kept in repo.transactions()]
        assert set(left) <= {"staged", "committed"}
        await client.close()

    asyncio.run(main())
