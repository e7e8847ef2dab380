"""Approvals by several users of one lake, in both colours; and what a server does not say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import lakefs_hl as lakefs
from lakefs_hl import aio, exceptions
from lakefs_hl.local.keys import Key, Keys
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Request, Response
from tests.s3_server import NoNamespaceServer
from tests.serving import Served


class Silent(NoNamespaceServer):
    """A server that does not say who the caller is."""

    config = {"default_namespace_prefix": "local://data"}  # noqa: RUF012 - never changed

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        if request.endpoint.operation == endpoints.GET_CURRENT_USER.operation:
            return Response(501, {"content-type": "application/json"}, b'{"message": "Not Implemented"}')
        return super().__call__(request)


@pytest.fixture
def ada(tmp_path: Path) -> Iterator[lakefs.Client]:
    with lakefs.Client(f"local:{tmp_path}/lake", committer="ada") as client:
        yield client


@pytest.fixture
def grace(ada: lakefs.Client, tmp_path: Path) -> Iterator[lakefs.Client]:
    with lakefs.Client(f"local:{tmp_path}/lake", committer="grace") as client:
        yield client


def minted(client: lakefs.Client, name: str = "reef") -> lakefs.Dataset:
    ds = lakefs.dataset(name, client=client)
    ds.mint({"name": "Reef"})
    return ds


def check_two_users(first: lakefs.Client, second: lakefs.Client, name: str, users: tuple[str, str]) -> None:
    """The first one asks, and the second one decides."""
    ds = minted(first, name)
    ds.add_reviewer(users[1])
    request = ds.request_approval(users[1], "please")
    assert (request.requested_by, request.approver) == users
    with pytest.raises(exceptions.ForbiddenException, match=f"'{users[1]}' was asked, and the user .* '{users[0]}'"):
        ds.act_on_approval(request.id, True)
    theirs = lakefs.dataset(request.dataset, client=second)
    assert theirs.approval_requests("pending") == [request]
    decision = theirs.act_on_approval(request, False, "no")
    assert (decision.by, decision.approved) == (users[1], False)
    (found,) = ds.approval_requests()
    assert (found.status, found.decided_by, found.decision_notes) == ("rejected", users[1], "no")
    log = lakefs.repository(name, client=first).branch("lakefs_hl-approvals").log(2, first_parent=True)
    assert [commit.committer for commit in log] == [users[1], users[0]]


def test_two_users_of_a_directory(ada: lakefs.Client, grace: lakefs.Client) -> None:
    check_two_users(ada, grace, "reef", ("ada", "grace"))


def test_two_users_of_a_server(served_lake: Served) -> None:
    Keys(served_lake.folder).put(Key("GRACEKEY", "grace-secret", "grace", "grace"))
    with (
        lakefs.Client(served_lake.url, served_lake.key, served_lake.secret) as first,
        lakefs.Client(served_lake.url, "GRACEKEY", "grace-secret") as second,
    ):
        user = first.health_check().user
        assert user
        check_two_users(first, second, "t-approvers", (user, "grace"))
        lakefs.repository("t-approvers", client=first).delete(force=True)


def test_a_key_that_may_only_read(served_lake: Served) -> None:
    Keys(served_lake.folder).put(Key("READKEY", "read-secret", "reader", "reader", read_only=True))
    with (
        lakefs.Client(served_lake.url, served_lake.key, served_lake.secret) as first,
        lakefs.Client(served_lake.url, "READKEY", "read-secret") as second,
    ):
        ds = minted(first, "t-readers")
        ds.add_reviewer("reader")
        request = ds.request_approval("reader")
        with pytest.raises(exceptions.TransactionStartError, match="the key 'reader' may only read"):
            lakefs.dataset("t-readers", client=second).act_on_approval(request.id, True)
        assert lakefs.dataset("t-readers", client=second).approval_requests() == [request]
        lakefs.repository("t-readers", client=first).delete(force=True)


def test_a_decision_that_is_not_that_of_the_approver_is_seen(ada: lakefs.Client, grace: lakefs.Client) -> None:
    """Nothing but the rights of the server keeps anyone from writing to the branch; the commit says who did."""
    ds = minted(ada)
    ds.add_reviewer("grace")
    request = ds.request_approval("grace")
    board = lakefs.repository("reef", client=ada).branch("lakefs_hl-approvals")
    forged = b'{"approved": true, "notes": "", "by": "grace", "at": "2026-01-31T12:00:00+00:00"}'
    board.upload(forged, f"_approvals/{request.id}/decision.json", commit_message="forged")
    (found,) = ds.approval_requests()
    assert found.decided_by == "grace"
    (version,) = board.history(f"_approvals/{request.id}/decision.json")
    assert version.commit.committer == "ada"


def test_a_server_that_does_not_say_who_the_user_is() -> None:
    with lakefs.Client("http://lakefs.invalid", "key", "secret", transport=Silent()) as client:
        ds = minted(client)
        ds.add_reviewer("ada")
        request = ds.request_approval("ada")
        assert request.requested_by is None
        assert ds.approval_requests() == [request]
        with pytest.raises(exceptions.UnsupportedOperationException, match="the server does not say who the user"):
            ds.act_on_approval(request.id, True)
        assert ds.approval_requests() == [request]


def test_asyncio_at_the_same_time() -> None:
    async def run() -> tuple[list[object], list[str]]:
        async with aio.Client("mem://", committer="ada") as client:
            ds = aio.dataset("reef", client=client)
            await ds.mint({"name": "Reef"})
            await ds.add_reviewer("ada")
            requests = await asyncio.gather(*(ds.request_approval("ada", str(number)) for number in range(3)))
            acts = [ds.act_on_approval(requests[0], approve, str(approve)) for approve in (True, False, True)]
            results: list[object] = [*await asyncio.gather(*acts, return_exceptions=True)]
            return results, [found.status for found in await ds.approval_requests() if found.id == requests[0].id]

    results, statuses = asyncio.run(run())
    done = [each for each in results if not isinstance(each, exceptions.ConflictException)]
    assert len(done) == 1
    assert not isinstance(done[0], BaseException)
    assert statuses == ["approved" if done[0].approved else "rejected"]  # type: ignore[attr-defined]
