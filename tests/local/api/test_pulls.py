"""Pull requests: made, told, listed by their state, changed, merged."""

from __future__ import annotations

import pytest

from lakefs_hl.local.api import App
from lakefs_hl.spec import endpoints
from tests.local.api.support import WHO, ask, put, record

BODY = {"title": "t", "source_branch": "dev", "destination_branch": "main", "description": "why"}


@pytest.fixture
def dev(app: App) -> App:
    """A lake with a branch `dev` that is one commit ahead of `main`."""
    assert ask(app, endpoints.CREATE_BRANCH, ("repo",), body={"name": "dev", "source": "main"}).status == 201
    ask(app, endpoints.UPLOAD_OBJECT, ("repo", "dev"), query={"path": "a"}, body=b"dev")
    assert ask(app, endpoints.COMMIT, ("repo", "dev"), body={"message": "m"}).status == 201
    return app


def create(app: App) -> str:
    made = ask(app, endpoints.CREATE_PULL_REQUEST, ("repo",), body=BODY)
    assert (made.status, set(record(made))) == (201, {"id"})
    return str(record(made)["id"])


def listed(app: App, **query: str) -> list[str]:
    return [one["id"] for one in record(ask(app, endpoints.LIST_PULL_REQUESTS, ("repo",), query=query))["results"]]


def test_it_is_told_as_it_was_made(dev: App) -> None:
    name = create(dev)
    told = record(ask(dev, endpoints.GET_PULL_REQUEST, ("repo", name)))
    assert {**BODY, "id": name, "status": "open", "author": WHO}.items() <= told.items()


def test_listed_by_state(dev: App) -> None:
    closed, opened = create(dev), create(dev)
    changed = ask(dev, endpoints.UPDATE_PULL_REQUEST, ("repo", closed), body={"status": "closed"})
    assert (changed.status, changed.body) == (204, b"")
    assert listed(dev) == listed(dev, status="all") == [opened, closed]
    assert (listed(dev, status="open"), listed(dev, status="closed")) == ([opened], [closed])
    assert (listed(dev, after=opened), listed(dev, prefix=closed), listed(dev, amount="1")) == (
        [closed],
        [closed],
        [opened],
    )


def test_states_that_are_none_are_refused(dev: App) -> None:
    name = create(dev)
    refused = ask(dev, endpoints.LIST_PULL_REQUESTS, ("repo",), query={"status": "merged"})
    assert refused.status == 400
    assert 'parameter "status" in query' in record(refused)["message"]
    refused = ask(dev, endpoints.UPDATE_PULL_REQUEST, ("repo", name), body={"status": "all"})
    assert refused.status == 400
    assert '"/status"' in record(refused)["message"]
    assert listed(dev, status="open") == [name]


def test_merged(dev: App) -> None:
    name = create(dev)
    merged = ask(dev, endpoints.MERGE_PULL_REQUEST, ("repo", name))
    assert merged.status == 200
    told = record(ask(dev, endpoints.GET_PULL_REQUEST, ("repo", name)))
    assert (told["status"], told["merged_commit_id"]) == ("merged", record(merged)["reference"])
    assert record(ask(dev, endpoints.GET_BRANCH, ("repo", "main")))["commit_id"] == told["merged_commit_id"]


def test_a_conflict_is_an_error(dev: App) -> None:
    name = create(dev)
    put(dev, "a", b"main")
    assert ask(dev, endpoints.COMMIT, body={"message": "m"}).status == 201
    refused = ask(dev, endpoints.MERGE_PULL_REQUEST, ("repo", name))
    assert (refused.status, set(record(refused))) == (409, {"message"})
    assert listed(dev, status="open") == [name]
