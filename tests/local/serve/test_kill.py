"""kill -9 of a served lake, at random moments and at every failpoint, seen by its clients over HTTP.

Acknowledgements are kept outside of the server. After each kill the lake is sound, holds all that was acknowledged,
and of what was not acknowledged all or nothing; a server on it answers within two seconds, and a commit or merge that
is sent once more under its idempotency key is there once.
"""

from __future__ import annotations

import ast
import errno
import json
import random
import re
import signal
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import lakefs_hl.local
from lakefs_hl.local.disk import fs, schema
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.spec import models
from tests.data.lakes.make import HERE, content
from tests.local.engine.test_multipart import AT_PARTS
from tests.local.serve.clients import Connection, Crowd
from tests.local.serve.ledger import REPOSITORY, Ledger
from tests.local.serve.mortal import Launcher, Life, Order, launching
from tests.local.test_batches import AT_BATCH

#: Kills at random moments.
KILLS = 20
#: From the order to start until the first answer, seconds.
STARTS = 2.0


class Point(NamedTuple):
    """How a failpoint is reached while the server is at work.

    Attributes:
        times: It is reached at least so often in a short life.
        fail_at: What must fail before.
        error: With what.
    """

    times: int = 3
    fail_at: str = ""
    error: int = 0


_FULL = Point(1, "blob.write", errno.ENOSPC)
_NOT_SYNCED = Point(1, "blob.fsync", errno.EIO)

#: Failpoints of a server at work. The first comes first: there are only so many directories to make.
AT_WORK = {
    "blob.mkdir": Point(1),
    "blob.create": Point(),
    "blob.write": Point(),
    "blob.fsync": Point(),
    "blob.rename": Point(),
    "blob.parent.fsync_folder": Point(1),
    "blob.fsync_folder": Point(),
    "blob.unlink": _FULL,
    "db.begin": Point(),
    "db.commit": Point(),
    "db.committed": Point(),
    "db.checkpoint": Point(),
    "db.checkpointed": Point(),
    "log.write": _NOT_SYNCED,
    "log.fsync": _NOT_SYNCED,
}
_FILES = ("format", "keys", "lakectl")
#: Failpoints of a first start.
AT_FIRST = {
    "lake.mkdir": "",
    "lake.fsync_folder": "",
    "db.create": "",
    **{
        f"{name}.{operation}": f"{name}.rename" if operation == "unlink" else ""
        for name in _FILES
        for operation in ("create", "write", "fsync", "rename", "unlink", "fsync_folder")
    },
}
#: Failpoints of the first start on a lake of format 1.
AT_MIGRATION = [f"migration.{table}" for table in schema.SUMMED]


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with launching() as found:
        yield found


def make(folder: Path) -> Path:
    """A lake for the clients."""
    engine = Engine.open(folder)
    engine.repositories.create(models.RepositoryCreation(REPOSITORY, "local://repo"), who="test")
    for name in ("trunk", "release"):
        engine.branches.create(REPOSITORY, models.BranchCreation(name, "main"))
    engine.close()
    return folder


class Cycles:
    """Lives and deaths on one lake.

    Args:
        launcher: Starts the servers.
        lake: The lake.
        dice: Moments, and what clients do.
    """

    def __init__(self, launcher: Launcher, lake: Path, dice: random.Random) -> None:
        self._launcher, self._lake, self._dice = launcher, lake, dice
        self.ledger = Ledger()
        self.kills = self.checked = 0
        self.starts: list[float] = []

    def run(self, point: str | None) -> None:
        """Start a server, have it killed at a point or a random moment, and check the lake."""
        dice, ledger = self._dice, self.ledger
        how = AT_WORK[point] if point else Point()
        order = Order(
            str(self._lake),
            die_at=point or "",
            times=dice.randint(1, how.times),
            fail_at=how.fail_at,
            error=how.error,
            small=dice.choice((5, 5000)),
        )
        where = f"kill {self.kills}, at {point or 'a random moment'}"
        life = self._launcher.start(order)
        assert life.url, f"{where}: the server did not start"
        self.starts.append(life.seconds)
        crowd = Crowd(life.url, life.key, ledger, dice, failing=bool(how.fail_at))
        alone = life.wait(20.0 if point else dice.uniform(0.02, 0.3))
        assert life.kill() == signal.SIGKILL, where
        crowd.join()
        assert alone == (point is not None), f"{where}: the point was not reached"
        assert not ledger.odd, f"{where}: {ledger.odd[0]}"
        self.kills += 1
        self._check(where, whole=dice.random() < 0.1)

    def _check(self, where: str, *, whole: bool) -> None:
        report = fsck(self._lake, read_data=whole)
        assert not report.damage, f"{where}: {report.damage}"
        engine = Engine.open(self._lake)
        try:
            engine.lake.blobs.sweep(older=0.0)
            left = list((self._lake / "objects" / "tmp").iterdir())
            assert not left, f"{where}: temporary files of the dead cannot be removed: {left}"
            try:
                self.checked += self.ledger.check(engine)
            except AssertionError as error:
                raise AssertionError(f"{where}: {error}") from error
        finally:
            engine.close()

    def figures(self, seed: str) -> str:
        """What happened."""
        ledger = self.ledger
        return (
            f"\n{self.kills} kills of a server (seed {seed}): {ledger.acknowledged} acknowledged, "
            f"{len(ledger.commits)} commits and merges, {self.checked} checks, "
            f"started within {self.start():.2f} s (9 of 10), {max(self.starts):.2f} s (all)\n"
        )

    def start(self) -> float:
        """How long nine starts of ten took at most: what is slower waits for a processor."""
        return sorted(self.starts)[len(self.starts) * 9 // 10]


def repeat(launcher: Launcher, lake: Path, dice: random.Random, kills: int) -> Cycles:
    """Every failpoint once, and random kills."""
    cycles = Cycles(launcher, make(lake), dice)
    first, *others = AT_WORK
    rest: list[str | None] = [*others, *[None] * kills]
    dice.shuffle(rest)
    for point in (first, *rest):
        cycles.run(point)
    return cycles


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_lost(
    launcher: Launcher,
    tmp_path: Path,
    rng: random.Random,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cycles = repeat(launcher, tmp_path / "lake", rng, KILLS)
    with capsys.disabled():
        sys.stdout.write(cycles.figures(str(request.config.option.hypothesis_seed)))
    assert cycles.ledger.acknowledged > cycles.kills
    assert cycles.start() < STARTS


def works(life: Life, repository: str) -> None:
    """A server with this repository does its work."""
    assert life.url
    connection = Connection(life.url, life.key)
    try:
        connection.ask(
            "POST", "/api/v1/repositories", {"name": repository, "storage_namespace": f"local://{repository}"}
        )
        place = f"/api/v1/repositories/{repository}"
        for data in (b"small", bytes(100_000)):
            connection.ask("POST", f"{place}/branches/main/objects?path=a", data)
            assert connection.ask("GET", f"{place}/refs/main/objects?path=a") == data
        connection.ask("POST", f"{place}/branches/main/commits", {"message": "m"})
    finally:
        connection.close()
    assert life.kill() == signal.SIGKILL


@pytest.mark.parametrize("point", AT_FIRST)
def test_a_first_start_can_be_killed(launcher: Launcher, tmp_path: Path, point: str) -> None:
    lake = tmp_path / "lake"
    order = Order(str(lake), die_at=point, early=True, fail_at=AT_FIRST[point], error=errno.ENOSPC)
    assert launcher.start(order).signal == signal.SIGKILL, f"{point} was not reached"
    works(launcher.start(Order(str(lake))), "works")
    assert not fsck(lake, read_data=True).damage


@pytest.mark.parametrize("point", AT_MIGRATION)
def test_a_migration_can_be_killed(launcher: Launcher, tmp_path: Path, point: str) -> None:
    with tarfile.open(HERE / "v1.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    lake = tmp_path / "v1"
    lake.chmod(0o700)
    assert launcher.start(Order(str(lake), die_at=point, early=True)).signal == signal.SIGKILL
    works(launcher.start(Order(str(lake))), "works")
    assert not fsck(lake, read_data=True).damage
    engine = Engine.open(lake)
    engine.repositories.delete("works")
    found = json.loads(json.dumps(content(engine)))
    engine.close()
    expected = json.loads((HERE / "v1.json").read_text(encoding="utf-8"))
    assert {what: found[what] for what in expected} == expected


# -------------------------------------------------------------------------------------------------- the list of points


def operations() -> dict[str, list[str]]:
    """The operations of `disk/fs.py`, and which failpoints each passes."""
    found: dict[str, list[str]] = {}
    tree = ast.parse(Path(fs.__file__).read_text(encoding="utf-8"))
    for function in tree.body:
        if isinstance(function, ast.FunctionDef):
            text = ast.unparse(function)
            ends = re.findall(r"reach\(f'\{what\}\.(\w+)'\)", text)
            for inner, known in found.items():
                if re.search(rf"(?<![\w.]){inner}\(", text.partition(":\n")[2]):
                    ends += known
            if ends:
                found[function.name] = ends
    return found


def points_in_source() -> set[str]:
    """Every failpoint that the code of the lake passes."""
    known, found = operations(), set()
    for path in sorted(Path(lakefs_hl.local.__file__).parent.rglob("*.py")):
        if path == Path(fs.__file__):
            continue
        text = path.read_text(encoding="utf-8")
        for call in ast.walk(ast.parse(text)):
            if not isinstance(call, ast.Call):
                continue
            name = ast.unparse(call.func).removeprefix("fs.")
            if name == "reach" and ast.unparse(call.func) == "fs.reach":
                given = call.args[0]
                if isinstance(given, ast.Constant):
                    found.add(str(given.value))
                else:
                    assert ast.unparse(given) == "f'migration.{table}'", ast.unparse(given)
                    found.update(f"migration.{table}" for table in schema.SUMMED)
            elif name in known and (ast.unparse(call.func).startswith("fs.") or name == "write_durably"):
                what = call.args[
                    {
                        "make_folder": 1,
                        "create": 1,
                        "write": 2,
                        "overwrite": 3,
                        "copy_range": 5,
                        "fsync": 1,
                        "rename": 2,
                        "fsync_folder": 1,
                        "sync_all": 1,
                        "unlink": 1,
                        "remove_folder": 1,
                        "write_durably": 2,
                    }[name]
                ]
                assert isinstance(what, ast.Constant), f"{path}: {ast.unparse(call)}"
                found.update(f"{what.value!s}.{end}" for end in known[name])
    return found


def test_every_failpoint_has_its_row() -> None:
    rows = [*AT_WORK, *AT_FIRST, *AT_MIGRATION, *AT_BATCH, *AT_PARTS]
    assert len(set(rows)) == len(rows)
    assert points_in_source() == set(rows)
