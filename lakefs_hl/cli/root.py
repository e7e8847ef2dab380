"""The command itself: its options, and the modules of its commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from lakefs_hl._version import __version__
from lakefs_hl.cli import lakes
from lakefs_hl.cli.verbs import LazyVerbs, connection_options

#: Command -> the module that has it.
HOMES: Final = {
    "fs": "lakefs_hl.cli.objects",
    "repo": "lakefs_hl.cli.repositories",
    "branch": "lakefs_hl.cli.branches",
    "tag": "lakefs_hl.cli.tags",
    "lifecycle": "lakefs_hl.cli.lifecycles",
    "search": "lakefs_hl.cli.searching",
    "keys": "lakefs_hl.cli.keys",
    "cache": "lakefs_hl.cli.cache",
    "commit": "lakefs_hl.cli.history",
    "log": "lakefs_hl.cli.history",
    "diff": "lakefs_hl.cli.history",
    "merge": "lakefs_hl.cli.history",
    "bisect": "lakefs_hl.cli.bisecting",
    "blame": "lakefs_hl.cli.bisecting",
}
EPILOG: Final = """\b
exit codes:
  0    success
  1    another error
  2    usage: bad arguments, a bad configuration, no such lake
  3    not found
  4    not authorized, or forbidden
  5    conflict: a merge conflict, a name that exists, a failed precondition
  6    a transfer that failed in part
  7    unreachable, after retries
  8    differences (fs verify, cache verify, diff --exit-code)
  130  interrupted
  141  the reader of the output closed the pipe"""


class Root(LazyVerbs):
    """The commands of this module's table, and those on the directory of a lake."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the tables."""
        return [*super().list_commands(ctx), *lakes.COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is none of this name."""
        if cmd_name in lakes.COMMANDS:
            return _lake_command(cmd_name)
        return super().get_command(ctx, cmd_name)


def _lake_command(name: str) -> click.Command:
    """Return a command that hands its arguments to the parser of `cli.lakes`."""

    @click.pass_context
    def hand_on(ctx: click.Context, arguments: tuple[str, ...]) -> None:
        ctx.exit(lakes.main([name, *arguments]))

    return click.Command(
        name,
        callback=hand_on,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True, "help_option_names": []},
        short_help=lakes.COMMANDS[name][1],
    )


root: Final = Root(
    "lakefs-hl",
    homes=HOMES,
    help="Work with a lakeFS server or an embedded lake: transfer files, list and compare versions, commit and merge.",
    epilog=EPILOG,
    params=connection_options(),
)
click.version_option(__version__, message="lakefs-hl %(version)s")(root)


def run(arguments: Sequence[str], program: str) -> int:
    """Run a command and return its exit code.

    Args:
        arguments: Command-line arguments.
        program: Name of the program for usage lines.
    """
    try:
        root.main(list(arguments), prog_name=program)
    except SystemExit as exc:
        return int(exc.code or 0)
