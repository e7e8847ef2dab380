"""`lakefs-hl fsck LAKE`: reads a lake whole and says what is wrong with it."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any

from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.spec.errors import LakeCorruptError


def add(commands: Any) -> None:
    """Adds the command."""
    made = commands.add_parser(
        "fsck",
        help="check a lake",
        description="Checks every reference, commit, node, staged entry and blob of a lake; changes nothing.",
    )
    made.add_argument("lake", metavar="LAKE", help="the lake's folder")
    made.add_argument("--read-data", action="store_true", help="read every object's bytes too and compare their hashes")
    made.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Checks; 0 if the lake is whole, 1 if something is wrong."""
    folder = Path(options.lake)
    try:
        engine = Engine.open(folder, create=False)
    except LakeCorruptError as error:  # too broken to be gone over
        print(f"damage: {error}")
        return 1
    with contextlib.closing(engine):
        report = fsck(engine, read_data=options.read_data)
    for line in report.lines():
        print(line)
    return report.exit_code
