"""Ctrl-C, once and twice in a row, at real moments, while the main thread uses a lake and others do too.

Each role runs in a process of its own. Afterwards everything acknowledged is there, nobody is stuck, no reader is lent,
the other threads met no error at all, and a forked child works at once.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.processes import ending

ROLES: Final = (
    "writer",
    "follower",
    "reader",
    "commit",
    "large commit",
    "merge",
    "import",
    "transaction",
    "large object",
    "batch",
)
#: How many run at a time.
WIDTH: Final = 5
SECONDS: Final = 4.0
#: How soon a forked child must have worked, seconds: one that has to wait for what was lost takes ten. Two cores
#: that run storms side by side allow no closer measure; `tests/long` asks for one second.
SOON: Final = 5.0
_SCRIPT: Final = Path(__file__).with_name("storm.py")


@pytest.mark.parametrize("roles", [ROLES[at : at + WIDTH] for at in range(0, len(ROLES), WIDTH)], ids=", ".join)
def test_interrupts_lose_nothing(tmp_path: Path, roles: tuple[str, ...], request: pytest.FixtureRequest) -> None:
    rage(tmp_path, roles, str(request.config.option.hypothesis_seed), SECONDS, SOON)


def rage(folder: Path, roles: Sequence[str], seed: str, seconds: float, soon: float) -> None:
    """Runs the storms of some roles side by side."""
    started = {
        role: subprocess.Popen(
            [sys.executable, str(_SCRIPT), str(folder / role.replace(" ", "-")), role, seed, str(seconds), str(soon)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for role in roles
    }
    with ending(*started.values()):
        told = {role: process.communicate(timeout=seconds * 1.4 + 60)[0] for role, process in started.items()}
    for role, process in started.items():
        assert process.returncode == 0, f"{role}, seed {seed}:\n{told[role]}"
        assert "signals " in told[role]
