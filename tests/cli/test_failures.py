"""Errors are one line, with what explains them below."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import click
import pytest

from lakefs_hl import exceptions
from lakefs_hl.cli.failures import SHOWN, details, failures, report_errors, words_of
from lakefs_hl.cli.output import Output
from lakefs_hl.types import ErrorKind


def end(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Let a command fail, and return its exit code and what it printed."""
    context = click.Context(click.Command("cp"), info_name="lakefs-hl fs cp")
    with pytest.raises(click.exceptions.Exit) as ended, report_errors(context, Output("text", quiet=True, color=False)):
        raise error
    printed = capsys.readouterr()
    assert printed.out == ""
    return ended.value.exit_code, printed.err


def test_an_error_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert end(exceptions.LakeFSException("bad \x1b[31m"), capsys) == (1, "lakefs-hl fs cp: bad \\x1b[31m\n")


def test_notes_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    interruption = KeyboardInterrupt()
    interruption.add_note("the branch tx-1 was kept")
    assert end(interruption, capsys) == (130, "lakefs-hl fs cp: interrupted\nthe branch tx-1 was kept\n")


def test_an_aborted_question_and_a_closed_pipe_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert end(click.Abort(), capsys) == (130, "")
    assert end(BrokenPipeError(), capsys) == (141, "")


def test_a_defect_keeps_its_traceback() -> None:
    context = click.Context(click.Command("cp"))
    with pytest.raises(ZeroDivisionError), report_errors(context, Output("text", quiet=False, color=False)):
        _ = 1 / 0


def test_usage_errors_are_escaped() -> None:
    context = click.Context(click.Command("cp"))
    with (
        pytest.raises(click.UsageError) as caught,
        report_errors(context, Output("text", quiet=False, color=False)),
    ):
        raise click.UsageError("\x1b[31m is a directory")
    assert caught.value.message == "\\x1b[31m is a directory"


def test_errors_of_the_operating_system_have_no_number() -> None:
    assert words_of(FileNotFoundError(2, "No such file or directory", "a.csv")) == "a.csv: No such file or directory"
    assert (
        words_of(IsADirectoryError(21, "removing lakefs://r/b/a: …", "lakefs://r/b/a")) == "removing lakefs://r/b/a: …"
    )
    assert words_of(OSError("without a number")) == "without a number"
    assert words_of(ValueError()) == "ValueError"


def test_what_to_do_is_said_in_commands() -> None:
    for kind, command in (
        (ErrorKind.NO_CHANGES, "--allow-empty-commit"),
        (ErrorKind.REPOSITORY_NOT_FOUND, "`repo create`"),
        (ErrorKind.BRANCH_NOT_FOUND, "`branch create --source`"),
        (ErrorKind.DIRTY_BRANCH, "`branch reset`"),
    ):
        error = exceptions.BadRequestException("refused")
        error.kind = kind
        (hint,) = details(error)
        assert command in hint
    assert list(details(exceptions.BadRequestException("refused"))) == []


def test_causes_conflicts_and_failures_are_details() -> None:
    error = exceptions.TransactionMergeError("refused")
    error.__cause__ = exceptions.MergeConflict("conflicts")
    error.conflicts = ("a", "b")
    assert list(details(error)) == ["because: conflicts", "conflict: a", "conflict: b"]
    partly = exceptions.PartialFailureError("some failed")
    partly.report = SimpleNamespace(failed=[SimpleNamespace(path="a", message="no")], failed_count=3)
    assert list(details(partly)) == ["failed: a: no", "… and 2 more"]


def test_hints_name_options() -> None:
    assert list(details(exceptions.NoAuthenticationFound("none"))) == [
        "--lake local:./lake names a lake in a directory"
    ]
    assert "--force" in next(details(exceptions.RepositoryNotEmptyError("full")))
    assert list(details(exceptions.LakeFSException("plain"))) == []


def test_many_failures_are_cut() -> None:
    report: Any = SimpleNamespace(failed=[SimpleNamespace(path=str(n), message="no") for n in range(100)])
    lines = list(failures(report))
    assert len(lines) == SHOWN + 1
    assert lines[-1] == f"… and {100 - SHOWN} more"
