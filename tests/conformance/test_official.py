"""T2b: our calls and the official client's on one served lake, compared after every step."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from lakefs_sdk.client import LakeFSClient  # noqa: TC002 - hypothesis reads the hints

import lakefs_hl
import lakefs_hl.aio
from tests.conformance.official import Ours, Step, Theirs, generated, play, programs
from tests.serving import Served
from tests.worlds import Settler, World, plainly

#: Programs per colour.
PROGRAMS, STEPS = 5, 25


@pytest.fixture(scope="module")
def sdk(served_lake: Served) -> Iterator[LakeFSClient]:
    with generated(served_lake.url, served_lake.key, served_lake.secret) as made:
        yield made


@pytest.fixture(scope="module", params=["blocking", "awaitable"])
def colour(request: pytest.FixtureRequest, served_lake: Served) -> Iterator[World]:
    client = lakefs_hl.Client(served_lake.url, served_lake.key, served_lake.secret)
    if request.param == "blocking":
        with client:
            yield World("served", lakefs_hl, client, plainly)
        return
    with asyncio.Runner() as runner:
        awaitable = lakefs_hl.aio.Client(served_lake.url, served_lake.key, served_lake.secret)
        settler = Settler(runner)
        yield World("served", lakefs_hl.aio, awaitable, settler)
        settler.run(awaitable.close())
        client.close()


def compare(program: list[Step], world: World, sdk: LakeFSClient) -> None:
    """Runs one program on both sides, each in a new repository."""
    names = [f"p-{secrets.token_hex(6)}-{side}" for side in ("ours", "theirs")]
    for name in names:
        world.repository(name).create()
    play(program, Ours(world, names[0]), Theirs(sdk, names[1]))
    for name in names:
        world.repository(name).delete(force=True)


#: Not shrunk: each try of a program is some hundred requests.
@settings(max_examples=PROGRAMS, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(program=programs(STEPS))
def test_both_clients_tell_the_same(program: list[Step], colour: World, sdk: LakeFSClient) -> None:
    compare(program, colour, sdk)
