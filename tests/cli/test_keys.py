"""`lakefs-hl keys`, on the directory of a lake and on its server."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import lakefs_hl
from lakefs_hl.cli.root import root
from tests import serving
from tests.cli.conftest import Command


@pytest.fixture(params=["directory", "server"])
def keyed(request: pytest.FixtureRequest, served_lake: serving.Served, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command on the keys of one lake, in its directory and through its server."""
    if request.param == "directory":
        with lakefs_hl.Client(f"local:{served_lake.folder}") as client:
            yield Command(client, ["--lake", f"local:{served_lake.folder}"])
        return
    monkeypatch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", served_lake.key)
    monkeypatch.setenv("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", served_lake.secret)
    with lakefs_hl.Client(served_lake.url) as client:
        yield Command(client, ["--lake", served_lake.url])


def test_create_use_and_delete(keyed: Command, served_lake: serving.Served) -> None:
    mine, name = keyed.repository.id, f"n-{keyed.repository.id}"
    made = keyed.json("keys", "create", "--name", name, "--read-only", "--repository", keyed.repository.uri)
    assert (made["name"], made["read_only"], made["repositories"]) == (name, True, [mine])
    with lakefs_hl.Client(served_lake.url, made["id"], made["secret_access_key"]) as client:
        assert [one.id for one in lakefs_hl.repositories(client=client)] == [mine]
        found = keyed.json("keys", "get", name)
        assert found == {field: value for field, value in made.items() if field != "secret_access_key"}
        assert found in keyed.json("keys", "list")
        assert found in keyed.lines("keys", "list", "--prefix", name)
        assert keyed.json("keys", "delete", name) == {"key": name, "deleted": True}
        with pytest.raises(lakefs_hl.exceptions.NotAuthorizedException):
            lakefs_hl.repository(mine, client=client).info()
    assert name in keyed.error(3, "keys", "get", name)
    assert name in keyed.error(3, "keys", "delete", name)


def test_text(keyed: Command) -> None:
    name = f"t-{keyed.repository.id}"
    printed = keyed("keys", "create", "--name", name)
    lines = dict(line.split(": ", 1) for line in printed.replace(":  ", ": ").splitlines() if ": " in line)
    secret = lines["Secret access key"].strip()
    assert len(secret) == 40
    assert lines["Repositories"].strip() == "all repositories"
    assert "all repositories" in keyed("keys", "get", name)
    assert keyed("keys", "list", "--prefix", name, "-q").strip() == lines["ID"].strip()
    shown = keyed("keys", "list", "--prefix", name) + keyed("keys", "get", name) + keyed("keys", "get", name, "--json")
    assert "read and write\tall repositories" in shown
    assert secret not in shown
    assert f"deleted {name}" in keyed.run("keys", "delete", name).stderr


def test_a_file_for_lakectl(keyed: Command, served_lake: serving.Served, tmp_path: Path) -> None:
    name, file = f"f-{keyed.repository.id}", tmp_path / "lakectl.yaml"
    printed = keyed.json("keys", "create", "--name", name, "-o", str(file))
    assert "secret_access_key" not in printed
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = yaml.safe_load(file.read_text())
    assert content["credentials"]["access_key_id"] == printed["id"]
    with lakefs_hl.Client(served_lake.url, *content["credentials"].values()) as client:
        assert client.health_check().user == name
    assert content.get("server", {}).get("endpoint_url") == (
        served_lake.url if keyed.lake[1] == served_lake.url else None
    )
    before = file.read_bytes()
    assert "exists" in keyed.error(5, "keys", "create", "-o", str(file))
    assert file.read_bytes() == before


def test_what_fails_leaves_no_file_and_no_key(keyed: Command, tmp_path: Path) -> None:
    name, file = f"x-{keyed.repository.id}", tmp_path / "new.yaml"
    keyed("keys", "create", "--name", name)
    for arguments, code, words in (
        (["--name", name], 5, "exists"),
        (["--name", "admin"], 5, "'admin' exists"),
        (["--name", ""], 2, "must not be empty"),
        (["--name", "a\nb"], 2, "line breaks"),
        (["--repository", "No"], 2, "lower-case"),
    ):
        assert words in keyed.error(code, "keys", "create", *arguments, "-o", str(file))
        assert not file.exists()
    before = keyed("keys", "list", "-q")
    assert "prints no secret" in keyed.error(2, "keys", "create", "-q")
    assert keyed.error(3, "keys", "create", "-o", str(tmp_path / "none" / "a"))
    assert keyed("keys", "list", "-q") == before
    assert "cannot be deleted" in keyed.error(5, "keys", "delete", "admin")


def test_a_key_whose_secret_cannot_be_printed_is_deleted(keyed: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from lakefs_hl.cli.output import Output

    before, flush = keyed("keys", "list", "-q"), Output.flush

    def closed(self: Output) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(Output, "flush", closed)
    assert keyed.run("keys", "create").exit_code == 141
    monkeypatch.setattr(Output, "flush", flush)
    assert keyed("keys", "list", "-q") == before


def test_a_lake_in_memory_and_no_lake(local: Command, tmp_path: Path) -> None:
    assert "is never served" in local.error(1, "keys", "create")
    done = CliRunner().invoke(root, ["--lake", f"local:{tmp_path / 'none'}", "keys", "create"])
    assert (done.exit_code, list(tmp_path.iterdir())) == (2, [])
