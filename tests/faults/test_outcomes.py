"""After a lost response: changes by others are kept, also on a busy branch; an outage causes few retries."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

import lakefs_hl
import lakefs_hl.aio
from lakefs_hl.exceptions import ServerErrorException
from tests.faults.catalogue import KINDS
from tests.faults.matrix import COLOURS, QUICK, Case, meeting, run, run_all
from tests.faults.operations import OPERATIONS, OTHER, Ground, Operation, Place
from tests.faults.proxy import Proxy, Reply, Turn, proxied
from tests.serving import Served

BY_NAME = {operation.name: operation for operation in OPERATIONS}
#: Calls that would undo, sent twice, what others did in between.
UNDOING = (
    "delete an object",
    "delete objects",
    "delete a branch",
    "delete a tag",
    "delete a repository",
    "hard reset",
    "move: its deletion",
    "reset",
)
#: Calls that leave a commit, and what is searched for after a lost answer.
LEAVING = ("commit", "merge", "revert", "cherry-pick")
#: More than a page of the log that a client would look at out of politeness.
BUSY = 150
CALLS = 1000
#: Requests per call that a total outage may cost.
MOST_PER_CALL = 1.25


@pytest.fixture
def ground(direct: lakefs_hl.Client, tmp_path: Path) -> Ground:
    return Ground(direct, f"outcomes-{secrets.token_hex(4)}", tmp_path)


@pytest.mark.parametrize("foreign", [False, True], ids=["own server", "foreign server"])
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("operation", [BY_NAME[name] for name in UNDOING], ids=lambda operation: operation.name)
def test_changes_by_others_after_a_lost_response_are_kept(
    operation: Operation, colour: str, foreign: bool, served_lake: Served, ground: Ground
) -> None:
    kinds = [kind for kind in KINDS if kind.lost and "late" not in kind.name and "body" not in kind.name]
    cases = [Case(operation, kind, foreign=foreign, meddling=True) for kind in kinds]
    wrong = run_all(cases, served_lake, ground, [colour], "http://127.0.0.1:9/")
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong)


@pytest.mark.parametrize("foreign", [False, True], ids=["own server", "foreign server"])
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("operation", [BY_NAME[name] for name in LEAVING], ids=lambda operation: operation.name)
def test_an_applied_request_is_found_on_a_busy_branch_after_a_lost_response(
    operation: Operation, colour: str, foreign: bool, served_lake: Served, ground: Ground
) -> None:
    def others(at: Place) -> None:
        for number in range(BUSY):
            at.branch.commit_changes(f"other {number}", allow_empty=True)
        if operation.name == "commit":
            at.branch.upload(OTHER, "theirs")  # not to be committed by us

    kind = next(kind for kind in KINDS if kind.name == "F4 applied, then reset")
    policy = msgspec.structs.replace(QUICK, search=5.0, search_final=5.0)
    case = Case(operation, kind, foreign=foreign)
    wrong = run(case, served_lake, ground, 0, colour, "http://127.0.0.1:9/", policy=policy, between=others)
    assert not wrong, "\n".join(wrong)
    branch = ground.repo.branch(Place(ground, 0).name)
    assert sum(commit.message.startswith("other ") for commit in branch.log()) == BUSY
    if operation.name == "commit":
        assert [change.path for change in branch.list_uncommitted()] == ["theirs"]


# ------------------------------------------------------------------------------------------------------------- outages


def down(turn: Turn) -> None:
    turn.answer(Reply(503, [("content-type", "application/json")], b'{"message":"down for maintenance"}'))


def outage(proxy: Proxy) -> None:
    proxy.plan = lambda seen: ("503", down)


def told(proxy: Proxy, failed: int) -> None:
    assert failed == CALLS
    assert len(proxy.seen) <= MOST_PER_CALL * CALLS, f"{len(proxy.seen)} requests for {CALLS} calls"


def test_an_outage_causes_few_retries(served_lake: Served) -> None:
    with proxied(served_lake.url) as proxy, meeting(proxy, served_lake, "blocking") as world:
        outage(proxy)
        branch = world.repository("any").branch("main")
        failed = itertools.count()

        def call(number: int) -> None:
            with pytest.raises(ServerErrorException, match="down for maintenance"):
                branch.stat_object(f"{number}")
            next(failed)

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(call, range(CALLS)))
        told(proxy, next(failed))


def test_an_outage_causes_few_retries_by_tasks(served_lake: Served) -> None:
    async def main(proxy: Proxy) -> int:
        async with lakefs_hl.aio.Client(proxy.url, served_lake.key, served_lake.secret) as client:
            client._session.policy = QUICK
            branch = lakefs_hl.aio.repository("any", client=client).branch("main")
            calls = (branch.stat_object(f"{number}") for number in range(CALLS))
            ended = await asyncio.gather(*calls, return_exceptions=True)
            return sum(isinstance(each, ServerErrorException) for each in ended)

    with proxied(served_lake.url) as proxy:
        outage(proxy)
        told(proxy, asyncio.run(main(proxy)))


def test_the_client_works_again_after_an_outage(served_lake: Served, ground: Ground) -> None:
    with proxied(served_lake.url) as proxy, meeting(proxy, served_lake, "blocking") as world:
        branch = world.repository(ground.repo.id).branch("main")
        outage(proxy)
        for number in range(CALLS):
            with pytest.raises(ServerErrorException):
                branch.stat_object(f"{number}")
        proxy.plan = lambda seen: None
        for _ in range(100):  # each success gives a little of the budget back
            branch.stat_object("small")
        lost = iter([("503", down)])
        proxy.plan = lambda seen: next(lost, None)
        assert branch.stat_object("small").path == "small"
