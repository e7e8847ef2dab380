"""The awaitable client: the settings, errors and life of the blocking one."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import traceback
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl._handles.calls import Pages
from lakefs_hl.aio.default import default_client, of
from lakefs_hl.config import chain
from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.paging import Page
from lakefs_hl.spec import models
from tests.transport.peers import Asked, Peer, answer, answering

T = TypeVar("T")
KEY, SECRET = "AKIAEXAMPLE0", "SECRET-that-nobody-may-see"
JSON = {"content_type": "application/json"}


@pytest.fixture(autouse=True)
def _nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No home, no AWS role, no default client; none is left behind."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(chain, "_has_boto3", lambda: False)
    for module in (lakefs_hl, aio):
        monkeypatch.delitem(vars(module), "DefaultClient", raising=False)
    yield
    for module in (lakefs_hl, aio):
        vars(module).pop("DefaultClient", None)


def lakefs(asked: Asked) -> bytes:
    if asked.target.endswith("/healthcheck"):
        return answer(status="204 No Content")
    if not asked.headers.get("authorization", "").startswith("Basic"):
        return answer(b'{"message":"error authenticating request"}', "401 Unauthorized", **JSON)
    if asked.target.endswith("/config/storage"):
        return answer(b'{"blockstore_type":"s3"}', **JSON)
    return answer(b'{"version":"1.2.3"}', **JSON)


@pytest.fixture
def server() -> Iterator[Peer]:
    with answering(lakefs) as found:
        yield found


@pytest.fixture
def client(server: Peer) -> aio.Client:
    return aio.Client(server.url, KEY, SECRET)


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(main, 30))


def test_making_a_client_needs_no_loop_and_sends_nothing(client: aio.Client, server: Peer) -> None:
    assert client.explain_auth()[0].value == server.url == client.endpoint
    assert server.connections == 0

    async def main() -> tuple[str, str]:
        health = await client.health_check()
        assert health[:4] == (True, "1.2.3", True, None)
        return await client.version, (await client.storage_config).blockstore_type

    assert run(main()) == ("1.2.3", "s3")


def test_b6_68_one_client_in_many_loops(client: aio.Client) -> None:
    async def main() -> list[str]:
        async def ask() -> str:
            return await client.version

        return await asyncio.gather(*(ask() for _ in range(20)))

    for _ in range(3):
        assert run(main()) == ["1.2.3"] * 20


def test_entered_nested_and_used_afterwards(client: aio.Client) -> None:
    async def main() -> str:
        async with client as one, client as two:
            assert one is two is client
            await client.version
        await client.close()
        return await client.version

    assert run(main()) == "1.2.3"


def test_a_traceback_is_short(server: Peer) -> None:
    client = aio.Client(server.url, access_token="wrong")

    async def call_it() -> None:
        await client.version

    with pytest.raises(exceptions.NotAuthorizedException) as caught:
        run(call_it())
    names = [entry.name for entry in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-3:] == ["call_it", "version", "_run"]


def test_a_listing_that_fails_says_so_in_short() -> None:
    def broken(after: str, amount: int, /) -> Op[Page[models.ObjectStats]]:
        yield from sleep(0.0, 0.0)
        raise exceptions.NotFoundException("repository not found")

    client = aio.Client("http://127.0.0.1:1", KEY, SECRET)

    async def call_it() -> None:
        async for _ in client._list(str, lambda _: Pages(broken, "", None)):
            pass

    with pytest.raises(exceptions.NotFoundException) as caught:
        run(call_it())
    names = [entry.name for entry in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-2:] == ["call_it", "_pages"]


def test_the_default_client_is_that_of_the_blocking_face_unless_init_was_called(server: Peer) -> None:
    assert aio.DefaultClient is None
    with pytest.raises(exceptions.NoAuthenticationFound):
        aio.init()
    shared = lakefs_hl.init(server.url, KEY, SECRET)
    assert default_client()._blocking is shared._blocking
    assert default_client() is default_client()
    mine = aio.init(server.url, KEY, "other")
    assert default_client() is mine
    assert lakefs_hl.DefaultClient is shared


def test_equal_pickled_copied_and_shown(client: aio.Client, server: Peer) -> None:
    carries = aio.Client(server.url, KEY, SECRET, pickle_secrets=True).with_options(timeout=5)
    twin = pickle.loads(pickle.dumps(carries))
    assert twin == carries == client.with_options(timeout=5) != client
    assert hash(client) == hash(aio.Client(server.url, KEY, SECRET))
    assert run(_version(twin)) == "1.2.3"
    assert copy.copy(client) is copy.deepcopy(client) is client
    assert repr(client) == f"<aio.Client {server.url} as access key AKIA… and its secret>"
    for text in (repr(client), client._repr_html_()):
        assert SECRET not in text
    assert client != lakefs_hl.Client(server.url, KEY, SECRET)
    assert of(lakefs_hl.Client(server.url, KEY, SECRET)) == client


async def _version(client: aio.Client) -> str:
    return await client.version


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_b6_64_fork(client: aio.Client) -> None:
    assert run(_version(client)) == "1.2.3"
    child = os.fork()
    if child == 0:  # no assertion may escape here: the child would go on as a second pytest
        good = False
        try:
            good = run(_version(client)) == "1.2.3"
        finally:
            os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert run(_version(client)) == "1.2.3"


def test_a_lake_in_process() -> None:
    async def main() -> tuple[bytes, list[str]]:
        client = aio.Client("mem://")
        branch = (await aio.repository("example", client=client).create()).branch("main")
        await branch.upload(b"data", "a")
        return await branch.download("a"), [one.path async for one in branch.list_objects()]

    assert run(main()) == (b"data", ["a"])
