"""`lakefs-hl fs sync`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command


@pytest.fixture
def here(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in a directory with three files in `data`."""
    (tmp_path / "data" / "a").mkdir(parents=True)
    for name in ("1", "a/2", "a/3"):
        (tmp_path / "data" / name).write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    return command


def test_only_changes_are_sent(here: Command) -> None:
    assert here.json("fs", "sync", "data/", f"{here.uri}x")["transferred"] == 3
    report = here.json("fs", "sync", "data/", f"{here.uri}x")
    assert (report["transferred"], report["skipped"]) == (0, 3)
    assert here.paths() == ["x/1", "x/a/2", "x/a/3"]
    assert here.json("fs", "sync", "data", here.uri)["transferred"] == 3, "the directory itself"


def test_delete_is_asked_for(here: Command) -> None:
    here("fs", "sync", "data/", here.uri)
    Path("data/1").unlink()
    here("fs", "sync", "data/", here.uri)
    assert here.paths() == ["1", "a/2", "a/3"]
    planned = here("fs", "sync", "data/", here.uri, "--delete", "--dry-run")
    assert planned == "delete 1\n"
    assert "uncommitted" in here.error(5, "fs", "sync", "data/", here.uri, "--delete", "-m", "without 1")
    here.main.commit("with 1")
    report = here.json("fs", "sync", "data/", here.uri, "--delete", "-m", "without 1", "--meta", "k=v")
    assert (report["deleted"], report["commit_id"]) == (1, here.main.head().id)
    assert here.main.head().metadata()["k"] == "v"
    assert here.paths() == ["a/2", "a/3"]


def test_a_directory_becomes_like_a_prefix(here: Command) -> None:
    here("fs", "sync", "data/", here.uri)
    here("fs", "sync", here.uri, "out")
    Path("out/extra").write_bytes(b"")
    here.main.delete_objects("1")
    assert here.json("fs", "sync", here.uri, "out", "--delete")["deleted"] == 2
    assert sorted(path.name for path in Path("out").rglob("*") if path.is_file()) == ["2", "3"]
    assert here("fs", "verify", here.uri, "out") == ""


def test_what_makes_no_sense_is_refused(here: Command) -> None:
    here("fs", "sync", "data/", here.uri)
    for arguments in (("data/1", here.uri), (here.uri, f"{here.uri}x"), ("data/",), ()):
        here.error(2, "fs", "sync", *arguments)
