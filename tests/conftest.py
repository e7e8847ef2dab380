"""Rules of every test: a printed random seed, an empty home directory, a clean environment, loopback only.

Hypothesis keeps no database and is not derandomised: each run tries new cases, and the printed seed brings them back.
"""

from __future__ import annotations

import gc
import importlib
import ipaddress
import os
import random
import secrets
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import settings

settings.register_profile("house", derandomize=False, print_blob=True, database=None, deadline=None)
settings.load_profile("house")

# Names that would let the machine's own lakeFS or cloud configuration leak into a test. A real lakeFS to test against
# is named by LAKEFS_HL_TEST_ENDPOINT and its two keys, and these stay.
_LEAKS = ("LAKECTL_", "LAKEFS_", "AWS_")
_WANTED = "LAKEFS_HL_TEST_"
_SEED = "lakefs_hl_seed"
_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}

#: Rooms whose tests look for lost data by chance: there one failure is a finding, however rare.
_STRICT = ("faults", "local", "long", "stateful")

#: Outcome of a failure after which the test runs again, in pytest's closing line.
_AGAIN = "rerun"

_outer_environ = dict(os.environ)


class NetworkForbiddenError(RuntimeError):
    """A test tried to leave the machine. Not an OSError: the code under test must not take it for a network fault."""


# ------------------------------------------------------------------------------------------------------------ the seed


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed unless one was given. Load the fixtures if the package is not installed."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so a shell starts what runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.option.hypothesis_seed is None:
        given = getattr(config, "workerinput", {}).get(_SEED)  # a worker has the seed that is printed
        config.option.hypothesis_seed = given or str(secrets.randbelow(2**32))
    if not config.pluginmanager.hasplugin("lakefs_hl"):
        config.pluginmanager.register(importlib.import_module("lakefs_hl.pytest_plugin"), "lakefs_hl")


@pytest.hookimpl(optionalhook=True)  # `-p no:xdist` runs everything in this process
def pytest_configure_node(node: Any) -> None:
    """Give a worker the seed, before it collects."""
    node.workerinput[_SEED] = node.config.option.hypothesis_seed


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Half as many workers again as there are processors: with twice as many, tests of deadlines were late."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return available + (available + 1) // 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a worker all cases of a function at once.

    22,000 tests, one by one, cost half a minute of messages and counting. What the cases of a function look up once,
    such as the source of the package, is then looked up by one worker too.
    """
    if config.getvalue("dist") != "loadgroup":
        return None
    config.option.loadscopereorder = False  # the functions of a module one after another, which share fixtures
    from xdist.scheduler import LoadGroupScheduling

    class ByFunction(LoadGroupScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            scope = str(super()._split_scope(nodeid))
            return scope.partition("[")[0] if scope == nodeid else scope  # a group stays whole

    return ByFunction(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Let a test that failed run again, with the same seed, outside of the strict rooms.

    Of 22,000 tests on a busy machine one may meet a thread that the system did not run for seconds. The failure is
    printed in full all the same: it is a fault to mend, of the test or of the package.
    """
    if any(f"tests/{room}/" in item.nodeid for room in _STRICT):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(report.failed for report in reports):
        for report in reports:
            if report.failed:
                report.outcome = _AGAIN  # type: ignore[assignment]
                item.ihook.pytest_runtest_logreport(report=report)
        item._initrequest()  # type: ignore[attr-defined]  # as pytest's own plugins do that run a test again
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Count failures of tests that run again by themselves."""
    return (_AGAIN, "R", "AGAIN") if report.outcome == _AGAIN else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what made tests run again."""
    for report in terminalreporter.stats.get(_AGAIN, ()):
        terminalreporter.section(f"failed, then run again: {report.nodeid}")
        report.toterminal(terminalreporter._tw)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect the tests without garbage collections. Nearly all that is made stays; they cost a fifth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


#: Key of the module of the last test.
_MODULE = pytest.StashKey[Path]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before each module, leave what is there out of later garbage collections. Many tests ask for one.

    The tests themselves are half a million objects, and what they import and cache some millions by the end: then one
    collection took half a second of the processor.
    """
    if item.config.stash.get(_MODULE, None) != item.path:
        item.config.stash[_MODULE] = item.path
        gc.collect()  # garbage would stay for good
        gc.freeze()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Print the seed and the lakes of the conformance tests at the start of every log."""
    from tests import containers, worlds  # here: they import the package, after pytest has set up its warnings

    named = os.environ.get(worlds.ENDPOINT)
    where = f"at {named}" if named else f"in a container ({containers.IMAGE})"
    why_not = worlds.why_not_real()
    real = f"no lakeFS server ({why_not})" if why_not else f"a lakeFS server {where}"
    return [
        f"random seed: {config.option.hypothesis_seed} (repeat with --hypothesis-seed={config.option.hypothesis_seed})",
        f"lakes: in process, served, {real}",
    ]


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers of one test. They depend on the printed seed and the test's name, not on the order of tests."""
    return random.Random(f"{request.config.option.hypothesis_seed}:{request.node.nodeid}")


# ----------------------------------------------------------------------------------------------------- the environment


@pytest.fixture(scope="session")
def outer_environ() -> dict[str, str]:
    """The original environment, for tests that run build tools in another process."""
    return dict(_outer_environ)


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Set home, XDG and temporary directories to directories of this run, and remove variables that could leak in."""
    home = tmp_path_factory.mktemp("home")
    rooms = tmp_path_factory.mktemp("xdg")
    temporary = tmp_path_factory.mktemp("t")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            leak = name.startswith(_LEAKS) and not name.startswith(_WANTED)
            if leak or name.lower() in _PROXIES:
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("USERPROFILE", str(home))
        for name in ("CONFIG", "CACHE", "DATA", "STATE", "RUNTIME"):
            room = rooms / name.lower()
            room.mkdir(mode=0o700)
            patch.setenv("XDG_RUNTIME_DIR" if name == "RUNTIME" else f"XDG_{name}_HOME", str(room))
        for name in ("TMPDIR", "TMP", "TEMP"):
            patch.setenv(name, str(temporary))
        patch.setattr(tempfile, "tempdir", None)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield home


@pytest.fixture(autouse=True)
def _home_stays_empty(_clean_environment: Path) -> Iterator[None]:
    """Fail the test that wrote to the home directory. A test that needs one sets HOME to a directory of its own."""
    yield
    found = list(_clean_environment.iterdir())
    for path in found:  # moved aside, so that only the test at fault fails
        path.rename(_clean_environment.parent / f"found-in-home-{secrets.token_hex(4)}-{path.name}")
    assert not found, f"the test wrote to the home folder: {sorted(path.name for path in found)}"


# --------------------------------------------------------------------------------------------------------- the network


def _check(address: Any) -> None:
    """Raise unless the address is on this machine."""
    if not isinstance(address, tuple):
        return  # a Unix socket's path
    if not _is_here(str(address[0]).partition("%")[0]):
        raise NetworkForbiddenError(f"a test tried to reach {address!r}: tests stay on loopback")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, not a number
        return host in {"", "localhost"}


def _guard(patch: pytest.MonkeyPatch) -> None:
    connect, connect_ex, sendto, lookup = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.socket.sendto,
        socket.getaddrinfo,
    )

    def checked_connect(self: socket.socket, address: Any) -> None:
        _check(address)
        connect(self, address)

    def checked_connect_ex(self: socket.socket, address: Any) -> int:
        _check(address)
        return connect_ex(self, address)

    def checked_sendto(self: socket.socket, *args: Any) -> int:
        _check(args[-1])
        return sendto(self, *args)

    def checked_lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and name.rstrip(".").endswith(".invalid"):
            # Reserved never to exist (RFC 6761): answered as a resolver would, without asking one.
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if name is not None:
            _check((name,))
        return lookup(host, *args, **kwargs)

    patch.setattr(socket.socket, "connect", checked_connect)
    patch.setattr(socket.socket, "connect_ex", checked_connect_ex)
    patch.setattr(socket.socket, "sendto", checked_sendto)
    patch.setattr(socket, "getaddrinfo", checked_lookup)


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    """Make connections to other machines an error, from the first fixture to the last."""
    with pytest.MonkeyPatch.context() as patch:
        _guard(patch)
        yield
