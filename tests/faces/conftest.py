"""A branch of a new repository on each kind of lake, and a client whose requests are counted."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lakefs_hl
from lakefs_hl.spec.wire import FileSlice, Request, Response
from lakefs_hl.transport.base import Transport
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.scope import Scope
from tests.drawing import deselect, repeats
from tests.lakes import client as client
from tests.lakes import clients as clients
from tests.lakes import kind as kind
from tests.lakes import real_lakefs as real_lakefs
from tests.lakes import served_lake as served_lake
from tests.worlds import namespace

Change = Callable[[Request, Response], Response]


class Tap:
    """A transport that notes each request and may change an answer; to a file it looks like one over a network."""

    fan_out = 4

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.requests: list[Request] = []
        self.change: Change | None = None
        self.refuse: Callable[[Request], None] | None = None

    def send(self, request: Request, scope: Scope | None = None, within: float | None = None) -> Response:
        self.requests.append(request)
        if self.refuse is not None:
            self.refuse(request)
        response = self._inner.send(request, scope, within)
        if self.change is None:
            return response
        response = self.change(request, response)
        if request.sink is not None and request.digest:
            hash_again(request, response)
        return response

    def close(self) -> None:
        self._inner.close()

    def operations(self) -> list[str]:
        return [request.endpoint.operation for request in self.requests]

    def reads(self) -> int:
        return self.operations().count("getObject")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run each test on one lake. `tests/conformance` runs on all of them in each run."""
    here = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    left_out = repeats(here, config.option.hypothesis_seed, "kind")
    deselect(config, items, left_out.__contains__)


def hash_again(request: Request, response: Response) -> None:
    """Give a response the hash of what its sink has now, as if it had come so."""
    digest, sink, filled = request.digest, request.sink, response.filled
    hashed = digest.copy() if not isinstance(digest, bool) else hashlib.md5(usedforsecurity=False)
    if isinstance(sink, FileSlice):
        hashed.update(os.pread(sink.fd, filled, sink.offset))
    elif sink is not None:
        hashed.update(sink[:filled])
    response.hashed, response.md5 = hashed, hashed.hexdigest()


@pytest.fixture
def branch(client: lakefs_hl.Client, kind: str) -> Iterator[lakefs_hl.Branch]:
    """`main` of a new repository, on each kind of lake."""
    name = f"t-{secrets.token_hex(8)}"
    repository = lakefs_hl.repository(name, client=client).create(namespace(kind, name))
    yield repository.branch("main")
    repository.delete(force=True)


@pytest.fixture
def tap(lake_branch: lakefs_hl.Branch) -> Tap:
    """The transport under `tapped`."""
    client = lake_branch._client
    lakefs_hl.ServerConfiguration(client).storage_config().pre_sign_support()  # asked for once per client, not counted
    return Tap(client._transport)


@pytest.fixture
def tapped(lake_branch: lakefs_hl.Branch, tap: Tap) -> lakefs_hl.Branch:
    """The branch of a test's own lake, as over a network, through `tap`."""
    client = lake_branch._client.with_options()
    client._session.storage = lake_branch._client._session.storage
    client._driver = client._blocking = Blocking(tap)
    client._transport = tap
    client._in_process = False
    return lakefs_hl.repository(lake_branch.repository_id, client=client).branch("main")
