"""A served lake that dies, forked from a process that has everything loaded: a life costs no start of an interpreter.

Run as a program, it takes one order a line, and says what becomes of it: `born`, `ready` with the address, `dead` with
the signal. The dead are only buried at the next order, so a kill that comes late meets nobody else.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from lakefs_hl.local import Started, run_server
from lakefs_hl.local.disk import database, fs, trust
from lakefs_hl.local.engine import bulk, commits
from lakefs_hl.local.serve import keyfile as keyfile
from lakefs_hl.local.serve import server as server  # both are loaded before the fork
from lakefs_hl.local.serve.access import Access

ROOT: Final = Path(__file__).parents[3]


class Order(msgspec.Struct, frozen=True):
    """How one server lives and dies.

    Attributes:
        lake: Its directory.
        die_at: Failpoint at which it is killed; empty for none.
        times: At which passing of it.
        early: Whether the start counts, too; else the server answers first.
        fail_at: Failpoint that raises `error`, once.
        error: Number of the error.
        small: Changes from which a commit is a large one.
    """

    lake: str
    die_at: str = ""
    times: int = 1
    early: bool = False
    fail_at: str = ""
    error: int = 0
    small: int = 5000


class Life:
    """One server, seen by the test.

    Attributes:
        url: Its address.
        seconds: From the order to the first answer.
        key: Access key and secret.
    """

    url: str = ""
    seconds: float = 0.0
    key: tuple[str, str] = ("", "")

    def __init__(self, launcher: Launcher, order: Order) -> None:
        self._launcher = launcher
        began = time.monotonic()
        launcher.send(msgspec.json.encode(order))
        self._pid: int = launcher.hear(60.0, "born")[0]
        found = launcher.hear(60.0, "ready", "dead")
        self.seconds = time.monotonic() - began
        self.signal: int | None = None
        if isinstance(found[0], str):
            self.url = found[0]
            known = yaml.safe_load((Path(order.lake) / "lakectl.yaml").read_text(encoding="utf-8"))["credentials"]
            self.key = (known["access_key_id"], known["secret_access_key"])
        else:
            self._over(found[0])

    def wait(self, seconds: float) -> bool:
        """Return whether it has died by itself within a time."""
        if self.signal is None:
            found = self._launcher.hear(seconds, "dead", missing=True)
            if found:
                self._over(found[0])
        return self.signal is not None

    def kill(self, number: int = signal.SIGKILL) -> int:
        """End it, unless it is dead. Return the signal that ended it; 0 if it ended by itself."""
        if self.signal is None:
            os.kill(self._pid, number)
            self._over(self._launcher.hear(60.0, "dead")[0])
        assert self.signal is not None
        return self.signal

    def _over(self, number: int) -> None:
        self.signal = number
        self._launcher.send(b"bury")


class Launcher:
    """The process that servers are forked from, seen by the test."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.local.serve.mortal"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._from, select.POLLIN)
        self._said = b""
        self._life: Life | None = None

    def start(self, order: Order) -> Life:
        """Start a server and wait until it answers, or is dead."""
        if self._life is not None:
            self._life.kill()  # a test that failed left it
        self._life = Life(self, order)
        return self._life

    def send(self, line: bytes) -> None:
        """Send one line."""
        os.write(self._to, line + b"\n")

    def hear(self, seconds: float, *words: str, missing: bool = False) -> list[Any]:
        """Wait for a line that begins with one of these words.

        Returns:
            What follows the word; nothing if there was no line in time and one may be `missing`.
        """
        end = time.monotonic() + seconds
        while b"\n" not in self._said:
            if not self._poll.poll(max(0.0, end - time.monotonic()) * 1000):
                assert missing, f"no {words} within {seconds:g} s"
                return []
            data = os.read(self._from, 1 << 16)
            assert data, "the launcher is gone"
            self._said += data
        line, _, self._said = self._said.partition(b"\n")
        word, *rest = msgspec.json.decode(line)
        assert word in words, line.decode()
        return list(rest)

    def close(self) -> None:
        """End the process, and its server."""
        if self._life is not None:
            self._life.kill()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@contextlib.contextmanager
def launching() -> Iterator[Launcher]:
    """A launcher for the length of a block."""
    launcher = Launcher()
    try:
        yield launcher
    finally:
        launcher.close()


def _say(*words: object) -> None:
    os.write(1, msgspec.json.encode(words) + b"\n")


def _live(order: Order) -> None:
    """Serves, until the end."""
    database.LONG_LOG = 64  # so that checkpoints are part of every life
    vars(bulk)["BATCH"] = 4000
    vars(commits)["SMALL"] = order.small
    vars(trust)["RESUMES"] = 0.0
    left, failed = order.times, False

    def hook(reached: str) -> None:
        nonlocal left, failed
        if reached == order.fail_at and not failed:
            failed = True
            raise OSError(order.error, os.strerror(order.error))
        if reached == order.die_at:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def announce(started: Started) -> None:
        fs.hook = hook
        _say("ready", started.url)

    if order.early:
        fs.hook = hook
    run_server(order.lake, Access(port=0), announce=announce)


def main() -> None:
    """Takes orders until there are no more."""
    while line := sys.stdin.readline():
        order = msgspec.json.decode(line, type=Order)
        pid = os.fork()
        if pid == 0:
            try:
                os.close(0)
                _say("born", os.getpid())  # by itself: its parent might say so after it is ready
                _live(order)
                os._exit(0)
            except BaseException:  # whatever it is, it is to be seen
                traceback.print_exc()
            finally:
                os._exit(3)
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert found is not None
        _say("dead", found.si_status if found.si_code != os.CLD_EXITED else 0)
        sys.stdin.readline()
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
