"""A process that is killed in the middle of a transfer, and the same call in another one."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lakefs_hl
from tests._bulk.conftest import files, objects, write
from tests.lakes import real_lakefs as real_lakefs
from tests.lakes import served_lake as served_lake
from tests.serving import Served
from tests.worlds import REAL, given_lakefs, kinds, namespace

FILES = 500
UPLOAD = """
import os, signal, sys
import lakefs_hl as lakefs

host, user, password, name, folder, stop, message = sys.argv[1:]
keys = {"username": user, "password": password} if user else {}
client = lakefs.Client(host, **keys)
count = 0


def on_event(event):
    global count
    count += event.kind == "complete"
    if count >= int(stop):
        os.kill(os.getpid(), signal.SIGKILL)


branch = lakefs.repository(name, client=client).branch("main")
report = branch.upload_dir(folder, "raw", commit_message=message or None, progress=on_event)
print(report.transferred, report.skipped, report.ok)
"""
DOWNLOAD = UPLOAD.replace(
    'branch.upload_dir(folder, "raw", commit_message=message or None, progress=on_event)',
    'branch.download_dir("raw", folder, progress=on_event)',
)


@pytest.fixture(params=kinds())
def lake(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[lakefs_hl.Client, list[str]]]:
    """A client of a lake, and the arguments of a process that uses it too."""
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))
    if request.param == "in process":
        host = f"local:{tmp_path / 'lake'}"
        with lakefs_hl.Client(host) as client:
            yield client, [host, "", "", "example"]
        return
    if request.param == REAL:
        place: tuple[str, str, str] = request.getfixturevalue("real_lakefs")
    else:
        served: Served = request.getfixturevalue("served_lake")
        place = served.url, served.key, served.secret
    with lakefs_hl.Client(*place) as client:
        yield client, [*place, f"killed-{secrets.token_hex(4)}"]


def created(lake: tuple[lakefs_hl.Client, list[str]]) -> lakefs_hl.Repository:
    """The repository that the processes use."""
    repo = lakefs_hl.repository(lake[1][-1], client=lake[0])
    is_real = lake[1][:-1] == list(given_lakefs() or ())
    return repo.create(namespace(REAL, repo.id) if is_real else None)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for number in range(FILES):
        write(tmp_path / "folder" / f"d{number % 7}" / f"{number:03}", f"content {number}".encode() * 10)
    return tmp_path / "folder"


Run = Callable[[str, int, str], "tuple[int, int] | None"]


@pytest.fixture
def run(lake: tuple[lakefs_hl.Client, list[str]], tree: Path) -> Run:
    """Runs a transfer in a process. Returns how many files it moved and skipped; None if it was killed."""

    def run(code: str, stop: int, message: str = "", folder: Path = tree) -> tuple[int, int] | None:
        command = [sys.executable, "-c", code, *lake[1], str(folder), str(stop), message]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode == -signal.SIGKILL:
            return None
        assert done.returncode == 0, done.stderr
        transferred, skipped, ok = done.stdout.split()
        assert ok == "True"
        return int(transferred), int(skipped)

    return run


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
@pytest.mark.parametrize("message", ["", "all of it"])
def test_a_killed_upload_goes_on_in_the_same_call(
    lake: tuple[lakefs_hl.Client, list[str]], tree: Path, run: Run, message: str
) -> None:
    repo = created(lake)
    branch = repo.branch("main")
    before = [commit.id for commit in branch.log()]
    assert run(UPLOAD, FILES // 2, message) is None
    assert bool(list(branch.list_objects(max_amount=1))) is not bool(message)
    assert [commit.id for commit in branch.log()] == before
    found = run(UPLOAD, FILES + 1, message)
    assert found is not None
    transferred, skipped = found
    assert transferred + skipped == FILES
    assert skipped >= FILES // 2, "what was acknowledged is not sent again"
    assert objects(branch, "raw/") == files(tree)
    if message:
        assert branch.get_commit().message == message
        added = [commit for commit in branch.log() if commit.id not in before]
        assert sorted(len(commit.parents) for commit in added) == [1, 2], "one commit and one merge"
        assert list(branch.list_uncommitted(max_amount=1)) == []
        assert list(repo.transactions()) == []
    repo.delete(force=True)


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_a_killed_download_goes_on_in_the_same_call(
    lake: tuple[lakefs_hl.Client, list[str]], tree: Path, tmp_path: Path
) -> None:
    repo = created(lake)
    branch = repo.branch("main")
    branch.upload_dir(tree, "raw", progress=False)
    command = [sys.executable, "-c", DOWNLOAD, *lake[1], str(tmp_path / "out")]
    done = subprocess.run([*command, str(FILES // 2), ""], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    before = {path: content for path, content in files(tmp_path / "out").items() if not path.endswith(".part")}
    assert len(before) >= FILES // 2
    assert before.items() <= files(tree).items(), "no half of a file has a name"
    done = subprocess.run([*command, str(FILES + 1), ""], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == [str(FILES - len(before)), str(len(before)), "True"]
    assert files(tmp_path / "out") == files(tree)
    repo.delete(force=True)
