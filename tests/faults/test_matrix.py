"""T3 of the failure model: every call × every fault × both colours, checked against the server's journal."""

from __future__ import annotations

import random
import re
import secrets
from pathlib import Path

import pytest

import lakefs_hl
from lakefs_hl import ops
from lakefs_hl.spec import administration, endpoints
from lakefs_hl.spec.wire import Endpoint
from tests.faults.catalogue import KINDS, fits
from tests.faults.matrix import COLOURS, Case, run_all, run_random
from tests.faults.operations import OPERATIONS, Ground, Operation
from tests.serving import Served
from tests.transport.peers import Peer

#: Faults after which a client has to find out what became of its request.
LOSING = ("F3", "F4", "F5", "F7", "F9")
#: Random schedules per call and colour; `tests/long` has more.
SCHEDULES = 8
PRESIGNED = "the served lake does not sign URLs: tests/ops/test_upload.py"
#: Requests that change something and are not in the matrix, with the reason.
ELSEWHERE = {
    "importCancel": "an import that is cancelled twice is cancelled: tests/ops/test_imports.py",
    "linkPhysicalAddress": PRESIGNED,
    "presignedPut": PRESIGNED,
    "login": "changes nothing: tests/ops/test_auth.py",
    "externalPrincipalLogin": "changes nothing: tests/ops/test_auth.py",
}
#: A row of the table of endpoints, as ops name it.
ROW = re.compile(r"\b(?:endpoints|administration)\.([A-Z][A-Z_]+)\b")
ROWS = tuple(dict.fromkeys(kind.row for kind in KINDS))

pytestmark = pytest.mark.filterwarnings("ignore:.*is left over:RuntimeWarning")
every_call = pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if not each.rare], ids=lambda operation: operation.name
)
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


def sent_by_ops() -> set[str]:
    """Return the operations of the API that a module of `ops` names, but for those that only read."""
    text = "".join(path.read_text(encoding="utf-8") for path in Path(str(ops.__file__)).parent.glob("*.py"))
    rows = (getattr(endpoints, name, None) or getattr(administration, name) for name in ROW.findall(text))
    return {row.operation for row in rows if isinstance(row, Endpoint) and row.method not in ("GET", "HEAD")}


def test_every_request_that_changes_something_is_in_the_matrix() -> None:
    tried = {name for operation in OPERATIONS for name in operation.sends}
    missing = sorted(sent_by_ops() - tried - set(ELSEWHERE))
    assert not missing, f"add a class to tests/faults/operations.py, or a reason to ELSEWHERE, for each of {missing}"
    assert not set(ELSEWHERE) & tried, "these are in the matrix now"


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
    # Each case in one of the colours, which run the same operations; `tests/long` runs all in both.
    own = cases(operation)[COLOURS.index(colour) :: len(COLOURS)]
    wrong = run_all(own, served_lake, ground, colour, elsewhere.url + "/")
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
