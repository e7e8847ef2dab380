"""Directories: `lakefs-hl fs cp -r`, its options and its plans."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakefs_hl.cli.bulk import Bulk
from lakefs_hl.cli.exits import ExitCode
from tests.cli.conftest import Command

FILES = {"1.csv": b"1", "a/2.csv": b"22", "a/b/3.txt": b"333", "tmp/4.csv": b"4444"}


@pytest.fixture
def here(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in a directory with files in `data`."""
    for name, content in FILES.items():
        target = tmp_path / "data" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return command


def local_files(root: str) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(Path(root).rglob("*")) if path.is_file()
    }


def test_up_and_down_again(here: Command) -> None:
    done = here.run("fs", "cp", "-r", "data", here.uri)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("4 transferred (10 B) in ")
    assert here.paths() == [f"data/{name}" for name in FILES]
    report = here.json("fs", "cp", "-r", f"{here.uri}data/", "out")
    assert (report["transferred"], report["bytes"], report["failed"]) == (4, 10, [])
    assert local_files("out") == FILES
    here("fs", "cp", "-r", f"{here.uri}data", "out2", "-q", "--no-progress", "-p", "2")
    assert local_files("out2/data") == FILES
    assert here("fs", "verify", "data", here.uri) == ""


def test_the_same_command_again_writes_the_same(here: Command) -> None:
    for _ in range(2):
        here("fs", "cp", "-r", "data", f"{here.uri}backup")
        here("fs", "cp", "-r", f"{here.uri}backup/data", "out")
    assert here.paths() == [f"backup/data/{name}" for name in FILES]
    assert local_files("out") == {f"data/{name}": content for name, content in FILES.items()}


def test_a_message_makes_one_commit(here: Command) -> None:
    report = here.json("fs", "cp", "-r", "data/", here.uri, "-m", "all files", "--meta", "k=v")
    head = here.main.head()
    assert (head.id, head.message, head.metadata()["k"]) == (report["commit_id"], "all files", "v")
    assert here.paths() == list(FILES)
    quiet = here("fs", "cp", "-r", "data/", f"{here.uri}more/", "-m", "more", "-q")
    assert quiet == f"{here.main.head().id}\n"
    here.error(2, "fs", "cp", "-r", here.uri, "out", "-m", "a download")
    here.error(2, "fs", "cp", "-r", "data/", here.uri, "--meta", "k=v")
    here.error(2, "fs", "cp", "-r", "data/", here.uri, "--update", "--checksum")
    here.error(2, "fs", "cp", "-r", "data/", here.uri, "--continue")
    here.error(2, "fs", "cp", "-r", "data/", here.uri, "-m", "")
    here.error(2, "fs", "cp", "-r", "data/", here.uri, "--content-type", "text/csv")
    here.error(2, "fs", "cp", "-r", "data/", here.uri, "--on-invalid", "skip")
    here.error(2, "fs", "cp", "-r", here.uri, "out", "--follow-symlinks")


def test_files_are_chosen(here: Command) -> None:
    here("fs", "cp", "-r", "data/", here.uri, "--include", "*.csv", "--exclude", "tmp/")
    assert here.paths() == ["1.csv", "a/2.csv"]
    Path("data/.lakefsignore").write_text("tmp/\n*.txt\n", encoding="utf-8")
    here("fs", "cp", "-r", "data/", f"{here.uri}ignored/", "--ignore-file", ".lakefsignore")
    assert [path for path in here.paths() if path.startswith("ignored/")] == [
        "ignored/.lakefsignore",
        "ignored/1.csv",
        "ignored/a/2.csv",
    ]
    here("fs", "cp", "-r", f"{here.uri}ignored/", "out", "--exclude", "a/")
    assert set(local_files("out")) == {".lakefsignore", "1.csv"}


@pytest.mark.parametrize("option", ["--update", "--checksum"])
def test_what_is_equal_is_skipped(here: Command, option: str) -> None:
    here("fs", "cp", "-r", "data/", here.uri)
    report = here.json("fs", "cp", "-r", "data/", here.uri, option)
    assert (report["transferred"], report["skipped"]) == (0, 4)
    here("fs", "cp", "-r", here.uri, "out")
    report = here.json("fs", "cp", "-r", here.uri, "out", option)
    assert (report["transferred"], report["skipped"]) == (0, 4)


def test_a_dry_run_changes_nothing(here: Command) -> None:
    done = here.run("fs", "cp", "-r", "data/", here.uri, "--dry-run")
    assert done.stdout.splitlines() == [f"upload {name}" for name in FILES]
    assert done.stderr == "upload 4 (10 B to transfer); nothing was changed\n"
    assert here.paths() == []
    rows = here.json("fs", "cp", "-r", "data/", here.uri, "--dry-run")
    assert [(row["kind"], row["path"]) for row in rows] == [("upload", name) for name in FILES]
    here("fs", "cp", "-r", "data/", here.uri)
    assert here("fs", "cp", "-r", here.uri, "out", "--dry-run", "-q").split() == list(FILES)
    assert not Path("out").exists()


def test_a_plan_is_written_and_applied(here: Command) -> None:
    here("fs", "cp", "-r", "data/", here.uri, "--plan", "plan.jsonl", "-m", "planned")
    assert here.paths() == []
    report = here.json("fs", "cp", "--apply", "plan.jsonl")
    assert (report["transferred"], report["commit_id"]) == (4, here.main.head().id)
    assert here.paths() == list(FILES)
    here.error(2, "fs", "cp", "data/", here.uri, "--apply", "plan.jsonl")
    here.error(3, "fs", "cp", "--apply", "none.jsonl")
    Path("broken.jsonl").write_text("{}", encoding="utf-8")
    here.error(2, "fs", "cp", "--apply", "broken.jsonl")


def test_what_has_changed_since_the_plan_fails(here: Command) -> None:
    here("fs", "cp", "-r", "data/", here.uri, "--plan", "plan.jsonl")
    Path("data/1.csv").write_bytes(b"changed")
    assert "failed: 1.csv" in here.error(6, "fs", "sync", "--apply", "plan.jsonl")
    assert "1.csv" not in here.paths()


def test_what_is_skipped_is_named(here: Command) -> None:
    Path("data/1.csv").unlink()
    Path("data/1.csv").symlink_to("/nonexistent")
    done = here.run("fs", "cp", "-r", "data/", here.uri)
    assert done.exit_code == 0
    assert "skipped: 1.csv: " in done.stderr
    assert here.paths() == ["a/2.csv", "a/b/3.txt", "tmp/4.csv"]


UNSAFE = ["../x", "a/../../x", "/x", "//x", "a//b", "..\\x", "C:\\x", "a\x1b[31m", "a\nb", "a/.", "./x"]


def test_no_name_leads_out_of_the_directory(here: Command, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    for name in (*UNSAFE, "good/name"):
        here.main.upload("1", f"names/{name}")
    source = f"{here.uri}names/"
    done = here.run("fs", "cp", "-r", source, "out")
    assert done.exit_code == ExitCode.PARTLY_FAILED
    assert done.stderr.count("failed: ") == len(UNSAFE)
    assert "\x1b" not in done.stderr
    done = here.run("fs", "cp", "-r", source, "out", "--on-invalid", "skip")
    assert done.exit_code == 0
    assert local_files("out") == {"good/name": b"1"}
    here("fs", "cp", "-r", source, "out", "--on-invalid", "encode")
    assert len(local_files("out")) == len(UNSAFE) + 1
    assert sorted(path for path in tmp_path.rglob("*") if tmp_path / "out" not in [path, *path.parents]) == before


def test_the_options_given_are_the_arguments() -> None:
    nothing = Bulk((), (), (), False, False, False, None, False, None, False, None, None, None, None)
    assert nothing.arguments(upload=True) == {}
    every = Bulk(("a",), ("b",), ("c",), False, True, True, None, True, 3, True, None, None, "m", {"k": "v"})
    assert every.arguments(upload=True) == {
        "include": ("a",),
        "exclude": ("b",),
        "ignore_file_names": frozenset({"c"}),
        "update": "checksum",
        "follow_symlinks": True,
        "resume": False,
        "max_workers": 3,
        "dry_run": True,
        "commit_message": "m",
        "commit_metadata": {"k": "v"},
    }
