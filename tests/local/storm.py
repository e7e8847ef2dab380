"""One role under a storm of Ctrl-C: a program of its own, for `test_storms.py`.

It exits with 0 if everything acknowledged is there and nobody is stuck.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final

import lakefs_hl
from lakefs_hl.exceptions import NotFoundException
from lakefs_hl.local.engine import Engine, commits
from lakefs_hl.ops.effects import gather_each
from lakefs_hl.ops.upload import upload

#: A guard against hanging, not a measure.
STUCK: Final = 30.0


class Storm:
    """One lake, one role on the main thread, and other threads that write and read beside it.

    Attributes:
        acknowledged: What was acknowledged, path by path.
        odd: Errors that nobody should meet.
    """

    def __init__(self, folder: Path, role: str, seed: str, soon: float) -> None:
        self.folder = folder
        self.soon = soon  # how soon a forked child must have worked, seconds
        self.role = role
        self.draw = random.Random(f"{seed}:{role}")
        self.client = lakefs_hl.Client(f"local:{folder / 'lake'}")
        self.repo = lakefs_hl.repository("repo", client=self.client).create("local://repo")
        self.main = self.repo.branch("main")
        self.main.upload(b"x", "seed")
        self.main.commit("first")
        self.other = self.repo.branch("other").create("main")
        self.engine = Engine.open(folder / "lake")
        self.acknowledged: set[str] = set()
        self.odd: list[str] = []
        self.stop = False
        self.signals = self.interrupts = self.left = 0
        self.number = 0
        source = folder / "source"
        source.mkdir()
        for index in range(5):
            (source / f"{index}.txt").write_text(str(index))
        self.source = source.as_uri().replace("file://", "local://")

    # ------------------------------------------------------------------------------------------------- what is done

    def put(self, path: str, data: bytes = b"x") -> None:
        self.main.upload(data, path)
        self.acknowledged.add(path)

    def act(self) -> None:
        """One turn of the role."""
        self.number += 1
        number = self.number
        match self.role:
            case "writer" | "follower":
                self.put(f"m/{number}")
            case "reader":
                self.engine.objects.stat("repo", "main", "seed")
                self.engine.objects.list("repo", "other", amount=20)
            case "batch":
                paths = [f"n/{number}/{index}" for index in range(20)]
                ops = (upload(self.client._session, "repo", "main", one, b"x" * 2500 * len(one)) for one in paths)
                self.client._blocking.run(gather_each(ops, 8, lambda index, _: self.acknowledged.add(paths[index])))
            case "large object":
                self.put(f"b/{number}", bytes([number % 251]) * 40_000)
            case "commit" | "large commit":
                self.put(f"m/{number}")
                self.main.commit(f"commit {number}", allow_empty=True)
            case "merge":
                side = self.repo.branch(f"side-{number}").create("main")
                side.upload(b"x", f"s/{number}")
                side.commit("side")
                side.merge_into(self.main)
                self.acknowledged.add(f"s/{number}")
            case "import":
                self.main.import_from(self.source, f"i/{number}/").run()
                self.acknowledged.update(f"i/{number}/{index}.txt" for index in range(5))
            case "transaction":
                with self.main.transaction("transaction") as branch:
                    branch.upload(b"x", f"t/{number}")
                self.acknowledged.add(f"t/{number}")

    def follow(self, name: int) -> None:
        """Another thread: it must meet no error, and not be kept waiting."""
        number = 0
        while not self.stop:
            number += 1
            path = f"f{name}/{number}"
            try:
                self.other.upload(b"x", path)
                self.acknowledged.add(path)
                self.engine.objects.stat("repo", "other", path)
            except BaseException as error:
                self.odd.append(f"follower: {error!r}")

    def shoot(self) -> None:
        """Ctrl-C at random moments, sometimes twice."""
        target = threading.main_thread().ident
        assert target is not None
        while not self.stop:
            time.sleep(self.draw.random() * 0.01)
            for _ in range(self.draw.choice((1, 1, 2))):
                if not self.stop:
                    self.signals += 1
                    signal.pthread_kill(target, signal.SIGINT)

    def paths(self, branch: str) -> set[str]:
        """All that is on a branch."""
        found: set[str] = set()
        after, more = "", True
        while more:
            page = self.engine.objects.list("repo", branch, after=after, amount=1000)
            found.update(item.path for item in page.results)
            after, more = page.pagination.next_offset, page.pagination.has_more
        return found

    # ---------------------------------------------------------------------------------------------------- the storm

    def rage(self, seconds: float) -> None:
        """Does the role until the time is over."""
        others = 3 if self.role == "follower" else 1
        threads = [threading.Thread(target=self.follow, args=(name,), daemon=True) for name in range(others)]
        for thread in threads:
            thread.start()
        shooter = threading.Thread(target=self.shoot, daemon=True)
        signal.signal(signal.SIGINT, self.interrupt)
        shooter.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.turn()
            except KeyboardInterrupt:  # the second one, while the first was being handled
                self.interrupts += 1
        self.stop = True
        for thread in (*threads, shooter):
            thread.join(STUCK)
        self.odd += [f"{thread.name} is stuck" for thread in threads if thread.is_alive()]

    def turn(self) -> None:
        """Acts once, interrupted at most twice."""
        try:
            self.left = 2
            self.act()
            self.left = 0
        except KeyboardInterrupt:
            self.interrupts += 1
            self.left = 0
        except NotFoundException:
            self.left = 0  # of a branch whose making was interrupted
        except Exception as error:
            self.left = 0
            if not isinstance(error.__context__, KeyboardInterrupt):
                self.odd.append(f"main: {error!r}")

    def interrupt(self, _signal: int, _frame: object) -> None:
        """Ctrl-C, as Python has it, but not between two turns: that would only end the test."""
        if self.left:
            self.left -= 1
            raise KeyboardInterrupt

    def check(self) -> None:
        """Looks at what is left."""
        database = self.engine.lake.database
        self.engine.imports.close()
        for thread in threading.enumerate():  # also one whose start was interrupted
            if thread.name == "lake-import" and thread._started.wait(1.0):  # type: ignore[attr-defined]  # else it never does
                thread.join(STUCK)
        database._deputy.retire(STUCK)  # behind what was abandoned
        gc.collect()  # as before a fork: an interrupt may leave a reader in a cycle of frames and errors
        if database.readers.lent():
            self.odd.append(f"{len(database.readers.lent())} readers are lent")
        if database._turn.owner or database._group._leading or database._group._queue:
            self.odd.append("the lake is kept by somebody")
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                self.main.upload(b"x", "child")
                self.engine.objects.stat("repo", "main", "child")
                code = 0
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        took = time.monotonic() - began
        if code or took > self.soon:
            self.odd.append(f"the forked child exits with {code} after {took:.2f} s")
        found = self.paths("main") | self.paths("other")
        lost = sorted(self.acknowledged - found)
        if lost:
            self.odd.append(f"{len(lost)} acknowledged and lost: {lost[:5]}")
        sys.stdout.write(
            f"{self.role}: signals {self.signals}, interrupts {self.interrupts}, turns {self.number}, "
            f"acknowledged {len(self.acknowledged)}, child {took:.2f} s\n"
        )


def run(folder: Path, role: str, seed: str, seconds: float, soon: float) -> int:
    """Runs one storm; gives the exit code."""
    folder.mkdir()
    if role == "large commit":
        vars(commits)["SMALL"] = 2
    storm = Storm(folder, role, seed, soon)
    storm.rage(seconds)
    storm.check()
    for line in storm.odd[:20]:
        sys.stdout.write(f"{line}\n")
    return int(bool(storm.odd))


if __name__ == "__main__":
    # What was acknowledged in a long storm takes long to look up.
    faulthandler.dump_traceback_later(float(sys.argv[4]) * 1.4 + 50, exit=True)
    code = run(Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4]), float(sys.argv[5]))
    sys.stdout.flush()
    os._exit(code)
