"""`lakefs-hl branch`."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Command


def test_create_list_show_and_delete(command: Command) -> None:
    head = command.main.head().id
    uri = f"{command.repository.uri}/dev"
    made = command.json("branch", "create", uri, "-s", "main")
    assert (made["id"], made["commit_id"]) == ("dev", head)
    command("branch", "create", f"{command.repository.uri}/other", "--source", command.uri)
    listed = command.json("branch", "list", command.repository.uri)
    assert [(row["id"], row["commit_id"]) for row in listed] == [(name, head) for name in ("dev", "main", "other")]
    assert command("branch", "list", command.repository.uri, "--prefix", "d") == f"dev\t{head}\n"
    assert command("branch", "list", command.repository.uri, "-q", "--after", "dev", "--amount", "1") == "main\n"
    assert f"Commit ID: {head}\n" in command("branch", "show", uri)
    assert command.json("branch", "delete", uri, "-y")["deleted"] is True
    assert not command.repository.branch("dev").exists()


def test_a_name_that_is_taken_is_a_conflict(command: Command) -> None:
    command.error(5, "branch", "create", command.uri, "-s", "main")
    command("branch", "create", command.uri, "-s", "main", "--exist-ok")


def test_missing_branches_and_sources_are_not_found(command: Command) -> None:
    for arguments in (
        ("branch", "show", f"{command.repository.uri}/none"),
        ("branch", "delete", f"{command.repository.uri}/none", "--yes"),
        ("branch", "create", f"{command.repository.uri}/dev", "-s", "none"),
    ):
        assert "none" in command.error(3, *arguments)


def test_the_default_branch_is_kept(command: Command) -> None:
    assert "default branch" in command.error(4, "branch", "delete", command.uri, "--yes")


def test_a_branch_without_a_reference_is_a_usage_error(local: Command) -> None:
    assert "names a repository" in local.error(2, "branch", "show", local.repository.uri)
    assert "names an object" in local.error(2, "branch", "show", f"{local.uri}a.csv")


def test_reset_drops_all_changes_or_some(command: Command) -> None:
    command.put(a__1_csv="1", a__2_csv="2", b__1_csv="3", ab_csv="4")
    assert "--yes" in command.error(2, "branch", "reset", command.uri)
    assert command.json("branch", "reset", command.uri, "--yes", "--object", "a/1.csv")["object"] == "a/1.csv"
    assert command.paths() == ["a/2.csv", "ab.csv", "b/1.csv"]
    command("branch", "reset", command.uri, "--yes", "--prefix", "a/")
    assert command.paths() == ["ab.csv", "b/1.csv"]
    command("branch", "reset", command.uri, "--yes")
    assert command.paths() == []
    command.error(2, "branch", "reset", command.uri, "--yes", "--prefix", "a/", "--object", "b")


def test_revert_looks_up_all_commits_first(command: Command) -> None:
    for name in ("a", "b", "c"):
        command.main.upload(name, name)
        command.main.commit(f"add {name}")
    made = command.json("branch", "revert", command.uri, "main", "main~1", "--yes")
    assert len(made) == 2
    assert command.paths() == ["a"], "main~1 is the commit before, not the revert"
    assert made[1]["parents"] == [made[0]["id"]]
    command.error(2, "branch", "revert", command.uri, "main")
    command.error(3, "branch", "revert", command.uri, "none", "--yes")


def test_a_merge_commit_is_reverted_with_a_parent_number(command: Command) -> None:
    dev = command.repository.branch("dev").create("main")
    dev.upload("1", "a")
    dev.commit("add a")
    dev.merge_into("main")
    command.error(5, "branch", "revert", command.uri, "main", "--yes")
    text = command("branch", "revert", command.uri, "main", "-m", "1", "--yes", "--message", "back", "--meta", "why=x")
    assert "    back\n" in text
    assert command.main.head().metadata() == {"why": "x"}
    assert command.paths() == []


@pytest.mark.parametrize("source", ["", "lakefs://example", "lakefs://example/main/a"])
def test_a_source_is_a_reference(local: Command, source: str) -> None:
    local.error(2, "branch", "create", f"{local.repository.uri}/dev", "-s", source)
