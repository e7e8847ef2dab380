"""The commands on the directory of a lake: `serve`, `fsck` and `configure`. They need no extra.

The module of a command is loaded when the command is named: `lakefs-hl --help` loads no lake.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from lakefs_hl._version import __version__
from lakefs_hl.cli.text import printable

#: Command -> its module and one line of help.
COMMANDS: Final = {
    "serve": ("lakefs_hl.cli.serving", "serve a lake over the REST API of lakeFS"),
    "fsck": ("lakefs_hl.cli.check", "check a lake"),
    "configure": ("lakefs_hl.cli.configuring", "change or print the settings of a lake"),
}
_EPILOG: Final = """exit codes:
  0  success
  1  the command ran and found a problem
  2  the command could not run: bad arguments, no such lake, a port that is in use

The other commands, such as fs, repo, commit, search and keys, need: pip install 'lakefs-hl[cli]'"""


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command line, with the options of one command.

    Args:
        command: Command whose options are needed. The others are only named.
    """
    made = argparse.ArgumentParser(
        prog="lakefs-hl",
        description="An embedded lake with the API of lakeFS.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"lakefs-hl {__version__}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, help_) in COMMANDS.items():
        if name == command:
            import_module(module).add(commands, help_)
        else:
            commands.add_parser(name, help=help_)
    return made


def main(arguments: Sequence[str]) -> int:
    """Run one of these commands and return its exit code.

    Args:
        arguments: Command-line arguments, the command first.
    """
    options = parser(arguments[0] if arguments else None).parse_args(arguments)
    from lakefs_hl import local
    from lakefs_hl.spec.errors import LakeFSException

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
