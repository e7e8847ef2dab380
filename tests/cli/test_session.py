"""The shared options, the client and the questions of one run."""

from __future__ import annotations

import warnings

import click
import pytest
from pytest_mock import MockerFixture

from lakefs_hl.cli.output import Output
from lakefs_hl.cli.session import Session, plain_warnings
from tests.cli.conftest import Command


def test_options_after_the_command_win(local: Command) -> None:
    lake = local.lake[1]
    assert local.run("--lake", "mem://none-of-this-name", "repo", "list", "--lake", lake).exit_code == 0
    assert local.run("repo", "list", "--lake", "mem://none-of-this-name").exit_code == 1


def test_the_last_format_is_json_if_asked_for(local: Command) -> None:
    assert Session(as_json=True, format="jsonl").output.format == "json"
    assert Session(format="jsonl").output.format == "jsonl"
    assert Session().output.format == "text"
    assert "jsonl" in local.error(2, "repo", "list", "--format", "yaml")


@pytest.mark.parametrize(
    ("session", "environ", "color"),
    [
        (Session(), {}, True),
        (Session(no_color=True), {}, False),
        (Session(), {"NO_COLOR": "1"}, False),
        (Session(), {"NO_COLOR": ""}, True),
        (Session(), {"TERM": "dumb"}, False),
    ],
)
def test_colours_are_switched_off(
    monkeypatch: pytest.MonkeyPatch, session: Session, environ: dict[str, str], color: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert session.output.color == color


def test_progress_is_for_people() -> None:
    assert Session().progress is None
    for session in (Session(quiet=True), Session(no_progress=True), Session(as_json=True), Session(format="jsonl")):
        assert session.progress is False


def test_clients_are_closed(mocker: MockerFixture) -> None:
    client = mocker.patch("lakefs_hl.Client")
    session = Session(lake="https://lakefs.example.com", profile="work")
    assert session.client is session.client
    client.assert_called_once_with("https://lakefs.example.com", profile="work", create=False)
    session.close()
    client.return_value.close.assert_called_once_with()


@pytest.mark.parametrize(("answer", "goes_on"), [(True, True), (False, False)])
def test_a_question_is_asked_on_a_terminal(
    mocker: MockerFixture, capsys: pytest.CaptureFixture[str], answer: bool, goes_on: bool
) -> None:
    mocker.patch("sys.stdin.isatty", return_value=True)
    asked = mocker.patch("click.confirm", return_value=answer)
    if goes_on:
        Session().confirm("Delete it?", yes=False)
    else:
        with pytest.raises(click.exceptions.Exit) as ended:
            Session().confirm("Delete it?", yes=False)
        assert ended.value.exit_code == 1
        assert capsys.readouterr().err == "nothing was changed\n"
    asked.assert_called_once_with("Delete it?", err=True)


def test_a_question_needs_a_terminal_or_yes() -> None:
    Session().confirm("Delete it?", yes=True)
    with pytest.raises(click.UsageError, match="--yes"):
        Session().confirm("Delete it?", yes=False)


def test_warnings_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    before = warnings.showwarning
    with plain_warnings(Output("text", quiet=False, color=False)):
        warnings.simplefilter("always")
        warnings.warn("credentials are sent in clear text", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: credentials are sent in clear text\n"
    assert warnings.showwarning is before
