"""`lakefs-hl fsck LAKE`: reads a lake whole and says what is wrong with it."""

from __future__ import annotations

import argparse
from typing import Any


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
    raise NotImplementedError
