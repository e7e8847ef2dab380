"""`lakefs-hl configure LAKE`: change the settings of a lake, and print them."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any

from lakefs_hl.local.engine import Engine


def add(commands: Any, help_: str) -> None:
    """Add the command."""
    made = commands.add_parser(
        "configure",
        help=help_,
        description="Change the settings of a lake, for everybody who uses it from now on, and print them all.",
    )
    made.add_argument("lake", metavar="LAKE", help="directory of the lake")
    made.add_argument(
        "--hash-imports",
        choices=("on", "off"),
        help="whether an import reads every file, so that the checksum of an imported object is its MD5 (off in a new "
        "lake: an import reads no file)",
    )
    made.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Change what is to be changed, and print all settings."""
    with contextlib.closing(Engine.open(Path(options.lake), create=False)) as engine:
        if options.hash_imports is not None:
            engine.imports.hashing = options.hash_imports == "on"
        print(f"hash-imports: {'on' if engine.imports.hashing else 'off'}")
    return 0
