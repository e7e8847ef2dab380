"""`lakefs-hl fs cp` and `mv`: single files, and copies within the lake."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

import lakefs_hl
from tests.cli.conftest import Command


@pytest.fixture
def here(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    return command


def test_a_file_is_uploaded_and_downloaded(here: Command) -> None:
    Path("t.csv").write_bytes(b"1,2\n")
    done = here.json("fs", "cp", "t.csv", f"{here.uri}data/")
    assert done == {"source": "t.csv", "destination": f"{here.uri}data/t.csv", "size_bytes": 4}
    assert here.main.download("data/t.csv") == b"1,2\n"
    assert here("fs", "cp", f"{here.uri}data/t.csv", "new.csv") == ""
    assert Path("new.csv").read_bytes() == b"1,2\n"
    assert here.json("fs", "cp", f"{here.uri}data/t.csv", ".")["size_bytes"] == 4
    here("fs", "cp", "t.csv", f"{here.uri}typed", "--content-type", "text/x-typed")
    assert here.main.stat("typed").content_type == "text/x-typed"


def test_standard_streams(here: Command) -> None:
    content = bytes(range(256)) * 1000
    done = here.run("fs", "cp", "-", f"{here.uri}a.bin", input=content)
    assert (done.exit_code, done.stderr) == (0, f"- -> {here.uri}a.bin\n")
    assert here.run("fs", "cp", f"{here.uri}a.bin", "-").stdout_bytes == content
    assert here("fs", "cp", "-", f"{here.uri}b", "-q", input="b") == ""


def test_a_message_makes_one_commit(here: Command) -> None:
    Path("t.csv").write_bytes(b"1")
    here("fs", "cp", "t.csv", f"{here.uri}t.csv", "-m", "add t", "--meta", "a=b")
    head = here.main.head()
    assert (head.message, head.metadata()["a"]) == ("add t", "b")
    assert here.main.list_uncommitted().to_list() == []
    assert "-m MESSAGE" in here.error(2, "fs", "cp", "t.csv", f"{here.uri}u.csv", "--meta", "a=b")
    here.error(2, "fs", "cp", f"{here.uri}t.csv", "u.csv", "-m", "a download")


def test_missing_sources(here: Command) -> None:
    assert "none.csv" in here.error(3, "fs", "cp", "none.csv", here.uri)
    assert "none.csv" in here.error(3, "fs", "cp", f"{here.uri}none.csv", ".")
    Path("t.csv").write_bytes(b"1")
    here.error(3, "fs", "cp", "t.csv", f"{here.repository.uri}/none/t.csv")
    here.error(2, "fs", "cp", "t.csv")
    here.error(2, "fs", "cp")


def test_a_directory_needs_recursive(here: Command) -> None:
    Path("data").mkdir()
    here.put(data__t_csv="1")
    assert "-r" in here.error(2, "fs", "cp", "data", here.uri)
    assert "-r" in here.error(2, "fs", "cp", f"{here.uri}data", ".")
    assert "-r" in here.error(2, "fs", "mv", f"{here.uri}data/", f"{here.uri}new")


@pytest.mark.parametrize("options", [("--include", "*"), ("--exclude", "x"), ("--dry-run",), ("--plan", "p")])
def test_options_of_directories_are_refused_for_files(local: Command, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "t.csv").write_bytes(b"1")
    assert options[0] in local.error(2, "fs", "cp", str(tmp_path / "t.csv"), local.uri, *options)
    local.put(a="1")
    assert options[0] in local.error(2, "fs", "cp", f"{local.uri}a", f"{local.uri}b", *options)


def test_copies_within_a_repository(here: Command) -> None:
    here.put(data__1_csv="1", data__x__2_csv="22")
    report = here.json("fs", "cp", "-r", f"{here.uri}data", f"{here.uri}backup")
    assert (report["transferred"], report["bytes"], report["commit_id"]) == (2, 3, None)
    assert here.paths()[:2] == ["backup/data/1.csv", "backup/data/x/2.csv"]
    here("fs", "cp", f"{here.uri}data/1.csv", f"{here.uri}one.csv")
    assert here.main.download("one.csv") == b"1"
    here.main.commit("so far")
    report = here.json("fs", "cp", "-r", f"{here.uri}data/", f"{here.uri}committed/", "-m", "copied")
    head = here.main.head()
    assert (head.message, head.id) == ("copied", report["commit_id"])
    assert "committed/x/2.csv" in here.paths()


def test_copies_between_lakes(here: Command, tmp_path: Path) -> None:
    here.main.upload("1", "data/1.csv", metadata={"k": "v"})
    there = f"mem://there-{secrets.token_hex(4)}"
    with lakefs_hl.Client(there) as client:
        branch = lakefs_hl.repository("example", client=client).create().branch("main")
        here("fs", "cp", "-r", f"{here.uri}data/", "lakefs://example/main/", "--to-lake", there, "-m", "from afar")
        info = branch.stat("1.csv")
        assert (info.metadata["k"], branch.head().message) == ("v", "from afar")
    (tmp_path / "t.csv").write_bytes(b"1")
    here.error(2, "fs", "cp", "t.csv", here.uri, "--to-lake", there)


def test_mv_moves_objects_and_prefixes(here: Command) -> None:
    here.put(inbox__1_csv="1", inbox__x__2_csv="22", z="3")
    moved = here.json("fs", "mv", f"{here.uri}z", f"{here.uri}data/")
    assert moved == {"source": f"{here.uri}z", "destination": f"{here.uri}data/z", "size_bytes": 1}
    assert here.json("fs", "mv", "-r", f"{here.uri}inbox/", f"{here.uri}done")["transferred"] == 2
    assert here.paths() == ["data/z", "done/1.csv", "done/x/2.csv"]
    here("fs", "mv", "-r", f"{here.uri}done", f"{here.uri}data")
    assert here.paths() == ["data/done/1.csv", "data/done/x/2.csv", "data/z"]
    here.error(3, "fs", "mv", f"{here.uri}none", f"{here.uri}x")


def test_mv_works_within_one_branch(here: Command) -> None:
    here.put(a="1")
    here.repository.branch("dev").create("main")
    for source, destination in (
        (f"{here.uri}a", f"{here.repository.uri}/dev/a"),
        (f"{here.uri}a", "a"),
        ("a", f"{here.uri}a"),
    ):
        assert "cp" in here.error(2, "fs", "mv", source, destination)
    assert here.paths() == ["a"]
