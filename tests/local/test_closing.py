"""A process ends at once, in whatever way, whatever its other threads do with the lake."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.fsck import fsck

#: One second, and as much again for a machine that is busy with other tests.
SOON: Final = 2.0
#: A guard against hanging, not a measure.
STUCK: Final = 60.0
_SCRIPT: Final = """
import sys, threading
from lakefs_hl.local.disk import fs
from lakefs_hl.local.engine import Engine, commits
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import LakeError

folder, what, how = sys.argv[1:]
engine = Engine.open(folder)
engine.repositories.create(models.RepositoryCreation("repo", "local://repo", "main"), who="me")
engine.objects.put("repo", "main", "kept", b"x")

def commit():
    engine.commits.commit("repo", "main", models.CommitCreation("large"), who="me")

def put():
    engine.objects.put("repo", "main", "waits", b"x")

def refused(call):
    try:
        call()
    except LakeError:
        pass

if what == "large commit":
    vars(commits)["SMALL"] = 1
    begun = threading.Event()
    edits = commits.edits_of
    def slowly(tree, root, staged):
        begun.set()
        while True:  # as a commit of very many objects
            edits(tree, root, iter(()))
    vars(commits)["edits_of"] = slowly
    engine.objects.put("repo", "main", "more", b"x")
    threading.Thread(target=refused, args=(commit,), daemon=True).start()
    assert begun.wait(30)
else:
    print("hold", flush=True)
    sys.stdin.readline()
    threading.Thread(target=refused, args=(put,), daemon=True).start()
    while engine.lake.database._lock._wait is None:
        pass
print("busy", flush=True)
sys.stdin.readline()
if how == "close":
    engine.close()
print("over", flush=True)
"""


@pytest.mark.parametrize("how", ["close", "exit", "SIGTERM", "SIGINT"])
@pytest.mark.parametrize("what", ["large commit", "waiting writer"])
def test_a_process_ends_at_once(tmp_path: Path, what: str, how: str) -> None:
    folder = tmp_path / "lake"
    command = [sys.executable, "-W", "error", "-c", _SCRIPT, str(folder), what, how]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        if what == "waiting writer":
            assert process.stdout.readline() == "hold\n", process.stderr.read()
            lock = (folder / "lock").open("rb+")
            fcntl.flock(lock, fcntl.LOCK_EX)
            process.stdin.write("\n")
            process.stdin.flush()
        assert process.stdout.readline() == "busy\n", process.stderr.read()
        began = time.monotonic()
        if how.startswith("SIG"):
            process.send_signal(getattr(signal, how))
        else:
            process.stdin.write("\n")
            process.stdin.flush()
        _, errors = process.communicate(timeout=STUCK)
        took = time.monotonic() - began
        if what == "waiting writer":
            lock.close()
    assert took < SOON
    if not how.startswith("SIG"):
        assert (process.returncode, errors) == (0, "")
    engine = Engine.open(folder)
    assert not fsck(engine).damage
    paths = [one.path for one in engine.objects.list("repo", "main").results]
    assert "kept" in paths
    assert "waits" not in paths
    engine.close()
