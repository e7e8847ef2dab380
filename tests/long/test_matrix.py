"""The whole fault matrix: every fault once and each time, on our server and a foreign one; and random schedules."""

from __future__ import annotations

import random
import secrets
from pathlib import Path

import pytest

import lakefs_hl
from tests.faults.catalogue import KINDS, fits
from tests.faults.matrix import COLOURS, Case, run_all, run_random
from tests.faults.operations import OPERATIONS, Ground, Operation
from tests.serving import Served
from tests.transport.peers import Peer

#: Random schedules per call and colour: 10,000 in all.
SCHEDULES = 10_000 // (len(OPERATIONS) * len(COLOURS)) + 1

pytestmark = [pytest.mark.filterwarnings("ignore:.*is left over:RuntimeWarning"), pytest.mark.timeout(600)]
every_call = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
both_colours = pytest.mark.parametrize("colour", COLOURS)


@pytest.fixture
def ground(direct: lakefs_hl.Client, tmp_path: Path) -> Ground:
    return Ground(direct, f"long-{secrets.token_hex(4)}", tmp_path)


@pytest.mark.parametrize("foreign", [False, True], ids=["own server", "foreign server"])
@both_colours
@every_call
def test_every_call_reports_correctly_in_the_whole_matrix(
    operation: Operation, colour: str, foreign: bool, served_lake: Served, ground: Ground, elsewhere: Peer
) -> None:
    cases = [
        Case(operation, kind, always=always, foreign=foreign, meddling=kind.row == "F15")
        for kind in KINDS
        for always in (False, True)
        if fits(operation, kind) and not (always and kind.row in ("F1", "F15"))
    ]
    wrong = run_all(cases, served_lake, ground, [colour], elsewhere.url + "/")
    assert not elsewhere.asked
    assert not wrong, f"{len(wrong)} wrong verdicts:\n" + "\n".join(wrong)


@both_colours
@every_call
def test_every_call_reports_correctly_under_random_faults(
    operation: Operation,
    colour: str,
    served_lake: Served,
    ground: Ground,
    elsewhere: Peer,
    rng: random.Random,
) -> None:
    seeds = [rng.randrange(2**32) for _ in range(SCHEDULES)]
    wrong = run_random(operation, seeds, served_lake, ground, colour, elsewhere.url + "/")
    assert not elsewhere.asked
    assert not wrong, f"{len(wrong)} wrong verdicts:\n" + "\n".join(wrong)
