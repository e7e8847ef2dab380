"""`lakefs-hl commit`, `log`, `diff` and `merge`."""

from __future__ import annotations

import re

import pytest

from tests.cli.conftest import Command


@pytest.fixture
def history(command: Command) -> Command:
    """A repository with a commit for each of three files."""
    for name in ("a/1.csv", "a/2.csv", "b/1.csv"):
        command.main.upload(name, name)
        command.main.commit(f"add {name}")
    return command


def test_commit_prints_the_commit(command: Command) -> None:
    command.put(a_csv="1")
    text = command("commit", command.uri, "-m", "two\nlines", "--meta", "a=b", "--meta", "c=d=e")
    head = command.main.head()
    assert head.metadata() == {"a": "b", "c": "d=e"}
    assert f"ID:      {head.id}\n" in text
    assert "    two\n    lines\n" in text
    assert "    c = d=e\n" in text
    assert re.search(r"^Date:    \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", text, re.MULTILINE)


def test_commit_as_json_and_quiet(command: Command) -> None:
    command.put(a_csv="1")
    made = command.json("commit", command.uri, "-m", "first", "--date", "2026-01-31T12:00:00Z")
    assert (made["message"], made["creation_date"]) == ("first", "2026-01-31T12:00:00Z")
    assert made["id"] == command.main.head().id
    quiet = command("commit", command.uri, "-m", "none", "--allow-empty-commit", "-q")
    assert quiet == f"{command.main.head().id}\n"


def test_a_commit_needs_changes_and_a_message(command: Command) -> None:
    assert "no changes" in command.error(1, "commit", command.uri, "-m", "nothing")
    command.put(a_csv="1")
    assert "-m MESSAGE" in command.error(2, "commit", command.uri)
    assert "KEY=VALUE" in command.error(2, "commit", command.uri, "-m", "x", "--meta", "pair")
    assert command.main.list_uncommitted().to_list()


def test_log_lists_commits(history: Command) -> None:
    messages = [row["message"] for row in history.json("log", history.uri)]
    assert messages == ["add b/1.csv", "add a/2.csv", "add a/1.csv", "Repository created"]
    assert [row["message"] for row in history.lines("log", history.uri, "--amount", "2")] == messages[:2]
    ids = history("log", history.uri, "-q").split()
    assert ids[0] == history.main.head().id
    assert history("log", history.uri, "-q", "--after", ids[0], "--amount", "1").split() == ids[1:2]
    assert history("log", history.uri, "-q", "--objects", "a/1.csv,b/1.csv").split() == [ids[0], ids[2]]
    assert history("log", history.uri, "-q", "--prefixes", "a/").split() == ids[1:3]
    assert history("log", history.uri, "-q", "--stop-at", ids[1]).split() == ids[:2]
    assert history("log", history.uri, "-q", "--since", "2999-01-01") == ""
    assert history("log", history.uri).count("ID:      ") == 4


def test_log_leaves_out_merges(history: Command) -> None:
    dev = history.repository.branch("dev").create("main~1")
    dev.upload("x", "x")
    dev.commit("add x")
    dev.merge_into("main", message="merge dev")
    assert "Merge:   " in history("log", history.uri, "--amount", "1")
    rows = history.json("log", history.uri, "--no-merges", "--amount", "2")
    assert {row["message"] for row in rows} == {"add x", "add b/1.csv"}
    first = history.json("log", history.uri, "--first-parent", "--amount", "2")
    assert [row["message"] for row in first] == ["merge dev", "add b/1.csv"]


def test_a_missing_reference_is_not_found(command: Command) -> None:
    uri = f"{command.repository.uri}/none"
    for arguments in (("log", uri), ("diff", command.uri, uri), ("commit", uri, "-m", "x")):
        assert "none" in command.error(3, *arguments)


def test_diff_of_uncommitted_changes(history: Command) -> None:
    assert history("diff", history.uri, "--exit-code") == ""
    history.main.upload("new", "a/1.csv")
    history.main.upload("new", "c.csv")
    history.main.delete_objects("b/1.csv")
    text = history("diff", history.uri)
    assert text == "~ modified a/1.csv\n- removed b/1.csv\n+ added c.csv\n"
    assert history("diff", history.uri, "--exit-code", "-q", code=8) == "a/1.csv\nb/1.csv\nc.csv\n"
    assert [row["type"] for row in history.json("diff", history.uri, "--prefix", "a/")] == ["changed"]
    assert len(history.lines("diff", history.uri, "--amount", "2")) == 2
    history.error(2, "diff", history.uri, "--two-way")


def test_diff_of_two_references(history: Command) -> None:
    dev = history.repository.branch("dev").create("main~1")
    dev.upload("x", "x/y.csv")
    dev.commit("add x")
    assert history("diff", history.uri, dev.uri) == "+ added x/y.csv\n"
    assert history("diff", history.uri, dev.uri, "--two-way") == "- removed b/1.csv\n+ added x/y.csv\n"
    assert history("diff", history.uri, dev.uri, "--after", "x/y.csv", "--exit-code") == ""
    history.error(8, "diff", history.uri, dev.uri, "--exit-code")
    assert "different repositories" in history.error(2, "diff", history.uri, "lakefs://another/main")


def test_merge_prints_the_merge_commit(history: Command) -> None:
    dev = history.repository.branch("dev").create("main")
    dev.upload("x", "x.csv")
    dev.commit("add x")
    made = history.json("merge", dev.uri, history.uri, "-m", "merged", "--meta", "a=b")
    assert (made["message"], made["metadata"]["a"], len(made["parents"])) == ("merged", "b", 2)
    assert history.main.head().id == made["id"]
    history.error(1, "merge", dev.uri, history.uri)
    assert history("merge", dev.uri, history.uri, "--allow-empty", "-q") == f"{history.main.head().id}\n"


def test_a_merge_conflict_names_the_paths(history: Command) -> None:
    dev = history.repository.branch("dev").create("main")
    for branch in (dev, history.main):
        branch.upload(branch.id, "a/1.csv")
        branch.commit("change a/1.csv")
    assert "conflict: a/1.csv" in history.error(5, "merge", dev.uri, history.uri)
    history("merge", dev.uri, history.uri, "--strategy", "source-wins", "--squash")
    assert history.main.download("a/1.csv") == b"dev"
    assert len(history.main.head().parents) == 1


def test_a_merge_into_uncommitted_changes_is_a_conflict(history: Command) -> None:
    dev = history.repository.branch("dev").create("main")
    dev.upload("x", "x.csv")
    dev.commit("add x")
    history.main.upload("dirty", "d.csv")
    assert "uncommitted" in history.error(5, "merge", dev.uri, history.uri)
    history.error(2, "merge", dev.uri, "lakefs://another/main")
