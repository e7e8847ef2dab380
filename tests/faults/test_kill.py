"""kill -9 at random moments and at every failpoint: nothing acknowledged is lost, and nothing is damaged.

Thirty cycles on one lake. In each, two processes write until they are killed; then the lake is opened, checked by fsck
and held against what the writers had been told. The lake lives on, so each cycle also recovers what the last one left.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.spec import models
from tests.faults.oracle import Account, Checker
from tests.faults.writer import REPOSITORY, start

CYCLES = 30
#: Each is where one writer dies, in a cycle of its own; the other cycles kill at a random moment.
POINTS = [
    "db.begin",
    "db.commit",
    "db.committed",
    "db.checkpoint",
    "db.checkpointed",
    "blob.create",
    "blob.write",
    "blob.fsync",
    "blob.rename",
    "blob.mkdir",
    "blob.parent.fsync_folder",
    "blob.fsync_folder",
]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    engine = Engine.open(folder)
    engine.repositories.create(models.RepositoryCreation(REPOSITORY, "local://repo", "main"), who="test")
    for name in "ab":
        engine.branches.create(REPOSITORY, models.BranchCreation(f"own-{name}", "main"))
    engine.close()
    return folder


class Life:
    """One writer, from its start to its death."""

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self.said = bytearray()
        self._pipe = pipe
        self._listener = threading.Thread(target=self._listen)

    def listen(self) -> None:
        """Begins to read; a writer whose pipe is full would wait instead of writing to the lake."""
        self._listener.start()

    def _listen(self) -> None:
        while data := os.read(self._pipe, 1 << 16):
            self.said += data

    def end(self, within: float) -> int:
        """Waits for its death, or brings it; gives the signal that ended it."""
        self._listener.join(within)  # the pipe ends with its writer
        if self._listener.is_alive():
            os.kill(self.pid, signal.SIGKILL)
        status = os.waitpid(self.pid, 0)[1]
        self._listener.join()
        os.close(self._pipe)
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def cycle(lake: Path, rng: random.Random, accounts: dict[str, Account], point: str | None) -> bool:
    """Two lives and two deaths; says whether the first died at its point."""
    at = (point, rng.randrange(1, 4)) if point else None
    lives = {}
    for name, die_at in (("a", at), ("b", None)):
        pid, pipe = start(lake, name, random.Random(rng.random()), accounts[name].number, die_at)
        lives[name] = Life(pid, pipe)
    for life in lives.values():
        life.listen()
    began = time.monotonic()
    moment = rng.uniform(0.02, 0.5)
    assert lives["a"].end(10.0 if point else moment) == signal.SIGKILL, bytes(lives["a"].said[-3000:]).decode()
    at_point = time.monotonic() - began < 10.0
    # The other one goes on a while: it must not be held up by what the dead one left.
    assert lives["b"].end(rng.uniform(0.0, 0.2)) == signal.SIGKILL, bytes(lives["b"].said[-3000:]).decode()
    for name, life in lives.items():
        whole = bytes(life.said[: life.said.rfind(b"\n") + 1])
        accounts[name].hear(whole)
    return at_point


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_lost_by_a_kill(
    lake: Path, rng: random.Random, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    accounts = {name: Account(name) for name in "ab"}
    points: list[str | None] = [*POINTS, *[None] * (CYCLES - len(POINTS))]
    rng.shuffle(points)
    checked = 0
    for number, point in enumerate(points):
        since = {name: len(account.commits) for name, account in accounts.items()}
        reached = cycle(lake, rng, accounts, point)
        where = f"cycle {number}, killed at {point or 'a random moment'}"
        assert reached, f"{where}: the point was never reached"
        engine = Engine.open(lake)
        try:
            report = fsck(engine, read_data=number == len(points) - 1)
            assert not report.damage, f"{where}: {report.damage}"
            checker = Checker(engine)
            for name, account in accounts.items():
                checker.check(account, since[name])
            checked += checker.checked
        finally:
            engine.close()
    acknowledged = sum(account.acknowledged for account in accounts.values())
    commits = sum(len(account.commits) for account in accounts.values())
    with capsys.disabled():
        seed = request.config.option.hypothesis_seed
        sys.stdout.write(
            f"\n{CYCLES} kills (seed {seed}): {acknowledged} acknowledged, {commits} commits, {checked} checks\n"
        )
    assert acknowledged > CYCLES
    assert commits
