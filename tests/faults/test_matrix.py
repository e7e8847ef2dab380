"""T3 of the failure model: every call × every fault × both colours, checked against the server's journal."""

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

#: Faults after which a client has to find out what became of its request.
LOSING = ("F3", "F4", "F5", "F7", "F9")
#: Random schedules per call and colour; `tests/long` has more.
SCHEDULES = 8
ROWS = tuple(dict.fromkeys(kind.row for kind in KINDS))

pytestmark = pytest.mark.filterwarnings("ignore:.*is left over:RuntimeWarning")
every_call = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
both_colours = pytest.mark.parametrize("colour", COLOURS)


def cases(operation: Operation) -> list[Case]:
    """Each fault once, those that lose an answer on a foreign server too; of each row one variant every time."""
    kinds = [kind for kind in KINDS if fits(operation, kind)]
    once = [Case(operation, kind, meddling=kind.row == "F15") for kind in kinds]
    at = OPERATIONS.index(operation)
    always = []
    for row in ROWS:
        variants = [kind for kind in kinds if kind.row == row and kind.row not in ("F1", "F15")]
        if variants:
            always.append(Case(operation, variants[at % len(variants)], always=True))
    foreign = [Case(operation, kind, foreign=True) for kind in kinds if kind.row in LOSING and operation.kind in "BCD"]
    return once + always + foreign


@pytest.fixture
def ground(direct: lakefs_hl.Client, tmp_path: Path) -> Ground:
    return Ground(direct, f"matrix-{secrets.token_hex(4)}", tmp_path)


@both_colours
@every_call
def test_every_call_reports_correctly_whether_it_was_applied(
    operation: Operation,
    colour: str,
    served_lake: Served,
    ground: Ground,
    elsewhere: Peer,
) -> None:
    wrong = run_all(cases(operation), served_lake, ground, colour, elsewhere.url + "/")
    assert not elsewhere.asked, f"{operation.name}: followed a redirect to a stranger"
    assert not wrong, f"{len(wrong)} wrong verdicts:\n" + "\n".join(wrong)


@both_colours
@every_call
def test_every_call_reports_correctly_when_any_request_may_fail(
    operation: Operation,
    colour: str,
    served_lake: Served,
    ground: Ground,
    elsewhere: Peer,
    rng: random.Random,
) -> None:
    seeds = [rng.randrange(2**32) for _ in range(SCHEDULES)]
    wrong = run_random(operation, seeds, served_lake, ground, colour, elsewhere.url + "/")
    assert not elsewhere.asked, f"{operation.name}: followed a redirect to a stranger"
    assert not wrong, f"{len(wrong)} wrong verdicts:\n" + "\n".join(wrong)
