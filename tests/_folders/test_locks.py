from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl._folders import locks

CHILD = """
import os, sys
from lakefs_hl._folders.locks import try_lock
fd = os.open(sys.argv[1], os.O_RDWR)
print(try_lock(fd), flush=True)
sys.stdin.read()
"""


def test_a_file_is_locked_for_one_use_of_it_at_a_time(tmp_path: Path) -> None:
    first, second = (os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT) for _ in range(2))
    assert locks.try_lock(first)
    assert locks.try_lock(first)
    assert not locks.try_lock(second)
    os.close(first)
    assert locks.try_lock(second)
    os.close(second)


def test_another_process_is_kept_out_until_the_first_one_ends(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "a")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "True\n"
        assert not locks.try_lock(fd)
        child.kill()
        child.communicate()
    assert locks.try_lock(fd)
    os.close(fd)


def test_a_file_system_without_locks_locks_nothing(tmp_path: Path, mocker: Any) -> None:
    mocker.patch.object(locks, "_lock", side_effect=OSError(errno.ENOLCK, "no locks available"))
    fd = os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    assert locks.try_lock(fd)
    os.close(fd)


@pytest.mark.skipif(sys.platform == "win32", reason="reading is not what Windows locks here")
def test_a_locked_file_can_be_read_and_written(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    assert locks.try_lock(fd)
    os.write(fd, b"abc")
    assert (tmp_path / "a").read_bytes() == b"abc"
    os.close(fd)
