"""Lakes in this process: by folder, in memory, shared by name, gone when they should be."""

from __future__ import annotations

import _thread
import gc
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl import local
from lakefs_hl.local.engine import engine as engine_module
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.wire import Request
from lakefs_hl.transport.inproc import InProcess

#: A guard against hanging, seconds.
LIMIT = 30.0


def create(lake: InProcess, name: str = "repo") -> int:
    body = json.dumps({"name": name, "storage_namespace": f"local://{name}"}).encode()
    return lake.send(Request(endpoints.CREATE_REPOSITORY, body=body)).status


def names(lake: InProcess) -> list[str]:
    return [found["id"] for found in _json(lake, Request(endpoints.LIST_REPOSITORIES))["results"]]


def _json(lake: InProcess, request: Request) -> Any:
    body = lake.send(request).body
    assert isinstance(body, bytes)
    return json.loads(body)


def test_a_folder_is_kept(tmp_path: Path) -> None:
    uri = f"local:{tmp_path / 'lake'}"
    first, second = local.connect(uri, "me"), local.connect(uri, "you")
    assert create(first) == 201
    assert names(second) == ["repo"]
    del first, second
    gc.collect()
    assert names(local.connect(uri, "me")) == ["repo"]


def test_the_committer_signs(tmp_path: Path) -> None:
    lake = local.connect(f"local:{tmp_path / 'lake'}", "Ada")
    create(lake)
    body = b'{"message": "m", "allow_empty": true}'
    commit = _json(lake, Request(endpoints.COMMIT, ("repo", "main"), body=body))
    assert commit["committer"] == "Ada"
    assert _json(lake, Request(endpoints.GET_CURRENT_USER))["user"]["id"] == "Ada"


def test_in_memory_lakes_are_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_FAST", tmp_path)
    first, second = local.connect("mem://", "me"), local.connect("mem://", "me")
    assert create(first) == 201
    assert names(second) == []
    assert len(list(tmp_path.iterdir())) == 2
    del first, second
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_in_memory_lakes_are_shared_by_name() -> None:
    first, second = local.connect("mem://shared-name", "me"), local.connect("mem://shared-name", "you")
    assert create(first) == 201
    assert names(second) == ["repo"]
    del first, second
    gc.collect()
    assert names(local.connect("mem://shared-name", "me")) == ["repo"], "a named lake lives as long as the process"


def test_nothing_is_left_at_exit_and_a_child_removes_nothing(tmp_path: Path) -> None:
    code = """
import os, pathlib, sys
from lakefs_hl import local
from lakefs_hl.local.engine import engine as engine_module
local._FAST = pathlib.Path(sys.argv[1])
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Request
one, two = local.connect("mem://", "me"), local.connect("mem://name", "me")
child = os.fork()
if child == 0:
    raise SystemExit(0)
assert os.waitpid(child, 0)[1] == 0
for lake in (one, two):
    assert lake.send(Request(endpoints.LIST_REPOSITORIES)).status == 200
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("uri", ["local:", "local://", "local:~/lake", "http://x", "", "mem:"])
def test_uris_that_name_no_lake(uri: str) -> None:
    with pytest.raises(InvalidConfigError):
        local.connect(uri, "me")


def test_folders_are_absolute_when_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lake = local.connect("local:./lake", "me")
    monkeypatch.chdir("/")
    assert create(lake) == 201
    assert (tmp_path / "lake" / "format.json").exists()
    assert local.folder_of("local:///a/b") == Path("/a/b")
    assert local.folder_of(f"local:{os.curdir}") == Path("/")


def test_modes_are_private(tmp_path: Path) -> None:
    lake = local.connect(f"local:{tmp_path / 'lake'}", "me")
    create(lake)
    for path in [tmp_path / "lake", *(tmp_path / "lake").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_lake_that_the_garbage_collector_closes_while_another_is_opened(tmp_path: Path) -> None:
    """In a process of its own: where it goes wrong, it stands still."""
    script = """
import gc, sys
from lakefs_hl import local
from lakefs_hl.local.engine import engine as engine_module
gc.disable()
for index in range(60):
    circle = [local.connect(f"local:{sys.argv[1]}/a", "me")]
    circle.append(circle)
    del circle
    gc.enable()
    gc.set_threshold(50 + 20 * index)  # it comes in the midst of what follows, each time elsewhere
    lake = local.connect(f"local:{sys.argv[1]}/{'ab'[index % 2]}", "me")
    gc.disable()
    del lake
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=60)


AT_EXIT = """
import atexit, sys, warnings
import lakefs_hl

warnings.simplefilter("error")

def last():
    branch.upload(b"x", "a")
    branch.commit_changes("at the exit")
    print(branch.download("a"), len(list(branch.log())), flush=True)

atexit.register(last)  # before the lake is opened
client = lakefs_hl.Client(sys.argv[1])
branch = lakefs_hl.repository("example", client=client).create().branch("main")
"""


@pytest.mark.parametrize("where", ["mem://", "mem://name", "local:"])
def test_calls_from_an_atexit_handler_that_is_older_than_the_lake(where: str, tmp_path: Path) -> None:
    place = where + (str(tmp_path / "lake") if where == "local:" else "")
    ended = subprocess.run(
        [sys.executable, "-c", AT_EXIT, place], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.stdout, ended.stderr) == ("b'x' 2\n", "")
    if where == "local:":
        assert not (tmp_path / "lake" / "lake.db-wal").exists()  # closed, and so in one file


def test_a_lake_collected_on_another_thread_waits_for_nobody(tmp_path: Path) -> None:
    """The thread that writes for the main one may collect a lake while the main one holds what closing needs."""
    transport = local.connect(f"local:{tmp_path}/lake", "me")
    engine = engine_module._open[str((tmp_path / "lake").resolve())]
    held = [transport]
    del transport
    with engine_module._lock:
        collector = threading.Thread(target=held.clear)
        collector.start()
        collector.join(LIMIT)
        assert not collector.is_alive()
    while engine_module._open.get(str(engine.folder)) is engine:
        time.sleep(0)  # yields to the thread that closes


def test_a_lake_for_whose_closing_no_thread_starts_is_closed_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    for name in ("_open", "_left", "_makers"):  # of this test only
        monkeypatch.setattr(local, name, [])
    transport = local.connect(f"local:{tmp_path}/lake", "me")
    folder = str((tmp_path / "lake").resolve())
    monkeypatch.setattr(_thread, "start_new_thread", refuse)  # `threading` has a name of its own for it
    held = [transport]
    del transport
    collector = threading.Thread(target=held.clear)
    collector.start()
    collector.join()
    gc.collect()
    assert folder in engine_module._open
    local.close_all()
    assert folder not in engine_module._open
