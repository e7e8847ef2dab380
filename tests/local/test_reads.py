"""Reading, and opening a lake, while another process keeps the writer's lock."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from lakefs_hl.local.disk.tables import meta
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import LakeLockedError

#: What a read may cost, seconds: 99 of 100 of them.
BUDGET: Final = 0.25
_HOLDER: Final = """
import sys
from lakefs_hl.local.disk.database import Database

database = Database(sys.argv[1])
writer = database.begin()
writer.execute("UPDATE sequence SET value = value")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    engine = Engine.open(folder)
    engine.repositories.create(models.RepositoryCreation("repo", "local://repo", "main"), who="me")
    engine.objects.put("repo", "main", "a", b"x")
    engine.lake.submit(lambda writer: meta.put(writer, "dead token 99", ""))  # something to remove at opening
    engine.close()
    return folder


@contextmanager
def held(lake: Path) -> Iterator[None]:
    """Another process is in the midst of a write."""
    command = [sys.executable, "-c", _HOLDER, str(lake)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == "held\n"
            yield
            assert holder.poll() is None
        finally:
            holder.stdin.close()


def read_while_held(lake: Path, seconds: float) -> None:
    """Opens, reads and closes a lake that another process writes to."""
    took: list[float] = []
    with held(lake):
        end = time.monotonic() + seconds
        opened: list[float] = []
        while time.monotonic() < end or len(took) < 1000:
            began = time.monotonic()
            engine = Engine.open(lake)
            opened.append(time.monotonic() - began)
            for _ in range(100):
                began = time.monotonic()
                engine.objects.stat("repo", "main", "a")
                engine.objects.list("repo", "main")
                took.append(time.monotonic() - began)
            began = time.monotonic()
            engine.close()
            opened.append(time.monotonic() - began)
    for times in (took, opened):
        assert sorted(times)[len(times) * 99 // 100 - 1] < BUDGET


def test_reads_and_opening_wait_for_no_writer(lake: Path) -> None:
    read_while_held(lake, 4.0)


def test_what_could_not_be_removed_at_opening_is_removed_later(lake: Path) -> None:
    with held(lake):
        engine = Engine.open(lake, timeout=0.1)
        with pytest.raises(LakeLockedError):
            engine.objects.put("repo", "main", "b", b"x")
    engine.branches.reset("repo", "main", models.Reset("reset"))
    with engine.lake.read() as snapshot:
        assert meta.first(snapshot.reader, "dead token ") is None
    engine.close()
