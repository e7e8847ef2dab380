"""The command `lakefs-hl`. The only room that prints.

Exit codes: 0 all is well; 1 the command ran and found something wrong; 2 it could not run: bad arguments, no such lake,
a port that is taken.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lakefs_hl import local
from lakefs_hl._version import __version__
from lakefs_hl.cli import check, serving
from lakefs_hl.spec.errors import LakeFSException

_EPILOG = """exit codes:
  0  all is well
  1  the command ran and found something wrong
  2  it could not run: bad arguments, no such lake, a port that is taken"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="lakefs-hl",
        description="An embedded lake behind lakeFS's API.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"lakefs-hl {__version__}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serving.add(commands)
    check.add(commands)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The command line without its first word; None takes the process's own.

    Returns:
        The exit code.
    """
    options = parser().parse_args(arguments)
    try:
        if options.lake.startswith("local:"):  # as everywhere else; it would be a folder of that name
            options.lake = str(local.folder_of(options.lake))
        code: int = options.run(options)
    except (LakeFSException, OSError) as exc:
        print(f"lakefs-hl {options.command}: {printable(str(exc))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 2
    return code


def printable(text: str) -> str:
    """A message without what would steer a terminal."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)
