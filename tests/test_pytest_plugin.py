"""The fixtures of the package for its users' tests. `tests/ecosystem/test_pytest.py` runs whole suites with them."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl._testing import case, faults, servers
from lakefs_hl.pytest_plugin import LakeServer

ROOT = Path(__file__).resolve().parent.parent

SUITE = """
def test_empty(lake_branch):
    assert list(lake_branch.list_objects()) == []
"""


def test_the_plugin_can_be_switched_off(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE, encoding="utf-8")
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:lakefs_hl"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1
    assert "fixture 'lake_branch' not found" in done.stdout


def test_the_fixtures_of_a_test_share_one_lake(
    lake: lakefs_hl.Client, lake_repo: lakefs_hl.Repository, lake_branch: lakefs_hl.Branch
) -> None:
    assert lake_branch == lakefs_hl.repository("example", client=lake).branch("main")
    assert lake_repo.exists()


def test_a_repository_of_the_test_is_empty(lake_branch: lakefs_hl.Branch) -> None:
    assert list(lake_branch.list_objects(recursive=True)) == []
    assert list(lake_branch.list_uncommitted()) == []


# ------------------------------------------------------------------------------------------------------------- servers


def test_a_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """However that one ends: here without a chance to stop it."""
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom lakefs_hl._testing import servers\n"
        "with servers.serve(Path(sys.argv[1])) as server:\n"
        "    print(server.url, flush=True)\n    sys.stdin.read()\n    os.kill(os.getpid(), 9)\n"
    )
    command, environ = [sys.executable, "-c", code, str(tmp_path)], {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ, text=True) as process:
        assert process.stdout is not None
        url = urlsplit(process.stdout.readline().strip())
        address = (str(url.hostname), int(url.port or 0))
        with socket.create_connection(address, timeout=30) as connection:
            _, errors = process.communicate(timeout=30)
            assert process.returncode == -9, errors
            assert connection.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=30)


def test_without_the_extra_the_error_names_it(tmp_path: Path, mocker: MockerFixture) -> None:
    mocker.patch.object(importlib.util, "find_spec", return_value=None)
    with pytest.raises(exceptions.LakeError, match=r"pip install 'lakefs-hl\[serve\]'.*--lakefs-url"):
        servers.serve(tmp_path).__enter__()


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file", encoding="utf-8")
    with pytest.raises(exceptions.LakeError, match=r"did not start: /.*lake is not a folder$"):
        servers.serve(tmp_path).__enter__()


def test_a_server_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    server = LakeServer("http://127.0.0.1:1", "key", "CANARY")
    assert (repr(server), server.secret_access_key) == ("<LakeServer http://127.0.0.1:1>", "CANARY")
    assert "CANARY" not in repr([getattr(server, name) for name in LakeServer.__slots__])
    monkeypatch.setenv("LAKECTL_CREDENTIALS_SESSION_TOKEN", "CANARY")
    server = servers.find_server("http://127.0.0.1:1/")
    assert (server.url, server.access_key_id, server.secret_access_key) == ("http://127.0.0.1:1", None, None)
    server.client().close()
    with pytest.raises(exceptions.InvalidConfigError, match="--lakefs-url=mem://x"):
        servers.find_server("mem://x")


# -------------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "breaks nothing"),
        ("503", "a fault is a dictionary such as"),
        ({"status": 503, "path": "a"}, "unknown field `path`"),
        ({"status": "503"}, "Expected `int"),
        ({"status": 200}, "status=200: must be an error status"),
        ({"status": 503, "drop": "request"}, "exclude each other"),
        ({"drop": "reply"}, 'must be "request" or "response"'),
        ({"method": "put", "status": 503}, "method='put'"),
        ({"delay": 1.0, "retry_after": 1}, "retry_after="),
        ({"status": 503, "times": 0}, "at least 1"),
        ({"status": 503, "skip": -1}, "must not be negative"),
        ({"status": 503, "operation": "uploadobject"}, "is it 'uploadObject'"),
    ],
)
def test_a_fault_that_is_wrong_is_refused(given: object, words: str) -> None:
    with pytest.raises(ValueError, match="the mark lakefs") as caught:
        faults.parse(given)
    assert words in str(caught.value)


def test_faults_count_what_they_break() -> None:
    one, two = faults.parse([{"status": 503, "skip": 1, "times": 2}, {"drop": "request"}])
    each = faults.Faults([one, two])
    assert each.unused == [one, two]
    assert [each.next(None, "GET") for _ in range(5)] == [two, one, one, None, None]
    assert each.unused == []


@pytest.mark.parametrize("node", ["tests/test_a.py::TestB::test_c[Ä/d]", f"test_{'x' * 90}.py::test_y", "::"])
def test_a_repository_has_the_name_of_its_test(node: str, lake: lakefs_hl.Client, mocker: MockerFixture) -> None:
    item = mocker.Mock(nodeid=node)
    name = case.name_of(item)
    lakefs_hl.repository(name, client=lake).create()
    assert name != case.name_of(item)
