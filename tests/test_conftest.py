"""The rules of the test run, set up in conftest.py, are enforced."""

from __future__ import annotations

import gc
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import conftest
from tests.conftest import NetworkForbiddenError
from tests.processes import ending


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.com", 80), ("2001:db8::1", 80, 0, 0)])
def test_leaving_the_machine_is_an_error(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(Exception, match="tests stay on loopback") as caught:
        sock.connect(address)
    assert type(caught.value).__name__ == NetworkForbiddenError.__name__
    assert not isinstance(caught.value, OSError)


def test_names_are_not_looked_up_elsewhere() -> None:
    with pytest.raises(Exception, match="tests stay on loopback"):
        socket.create_connection(("example.com", 80))
    with pytest.raises(socket.gaierror):
        socket.create_connection(("nowhere.invalid", 80))


def test_loopback_is_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def test_home_and_temporary_directories_belong_to_this_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.getbasetemp()
    for path in (Path.home(), Path(tempfile.gettempdir()), Path(os.environ["XDG_CONFIG_HOME"])):
        assert path.is_relative_to(base)


def test_no_variable_of_the_machine_reaches_a_test() -> None:
    leaks = [name for name in os.environ if name.startswith(("LAKECTL_", "LAKEFS_", "AWS_"))]
    assert [name for name in leaks if not name.startswith("LAKEFS_HL_TEST_")] == ["AWS_EC2_METADATA_DISABLED"]


def test_random_numbers_depend_on_seed_and_test(rng: random.Random, request: pytest.FixtureRequest) -> None:
    seed = request.config.option.hypothesis_seed
    assert rng.random() == random.Random(f"{seed}:{request.node.nodeid}").random()


def test_workers_have_the_seed_that_is_printed(request: pytest.FixtureRequest) -> None:
    given = getattr(request.config, "workerinput", None)
    if given is None:  # not in a worker: run this test in one
        command = [sys.executable, "-m", "pytest", "-q", "-n", "1", "-p", "no:cacheprovider", request.node.nodeid]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=request.config.rootpath)
        assert done.returncode == 0, done.stdout + done.stderr
    else:
        assert request.config.option.hypothesis_seed == given["lakefs_hl_seed"]


def test_what_a_module_leaves_is_not_looked_through_by_later_collections() -> None:
    class Left:
        pass

    item: Any = SimpleNamespace(path=Path("a module"), config=SimpleNamespace(stash=pytest.Stash()))
    left = Left()
    assert gc.isenabled()
    assert any(each is left for each in gc.get_objects())
    conftest.pytest_runtest_setup(item)
    assert not any(each is left for each in gc.get_objects())
    later = Left()
    conftest.pytest_runtest_setup(item)
    assert any(each is later for each in gc.get_objects()), "once for each module"


def test_no_process_outlives_its_block() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with pytest.raises(AssertionError, match="failed"), ending(process):
        raise AssertionError("the test has failed")
    assert process.returncode == -signal.SIGKILL
    assert process.stdin is not None
    assert process.stdin.closed
