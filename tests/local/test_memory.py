"""Lakes in memory: where they lie, and what becomes of them when their process ends, however it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lakefs_hl
from lakefs_hl import local
from tests.processes import ending

MAKE = """
import os, sys
import lakefs_hl
from lakefs_hl import local
client = lakefs_hl.Client("mem://")
lakefs_hl.repository("example", client=client).create()
print(next(iter(local._lives)).parent, flush=True)
sys.stdin.readline()
"""


def start() -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", MAKE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_one_of_a_killed_process_goes_with_the_next_that_is_made() -> None:
    killed, left = start()
    alive, kept = start()
    with ending(killed, alive):
        killed.kill()
        killed.wait()
        assert (left / "lake" / "format.json").exists()
        lakefs_hl.Client("mem://").close()
        assert not left.exists()
        assert (kept / "lake" / "format.json").exists(), "its process is alive"
        alive.communicate("\n")
    assert not kept.exists(), "a process that ends takes its lake along"


def test_one_goes_with_its_last_user() -> None:
    client = lakefs_hl.Client("mem://")
    lakefs_hl.repository("example", client=client).create()
    folder = next(reversed(local._lives)).parent
    assert folder.stat().st_mode & 0o077 == 0
    client.close()
    del client
    assert not folder.exists()
    assert folder / "lake" not in local._lives
