"""Where a test of behaviour runs: in process, over a served lake, on a lakeFS server; in both colours.

A test is written once, in the blocking style: `Settled` makes an awaitable object look like the blocking one, by
running what has to be awaited to its end. Everything it calls is the awaitable face itself.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

import lakefs_hl
import lakefs_hl.aio
from lakefs_hl import exceptions
from lakefs_hl._files.awaitable import AsyncFile, Opening
from tests import containers

#: Endpoint of a lakeFS server to run on, and the names of its key pair. It wins over a server in a container.
ENDPOINT = "LAKEFS_HL_TEST_ENDPOINT"
KEYS = ("LAKEFS_HL_TEST_ACCESS_KEY_ID", "LAKEFS_HL_TEST_SECRET_ACCESS_KEY")
#: Prefix of the storage namespaces of new repositories on that server, such as `s3://bucket/tests`. Needed for a server
#: without `default_namespace_prefix`.
NAMESPACE = "LAKEFS_HL_TEST_STORAGE_NAMESPACE"
#: Hosts of that server's object store, separated by commas, if it is at a private or loopback address and the server
#: signs URLs: such as `127.0.0.1:9000`. Clients follow URLs to such addresses only where this is allowed.
STORAGE_HOSTS = "LAKEFS_HL_TEST_STORAGE_HOSTS"
#: The kind of world that is a lakeFS server.
REAL = "real lakeFS"
#: Kinds of worlds whose server proposes no namespace, and the prefix that their repositories get.
PREFIXES = {"no namespace": "local://data/tests", "S3 store": "s3://bucket/tests"}


def given_lakefs() -> tuple[str, str, str] | None:
    """Return the endpoint and key pair of the lakeFS server that the environment names, if it does."""
    endpoint, *keys = found = [os.environ.get(name, "") for name in (ENDPOINT, *KEYS)]
    if not endpoint:
        return None
    missing = [name for name, value in zip(KEYS, keys, strict=True) if not value]
    assert not missing, f"{ENDPOINT} is set, and {missing} is not"
    return found[0], found[1], found[2]


def storage_hosts() -> list[str]:
    """Return the hosts that the clients of a lakeFS server allow in pre-signed URLs whatever their address is."""
    named = os.environ.get(STORAGE_HOSTS, "") if given_lakefs() else ""
    return [host for host in named.split(",") if host]


def why_not_real() -> str:
    """Return why no test runs on a lakeFS server; "" if they do."""
    if given_lakefs() or not containers.reason():
        return ""
    return f"{ENDPOINT} is not set, and {containers.reason()}"


def namespace(kind: str, name: str) -> str | None:
    """Return the storage namespace of a new repository; None leaves it to the server."""
    prefix = os.environ.get(NAMESPACE, "") if kind == REAL and given_lakefs() else PREFIXES.get(kind, "")
    return f"{prefix.rstrip('/')}/{name}" if prefix else None


def kinds() -> list[Any]:
    """Return the parameters of the fixture `kind`."""
    found: list[Any] = ["in process", "served"]
    if given_lakefs():
        found.append(REAL)
    elif not why_not_real():
        # one worker has all of them, so that one container is started; pulling its image takes minutes
        marks = [pytest.mark.xdist_group(REAL), pytest.mark.timeout(600)]
        found.append(pytest.param(REAL, marks=marks))
    return found


@dataclass
class World:
    """One lake, one client, one colour."""

    kind: str
    module: ModuleType
    client: Any
    settle: Callable[[Any], Any]
    made: list[Any] = field(default_factory=list)

    @property
    def awaitable(self) -> bool:
        return self.module is lakefs_hl.aio

    def repository(self, name: str) -> Any:
        return self.settle(self.module.repository(name, client=self.client))

    def repositories(self, *args: Any, **kwargs: Any) -> Any:
        return self.settle(self.module.repositories(*args, client=self.client, **kwargs))

    def make(self, kind: str, *args: Any, **kwargs: Any) -> Any:
        """An object of a public class, with this world's client after the positional arguments."""
        return self.settle(getattr(self.module, kind)(*args, self.client, **kwargs))

    def fresh(self) -> Any:
        """Create a repository, which is deleted when the test ends."""
        repository = self.repository(self.name())
        repository.create(namespace(self.kind, repository.id))
        self.made.append(repository)
        return repository

    def place(self, repository: Any) -> str | None:
        """The storage namespace of a new repository."""
        return namespace(self.kind, repository.id)

    def name(self) -> str:
        return f"t-{secrets.token_hex(8)}"

    def tidy(self) -> None:
        for repository in self.made:
            with suppress(exceptions.NotFoundException):  # the test itself has deleted it
                repository.delete(force=True)


def plainly(value: Any) -> Any:
    """Return the value: a blocking call has nothing to await."""
    return value


class Settler:
    """Awaits values, on a loop of its own."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner

    def run(self, awaitable: Any) -> Any:
        async def wait() -> Any:
            return await awaitable

        return self._runner.run(wait())

    def __call__(self, value: Any) -> Any:
        if inspect.isawaitable(value):
            value = self.run(value)
        if hasattr(value, "__anext__") and not hasattr(value, "readline"):
            return self._all(value)
        if type(value).__module__.startswith(("lakefs_hl.aio", "lakefs_hl.facades.aio")) or isinstance(
            value, AsyncFile | Opening
        ):
            return Settled(value, self)
        return value

    def _all(self, items: Any) -> Iterator[Any]:
        while True:
            try:
                yield self(self.run(anext(items)))
            except StopAsyncIteration:
                return


class Settled:
    """An awaitable object in the blocking style."""

    def __init__(self, target: Any, settle: Settler) -> None:
        self._target = target
        self._settle = settle

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if not inspect.ismethod(value):
            return self._settle(value)

        def call(*args: Any, **kwargs: Any) -> Any:
            given = {key: bare(argument) for key, argument in kwargs.items()}
            return self._settle(value(*map(bare, args), **given))

        return call

    def __enter__(self) -> Any:
        return self._settle(self._target.__aenter__())

    def __exit__(self, *error: object) -> Any:
        return self._settle.run(self._target.__aexit__(*error))

    def __iter__(self) -> Iterator[Any]:
        return self._settle._all(aiter(self._target))

    def __getitem__(self, key: Any) -> Any:
        return self._settle(self._target[key])

    def __contains__(self, key: object) -> bool:
        return key in self._target

    def __eq__(self, other: object) -> bool:
        return bool(self._target == bare(other))

    def __hash__(self) -> int:
        return hash(self._target)

    def __repr__(self) -> str:
        return repr(self._target)


def bare(value: Any) -> Any:
    """The object itself, for handing it to its own kind."""
    if isinstance(value, Settled):
        return value._target
    if isinstance(value, list):
        return [bare(item) for item in value]
    return value
