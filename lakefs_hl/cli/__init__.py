"""The command `lakefs-hl`. The only room that prints.

`serve`, `fsck` and `configure` need no extra (`cli.lakes`). All other commands use click, from the extra `cli`, and
the public names of the package.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

from lakefs_hl.cli import lakes
from lakefs_hl.cli.text import printable as printable

#: Exit code of a command whose output has no reader any more: as of a program that SIGPIPE ended.
CLOSED_PIPE: Final = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Args:
        arguments: Command-line arguments. Defaults to those of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(given)
    except KeyboardInterrupt:  # while modules were loaded: the commands have handlers of their own
        code = 130
    if code == CLOSED_PIPE and arguments is None:
        _abandon_output()
    return code


def _run(given: list[str]) -> int:
    if given and given[0] in lakes.COMMANDS:
        return lakes.main(given)
    try:
        from lakefs_hl.cli import root
    except ModuleNotFoundError as exc:
        if exc.name != "click":
            raise
        if not given or given[0].startswith("-"):
            return lakes.main(given)
        print(f"lakefs-hl {printable(given[0])}: needs click: pip install 'lakefs-hl[cli]'", file=sys.stderr)
        return 2
    return root.run(given, _program())


def _program() -> str:
    """Return the name of the program for usage lines: `lakectl hl` if lakectl runs it as a plugin."""
    return "lakectl hl" if PurePath(sys.argv[0]).stem == "lakectl-hl" else "lakefs-hl"


def _abandon_output() -> None:
    """Let the interpreter flush what is left in its buffers to nowhere, instead of failing at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
