"""Tags: made, told, deleted."""

from __future__ import annotations

from lakefs_hl.local.api import App
from lakefs_hl.spec import endpoints
from tests.local.api.support import ask, record


def test_a_tag_comes_and_goes(app: App) -> None:
    made = ask(app, endpoints.CREATE_TAG, ("repo",), body={"id": "v1", "ref": "main"})
    assert made.status == 201
    assert record(ask(app, endpoints.GET_TAG, ("repo", "v1"))) == record(made)
    assert ask(app, endpoints.DELETE_TAG, ("repo", "v1")).status == 204
    for row in (endpoints.GET_TAG, endpoints.DELETE_TAG):
        assert record(ask(app, row, ("repo", "v1"))) == {"message": "tag not found"}
