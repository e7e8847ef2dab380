"""Formats, escaping and words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lakefs_hl.cli.output import Output
from lakefs_hl.spec.kinds import ErrorKind

NAMES = ["a\nb", "\x1b[31m", "é"]


def rows(output: Output, names: list[str]) -> int:
    return output.rows(
        names, lambda name: f"- {output.display(name)}", ident=lambda name: name, record=lambda name: {"name": name}
    )


def test_rows_in_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    printed = {}
    for name in ("text", "json", "jsonl"):
        assert rows(Output(name, quiet=False, color=True), NAMES) == 3
        printed[name] = capsys.readouterr().out
    assert printed["text"] == "- a\nb\n- \x1b[31m\n- é\n", "a pipe receives names as they are"
    wanted = [{"name": name} for name in NAMES]
    assert json.loads(printed["json"]) == wanted
    assert [json.loads(line) for line in printed["jsonl"].splitlines()] == wanted
    rows(Output("text", quiet=True, color=True), NAMES)
    assert capsys.readouterr().out == "a\nb\n\x1b[31m\né\n"


def test_a_listing_without_rows_is_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert rows(Output("json", quiet=False, color=False), []) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_terminal_shows_control_characters_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output("text", quiet=False, color=False)
    output.terminal = True
    rows(output, NAMES)
    assert capsys.readouterr().out == "- a\\nb\n- \\x1b[31m\n- é\n"


@pytest.mark.parametrize(("color", "terminal", "painted"), [(True, True, True), (False, True, False)])
def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch, color: bool, terminal: bool, painted: bool) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    text = Output("text", quiet=False, color=color).paint("added", "green")
    assert text == ("\x1b[32madded\x1b[0m" if painted else "added")


def test_a_pipe_has_no_colours() -> None:
    assert Output("text", quiet=False, color=True).paint("added", "green") == "added"


def test_fields_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    fields: dict[str, Any] = {
        "id": "x",
        "size_bytes": 2000,
        "creation_date": datetime(2026, 1, 31, tzinfo=UTC),
        "parents": ["a", "b"],
        "metadata": {"k": "v", "l": "w"},
        "nothing": None,
    }
    Output("text", quiet=False, color=False).describe(fields, human=True)
    assert capsys.readouterr().out.splitlines() == [
        "ID:            x",
        "Size bytes:    2.00 kB",
        "Creation date: 2026-01-31T00:00:00Z",
        "Parents:       a b",
        "Metadata:      k = v",
        "Metadata:      l = w",
    ]


def test_quiet_prints_the_id_and_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output("text", quiet=True, color=False)
    output.describe({"id": "x"}, ident="x")
    output.describe({"id": "x"})
    output.say("words")
    output.fail("an error")
    output.done({"deleted": True}, "deleted")
    assert capsys.readouterr() == ("x\n", "an error\n")


def test_words_are_on_standard_error_and_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output("text", quiet=False, color=False)
    output.say("deleted \x1b[31m")
    output.warn("careful")
    assert capsys.readouterr() == ("", "deleted \\x1b[31m\nwarning: careful\n")


def test_json_knows_times_kinds_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output("json", quiet=False, color=False)
    output.record(
        lambda: {"when": datetime(2026, 1, 31, tzinfo=UTC), "kind": ErrorKind.OTHER, "error": ValueError("x")},
        lambda: (),
    )
    assert json.loads(capsys.readouterr().out) == {
        "when": "2026-01-31T00:00:00Z",
        "kind": "other",
        "error": "ValueError: x",
    }
    with pytest.raises(TypeError, match="set cannot be written as JSON"):
        output.record(lambda: {"value": {1}}, lambda: ())
