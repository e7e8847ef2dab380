"""The functions of the package make what they promise, and send no request."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import aio
from lakefs_hl.aio import entry
from lakefs_hl.aio.default import of


@pytest.mark.parametrize("name", ["init", "repository", "repositories"])
def test_a_function_belongs_to_the_public_package(name: str) -> None:
    assert getattr(aio, name) is getattr(entry, name)
    assert getattr(entry, name).__module__ == "lakefs_hl.aio"


def test_init_takes_the_options_of_a_client() -> None:
    given = inspect.signature(entry.init).parameters
    wanted = inspect.signature(aio.Client).parameters
    assert list(given) == list(wanted)
    assert [one.default for one in given.values()] == [one.default for one in wanted.values()]


def test_init_makes_the_default_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(aio), "DefaultClient", None)
    made = entry.init("mem://")
    assert vars(aio)["DefaultClient"] is made
    asyncio.run(made.close())


def test_a_repository_is_made_without_a_request(mocker: MockerFixture, lake: lakefs_hl.Client) -> None:
    send = mocker.spy(type(lake._transport), "send")
    repo = entry.repository("example", client=of(lake))
    assert (type(repo), repo.id) == (aio.Repository, "example")
    listing = entry.repositories(client=of(lake))
    send.assert_not_called()
    assert asyncio.run(listing.to_list()) == []
    send.assert_called_once()
