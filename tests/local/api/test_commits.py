"""Commits: made and told."""

from __future__ import annotations

from lakefs_hl.local.api import App
from lakefs_hl.spec import endpoints
from tests.local.api.support import WHO, ask, put, record


def test_a_commit_is_told_as_it_was_made(app: App) -> None:
    put(app, "x", b"x")
    made = ask(app, endpoints.COMMIT, body={"message": "why", "metadata": {"k": "v"}})
    assert made.status == 201
    told = record(made)
    assert (told["message"], told["metadata"], told["committer"]) == ("why", {"k": "v"}, WHO)
    assert record(ask(app, endpoints.GET_COMMIT, ("repo", "main"))) == told
    again = ask(app, endpoints.COMMIT, body={"message": "again"})
    assert (again.status, record(again)) == (400, {"message": "commit: no changes"})
