"""Repositories: identity, the calls on them, and what differs from what was asked for."""

from __future__ import annotations

import pickle
import warnings
from datetime import timedelta
from typing import Any

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl._handles import repositories as calls
from lakefs_hl._handles.repositories import GetOrCreate, RepositoryHandle
from lakefs_hl.ops import kept
from lakefs_hl.spec import arguments, models
from tests.ops.script import Play, ok, page, session, step

AT = RepositoryHandle("example")
SESSION = session()
FOUND = models.Repository("example", 1, "main", "s3://bucket/example")


def test_a_repository_is_its_name_and_client(lake: lakefs_hl.Client) -> None:
    assert (AT.id, AT.uri, repr(AT)) == ("example", "lakefs://example", "<Repository lakefs://example>")
    assert RepositoryHandle("example") == AT
    assert hash(AT) == hash(RepositoryHandle("lakefs://example"))
    assert RepositoryHandle("example", lake) != AT
    assert lakefs_hl.Repository("example") != AT
    assert pickle.loads(pickle.dumps(AT)) == AT
    assert "lakefs://example" in AT._repr_html_()


@pytest.mark.parametrize("namespace", [None, "s3://bucket/example", "s3://bucket/example/"])
def test_an_existing_repository_that_is_as_asked_gives_no_warning(namespace: str | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GetOrCreate(AT, namespace, arguments.DEFAULT_BRANCH, False).check(FOUND, created=False)
        GetOrCreate(AT, "s3://other", "dev", False).check(FOUND, created=True)


def test_an_existing_repository_that_differs_warns_with_what_differs() -> None:
    words = r"exists with the storage namespace 's3://bucket/example', not 's3://o' and the default branch 'main', not"
    with pytest.warns(UserWarning, match=words) as caught:
        GetOrCreate(AT, "s3://o", "dev", False).check(FOUND, created=False)
    assert caught[0].filename == __file__


def test_look_ups_send_one_request() -> None:
    assert Play(step("getRepository", "example", answer=ok(FOUND))).run(calls.get(SESSION, AT)) == FOUND
    assert Play(step("getRepository", "example", answer=ok(FOUND))).run(calls.exists(SESSION, AT)) is True
    found = Play(step("getRepositoryMetadata", "example", answer=ok({"k": "v"}))).run(calls.metadata(SESSION, AT))
    assert found == {"k": "v"}


@pytest.mark.parametrize(
    ("pages", "operation", "query"),
    [
        (lambda: calls.listing(SESSION, "ex", "aaa", 5, "am"), "listRepositories", {"prefix": "ex", "search": "am"}),
        (lambda: calls.list_branches(SESSION, AT, 5, "aaa", "p", False), "listBranches", {"prefix": "p"}),
        (lambda: calls.list_tags(SESSION, AT, 5, "aaa", "p"), "listTags", {"prefix": "p"}),
    ],
)
def test_a_listing_starts_after_a_name(pages: Any, operation: str, query: dict[str, str]) -> None:
    found = pages()
    assert (found.after, found.amount) == ("aaa", 5)
    play = Play(step(operation, *(() if operation == "listRepositories" else ("example",)), answer=page()))
    play.run(found.next_page("aaa", 5))
    assert {**query, "after": "aaa"}.items() <= play.sent[0].query.items()


def test_old_transactions_are_collected_by_age(mocker: MockerFixture) -> None:
    collect = mocker.patch.object(kept, "collect")
    calls.collect_transactions(SESSION, AT, timedelta(hours=1), True)
    assert collect.call_args.args[3] == 3600
    assert collect.call_args.kwargs == {"dry_run": True}
    assert calls.list_transactions(SESSION, AT, 7, "").amount == 7


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: calls.create(SESSION, AT, 1, "main", False, False, False), "storage_namespace"),
        (lambda: calls.create(SESSION, AT, None, "main", False, False, None), "exist_ok"),
        (lambda: GetOrCreate(AT, None, "", False), "default_branch_id"),
        (lambda: calls.delete(SESSION, AT, "yes"), "force"),
        (lambda: calls.listing(SESSION, None, "", None, ""), "prefix"),
        (lambda: calls.collect_transactions(SESSION, AT, "1h", False), "older_than"),
        (lambda: calls.set_metadata(SESSION, AT, [("k", "v")]), "metadata"),
        (lambda: calls.delete_metadata(SESSION, AT, 1), "keys"),
    ],
)
def test_an_argument_is_refused_by_its_name(call: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        call()
