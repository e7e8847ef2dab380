"""Lakes for the tests of libraries: embedded, served over loopback, and a lakeFS server if there is one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from tests import serving
from tests.lakes import real_lakefs, served_lake
from tests.worlds import REAL, kinds, namespace, storage_hosts

__all__ = ["real_lakefs", "served_lake"]


@dataclass
class Lake:
    """A lake, and how `lakefs://` finds it.

    Attributes:
        kind: "embedded", "served" or "real lakeFS".
        client: Its client, which is the default client too while the test runs.
        options: The `storage_options` that name this lake to fsspec in any process.
        branch: The branch `main` of a new repository.
    """

    kind: str
    client: lakefs_hl.Client
    options: dict[str, Any] = field(repr=False)
    branch: lakefs_hl.Branch

    @property
    def uri(self) -> str:
        """`lakefs://<repository>/main`, without a slash at the end."""
        return f"lakefs://{self.branch.repository_id}/main"

    def new_branch(self) -> lakefs_hl.Branch:
        """Return the branch `main` of another new repository."""
        return create(self.kind, self.client)


def create(kind: str, client: lakefs_hl.Client) -> lakefs_hl.Branch:
    """Return the branch `main` of a new repository."""
    name = f"eco-{secrets.token_hex(6)}"
    repository = lakefs_hl.repository(name, client=client)
    return repository.create(storage_namespace=namespace(kind, name)).branch("main")


@pytest.fixture(params=["embedded", *(given for given in kinds() if given != "in process")])
def lake(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """A lake of each kind, with its client as the default client."""
    monkeypatch.setitem(lakefs_hl.__dict__, "DefaultClient", None)
    kind = str(request.param)
    if kind == "embedded":
        arguments: dict[str, Any] = {"host": f"local:{tmp_path / 'lake'}"}
        client = lakefs_hl.init(arguments["host"])
    elif kind == "served":
        served: serving.Served = request.getfixturevalue("served_lake")
        arguments = {"host": served.url, "username": served.key, "password": served.secret}
        client = lakefs_hl.init(*arguments.values())
    else:
        assert kind == REAL
        given: tuple[str, str, str] = request.getfixturevalue("real_lakefs")
        arguments = dict(zip(("host", "username", "password"), given, strict=True))
        client = lakefs_hl.init(*given, allowed_storage_hosts=storage_hosts())
    yield Lake(kind, client, arguments, create(kind, client))
    client.close()
