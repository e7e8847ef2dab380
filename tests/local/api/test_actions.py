"""Action runs, of which there are none, and lakeFS's own metadata, which the lake does not keep."""

from __future__ import annotations

import pytest

from lakefs_hl.local.api import App
from lakefs_hl.spec import administration, endpoints
from lakefs_hl.spec.wire import Endpoint
from tests.local.api.support import ask, record

NAME = "0" * 64
EMPTY = {
    "pagination": {"has_more": False, "next_offset": "", "results": 0, "max_per_page": 1000},
    "results": [],
}
#: Each endpoint, and its parameters behind the repository.
EVERY: list[tuple[Endpoint, tuple[str, ...]]] = [
    (endpoints.LIST_REPOSITORY_RUNS, ()),
    (endpoints.GET_RUN, ("run",)),
    (endpoints.LIST_RUN_HOOKS, ("run",)),
    (endpoints.GET_RUN_HOOK_OUTPUT, ("run", "hook")),
    (administration.GET_METADATA_OBJECT, ("range", NAME)),
    (administration.GET_META_RANGE, (NAME,)),
    (administration.GET_RANGE, (NAME,)),
]


def test_there_are_no_runs(app: App) -> None:
    for row, params in ((endpoints.LIST_REPOSITORY_RUNS, ("repo",)), (endpoints.LIST_RUN_HOOKS, ("repo", "run"))):
        listed = ask(app, row, params, query={"amount": "7"})
        assert (listed.status, record(listed)) == (200, EMPTY)
        assert ask(app, row, params, query={"amount": "1001"}).status == 400
    for row, more in ((endpoints.GET_RUN, ()), (endpoints.GET_RUN_HOOK_OUTPUT, ("hook",))):
        got = ask(app, row, ("repo", "run", *more))
        assert (got.status, record(got)) == (404, {"message": "not found: not found"})


def test_runs_are_of_a_branch_or_of_a_commit(app: App) -> None:
    for query, status in (({"branch": "b"}, 200), ({"commit": "c"}, 200), ({"branch": "b", "commit": "c"}, 400)):
        assert ask(app, endpoints.LIST_REPOSITORY_RUNS, ("repo",), query=query).status == status


@pytest.mark.parametrize(("row", "more"), EVERY, ids=[row.operation for row, _ in EVERY])
def test_the_repository_must_be_there(app: App, row: Endpoint, more: tuple[str, ...]) -> None:
    refused = ask(app, row, ("none", *more))
    assert (refused.status, record(refused)) == (404, {"message": "repository not found"})


@pytest.mark.parametrize("kind", ["range", "meta_range"])
def test_metadata_is_gone(app: App, kind: str) -> None:
    gone = ask(app, administration.GET_METADATA_OBJECT, ("repo", kind, NAME))
    assert (gone.status, record(gone)) == (410, {"message": "No data"})


def test_other_metadata_is_a_mistake_in_the_path(app: App) -> None:
    refused = ask(app, administration.GET_METADATA_OBJECT, ("repo", "bad", NAME))
    assert refused.status == 400
    message = record(refused)["message"]
    assert message.startswith('parameter "type" in path has an error: ')
    assert all(word in message for word in ("'bad'", "'range'", "'meta_range'"))


@pytest.mark.parametrize("row", [administration.GET_META_RANGE, administration.GET_RANGE])
def test_where_metadata_would_be(app: App, row: Endpoint) -> None:
    told = ask(app, row, ("repo", NAME))
    assert (told.status, told.headers["location"]) == (200, f"_lakefs/{NAME}")
    assert record(told) == {"location": f"_lakefs/{NAME}"}
