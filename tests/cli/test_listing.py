"""`lakefs-hl fs ls`, `find`, `glob` and `du`."""

from __future__ import annotations

import re

import pytest

from tests.cli.conftest import Command


@pytest.fixture
def tree(command: Command) -> Command:
    """A branch with objects in several directories."""
    for path, size in (("data/a.csv", 1), ("data/b.txt", 2000), ("data/x/c.csv", 3), ("data.csv", 4), ("z", 5)):
        command.main.upload(b"x" * size, path)
    return command


def test_ls_lists_what_begins_with_the_path(tree: Command) -> None:
    assert tree("fs", "ls", tree.uri, "-q").split() == ["data.csv", "data/", "z"]
    assert tree("fs", "ls", f"{tree.uri}data", "-q").split() == ["data.csv", "data/"]
    assert tree("fs", "ls", f"{tree.uri}data/", "-q").split() == ["data/a.csv", "data/b.txt", "data/x/"]
    assert tree("fs", "ls", tree.uri[:-1], "-r", "-q").split() == tree.paths()


def test_ls_prints_size_time_and_path(tree: Command) -> None:
    first, second, third = tree("fs", "ls", f"{tree.uri}data/").splitlines()
    assert re.fullmatch(r" {11}1  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  data/a\.csv", first)
    assert second.startswith("        2000  ")
    assert re.fullmatch(r" {11}-  - +data/x/", third)
    assert "     2.00 kB  " in tree("fs", "ls", "-h", f"{tree.uri}data/b.txt")


def test_ls_as_json_and_in_parts(tree: Command) -> None:
    rows = tree.json("fs", "ls", f"{tree.uri}data/")
    assert [(row["path"], row["type"]) for row in rows] == [
        ("data/a.csv", "object"),
        ("data/b.txt", "object"),
        ("data/x/", "common_prefix"),
    ]
    assert [row["path"] for row in tree.lines("fs", "ls", tree.uri, "--amount", "1", "--after", "data.csv")] == [
        "data/"
    ]


def test_ls_of_nothing_is_not_found(tree: Command) -> None:
    assert f"{tree.uri}none/" in tree.error(3, "fs", "ls", f"{tree.uri}none/")
    assert "none" in tree.error(3, "fs", "ls", f"{tree.repository.uri}/none")
    dev = tree.repository.branch("dev").create("main")
    assert tree("fs", "ls", dev.uri) == "", "an empty branch is no error"
    assert tree.json("fs", "ls", dev.uri) == []


def test_find_combines_its_options(tree: Command) -> None:
    def found(*options: str) -> list[str]:
        uris = tree("fs", "find", tree.uri, *options).split()
        assert all(uri.startswith(tree.uri) for uri in uris)
        return [uri.removeprefix(tree.uri) for uri in uris]

    assert found() == tree.paths()
    assert found("--name", "*.csv") == ["data.csv", "data/a.csv", "data/x/c.csv"]
    assert found("--name", "*.csv", "--min-size", "3") == ["data.csv", "data/x/c.csv"]
    assert found("--min-size", "1k") == ["data/b.txt"]
    assert found("--max-size", "1") == ["data/a.csv"]
    assert found("--newer", "2999-01-01") == []
    assert found("--older", "2999-01-01T00:00:00+01:00", "--amount", "2") == tree.paths()[:2]
    assert [row["uri"] for row in tree.json("fs", "find", f"{tree.uri}data/x/")] == [f"{tree.uri}data/x/c.csv"]
    for option, value in (("--min-size", "big"), ("--newer", "yesterday")):
        tree.error(2, "fs", "find", tree.uri, option, value)


def test_glob_prints_uris(tree: Command) -> None:
    assert tree("fs", "glob", f"{tree.uri}data/*.csv") == f"{tree.uri}data/a.csv\n"
    assert tree("fs", "glob", f"{tree.uri}**/*.csv", "-q").split() == ["data.csv", "data/a.csv", "data/x/c.csv"]
    assert [row["path"] for row in tree.json("fs", "glob", f"{tree.uri}data/?.*", "--amount", "1")] == ["data/a.csv"]
    assert len(tree.lines("fs", "glob", f"{tree.uri}**")) == 5
    assert tree("fs", "glob", f"{tree.uri}none*") == ""


def test_du_adds_up(tree: Command) -> None:
    assert tree("fs", "du", f"{tree.uri}data/").split() == ["2004", "3", f"{tree.uri}data/"]
    assert "2.00 kB" in tree("fs", "du", "-h", f"{tree.uri}data/")
    assert tree.json("fs", "du", tree.uri) == [{"name": tree.uri, "total_bytes": 2013, "object_count": 5}]
    by = {row["name"]: row["object_count"] for row in tree.json("fs", "du", tree.uri, "--by", "extension")}
    assert by[".csv"] == 3
    assert tree("fs", "du", tree.uri, "-q") == "2013\n"
    tree.error(3, "fs", "du", f"{tree.repository.uri}/none")
