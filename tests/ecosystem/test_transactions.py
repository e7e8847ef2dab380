"""Transactions of the file system in processes that die or fork."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import lakefs_hl
from tests.ecosystem.libraries import needs

needs("fsspec")

ROOT = Path(__file__).parents[2]


def test_a_killed_process_leaves_whole_files_and_what_they_replaced(tmp_path: Path) -> None:
    lake = f"local:{tmp_path / 'lake'}"
    with lakefs_hl.Client(lake) as client:
        repository = lakefs_hl.repository("killed", client=client).create()
        repository.branch("main").upload(b"precious", "b")
    script = """
        import os, sys
        from lakefs_hl.filesystem import LakeFSFileSystem, deferred

        fs, upload = LakeFSFileSystem(sys.argv[1]), deferred.DeferredWriter.upload

        def die(self):
            if self.key == "c":
                os._exit(9)
            return upload(self)

        deferred.DeferredWriter.upload = die
        with fs.transaction:
            for path in "abc":
                fs.pipe(f"killed/main/{path}", b"1" * 100_000)
    """
    done = subprocess.run([sys.executable, "-c", dedent(script), lake], check=False, cwd=ROOT)
    assert done.returncode == 9
    with lakefs_hl.Client(lake) as client:
        repository = lakefs_hl.repository("killed", client=client)
        main = repository.branch("main")
        found = {row.path: main.download(row.path) for row in main.list_objects()}
        assert set(found.values()) <= {b"1" * 100_000, b"precious"}
        assert "c" not in found
        (hold,) = (branch for branch in repository.list_branches(hidden=True) if branch.id != "main")
        assert hold.download("b") == b"precious"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_child_does_not_take_part(tmp_path: Path) -> None:
    script = """
        import os, sys
        from lakefs_hl import Client, exceptions, repository
        from lakefs_hl.filesystem import LakeFSFileSystem

        main = repository("forked", client=Client(sys.argv[1])).create().branch("main")
        fs = LakeFSFileSystem(sys.argv[1])
        with fs.transaction:
            fs.pipe("forked/main/a", os.urandom(100_000))
            child = os.fork()
            if not child:
                try:
                    fs.pipe("forked/main/b", b"1")
                except exceptions.TransactionStateError as exc:
                    print(exc)
                    LakeFSFileSystem(sys.argv[1], skip_instance_cache=True).pipe("forked/main/c", b"1")
                    sys.exit()  # runs what the standard library registered for the exit
            os.waitpid(child, 0)
        print(sorted(row.path for row in main.list_objects()))
    """
    command = [sys.executable, "-c", dedent(script), f"local:{tmp_path / 'lake'}"]
    done = subprocess.run(command, check=False, cwd=ROOT, text=True, capture_output=True)
    assert "opened by the process that this one was forked from" in done.stdout, done.stderr
    assert done.stdout.endswith("['a', 'c']\n"), (done.stdout, done.stderr)
