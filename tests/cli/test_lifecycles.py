"""`lakefs-hl lifecycle`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import Command

RULES: list[dict[str, Any]] = [
    {"id": "temp", "status": "Enabled", "expiration": {"days": 7}, "filter": {"prefix": "temp/"}},
    {"id": "logs", "status": "Enabled", "expiration": {"days": 30}, "filter": {"prefix": "logs/"}},
]


def stored(command: Command) -> None:
    command.put(temp__a_csv="1", logs__b_csv="2", keep_csv="3")
    command.main.commit("load")
    command.repository.set_lifecycle(RULES)


def test_set_show_and_delete(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(RULES))
    uri = command.repository.uri
    assert command.json("lifecycle", "set", uri, str(file)) == {
        "repository_id": command.repository.id,
        "rules": ["temp", "logs"],
    }
    assert command.repository.lifecycle() == RULES
    assert command.json("lifecycle", "show", uri) == RULES
    assert command.lines("lifecycle", "show", uri) == RULES
    shown = command("lifecycle", "show", uri)
    assert command.json("lifecycle", "delete", uri)["deleted"] is True
    assert command.json("lifecycle", "show", uri) == []
    command("lifecycle", "set", uri, "-", input=shown)
    assert command.repository.lifecycle() == RULES


def test_rules_that_are_refused(command: Command) -> None:
    uri = command.repository.uri
    assert "unknown key 'ID'" in command.error(2, "lifecycle", "set", uri, "-", input='[{"ID": "a"}]')
    assert "list of dictionaries" in command.error(2, "lifecycle", "set", uri, "-", input="{}")
    assert "not JSON" in command.error(2, "lifecycle", "set", uri, "-", input="{")
    assert "none.json" in command.error(2, "lifecycle", "set", uri, "none.json")
    assert command.repository.lifecycle() == []


def test_run(command: Command) -> None:
    stored(command)
    uri = command.repository.uri
    planned = command("lifecycle", "run", uri, "--now", "2100-01-31", "--dry-run")
    assert planned == "temp/a.csv\nlogs/b.csv\n"
    assert command.paths() == ["keep.csv", "logs/b.csv", "temp/a.csv"]
    done = command.json("lifecycle", "run", uri, "--now", "2100-01-31")
    assert (done["planned"], done["deleted"]) == (["temp/a.csv", "logs/b.csv"], 2)
    assert done["rules"] == {"temp": 1, "logs": 1}
    assert done["commit_id"] == command.main.head().id
    assert command.paths() == ["keep.csv"]
    assert command.json("lifecycle", "run", uri)["commit_id"] is None


def test_run_on_a_branch(command: Command) -> None:
    stored(command)
    side = command.repository.branch("side").create("main")
    assert command("lifecycle", "run", command.repository.uri, "--branch", "side", "--now", "2100-01-31", "-q")
    assert command.paths(side) == ["keep.csv"]
    assert len(command.paths()) == 3


def test_run_that_fails(command: Command) -> None:
    stored(command)
    uri = command.repository.uri
    assert "now must be a time" in command.error(2, "lifecycle", "run", uri, "--now", "yesterday")
    assert "none" in command.error(3, "lifecycle", "run", uri, "--branch", "none")
    command.put(new_csv="1")
    assert "uncommitted changes" in command.error(5, "lifecycle", "run", uri, "--now", "2100-01-31")
    assert len(command.paths()) == 4
    command.repository.set_metadata({"lakefs_hl.lifecycle": "[1]"})
    assert "lakefs_hl.lifecycle" in command.error(2, "lifecycle", "run", uri)
