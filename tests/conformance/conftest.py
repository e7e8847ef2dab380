"""The worlds that every test here runs in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import lakefs_hl
import lakefs_hl.aio
from tests.lakes import client as client
from tests.lakes import clients as clients
from tests.lakes import real_lakefs as real_lakefs
from tests.lakes import served_lake as served_lake
from tests.worlds import PREFIXES, Settler, World, kinds, plainly


@pytest.fixture(params=[*kinds(), *PREFIXES])
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of lake, and servers that propose no namespace."""
    return str(request.param)


@pytest.fixture(params=["blocking", "awaitable"])
def world(request: pytest.FixtureRequest, kind: str, client: lakefs_hl.Client) -> Iterator[World]:
    """A lake seen through one colour."""
    if request.param == "blocking":
        here = World(kind, lakefs_hl, client, plainly)
        yield here
        here.tidy()
        return
    with asyncio.Runner() as runner:
        from lakefs_hl.aio.default import of

        here = World(kind, lakefs_hl.aio, of(client), Settler(runner))
        yield here
        here.tidy()
