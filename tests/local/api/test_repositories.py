"""Repositories: made, described, deleted."""

from __future__ import annotations

from lakefs_hl.local.api import App
from lakefs_hl.spec import endpoints
from tests.local.api.support import ask, record


def test_a_repository_comes_and_goes(app: App) -> None:
    made = ask(app, endpoints.CREATE_REPOSITORY, (), body={"name": "other", "storage_namespace": "local://other"})
    assert made.status == 201
    assert record(ask(app, endpoints.GET_REPOSITORY, ("other",))) == record(made)
    assert ask(app, endpoints.SET_REPOSITORY_METADATA, ("other",), body={"metadata": {"k": "v"}}).status == 204
    assert record(ask(app, endpoints.GET_REPOSITORY_METADATA, ("other",))) == {"k": "v"}
    assert ask(app, endpoints.DELETE_REPOSITORY, ("other",)).status == 204
    assert record(ask(app, endpoints.GET_REPOSITORY, ("other",))) == {"message": "repository not found"}
