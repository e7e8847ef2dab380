"""Errors of a command: one line on standard error, and an exit code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import click

from lakefs_hl import exceptions
from lakefs_hl.cli.exits import ExitCode, code_of, is_reported
from lakefs_hl.cli.output import Output
from lakefs_hl.cli.text import printable
from lakefs_hl.spec.kinds import ErrorKind

#: Number of failures of a bulk call, or of conflicts, that are printed.
SHOWN = 20


@contextlib.contextmanager
def report_errors(ctx: click.Context, output: Output) -> Iterator[None]:
    """Print the error of a command, and end it with the code of the error.

    Args:
        ctx: Context of the command.
        output: Where it prints.
    """
    try:
        yield
    except click.Abort:  # Ctrl-C or the end of the input at a question
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None
    except click.UsageError as exc:
        raise click.UsageError(printable(exc.format_message()), ctx) from None
    except (click.ClickException, click.exceptions.Exit):
        raise
    except BrokenPipeError:
        raise click.exceptions.Exit(ExitCode.CLOSED_PIPE) from None
    except KeyboardInterrupt as exc:
        _print(output, f"{ctx.command_path}: interrupted", getattr(exc, "__notes__", ()))
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None
    except Exception as exc:
        if not is_reported(exc):
            raise
        _print(output, f"{ctx.command_path}: {words_of(exc)}", getattr(exc, "__notes__", ()))
        for line in details(exc):
            _print(output, f"  {line}", ())
        raise click.exceptions.Exit(code_of(exc)) from None


#: What to do, in options of the command: the messages of the errors name arguments of calls.
_HINTS: Final = (
    (exceptions.NoAuthenticationFound, "--lake local:./lake names a lake in a directory"),
    (exceptions.LakeFormatError, "`repo create` creates a lake where there is none"),
    (exceptions.RepositoryNotEmptyError, "--force deletes it with its content"),
)
_KIND_HINTS: Final = {
    ErrorKind.NO_CHANGES: "`commit --allow-empty-commit` and `merge --allow-empty` do it without changes",
    ErrorKind.REPOSITORY_NOT_FOUND: "`repo list` lists the repositories, `repo create` creates one",
    ErrorKind.BRANCH_NOT_FOUND: "`branch list` lists the branches, `branch create --source` creates one",
    ErrorKind.REFERENCE_NOT_FOUND: "`branch list`, `tag list` and `log` list what there is",
    ErrorKind.COMMIT_NOT_FOUND: "`branch list`, `tag list` and `log` list what there is",
    ErrorKind.DIRTY_BRANCH: "`commit` commits them, `branch reset` drops them",
}


def words_of(error: BaseException) -> str:
    """Return the message of an error. That of the operating system is without its number."""
    if isinstance(error, OSError) and error.strerror and not isinstance(error, exceptions.LakeFSException):
        named = "" if error.filename is None or str(error.filename) in error.strerror else f"{error.filename}: "
        return f"{named}{error.strerror}"
    return str(error) or type(error).__name__


def details(error: BaseException) -> Iterator[str]:
    """Yield the lines that an error is explained by: a hint, conflicts of a merge, failures of a bulk call."""
    yield from (hint for kind, hint in _HINTS if isinstance(error, kind))
    if (hint := _KIND_HINTS.get(getattr(error, "kind", ErrorKind.OTHER))) is not None:
        yield hint
    if error.__cause__ is not None and not str(error).endswith(str(error.__cause__)):
        yield f"because: {error.__cause__}"
    yield from some(getattr(error, "conflicts", ()), lambda path: f"conflict: {path}")
    report: Any = getattr(error, "report", None)
    if report is not None:
        yield from failures(report)


def failures(report: Any) -> Iterator[str]:
    """Yield a line for each failure of a report, the first ones of many."""
    total = getattr(report, "failed_count", None)
    yield from some(report.failed, lambda failure: f"failed: {failure.path}: {failure.message}", total)


def some(items: Any, line: Any, total: int | None = None) -> Iterator[str]:
    """Yield a line for each item, the first ones of many."""
    for item in items[:SHOWN]:
        yield line(item)
    left = (len(items) if total is None else total) - len(items[:SHOWN])
    if left > 0:
        yield f"… and {left:,} more"


def _print(output: Output, text: str, notes: Any) -> None:
    with contextlib.suppress(BrokenPipeError):  # the reader of the words is gone, too: the exit code tells
        output.fail(text)
        for note in notes:
            output.fail(str(note))
