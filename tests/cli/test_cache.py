"""`lakefs-hl cache`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command


@pytest.fixture
def path(command: Command, tmp_path: Path) -> Path:
    """A snapshot."""
    command.put(a__b_csv="12345")
    command.main.commit("load")
    found: Path = command.main.snapshot_download(cache_dir=tmp_path / "cache")
    return found


def test_list_verify_and_delete(command: Command, path: Path, tmp_path: Path) -> None:
    option = ("--cache-dir", str(tmp_path / "cache"))
    [entry] = command.json("cache", "list", *option)
    assert (entry["path"], entry["files"], entry["size_bytes"], entry["is_complete"]) == (str(path), 1, 5, True)
    assert entry["uri"] == f"lakefs://{command.repository.id}/{command.main.head().id}/"
    assert command.lines("cache", "list", *option) == [entry]
    assert command("cache", "list", *option, "--quiet") == f"{path}\n"
    line = command("cache", "list", *option, "-h").rstrip("\n").split("\t")
    assert line == [entry["last_used"], "5 B", "1", entry["uri"], str(path)]
    assert command("cache", "verify", *option) == ""
    (path / "a" / "b.csv").chmod(0o644)
    (path / "a" / "b.csv").write_text("54321")
    assert command("cache", "verify", *option, code=8) == f"{path / 'a' / 'b.csv'}\n"
    assert command("cache", "list", *option).rstrip("\n").endswith("\tincomplete")
    assert command.json("cache", "verify", *option, code=8) == [{"path": str(path / "a" / "b.csv")}]
    assert command.json("cache", "delete", str(path), *option) == {"path": str(path), "deleted": True}
    assert not path.exists()
    assert command.json("cache", "list", *option) == []
    assert "is no snapshot of the cache" in command.error(3, "cache", "delete", str(path), *option)


def test_clear(command: Command, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    option = ("--cache-dir", str(tmp_path / "cache"))
    assert command.json("cache", "clear", *option) == {"in_use": []}
    assert not path.exists()
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "other"))
    assert command("cache", "list") == ""
    assert command.json("cache", "clear") == {"in_use": []}
