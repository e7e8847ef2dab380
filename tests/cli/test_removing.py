"""`lakefs-hl fs rm`."""

from __future__ import annotations

from tests.cli.conftest import Command


def test_objects_are_deleted(command: Command) -> None:
    command.put(a_csv="1", b_csv="2", c_csv="3")
    done = command.json("fs", "rm", f"{command.uri}a.csv", f"{command.uri}b.csv")
    assert [(row["uri"], row["requested"]) for row in done] == [
        (f"{command.uri}a.csv", 1),
        (f"{command.uri}b.csv", 1),
    ]
    assert command.paths() == ["c.csv"]
    assert "a.csv" in command.error(3, "fs", "rm", f"{command.uri}a.csv")


def test_a_prefix_needs_recursive(command: Command) -> None:
    command.put(d__1_csv="1", d__e__2_csv="2", dd_csv="3")
    for uri in (f"{command.uri}d", f"{command.uri}d/"):
        assert "-r" in command.error(2, "fs", "rm", uri)
    planned = command.json("fs", "rm", "-r", "--dry-run", f"{command.uri}d")
    assert [row["path"] for row in planned] == ["d/1.csv", "d/e/2.csv"]
    assert command("fs", "rm", "--dry-run", f"{command.uri}dd.csv") == f"delete {command.uri}dd.csv\n"
    assert len(command.paths()) == 3
    assert command("fs", "rm", "-r", "-C", "2", f"{command.uri}d") == f"deleted 2 objects of {command.uri}d\n"
    assert command.paths() == ["dd.csv"]


def test_a_whole_branch_is_confirmed(command: Command) -> None:
    command.put(a_csv="1", d__b_csv="2")
    assert "-r" in command.error(2, "fs", "rm", command.uri)
    assert "--yes" in command.error(2, "fs", "rm", "-r", command.uri)
    assert len(command.paths()) == 2
    command("fs", "rm", "-r", "--yes", command.uri)
    assert command.paths() == []


def test_a_commit_is_not_changed(command: Command) -> None:
    command.put(a_csv="1")
    commit = command.main.commit("a")
    assert command.run("fs", "rm", f"{command.repository.uri}/{commit.id}/a.csv").exit_code not in {0, 3}
