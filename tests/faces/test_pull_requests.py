"""Pull requests as users see them, in both colours, on a server that loses responses."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import lakefs_hl
import lakefs_hl.aio
from lakefs_hl import exceptions
from lakefs_hl.aio.default import of
from lakefs_hl.ops.retry import Policy
from lakefs_hl.spec import models
from lakefs_hl.transport.aio import Aio
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.types import ErrorKind
from tests.faces.pulls import Server
from tests.worlds import Settler, World, plainly

COLOURS = ["blocking", "awaitable"]
MISSING = "0" * 20


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("LAKEFS_HL_COMMITTER", "somebody")
    with lakefs_hl.Client("mem://") as lake:
        yield Server(lake._transport)


@pytest.fixture(params=COLOURS)
def world(server: Server, request: pytest.FixtureRequest) -> Iterator[World]:
    """A client of the server, in each colour."""
    client = lakefs_hl.Client("http://127.0.0.1:9", "key", "secret")
    client._session.policy = Policy(base=0.0, base_busy=0.0, search=0.0, search_final=0.0)
    client._transport = server
    client._driver = client._blocking = Blocking(server)
    if request.param == "blocking":
        yield World("a server with pull requests", lakefs_hl, client, plainly)
        return
    with asyncio.Runner() as runner:
        awaitable = of(client)
        awaitable._driver = Aio(server)
        yield World("a server with pull requests", lakefs_hl.aio, awaitable, Settler(runner))


@pytest.fixture
def repo(world: World) -> Any:
    """A repository with a branch `dev` that is one commit ahead of `main`."""
    repo = world.repository("example").create("local://example")
    dev = repo.branch("dev").create("main")
    dev.upload(b"1", "a")
    dev.commit_changes("on dev")
    return repo


def test_a_pull_request_is_created_with_its_fields_loaded(repo: Any, server: Server) -> None:
    pull = repo.create_pull_request("dev", repo.branch("main"), "title", "why")
    server.requests.clear()
    assert (pull.title, pull.description, pull.status, pull.author) == ("title", "why", "open", "somebody")
    assert (pull.source_branch_id, pull.destination_branch_id, pull.repository_id) == ("dev", "main", "example")
    assert (pull.merge_commit_id, pull.closed_date) == (None, None)
    assert abs(datetime.now(UTC) - pull.creation_date) < timedelta(minutes=5)
    assert repr(pull) == f"<PullRequest {pull.id} 'title' of lakefs://example: 'dev' into 'main', open>"
    assert not server.requests
    assert repo.create_pull_request("dev", "main", "another").description == ""


def test_what_cannot_be_created_is_refused(repo: Any) -> None:
    with pytest.raises(exceptions.NotFoundException, match="branch"):
        repo.create_pull_request("none", "main", "title")
    with pytest.raises(exceptions.BadRequestException, match="are the same"):
        repo.create_pull_request("main", "main", "title")
    with pytest.raises(ValueError, match=r"source_branch_id: .* is in another repository"):
        repo.create_pull_request("lakefs://other/dev", "main", "title")


def test_a_lost_response_does_not_create_a_second_one(repo: Any, server: Server) -> None:
    server.lost = "createPullRequest"
    pull = repo.create_pull_request("dev", "main", "title")
    assert server.operations().count("createPullRequest") == 1
    assert [one.id for one in repo.pull_requests()] == [pull.id]


def test_one_that_was_created_and_cannot_be_looked_up_is_named(repo: Any, server: Server) -> None:
    server.refused = "getPullRequest"
    with pytest.raises(exceptions.AmbiguousOutcomeError, match="it was done, and its result is") as caught:
        repo.create_pull_request("dev", "main", "title")
    server.refused = ""
    assert caught.value.maybe_applied is True
    assert repo.pull_request(caught.value.result_id).refresh().title == "title"


def test_a_listing_is_newest_first_by_status_and_without_descriptions(repo: Any, server: Server) -> None:
    first = repo.create_pull_request("dev", "main", "first", "why")
    second = repo.create_pull_request("dev", "main", "second", "why")
    third = repo.create_pull_request("dev", "main", "third").close()
    assert [one.id for one in repo.pull_requests()] == [third.id, second.id, first.id]
    assert [one.title for one in repo.pull_requests(1, third.id)] == ["second"]
    assert [one.title for one in repo.pull_requests(status="open")] == ["second", "first"]
    (closed,) = repo.pull_requests(status="closed")
    assert (closed, closed.status) == (third, "closed")
    server.requests.clear()
    listed = list(repo.pull_requests(status="open"))[0]
    assert (listed.title, listed.merge_commit_id) == ("second", None)
    assert server.operations() == ["listPullRequests"]


def test_fields_are_looked_up_when_they_are_read_first(repo: Any, world: World, server: Server) -> None:
    made = repo.create_pull_request("dev", "main", "title", "why")
    server.requests.clear()
    known, (listed,) = repo.pull_request(made.id), repo.pull_requests()
    assert repr(known) == f"<PullRequest {made.id} of lakefs://example>"
    assert known == listed == made
    if world.awaitable:
        for pull, field in ((known, "title"), (listed, "description")):
            with pytest.raises(RuntimeError, match=r"not looked up yet: `await ….refresh\(\)` first"):
                getattr(pull, field)
        known.refresh()
        listed.refresh()
    assert (known.title, known.description, listed.description) == ("title", "why", "why")
    found = known.to_dict()
    assert (found["id"], found["title"], found["status"]) == (made.id, "title", "open")
    assert "description" not in found  # a row of a listing has none
    assert server.operations() == ["listPullRequests", "getPullRequest", "getPullRequest"]


def test_refresh_shows_what_others_did(repo: Any) -> None:
    pull = repo.create_pull_request("dev", "main", "title")
    repo.pull_request(pull.id).update(title="better")
    assert pull.title == "title"
    assert pull.refresh() == pull
    assert pull.title == "better"


def test_an_update_changes_what_is_given_and_shows_it(repo: Any, server: Server) -> None:
    pull = repo.create_pull_request("dev", "main", "title", "why")
    server.requests.clear()
    assert pull.update(title="better") == pull
    assert (pull.title, pull.description) == ("better", "why")
    assert pull.update(description="because").description == "because"
    assert server.operations().count("updatePullRequest") == 2
    again = repo.pull_request(pull.id).refresh()
    assert (again.title, again.description, again.status) == ("better", "because", "open")
    with pytest.raises(ValueError, match="give a title, a description or a status"):
        pull.update()


def test_a_closed_one_can_be_opened_again(repo: Any) -> None:
    pull = repo.create_pull_request("dev", "main", "title")
    assert pull.close().status == "closed"
    assert pull.refresh().closed_date > pull.creation_date
    with pytest.raises(exceptions.BadRequestException, match=r"update\(status='open'\) opens a closed one") as caught:
        pull.merge()
    assert caught.value.kind is ErrorKind.PULL_REQUEST_NOT_OPEN
    assert pull.update(status="open").status == "open"
    assert pull.refresh().closed_date is None  # although lakeFS still has one


def test_the_closing_date_is_the_servers(repo: Any, world: World) -> None:
    pull = repo.create_pull_request("dev", "main", "title")
    pull.close()
    if world.awaitable:
        with pytest.raises(RuntimeError, match="not looked up yet"):
            _ = pull.closed_date
        pull.refresh()
    assert pull.closed_date > pull.creation_date


def test_merging_returns_the_merge_commit(repo: Any, world: World) -> None:
    pull = repo.create_pull_request("dev", "main", "title")
    dev, main = repo.branch("dev").head(), repo.branch("main").head()
    merged = pull.merge()
    assert merged == repo.branch("main").head()
    assert merged.parents == [main.id, dev.id]
    assert repo.branch("main").download("a") == b"1"
    assert (pull.status, pull.merge_commit_id, pull.title) == ("merged", merged.id, "title")
    assert pull.refresh().merge_commit_id == merged.id
    (listed,) = repo.pull_requests()
    assert listed.status == "merged"
    if world.awaitable:
        with pytest.raises(RuntimeError, match="not looked up yet"):
            _ = listed.merge_commit_id
        listed.refresh()
    assert listed.merge_commit_id == merged.id
    with pytest.raises(exceptions.BadRequestException, match="it is merged, as commit"):
        pull.close()


def test_a_conflict_is_named(repo: Any) -> None:
    pull = repo.create_pull_request("dev", "main", "title")
    repo.branch("main").upload(b"2", "a")
    repo.branch("main").commit_changes("on main")
    with pytest.raises(exceptions.MergeConflict, match="nothing was merged") as caught:
        pull.merge()
    assert caught.value.conflicts == ("a",)
    assert pull.refresh().status == "open"


def test_a_lost_response_does_not_merge_twice(repo: Any, server: Server) -> None:
    pull = repo.create_pull_request("dev", "main", "title")
    server.lost = "mergePullRequest"
    assert pull.merge() == repo.branch("main").head()
    assert server.operations().count("mergePullRequest") == 1


def test_one_that_was_merged_and_cannot_be_looked_up_is_named(repo: Any, server: Server) -> None:
    pull = repo.create_pull_request("dev", "main", "title")
    server.refused = "getCommit"
    with pytest.raises(exceptions.AmbiguousOutcomeError, match="do not repeat it") as caught:
        pull.merge()
    server.refused = ""
    assert (caught.value.maybe_applied, caught.value.result_id) == (True, repo.branch("main").head().id)


def test_a_missing_one_is_named(repo: Any) -> None:
    with pytest.raises(exceptions.NotFoundException, match=f"pull request '{MISSING}' of lakefs://example") as caught:
        repo.pull_request(MISSING).refresh()
    assert caught.value.kind is ErrorKind.PULL_REQUEST_NOT_FOUND
    with pytest.raises(ValueError, match="pull_request_id must not be empty"):
        repo.pull_request("")


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_keeps_what_was_known(server: Server, protocol: int) -> None:
    with lakefs_hl.Client("mem://") as client:
        record = models.PullRequest("p1", "<i>t</i>", "open", "me", "2026-01-31T12:00:00Z", "dev", "main")
        for pull in (
            lakefs_hl.PullRequest("example", "p1", client),
            lakefs_hl.PullRequest("example", "p1", client)._keep(record),
        ):
            again = pickle.loads(pickle.dumps(pull, protocol))
            assert (repr(again), again, copy.deepcopy(pull)) == (repr(pull), pull, pull)
            assert hash(again) == hash(pull)
            assert "<i>" not in pull._repr_html_()
            changed = pull.with_options(timeout=3)
            assert (changed.id, changed == pull) == ("p1", False)
