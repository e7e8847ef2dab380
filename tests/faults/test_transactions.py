"""Transactions whose client is killed, interrupted, cancelled or left without an answer, at every step.

Nine steps of the protocol (reliability 3.6), six faults, both colours: 108 clients in processes of their own, against
one served lake. Afterwards the lake is asked: all or nothing, the state that the client told, nothing acknowledged
lost, and no branch left over once what was left was resumed and collected.

`LAKEFS_HL_TEST_ROUNDS` repeats all of it so many times.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import lakefs_hl
from tests import serving
from tests.faults import transactor
from tests.faults.pausing import LONG, Pausing, Point, Stop, pausing
from tests.lakes import served_lake as served_lake

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("LAKEFS_HL_TEST_ROUNDS", "1"))


class Step(NamedTuple):
    """One request of a transaction: the how-manieth of its operation."""

    name: str
    operation: str
    number: int = 1


STEPS = [
    Step("0 pin", "getBranch"),
    Step("1 branch", "createBranch"),
    Step("2 upload", "uploadObject"),
    Step("2 delete", "deleteObjects"),
    Step("3 commit", "commit"),
    Step("4 before the merge", "getTag", 2),
    Step("4 merge", "mergeIntoBranch"),
    Step("5 tag", "createTag"),
    Step("6 delete the branch", "deleteBranch"),
]
#: Name of a fault, where it strikes, and the signal that the client gets.
FAULTS: dict[str, tuple[Point, int | None]] = {
    "killed before send": ("before", signal.SIGKILL),
    "killed after send": ("sent", signal.SIGKILL),
    "killed after apply": ("applied", signal.SIGKILL),
    "exception": ("applied", None),
    "Ctrl-C": ("applied", signal.SIGINT),
    "cancelled": ("before", signal.SIGTERM),
}
CASES = [(colour, step, fault) for colour in ("blocking", "aio") for step in STEPS for fault in FAULTS]
AT = {step.name: index for index, step in enumerate(STEPS)}


def test_there_are_108_cases() -> None:
    assert len(CASES) == 9 * 6 * 2


@dataclass
class Told:
    """What a client said of its transaction."""

    pid: Future[int] = field(default_factory=Future)
    id: str = ""
    acknowledged: list[str] = field(default_factory=list)
    state: str = ""
    raised: str = ""
    message: str = ""
    branch: str = ""
    notes: list[str] = field(default_factory=list)
    code: int = 99

    def hear(self, words: list[Any]) -> bool:
        """Notes a line; says whether more will come."""
        match words:
            case ["pid", pid]:
                self.pid.set_result(pid)
            case ["id", name]:
                self.id = name
            case ["acknowledged", path]:
                self.acknowledged.append(path)
            case ["state", state]:
                self.state = state
            case ["raised", kind, message, branch, notes]:
                self.raised, self.message, self.branch, self.notes = kind, message, branch, notes
            case ["end", code]:
                self.code = code
                return False
        return True


class Clients:
    """The process that forks clients."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.faults.transactor"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def order(self, told: Told, **order: str) -> None:
        """Makes a client, and listens to it until it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        while told.hear(json.loads(self._process.stdout.readline())):
            pass

    def close(self) -> None:
        self._process.communicate(timeout=LONG)


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    forking = Clients()
    yield forking
    forking.close()


@pytest.fixture(scope="module")
def proxy(served_lake: serving.Served) -> Iterator[Pausing]:
    with pausing(served_lake.url) as running:
        yield running


@pytest.fixture
def repo(served_lake: serving.Served) -> Iterator[lakefs_hl.Repository]:
    """A repository whose `main` has `old`, past the proxy."""
    client = lakefs_hl.Client(served_lake.url, served_lake.key, served_lake.secret)
    made = lakefs_hl.repository(f"t-{secrets.token_hex(8)}", client=client).create()
    main = made.branch("main")
    main.upload(transactor.BEFORE["old"], "old")
    main.commit_changes("before")
    yield made
    made.delete(force=True)
    client.close()


def content(branch: lakefs_hl.Branch) -> dict[str, bytes]:
    return {item.path: branch.download(item.path) for item in branch.list_objects()}


def merges(repo: lakefs_hl.Repository, told: Told) -> list[str]:
    """The commits of `main` that have the transaction."""
    op_id = f"{told.id[-32:]}-merge"
    return [commit.id for commit in repo.branch("main").log() if commit.op_id == op_id]


@pytest.mark.parametrize("turn", range(ROUNDS))
@pytest.mark.parametrize(
    ("colour", "step", "fault"), CASES, ids=[f"{colour}-{step.name}-{fault}" for colour, step, fault in CASES]
)
def test_a_transaction_is_atomic_whatever_fault_it_meets(
    colour: str,
    step: Step,
    fault: str,
    turn: int,
    repo: lakefs_hl.Repository,
    clients: Clients,
    proxy: Pausing,
    served_lake: serving.Served,
) -> None:
    told = Told()
    point, number = FAULTS[fault]
    raises = fault == "exception" and step.name == "2 delete"  # in the block itself, once
    if not raises:
        proxy.arm(Stop(step.operation, step.number, point, partial(strike, told, number)))
    keys = {"key": served_lake.key, "secret": served_lake.secret}
    clients.order(told, colour=colour, url=proxy.url, repository=repo.id, **keys, **{"raise": "yes" if raises else ""})
    assert raises or proxy.over.wait(LONG), "the request never came"
    merged = merges(repo, told)
    check_lake(repo, told, merged)
    if number == signal.SIGKILL:
        assert (told.code, told.state) == (-signal.SIGKILL, "")
    else:
        check_told(told, step, fault, merged)
    recover(repo, told, step, fault, merged)


def strike(told: Told, number: int | None) -> bool:
    """Sends the client its signal; says whether it will hang up by itself."""
    if number is None:
        return False
    os.kill(told.pid.result(LONG), number)
    return number != signal.SIGKILL


def check_lake(repo: lakefs_hl.Repository, told: Told, merged: list[str]) -> None:
    """All or nothing, once; and what was acknowledged is there."""
    main = repo.branch("main")
    assert len(merged) <= 1, "merged twice"
    assert content(main) == (transactor.AFTER if merged else transactor.BEFORE)
    if merged:
        return
    kept = {one.branch for one in repo.transactions()}
    if told.acknowledged:
        assert kept == {told.id}
        found = content(repo.branch(told.id))
        assert ("new" not in told.acknowledged) or found["new"] == transactor.AFTER["new"]
        assert ("old" not in told.acknowledged) or "old" not in found


def check_told(told: Told, step: Step, fault: str, merged: list[str]) -> None:
    """The client's verdict is the lake's."""
    assert told.code == 0
    wanted = "COMMITTED" if merged else "UNKNOWN" if step.name == "4 merge" else "ABORTED"
    if step.name == "0 pin" and fault != "exception":
        wanted = "NEW"
    assert told.state == wanted, told
    if fault == "exception":
        assert told.raised == ("TransactionException" if step.name == "2 delete" else ""), told
        assert (told.branch == told.id) == bool(told.raised)
        assert bool(merged) == (step.name != "2 delete")
        return
    blocking = "SystemExit" if fault == "cancelled" else "KeyboardInterrupt"
    assert told.raised in (blocking, "CancelledError")
    if wanted != "NEW" and step.name != "1 branch":
        assert any(told.id in note or bool(merged) for note in told.notes), told.notes
    assert bool(merged) == (AT[step.name] > AT["4 merge"] or (step.name == "4 merge" and fault == "Ctrl-C"))


def recover(repo: lakefs_hl.Repository, told: Told, step: Step, fault: str, merged: list[str]) -> None:
    """What is left is found; a collection leaves what is young and not merged; in the end there is nothing left."""
    main = repo.branch("main")
    left = list(repo.transactions())
    assert [kept.branch for kept in left] in ([], [told.id])
    killed = told.code != 0
    if not killed and not told.acknowledged:
        applied = step.name == "2 upload" and fault == "Ctrl-C"  # not acknowledged, and there
        assert [kept.state for kept in left] == ["staged"] * applied
    if merged and not killed:
        assert left == []
        assert repo.tag(transactor.TAG).get_commit().id == merged[0]
    for kept in left:
        assert kept.age is not None
        assert kept.age < timedelta(minutes=5)
        if kept.state == "merged":
            tx = kept.resume(tag=transactor.TAG)
            assert (tx.state, tx.merge_commit_id) == ("COMMITTED", merged[0])
            assert repo.tag(transactor.TAG).get_commit().id == merged[0]
            continue
        assert set(repo.collect_transactions().kept) == {told.id}
        tx = kept.resume("all or nothing")
        if tx.state == "OPEN":
            assert kept.state in ("empty", "staged")
            with tx:
                tx.upload(transactor.AFTER["new"], "new")
                tx.delete_objects("old")
        assert tx.state == "COMMITTED"
        assert content(main) == transactor.AFTER
        assert merges(repo, told) == [tx.merge_commit_id]
    repo.collect_transactions()
    assert [branch.id for branch in repo.list_branches(hidden=True)] == ["main"]
