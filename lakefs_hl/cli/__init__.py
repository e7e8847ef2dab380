"""The command `lakefs-hl`. The only room that prints.

Exit codes: 0 for success; 1 if the command ran and found a problem; 2 if it could not run: bad arguments, no such lake,
a port that is in use.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lakefs_hl import local
from lakefs_hl._version import __version__
from lakefs_hl.cli import check, configuring, serving
from lakefs_hl.cli.text import printable as printable
from lakefs_hl.spec.errors import LakeFSException

_EPILOG = """exit codes:
  0  success
  1  the command ran and found a problem
  2  the command could not run: bad arguments, no such lake, a port that is in use"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="lakefs-hl",
        description="An embedded lake with the API of lakeFS.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"lakefs-hl {__version__}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serving.add(commands)
    check.add(commands)
    configuring.add(commands)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Args:
        arguments: Command-line arguments. Defaults to those of the process.
    """
    options = parser().parse_args(arguments)
    try:
        if options.lake.startswith("local:"):  # as in Client(); otherwise it would be a directory of that name
            options.lake = str(local.folder_of(options.lake))
        code: int = options.run(options)
    except (LakeFSException, OSError) as exc:
        print(f"lakefs-hl {options.command}: {printable(str(exc))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 2
    return code
