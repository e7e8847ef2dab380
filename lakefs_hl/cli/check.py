"""`lakefs-hl fsck LAKE`: check a whole lake and print the damage."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any

from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.spec.errors import LakeCorruptError


def add(commands: Any) -> None:
    """Add the command."""
    made = commands.add_parser(
        "fsck",
        help="check a lake",
        description="Check every reference, commit, node, staged entry and blob of a lake. Changes nothing.",
    )
    made.add_argument("lake", metavar="LAKE", help="directory of the lake")
    made.add_argument(
        "--read-data", action="store_true", help="also read the content of every object and compare its hash"
    )
    made.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check the lake. Return 0 if it is intact, 1 if it is damaged."""
    folder = Path(options.lake)
    try:
        engine = Engine.open(folder, create=False)
    except LakeCorruptError as error:  # too damaged to be opened
        print(f"damage: {error}")
        return 1
    with contextlib.closing(engine):
        report = fsck(engine, read_data=options.read_data)
    for line in report.lines():
        print(line)
    return report.exit_code
