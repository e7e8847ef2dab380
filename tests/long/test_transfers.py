"""Transfers have no total time limit, but end below a minimum rate of 1 KiB/s, averaged over 30 s."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import pytest

import lakefs_hl
from lakefs_hl.exceptions import LakeFSException
from lakefs_hl.ops.retry import Policy
from tests.faults.matrix import COLOURS, meeting
from tests.faults.operations import OPERATIONS, Ground, Operation, Place
from tests.faults.proxy import Turn, proxied
from tests.serving import Served

#: Seconds of too little after which a try is over, and what it may take to notice.
SLOW, NOTICED = 30, 15
TRIES = 2


def drip(turn: Turn) -> None:
    """Ten bytes a second, for ever."""
    raw = turn.forward().raw()
    turn.drip((raw * (2000 // len(raw) + 1))[: max(2000, len(raw))], 0.1)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.data], ids=lambda operation: operation.name)
def test_a_transfer_below_the_minimum_rate_ends(
    operation: Operation, colour: str, served_lake: Served, direct: lakefs_hl.Client, tmp_path: Path
) -> None:
    place = Place(Ground(direct, f"drip-{secrets.token_hex(4)}", tmp_path), 0)
    operation.prepare(place)
    policy = Policy(attempts=TRIES, base=0.001)
    with proxied(served_lake.url) as proxy, meeting(proxy, served_lake, colour, policy) as world:
        proxy.plan = lambda seen: ("dripping", drip) if seen.operation in operation.sends else None
        start = time.monotonic()
        with pytest.raises(LakeFSException):
            operation.act(world, place)
        seconds = time.monotonic() - start
    assert seconds < 3 * TRIES * (SLOW + NOTICED), f"{seconds:.0f} s; {proxy.journal()}"
