"""T3 of the failure model: every call × every fault × both colours, checked against the server's journal."""

from __future__ import annotations

import random
import re
import secrets
from pathlib import Path
from typing import Any

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
#: Random schedules per call; `tests/long` has more.
SCHEDULES = 3
PRESIGNED = "the served lake does not sign URLs: tests/ops/test_upload.py"
IN_PARTS = "the served lake does not sign URLs: tests/ops/test_parts.py"
#: Requests that change something and are not in the matrix, with the reason.
ELSEWHERE = {
    "importCancel": "an import that is cancelled twice is cancelled: tests/ops/test_imports.py",
    "linkPhysicalAddress": PRESIGNED,
    "presignedPut": PRESIGNED,
    "createPresignMultipartUpload": IN_PARTS,
    "uploadPart": IN_PARTS,
    "presignedPart": IN_PARTS,
    "completePresignMultipartUpload": IN_PARTS,
    "abortPresignMultipartUpload": IN_PARTS,
    "login": "changes nothing: tests/ops/test_auth.py",
    "externalPrincipalLogin": "changes nothing: tests/ops/test_auth.py",
}
#: A row of the table of endpoints, as ops name it.
ROW = re.compile(r"\b(?:endpoints|administration)\.([A-Z][A-Z_]+)\b")
ROWS = tuple(dict.fromkeys(kind.row for kind in KINDS))

pytestmark = pytest.mark.filterwarnings("ignore:.*is left over:RuntimeWarning")
#: All cases of a function go to one worker; these would keep one for minutes.
GROUPS = 4
every_call = pytest.mark.parametrize(
    "operation",
    [
        pytest.param(each, id=each.name, marks=pytest.mark.xdist_group(f"matrix {number % GROUPS}"))
        for number, each in enumerate(each for each in OPERATIONS if not each.rare)
    ],
)


def firsts() -> tuple[Operation, ...]:
    """Return the calls that meet every variant of every fault: of those that send the same requests, the first.

    What a transport makes of a variant (which status, closed or reset, before or behind the head) is the same for the
    same request. The others meet every row of the failure model, each in another variant. Reads of data are all first:
    how much had come when it broke is what each of them has to go on from.
    """
    found: dict[Any, Operation] = {}
    for operation in OPERATIONS:
        if not operation.rare:
            same = operation.name if operation.data and operation.kind == "A" else (operation.kind, operation.sends)
            found.setdefault(same, operation)
    return tuple(found.values())


FIRSTS = firsts()


def cases(operation: Operation) -> list[Case]:
    """Each fault once, those that lose an answer on a foreign server too; of each row one variant every time."""
    kinds = [kind for kind in KINDS if fits(operation, kind)]
    at = OPERATIONS.index(operation)
    rows = [[kind for kind in kinds if kind.row == row] for row in ROWS]
    one_of_each = [variants[at % len(variants)] for variants in rows if variants]
    always = [Case(operation, kind, always=True) for kind in one_of_each if kind.row not in ("F1", "F15")]
    if operation not in FIRSTS:
        kinds = one_of_each
    once = [Case(operation, kind, meddling=kind.row == "F15") for kind in kinds]
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


@every_call
def test_every_call_reports_correctly_whether_it_was_applied(
    operation: Operation,
    served_lake: Served,
    ground: Ground,
    elsewhere: Peer,
    way: str,
) -> None:
    # Each case in one of the colours, which run the same operations; `tests/long` runs all in both.
    own = cases(operation)
    if way == "lane":
        # The next request is under way at once, and bytes behind a response that come later are taken for its own.
        own = [case for case in own if case.kind.row != "F12"]
    wrong = run_all(own, served_lake, ground, COLOURS, elsewhere.url + "/")
    assert not elsewhere.asked, f"{operation.name}: followed a redirect to a stranger"
    assert not wrong, f"{len(wrong)} wrong verdicts over {way}:\n" + "\n".join(wrong)


@every_call
def test_every_call_reports_correctly_when_any_request_may_fail(
    operation: Operation,
    served_lake: Served,
    ground: Ground,
    elsewhere: Peer,
    rng: random.Random,
) -> None:
    # In one of the colours, which is drawn; `tests/long` has both.
    seeds = [rng.randrange(2**32) for _ in range(SCHEDULES)]
    wrong = run_random(operation, seeds, served_lake, ground, rng.choice(COLOURS), elsewhere.url + "/")
    assert not elsewhere.asked, f"{operation.name}: followed a redirect to a stranger"
    assert not wrong, f"{len(wrong)} wrong verdicts:\n" + "\n".join(wrong)
