"""The client of a handle: its own, or the default client of each call, with options of its own."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator

import pytest

from lakefs_hl import aio, exceptions
from lakefs_hl.aio.of_default import OfDefault, client_of


@pytest.fixture
def default(monkeypatch: pytest.MonkeyPatch) -> Iterator[aio.Client]:
    client = aio.Client("mem://")
    monkeypatch.setitem(vars(aio), "DefaultClient", client)
    yield client
    asyncio.run(client.close())


def test_a_handle_uses_its_own_client_else_the_default(default: aio.Client) -> None:
    own = aio.Client("mem://")
    assert client_of(own) is own
    assert client_of(None) is default
    asyncio.run(own.close())


def test_options_follow_the_default_client_of_each_call(default: aio.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    given = OfDefault({"timeout": 5})
    first = client_of(given)
    assert first is client_of(given)
    assert first._transport is default._transport
    assert (first.endpoint, given.endpoint) == (default.endpoint, default.endpoint)
    other = aio.Client("mem://")
    monkeypatch.setitem(vars(aio), "DefaultClient", other)
    assert client_of(given)._transport is other._transport
    asyncio.run(other.close())


def test_options_are_compared_added_and_pickled_without_a_client() -> None:
    given = OfDefault({"timeout": 5})
    assert given == OfDefault({"timeout": 5}) != OfDefault({"timeout": 6})
    assert hash(given) == hash(OfDefault({"timeout": 5}))
    assert given._with({"retries": 0}) == OfDefault({"timeout": 5, "retries": 0})
    assert pickle.loads(pickle.dumps(given)) == given
    assert "timeout=5" in repr(given)


def test_a_wrong_option_is_refused_at_once() -> None:
    with pytest.raises(exceptions.InvalidConfigError, match="timeout"):
        OfDefault({"timeout": -1})


def test_without_credentials_a_call_has_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(aio), "DefaultClient", None)
    with pytest.raises(exceptions.NoAuthenticationFound):
        client_of(None)
