"""`lakefs-hl search`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))


def test_search(command: Command) -> None:
    command.main.upload("1", "raw/SensorData.csv", metadata={"site": "Åland"})
    command.main.upload("1", "raw/other.csv")
    commit = command.main.commit("the readings of May")
    name = command.repository.id
    assert command("search", "sensor", "--repository", name) == f"path        {command.uri}raw/SensorData.csv\n"
    assert command("search", "readings", "may", "--repository", name) == (
        f"commit      lakefs://{name}/{commit.id}  the readings of May\n"
    )
    (hit,) = command.json("search", "aland", "--repository", name)
    assert (hit["kind"], hit["uri"], hit["excerpt"]) == ("metadata", f"{command.uri}raw/SensorData.csv", "site: Åland")
    assert [each["path"] for each in command.lines("search", "raw", "--repository", name, "--kind", "path")] == [
        "raw/other.csv",
        "raw/SensorData.csv",
    ]
    assert len(command.json("search", "raw", "--repository", name, "--limit", "1")) == 1
    assert command("search", "raw", "--repository", name, "--quiet").splitlines()[0] == f"{command.uri}raw/other.csv"
    assert command("search", "nothing", "--repository", name) == ""


def test_what_cannot_be_searched(command: Command) -> None:
    assert "query must not be empty" in command.error(2, "search", " ")
    assert "missing-repository" in command.error(3, "search", "a", "--repository", "missing-repository")
    error = command.error(
        0, "search", command.repository.id, "--repository", command.repository.id, "--repository", "no-1"
    )
    assert error.startswith("warning: no-1: ")
