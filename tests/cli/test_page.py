"""The page of the command line has every command with its arguments and options, in the words of the program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lakefs_hl.cli import lakes
from lakefs_hl.cli.exits import ExitCode
from lakefs_hl.cli.root import EPILOG, root
from lakefs_hl.cli.verbs import Verb, connection_options, output_options

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"


def walk(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from walk(command, f"{above}{name} ")
        else:
            yield f"{above}{name}", command


def verbs() -> dict[str, click.Command]:
    """Return all commands by name, such as `fs cp`."""
    return dict(walk(root))


def rows(params: list[click.Parameter]) -> list[str]:
    """Return the rows of a table of options."""
    found = []
    for param in params:
        if isinstance(param, click.Option):
            names = ", ".join(f"`{name}`" for name in param.opts)
            meaning = (param.help or "").replace("|", "\\|")
            if isinstance(param.type, click.Choice):
                meaning = f"{meaning} One of {', '.join(f'`{choice}`' for choice in param.type.choices)}."
            found.append(f"| {names} | {meaning} |")
    return found


def own(command: click.Command) -> list[click.Parameter]:
    """Return the parameters of a command without those that all have."""
    shared = {param.name for param in (*connection_options(), *output_options())}
    return [param for param in command.params if param.name not in shared]


def usage(name: str, command: click.Command) -> str:
    """Return the line that shows how a command is called."""
    arguments = [
        param.make_metavar(click.Context(command)) for param in own(command) if param.param_type_name == "argument"
    ]
    return " ".join(["lakefs-hl", name, *arguments])


def section(name: str) -> str:
    """Return the part of the page about a command, or another heading."""
    found = re.search(
        rf"^### {re.escape(name)}\n(.*?)(?=^##|\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found, f"{PAGE.name}: no section `### {name}`"
    return found[1]


def test_the_example_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    commands = [words[1:] for line in block.splitlines() if (words := shlex.split(line))[0] == "lakefs-hl"]
    assert len(commands) == 3
    for words in commands:
        done = CliRunner().invoke(root, words)
        assert done.exit_code == 0, f"{words}\n{done.output}"
    assert "first photos" in done.stdout


@pytest.mark.parametrize("name", [name for name, command in verbs().items() if isinstance(command, Verb)])
def test_the_section_of_a_command_is_that_of_the_program(name: str) -> None:
    command, text = verbs()[name], section(name)
    assert f"`{usage(name, command)}`" in text
    documented = re.findall(r"^\| `-.*\|$", text, re.MULTILINE)
    assert documented == rows(own(command)), "the table of options: compare it with --help"


@pytest.mark.parametrize(("name", "params"), [("The lake", connection_options()), ("The output", output_options())])
def test_the_options_of_all_commands_are_those_of_the_program(name: str, params: list[click.Parameter]) -> None:
    assert re.findall(r"^\| `-.*\|$", section(name), re.MULTILINE) == rows(params)


def test_the_page_has_no_other_commands() -> None:
    headings = set(re.findall(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert headings - {"The lake", "The output"} == {
        name for name, command in verbs().items() if isinstance(command, Verb)
    }


def test_the_commands_of_a_lake_are_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in lakes.COMMANDS:
        assert f"| `lakefs-hl {name} LAKE" in text


def test_the_exit_codes_are_on_the_page_and_in_the_help() -> None:
    found = re.findall(r"^\| (\d+) \|", section_of_codes(), re.MULTILINE)
    assert [int(code) for code in found] == [int(code) for code in ExitCode]
    assert [int(code) for code in re.findall(r"^  (\d+) ", EPILOG, re.MULTILINE)] == [int(code) for code in ExitCode]


def section_of_codes() -> str:
    found = re.search(r"^## Exit codes\n(.*?)(?=^## )", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found
    return found[1]
