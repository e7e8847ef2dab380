"""`lakefs-hl repo`."""

from __future__ import annotations

import secrets

import lakefs_hl
from tests.cli.conftest import Command


def test_create_info_list_and_delete(command: Command) -> None:
    name = f"made-{secrets.token_hex(4)}"
    uri = f"lakefs://{name}"
    made = command.json("repo", "create", uri, "-d", "trunk")
    assert (made["id"], made["default_branch"], made["read_only"]) == (name, "trunk", False)
    assert "Default branch:    trunk\n" in command("repo", "info", uri)
    lakefs_hl.repository(name, client=command.client).set_metadata({"owner": "me"})
    assert command.json("repo", "info", uri)["metadata"] == {"owner": "me"}
    assert command("repo", "list", "--prefix", name) == f"{uri}\n"
    assert command("repo", "list", "--prefix", name, "-q") == f"{name}\n"
    assert command.json("repo", "list", "--search", name) == [{"id": name, "uri": uri}]
    assert len(command.lines("repo", "list", "--amount", "1")) == 1
    assert command.json("repo", "delete", uri, "--yes") == {"uri": uri, "deleted": True}
    assert command("repo", "list", "--prefix", name) == ""


def test_an_existing_repository_is_a_conflict(command: Command) -> None:
    uri = command.repository.uri
    assert command.repository.id in command.error(5, "repo", "create", uri)
    assert command("repo", "create", uri, "--exist-ok", "-q") == f"{command.repository.id}\n"


def test_a_repository_that_is_not_empty_is_kept_without_force(command: Command) -> None:
    command.put(a_txt="1")
    uri = command.repository.uri
    assert "force" in command.error(5, "repo", "delete", uri, "--yes")
    assert command.repository.exists()
    command("repo", "delete", uri, "--yes", "--force")
    assert not command.repository.exists()


def test_a_delete_is_confirmed(local: Command) -> None:
    assert "--yes" in local.error(2, "repo", "delete", local.repository.uri)
    assert local.repository.exists()


def test_samples_are_committed(local: Command) -> None:
    uri = f"lakefs://samples-{secrets.token_hex(4)}"
    local("repo", "create", uri, "--sample-data")
    assert local("fs", "ls", f"{uri}/main/") != ""


def test_a_missing_repository_is_not_found(command: Command) -> None:
    assert "lakefs://no-such" in command.error(3, "repo", "info", "lakefs://no-such")
    assert command.error(3, "repo", "delete", "lakefs://no-such", "--yes")
