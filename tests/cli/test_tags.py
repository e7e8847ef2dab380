"""`lakefs-hl tag`."""

from __future__ import annotations

from tests.cli.conftest import Command


def test_create_list_show_and_delete(command: Command) -> None:
    first = command.main.head().id
    uri = f"{command.repository.uri}/v1"
    assert command.json("tag", "create", uri, "main")["commit_id"] == first
    command("tag", "create", f"{command.repository.uri}/v2", command.uri, "-q")
    assert [row["id"] for row in command.json("tag", "list", command.repository.uri)] == ["v1", "v2"]
    assert command("tag", "list", command.repository.uri, "--amount", "1") == f"v1\t{first}\n"
    assert command("tag", "list", command.repository.uri, "--after", "v1", "--prefix", "v", "-q") == "v2\n"
    assert f"Commit ID: {first}\n" in command("tag", "show", uri)
    assert command.json("tag", "delete", uri) == {"uri": f"{uri}/", "deleted": True}
    assert not command.repository.tag("v1").exists()


def test_a_tag_moves_only_by_force(command: Command) -> None:
    uri = f"{command.repository.uri}/v1"
    command("tag", "create", uri, "main")
    command.put(a_csv="1")
    new = command.main.commit("more").id
    command.error(5, "tag", "create", uri, "main")
    assert command.json("tag", "create", uri, "main", "--force")["commit_id"] == new
    assert command.json("tag", "create", uri, "v1~1", "-f")["commit_id"] != new, "an expression of the tag itself"


def test_a_missing_source_deletes_no_tag(command: Command) -> None:
    uri = f"{command.repository.uri}/v1"
    command("tag", "create", uri, "main")
    command.error(3, "tag", "create", uri, "none", "-f")
    assert command.repository.tag("v1").exists()


def test_a_missing_tag_is_not_found(command: Command) -> None:
    for verb in ("show", "delete"):
        assert "v9" in command.error(3, "tag", verb, f"{command.repository.uri}/v9")
