"""Action runs and their hooks as users see them, in both colours, by canned responses. An embedded lake has none."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

import lakefs_hl
import lakefs_hl.aio
from lakefs_hl import exceptions
from lakefs_hl._handles import lookups
from lakefs_hl.aio.default import of
from lakefs_hl.spec import models
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.transport.aio import Aio
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.scope import Scope
from lakefs_hl.types import ErrorKind
from tests.ops.script import C1, no, ok, page
from tests.worlds import Settler, World, plainly

NEWER = models.ActionRun(
    "5k", "main", "2026-01-31T12:00:00.5Z", "pre-commit", "failed", "", "2026-01-31T13:00:01+01:00"
)
OLDER = models.ActionRun("6m", "dev", "2026-01-30T12:00:00Z", "post-merge", "completed", C1)
RAN = models.HookRun("0000_0000", "checks", "format", "2026-01-31T12:00:00Z", "failed", "2026-01-31T12:00:01Z")
SKIPPED = models.HookRun("0000_0001", "checks", "schema", "0001-01-01T00:00:00Z", "skipped")
PRINTED = b"POST http://hooks/format\nna\xc3\xafve \xff\n"
OCTETS = {"content-type": "application/octet-stream"}


class Runs:
    """A transport that answers with two runs and the hooks of one."""

    fan_out = 1

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def send(self, request: Request, scope: Scope | None = None, within: float | None = None) -> Response:
        self.requests.append(request)
        match request.endpoint.operation, request.params[1:]:
            case "listRepositoryRuns", _:
                return page(NEWER, OLDER)
            case "getRun", ("5k",):
                return ok(NEWER)
            case "listRunHooks", ("5k",):
                return page(RAN, SKIPPED)
            case "listRunHooks", _:
                return page()
            case "getRunHookOutput", ("5k", "0000_0000"):
                return Response(200, OCTETS, PRINTED)
            case "getRunHookOutput", ("5k", "0000_0001"):
                return Response(200, OCTETS, b"")
        return no(404, "not found: not found")

    def close(self) -> None:
        pass


@pytest.fixture
def server() -> Runs:
    return Runs()


@pytest.fixture(params=["blocking", "awaitable"])
def repo(server: Runs, request: pytest.FixtureRequest) -> Iterator[Any]:
    client = lakefs_hl.Client("http://127.0.0.1:9", "key", "secret")
    client._transport = server
    client._driver = client._blocking = Blocking(server)
    if request.param == "blocking":
        yield World("canned", lakefs_hl, client, plainly).repository("example")
        return
    with asyncio.Runner() as runner:
        awaitable = of(client)
        awaitable._driver = Aio(server)
        yield World("canned", lakefs_hl.aio, awaitable, Settler(runner)).repository("example")


def test_runs_are_listed_with_their_fields(repo: Any, server: Runs) -> None:
    newer, older = repo.runs()
    assert (newer.id, newer.repository_id, newer.branch_id, newer.commit_id) == ("5k", "example", "main", None)
    assert (newer.event_type, newer.status) == ("pre-commit", "failed")
    assert newer.start_time == datetime(2026, 1, 31, 12, 0, 0, 500_000, UTC)
    assert newer.end_time == datetime(2026, 1, 31, 12, 0, 1, tzinfo=UTC)
    assert (older.commit_id, older.end_time) == (C1, None)
    assert repr(newer) == "<Run 5k of lakefs://example: pre-commit on 'main', failed>"
    assert "pre-commit" in newer._repr_html_()
    found = newer.to_dict()
    assert (found["id"], found["status"], found["end_time"]) == ("5k", "failed", newer.end_time)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, {}),
        ({"branch": "dev"}, {"branch": "dev"}),
        ({"branch": "lakefs://example/dev"}, {"branch": "dev"}),
        ({"commit": C1}, {"commit": C1}),
        ({"after": "5k", "max_amount": 1}, {"after": "5k", "amount": "1"}),
    ],
)
def test_runs_are_filtered_by_the_server(repo: Any, server: Runs, options: Any, query: Any) -> None:
    list(repo.runs(**options))
    assert {"amount": server.requests[0].query["amount"], **query} == dict(server.requests[0].query)


def test_a_branch_can_be_given_as_a_handle(repo: Any, server: Runs) -> None:
    list(repo.runs(branch=repo.branch("dev")))
    assert server.requests[0].query["branch"] == "dev"
    with pytest.raises(ValueError, match="in another repository"):
        repo.runs(branch="lakefs://other/dev")


def test_a_branch_and_a_commit_together_are_refused_at_the_call(repo: Any, server: Runs) -> None:
    with pytest.raises(ValueError, match=f"runs of lakefs://example: give branch='dev' or commit='{C1}', not both"):
        repo.runs(branch="dev", commit=C1)
    assert server.requests == []


@pytest.mark.parametrize("commit", ["", "v1", "main~1", C1[:12]])
def test_a_commit_is_given_by_its_full_id(repo: Any, server: Runs, commit: str) -> None:
    with pytest.raises(ValueError, match="commit must"):
        repo.runs(commit=commit)
    with pytest.raises(ValueError, match="commit must be a commit or its full ID, not 'main'"):
        repo.runs(commit=repo.branch("main"))
    assert server.requests == []


def test_a_run_is_looked_up_when_a_field_is_read_first(repo: Any, server: Runs) -> None:
    run = repo.run("5k")
    assert (repr(run), server.requests) == ("<Run 5k of lakefs://example>", [])
    assert run._repr_html_() == "<b>Run</b> <code>lakefs://example 5k</code>"
    if "Settled" in type(run).__name__:
        with pytest.raises(RuntimeError, match="not looked up yet"):
            _ = run.status
        assert run.refresh() == run
    assert (run.status, run.event_type) == ("failed", "pre-commit")
    assert [request.endpoint.operation for request in server.requests] == ["getRun"]
    with pytest.raises(exceptions.NotFoundException, match="action run 'none' of lakefs://example") as caught:
        repo.run("none").refresh()
    assert caught.value.kind is ErrorKind.RUN_NOT_FOUND


def test_hooks_have_outputs(repo: Any) -> None:
    ran, skipped = repo.run("5k").hooks()
    assert (ran.id, ran.run_id, ran.repository_id) == ("0000_0000", "5k", "example")
    assert (ran.action, ran.hook_id, ran.status) == ("checks", "format", "failed")
    assert (ran.start_time, ran.end_time) == (
        datetime(2026, 1, 31, 12, tzinfo=UTC),
        datetime(2026, 1, 31, 12, 0, 1, tzinfo=UTC),
    )
    assert repr(ran) == "<HookRun 0000_0000 of run 5k of lakefs://example: checks/format, failed>"
    found = ran.to_dict()
    assert (found["id"], found["hook_id"], found["start_time"]) == ("0000_0000", "format", ran.start_time)
    assert ran.output() == "POST http://hooks/format\nnaïve \\xff\n"
    assert (skipped.status, skipped.start_time, skipped.end_time, skipped.output()) == ("skipped", None, None, "")


def test_an_event_of_a_tag_has_no_branch() -> None:
    with lakefs_hl.Client("mem://") as client:
        record = models.ActionRun("7n", "", "2026-01-31T12:00:00Z", "pre-create-tag", "failed", C1)
        run = lookups.wrap(lakefs_hl.Run, "example", "7n", client, (record, frozenset()))
        assert run.branch_id is run.to_dict()["branch_id"] is None
        assert repr(run) == "<Run 7n of lakefs://example: pre-create-tag, failed>"


def test_a_run_that_does_not_exist_has_no_hooks(repo: Any) -> None:
    assert list(repo.run("none").hooks()) == []


def test_a_time_that_is_none_is_not_lakefs() -> None:
    with lakefs_hl.Client("mem://") as client:
        record = msgspec.structs.replace(NEWER, start_time="yesterday")
        with pytest.raises(
            exceptions.ProtocolException, match="the server returned 'yesterday' where a time is expected"
        ):
            _ = lakefs_hl.Run("example", "5k", client)._keep(record).start_time


def test_handles_are_compared_pickled_and_copied() -> None:
    with lakefs_hl.Client("mem://") as client:
        for one, other in (
            (lakefs_hl.Run("example", "5k", client)._keep(NEWER), lakefs_hl.Run("example", "6m", client)),
            (
                lakefs_hl.HookRun("example", "5k", RAN, client),
                lakefs_hl.HookRun("example", "5k", SKIPPED, client),
            ),
        ):
            again = pickle.loads(pickle.dumps(one))
            assert (again, copy.copy(one), copy.deepcopy(one)) == (one, one, one)
            assert (repr(again), hash(again)) == (repr(one), hash(one))
            assert one not in (other, "5k", one.with_options(timeout=3))


def test_an_embedded_lake_has_none(lake: lakefs_hl.Client, lake_repo: lakefs_hl.Repository) -> None:
    assert list(lake_repo.runs()) == list(lake_repo.runs(branch="main")) == list(lake_repo.run("5k").hooks()) == []
    with pytest.raises(exceptions.NotFoundException, match="the action run or the hook does not exist"):
        _ = lake_repo.run("5k").status
