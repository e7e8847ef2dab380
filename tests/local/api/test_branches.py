"""Branches: made, listed, reset, deleted."""

from __future__ import annotations

from lakefs_hl.local.api import App
from lakefs_hl.spec import endpoints
from tests.local.api.support import ask, content, put, record


def test_a_branch_comes_and_goes(app: App) -> None:
    made = ask(app, endpoints.CREATE_BRANCH, ("repo",), body={"name": "dev", "source": "main"})
    assert made.status == 201
    found = record(ask(app, endpoints.GET_BRANCH, ("repo", "dev")))
    assert found == {"id": "dev", "commit_id": content(made).decode()}
    listed = record(ask(app, endpoints.LIST_BRANCHES, ("repo",)))
    assert [one["id"] for one in listed["results"]] == ["dev", "main"]
    assert ask(app, endpoints.DELETE_BRANCH, ("repo", "dev")).status == 204
    assert record(ask(app, endpoints.GET_BRANCH, ("repo", "dev"))) == {"message": "branch not found"}


def test_a_reset_takes_back(app: App) -> None:
    for path in ("a/1", "b"):
        put(app, path, b"x")
    wanted = {"type": "common_prefix", "path": "a/"}
    assert ask(app, endpoints.RESET_BRANCH, body=wanted).status == 204
    listed = record(ask(app, endpoints.LIST_OBJECTS))
    assert [one["path"] for one in listed["results"]] == ["b"]
