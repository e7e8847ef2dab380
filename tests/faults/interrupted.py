"""A process that makes transactions on an embedded lake while real Ctrl-Cs come at random moments, and says what came.

It prints one JSON object: how many transactions and interruptions there were, and what of it is not as it should be.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import suppress

import lakefs_hl
from lakefs_hl import exceptions


class Shooter:
    """Interrupts the main thread every few milliseconds."""

    def __init__(self, dice: random.Random) -> None:
        self._main = threading.get_ident()
        self._dice = dice
        self._over = False
        self._thread = threading.Thread(target=self._shoot, daemon=True)
        self._thread.start()

    def _shoot(self) -> None:
        while not self._over:
            time.sleep(self._dice.uniform(0.002, 0.03))
            if not self._over:
                signal.pthread_kill(self._main, signal.SIGINT)

    def stop(self) -> None:
        self._over = True
        for _ in range(5):
            with suppress(KeyboardInterrupt):
                self._thread.join()
                return


def one(branch: lakefs_hl.Branch, number: int) -> tuple[str, bool, bool]:
    """One transaction: its state, whether it was interrupted, and whether that was noted if it had begun."""
    tx, interrupted, noted, begun = branch.transaction(str(number)), False, True, False
    try:
        with tx:
            begun = True
            tx.upload(b"%d" % number, "x")
            tx.upload(b"%d" % number, "y")
    except KeyboardInterrupt as error:
        interrupted, noted = True, bool(getattr(error, "__notes__", ()))
    except exceptions.LakeFSException:
        pass
    return tx.state, interrupted, noted or not begun


def main(folder: str, seed: str, seconds: float) -> None:
    client = lakefs_hl.Client(f"local:{folder}")
    repo = lakefs_hl.repository("repo", client=client).create()
    branch = repo.branch("main")
    branch.upload(b"", "z")
    branch.commit_changes("before")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    states, count, interruptions, silent = dict[int, str](), 0, 0, 0
    shooter = Shooter(random.Random(seed))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        count += 1
        with suppress(KeyboardInterrupt):  # between two transactions
            state, interrupted, noted = one(branch, count)
            states[count] = state
            interruptions += interrupted
            silent += not noted
    shooter.stop()
    merged = {int(commit.message) for commit in branch.log() if commit.message.isdecimal()}
    left = Counter(kept.state for kept in repo.transactions())
    torn = branch.exists("x") and branch.download("x") != branch.download("y")
    report = {
        "transactions": count,
        "interruptions": interruptions,
        "unknown": sum(state == "UNKNOWN" for state in states.values()),
        "wrong": [number for number, state in states.items() if (state == "COMMITTED") != (number in merged)],
        "torn": torn,
        "open": sum(state == "OPEN" for state in states.values()),
        "silent": silent,
        "left": left,
    }
    os.write(1, json.dumps(report).encode())
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
