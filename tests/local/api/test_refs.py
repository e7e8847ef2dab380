"""References: differences, merges."""

from __future__ import annotations

from lakefs_hl.local.api import App
from lakefs_hl.spec import endpoints
from tests.local.api.support import ask, put, record


def test_merge_conflicts_name_nothing(app: App) -> None:
    put(app, "x", b"1")
    assert ask(app, endpoints.COMMIT, body={"message": "base"}).status == 201
    assert ask(app, endpoints.CREATE_BRANCH, ("repo",), body={"name": "dev", "source": "main"}).status == 201
    for branch in ("main", "dev"):
        query = {"path": "x"}
        assert ask(app, endpoints.UPLOAD_OBJECT, ("repo", branch), query, body=branch.encode()).status == 201
        assert ask(app, endpoints.COMMIT, ("repo", branch), body={"message": branch}).status == 201
    response = ask(app, endpoints.MERGE_INTO_BRANCH, ("repo", "dev", "main"))
    assert (response.status, record(response)) == (409, {"reference": ""})


def test_a_difference_names_what_changed(app: App) -> None:
    put(app, "x", b"1")
    assert ask(app, endpoints.COMMIT, body={"message": "m"}).status == 201
    page = record(ask(app, endpoints.DIFF_REFS, ("repo", "main~1", "main")))
    assert [(one["type"], one["path"]) for one in page["results"]] == [("added", "x")]
