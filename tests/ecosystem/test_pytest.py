"""The pytest plugin, as users run it: in one process, in several, and on a server that they name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import lakefs_hl
from tests import worlds
from tests.ecosystem.libraries import needs

needs("xdist")

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]

MEMORY = """
import pytest

@pytest.mark.parametrize("number", range(4))
def test_alone(lake, lake_repo, lake_branch, number):
    assert [repo.id for repo in __import__("lakefs_hl").repositories(client=lake)] == [lake_repo.id]
    assert list(lake_branch.list_objects()) == []
    lake_branch.upload(str(number), "number")
    assert lake_branch.download("number") == str(number).encode()

@pytest.mark.lakefs(files={"a/b.csv": "x,y", "c": b"0"})
class TestFiles:
    @pytest.mark.lakefs(files={"c": b"1"})
    def test_files(self, lake_branch):
        assert (lake_branch.download("a/b.csv"), lake_branch.download("c")) == (b"x,y", b"1")
        assert list(lake_branch.list_uncommitted()) == []
"""

CONFTEST = """
import os
import pytest
from lakefs_hl.types import Retry

@pytest.fixture(scope="session")
def lakefs_client_options():
    hosts = [host for host in os.environ.get("LAKEFS_HL_TEST_STORAGE_HOSTS", "").split(",") if host]
    retries = Retry(attempts=4, backoff_start=0.01, backoff_busy=0.01)
    return {"retries": retries, "allowed_storage_hosts": hosts}
"""

SERVER = """
import os, subprocess, sys
import pytest
import lakefs_hl
from lakefs_hl import exceptions

def test_of_its_own(lakefs_server, lakefs_client, lakefs_repo, lakefs_branch):
    assert lakefs_client.endpoint == lakefs_server.url
    assert lakefs_repo.id.startswith("test-server-test-of-its-own-")
    assert list(lakefs_branch.list_objects()) == []
    lakefs_branch.upload(b"x", "a")
    assert lakefs_branch.download("a") == b"x"

@pytest.mark.lakefs(files={"a/b.csv": "x,y"})
def test_files_are_committed(lakefs_branch, make_lakefs_repo):
    assert lakefs_branch.download("a/b.csv") == b"x,y"
    assert list(lakefs_branch.list_uncommitted()) == []
    one, two = make_lakefs_repo(), make_lakefs_repo(files={"c": b"2"})
    assert len({one.id, two.id, lakefs_branch.repository_id}) == 3
    assert list(one.branch("main").list_objects()) == []
    assert two.branch("main").download("c") == b"2"

@pytest.mark.lakefs(files={"a/b.csv": "x,y"}, faults={"method": "GET", "status": 503, "times": 1})
def test_the_file_system(lakefs_fs, lakefs_branch):
    root = f"{lakefs_branch.repository_id}/main/"
    assert lakefs_fs.cat(f"{root}a/b.csv") == b"x,y"
    lakefs_fs.pipe(f"lakefs://{root}c", b"1")
    assert [entry.path for entry in lakefs_branch.list_uncommitted()] == ["c"]

def test_code_that_reads_the_configuration(lakefs_env, lakefs_repo):
    lakefs_hl.repository(lakefs_repo.id).branch("main").upload(b"1", "x")
    code = f"import lakefs_hl; print(lakefs_hl.repository({lakefs_repo.id!r}).branch('main').download('x'))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("b'1'\\n", "")
    assert lakefs_hl.DefaultClient.endpoint == lakefs_env.url

def test_after_it_the_configuration_is_what_it_was():
    assert "LAKECTL_SERVER_ENDPOINT_URL" not in os.environ
    assert vars(lakefs_hl).get("DefaultClient") is None

@pytest.mark.lakefs(faults={"operation": "uploadObject", "status": 503, "times": 2, "retry_after": 0})
def test_a_busy_server_is_asked_again(lakefs_branch):
    lakefs_branch.upload(b"x", "a")
    assert lakefs_branch.download("a") == b"x"

@pytest.mark.lakefs(faults={"operation": "uploadObject", "status": 500, "times": None})
def test_a_server_that_fails(lakefs_branch):
    with pytest.raises(exceptions.LakeFSException) as caught:
        lakefs_branch.upload(b"x", "a")
    assert caught.value.status_code == 500
    assert not lakefs_branch.exists("a")

@pytest.mark.lakefs(
    files={"a": b"1"},
    faults=[{"operation": "commit", "drop": "response"}, {"method": "GET", "drop": "request", "skip": 1}],
)
def test_connections_that_break(lakefs_branch):
    lakefs_branch.upload(b"x", "b")
    lakefs_branch.commit_changes("once")
    assert [commit.message for commit in lakefs_branch.log()][:2] == ["once", "files of the test"]
    assert lakefs_branch.download("b") == b"x"

@pytest.mark.lakefs(faults={"operation": "statObject", "delay": 5.0})
def test_a_slow_server(lakefs_branch, lakefs_env):
    import asyncio
    from lakefs_hl import aio
    async def stat():
        async with aio.Client(deadline=0.2, retries=0) as client:
            await aio.repository(lakefs_branch.repository_id, client=client).branch("main").stat("a")
    with pytest.raises(exceptions.DeadlineExceeded):
        asyncio.run(stat())
"""

FAILING = """
import pytest

@pytest.mark.lakefs(faults={"operation": "commit", "status": 503})
def test_unused(lakefs_branch): pass

@pytest.mark.lakefs(faults={"operation": "comit", "status": 503})
def test_misspelled(lakefs_branch): pass

@pytest.mark.lakefs(file={"a": b"1"})
def test_unknown_argument(lake_branch): pass

@pytest.mark.lakefs(faults={"status": 503})
def test_without_a_server(lake_branch): pass

def test_shows_fixtures(lakefs_server, lakefs_env, lakefs_client):
    secret = lakefs_server.secret_access_key
    del secret
    assert lakefs_server is None
"""


def run(folder: Path, suite: str, *options: str, environ: dict[str, str] | None = None) -> tuple[int, str]:
    (folder / "test_server.py").write_text(suite, encoding="utf-8")
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers"]
    plugin = ["-p", "lakefs_hl.pytest_plugin"]
    done = subprocess.run(
        [*command, *plugin, *options],
        cwd=folder,
        # without the plugins of other packages, which take most of the time that a process needs to start
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **(environ or {})},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


class Modules:
    """Notes what an inner run has loaded."""

    loaded: dict[str, ModuleType]

    def pytest_unconfigure(self) -> None:
        self.loaded = {name: one for name, one in sys.modules.items() if not name.startswith(("test_", "conftest"))}


@pytest.fixture
def modules() -> Iterator[Modules]:
    """Put back what `pytester` removes at its end: the package would be loaded a second time, with other classes."""
    noted = Modules()
    yield noted
    for name, module in noted.loaded.items():
        sys.modules.setdefault(name, module)


def test_a_users_suite_runs(modules: Modules, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setitem(vars(lakefs_hl), "DefaultClient", None)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_memory=MEMORY, test_server=SERVER)
    options = "-p", "no:cacheprovider", "-W", "error", "--strict-markers"
    pytester.runpytest_inprocess(*options, plugins=[modules]).assert_outcomes(passed=14)


def test_a_users_suite_runs_in_two_workers(tmp_path: Path) -> None:
    code, printed = run(tmp_path, SERVER + MEMORY, "-p", "xdist", "-n", "2")
    assert code == 0, printed
    assert "14 passed" in printed


@pytest.mark.parametrize("kind", [kind for kind in worlds.kinds() if kind != "in process"])
def test_a_users_suite_runs_on_a_server(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The one that the option names: afterwards it is as before, and no secret was printed."""
    url, key, secret, *_ = request.getfixturevalue("real_lakefs" if kind == worlds.REAL else "served_lake")
    with lakefs_hl.Client(url, key, secret) as client:
        before = {one.id for one in lakefs_hl.repositories(client=client)}
        keys = {"LAKECTL_CREDENTIALS_ACCESS_KEY_ID": key, "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": secret}
        prefix = worlds.namespace(kind, "pytest")
        place = ["--lakefs-storage-namespace", prefix] if prefix else []
        options = (*place, "--lakefs-url", url, "-k", "not configuration_is", "-v", "-l", "--setup-show")
        code, printed = run(tmp_path, SERVER, *options, environ=keys)
        assert code == 0, printed
        assert "8 passed" in printed
        assert f"lakefs_server: {url}" in printed
        failed, more = run(tmp_path, FAILING, *options, environ=keys)
        assert failed == 1
        left = {one.id for one in lakefs_hl.repositories(client=client)} - before
        assert [name for name in left if name.startswith("test-server-")] == []
    assert secret not in printed + more
    for words in (
        "Fault(operation='commit', method=None, status=503",
        "has broken no request",
        "operation='comit' is not in lakeFS's API; is it 'commit'?",
        "the mark lakefs has file=; it takes files= and faults=",
        "lake has no server",
        "1 failed, 1 passed, 4 errors",
    ):
        assert words in more, more


def test_no_credentials_on_the_command_line(pytester: pytest.Pytester) -> None:
    # checked before a fixture is used, so nothing more of the package is loaded
    result = pytester.runpytest_inprocess("--lakefs-url", "http://key:CANARY@127.0.0.1:1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stderr.str() + result.stdout.str()
    assert "no credentials in the URL" in text
    assert "CANARY" not in text
