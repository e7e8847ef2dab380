"""Commands and groups: the options that all of them have, and what becomes of an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, Final, TypeVar

import click

from lakefs_hl.cli.session import Session, plain_warnings

F = TypeVar("F", bound=Callable[..., Any])


def keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Store a shared option. What is given after a command wins over what is given before it."""
    if value is not None and value is not False:
        setattr(ctx.ensure_object(Session), str(param.name), value)


def _option(*names: str, **settings: Any) -> click.Option:
    return click.Option(names, expose_value=False, callback=keep, **settings)


def connection_options(taken: Iterable[str] = ()) -> list[click.Parameter]:
    """Return the options that say which lake is used. They are taken before and after a command.

    Args:
        taken: Short names that the options of the command have.
    """
    config = [name for name in ("-c", "--config") if name not in taken]
    return [
        _option(
            "--lake",
            metavar="ENDPOINT",
            help="Lake: https://HOST, or local:DIRECTORY for an embedded one. Defaults to the configuration.",
        ),
        _option("--profile", metavar="NAME", help="Read ~/.lakectl.NAME.yaml."),
        _option(*config, metavar="FILE", help="Read this configuration file of lakectl."),
        _option(
            "--base-uri",
            "given_base_uri",
            metavar="URI",
            is_eager=True,
            help="URI that relative ones are added to. Defaults to LAKECTL_BASE_URI.",
        ),
        _option("--no-color", is_flag=True, help="Print no colours. So does NO_COLOR in the environment."),
    ]


def output_options() -> list[click.Parameter]:
    """Return the options of commands that print results."""
    return [
        _option("-q", "--quiet", is_flag=True, help="Print IDs and paths only, and no words but errors."),
        _option("--json", "as_json", is_flag=True, help="Print one JSON document. Same as --format json."),
        _option(
            "--format",
            type=click.Choice(["text", "json", "jsonl"]),
            help="Format of the output. jsonl prints a JSON document on each line.",
        ),
    ]


class Verb(click.Command):
    """A command on a lake. It has the shared options, and ends with an exit code of the table.

    Args:
        raw: Whether it prints content, which has no format.
    """

    def __init__(self, *args: Any, raw: bool = False, **kwargs: Any) -> None:
        own: list[click.Parameter] = [*(kwargs.get("params") or []), *([] if raw else output_options())]
        taken = {name for param in own for name in param.opts}
        kwargs["params"] = [*own, *connection_options(taken)]
        super().__init__(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and report its errors."""
        session = ctx.ensure_object(Session)
        ctx.call_on_close(session.close)
        from lakefs_hl.cli.failures import report_errors

        with plain_warnings(session.output), report_errors(ctx, session.output):
            super().invoke(ctx)
            session.output.flush()


class Verbs(click.Group):
    """A group of commands."""

    command_class = Verb


class LazyVerbs(Verbs):
    """A group whose commands are loaded when they are named.

    Args:
        homes: Command -> module that has it, under the name of the command.
    """

    def __init__(self, *args: Any, homes: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._homes = homes

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(self._homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is none of this name."""
        home = self._homes.get(cmd_name)
        found: click.Command | None = None if home is None else getattr(import_module(home), cmd_name)
        return found


# -- options of several commands ---------------------------------------------------------------------------------------


def _pairs(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str] | None:
    """Return `key=value` pairs as a dictionary; None without any."""
    found = dict[str, str]()
    for pair in value:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            msg = f"{pair!r} is not a pair: write --meta KEY=VALUE"
            raise click.BadParameter(msg, ctx, param)
        found[key] = text
    return found or None


message: Final = click.option("-m", "--message", help="Commit message.")
meta: Final = click.option(
    "--meta", metavar="KEY=VALUE", multiple=True, callback=_pairs, help="Metadata of the commit. May be repeated."
)
yes: Final = click.option("-y", "--yes", is_flag=True, help="Answer all questions with yes.")
human: Final = click.option("-h", "--human-readable", "human", is_flag=True, help="Print sizes such as 1.50 MB.")
dry_run: Final = click.option("--dry-run", is_flag=True, help="Change nothing. Print what would be done.")
parallelism: Final = click.option(
    "-p", "--parallelism", type=click.IntRange(min=1), help="Maximum number of concurrent requests. Adapts by default."
)
no_progress: Final = click.option(
    "--no-progress", is_flag=True, expose_value=False, callback=keep, help="Show no progress."
)
amount: Final = click.option("--amount", type=click.IntRange(min=0), help="Maximum number of results. Defaults to all.")
after: Final = click.option("--after", default="", metavar="NAME", help="List only what comes after this.")


def paging_options(run: F) -> F:
    """Add the options of listings: `--amount` and `--after`."""
    return amount(after(run))


def choice_options(run: F) -> F:
    """Add the options that choose files and objects: `--include` and `--exclude`."""
    for name, what in (("--exclude", "Leave out"), ("--include", "Take only")):
        help_ = f"{what} paths that match this pattern, relative to the source. May be repeated."
        run = click.option(name, metavar="GLOB", multiple=True, help=help_)(run)
    return run
