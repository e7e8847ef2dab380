"""`lakefs-hl fsck LAKE`: check a whole lake and print the damage."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from lakefs_hl.cli.text import printable
from lakefs_hl.local.engine.fsck import Subset, fsck

_EPILOG = """exit codes:
  0  the lake is sound
  1  the lake is damaged
  2  the check could not run: bad arguments, no such lake, no permission to read it"""


def add(commands: Any, help_: str) -> None:
    """Add the command."""
    made = commands.add_parser(
        "fsck",
        help=help_,
        description="Check every reference, commit, node, staged entry and object of a lake. No file is changed, and "
        "the lake may be in use.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("lake", metavar="LAKE", help="directory of the lake")
    made.add_argument(
        "--read-data", action="store_true", help="also read the content of every object and compare its hash"
    )
    made.add_argument(
        "--read-data-subset",
        metavar="PART",
        type=_subset,
        help="read the content of a part of the objects only: 10%% is a random part of that size, and 2/7 is the "
        "second of seven parts, so that seven runs read everything",
    )
    made.add_argument("--json", action="store_true", help="print the report as JSON")
    made.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check the lake. Return 0 if it is intact, 1 if it is damaged."""
    report = fsck(Path(options.lake), options.read_data, options.read_data_subset)
    if options.json:
        print(json.dumps(report.values(), indent=2))
        return report.exit_code
    for line in report.lines():
        print(printable(line))
    return report.exit_code


def _subset(text: str) -> Subset:
    try:
        return Subset.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
