"""Repositories: creation, the guard of deletion, namespaces, listings, metadata."""

from __future__ import annotations

import asyncio
import secrets
import threading
import warnings
from collections.abc import Iterator
from contextlib import suppress

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.aio.default import of
from tests.worlds import namespace


@pytest.fixture
def repo(client: lakefs_hl.Client) -> Iterator[lakefs_hl.Repository]:
    """A handle; the test creates it."""
    handle = lakefs_hl.repository(f"t-{secrets.token_hex(8)}", client=client)
    yield handle
    with suppress(exceptions.NotFoundException):  # the test made none, or has deleted it
        handle.delete(force=True)


@pytest.fixture
def place(repo: lakefs_hl.Repository, kind: str) -> str | None:
    """Its storage namespace; None where the server proposes one."""
    return namespace(kind, repo.id)


def test_delete_refuses_a_repository_that_holds_something(repo: lakefs_hl.Repository, place: str | None) -> None:
    repo.create(place)
    branch = repo.branch("main")
    branch.upload("x", "a")
    for _ in range(2):
        with pytest.raises(exceptions.RepositoryNotEmptyError, match=rf"{repo.id}.*force=True"):
            repo.delete()
        branch.commit_changes("m", allow_empty=True)
        branch.delete_objects("a")
        branch.commit_changes("emptied", allow_empty=True)
    assert repo.exists()
    repo.delete(force=True)


def test_an_empty_repository_goes(repo: lakefs_hl.Repository, place: str | None) -> None:
    repo.create(place)
    repo.delete()
    with pytest.raises(exceptions.NotFoundException):
        repo.delete()


def test_the_namespace_is_the_servers_own_by_default(repo: lakefs_hl.Repository, client: lakefs_hl.Client) -> None:
    prefix = lakefs_hl.ServerConfiguration(client).storage_config().default_namespace_prefix()
    if not prefix:
        with pytest.raises(exceptions.InvalidConfigError, match=r"has no default prefix.*pass storage_namespace"):
            repo.create()
        return
    assert repo.create().properties.storage_namespace == prefix + ("" if prefix.endswith("/") else "/") + repo.id


def test_get_or_create_warns_of_another_namespace(repo: lakefs_hl.Repository, place: str | None) -> None:
    repo.get_or_create(place)
    wanted = repo.properties.storage_namespace  # of a server with another store too
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert repo.get_or_create(wanted) is repo
        assert repo.get_or_create(wanted + "/") is repo
        assert repo.get_or_create() is repo
    with pytest.warns(UserWarning, match=rf"exists with the storage namespace '{wanted}', not 'local://other'"):
        repo.get_or_create("local://other")


def test_get_or_create_warns_of_another_default_branch(repo: lakefs_hl.Repository, place: str | None) -> None:
    repo.create(place, default_branch_id="trunk")
    assert repo.get_or_create() is repo  # not asked for: no warning
    assert repo.get_or_create(default_branch_id="trunk") is repo
    with pytest.warns(UserWarning, match="exists with the default branch 'trunk', not 'main'") as caught:
        repo.get_or_create(default_branch_id="main")
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="the storage namespace .* and the default branch 'trunk', not 'dev'"):
        repo.get_or_create("local://other", "dev")
    twin = aio.Repository(repo.id, of(repo._client))
    with pytest.warns(UserWarning, match="the default branch 'trunk', not 'dev'") as caught:
        asyncio.run(twin.get_or_create(default_branch_id="dev"))


def test_b5_57_two_who_create_at_once_both_succeed(repo: lakefs_hl.Repository, place: str | None) -> None:
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def work() -> None:
        try:
            start.wait()
            repo.get_or_create(place)
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [branch.id for branch in repo.list_branches()] == ["main"]


def test_samples_are_committed(repo: lakefs_hl.Repository, place: str | None, kind: str) -> None:
    repo.create(place, include_samples=True)
    main = repo.branch("main")
    assert len(list(main.list_objects(recursive=True))) > 0
    if kind != "real lakeFS":  # it says yes before its own samples are committed
        assert list(main.list_uncommitted()) == []


@pytest.mark.parametrize("name", ["UPPER", "ab", "with_underscore", "-start", "a" * 64, "dot.ted", "sp ace"])
def test_a_bad_name_is_a_value_error_that_shows_it(client: lakefs_hl.Client, kind: str, name: str) -> None:
    with pytest.raises(ValueError) as caught:
        lakefs_hl.repository(name, client=client).create(namespace(kind, name))
    assert isinstance(caught.value, exceptions.BadRequestException)
    assert name in str(caught.value)


def test_b3_41_more_than_a_page_of_repositories_branches_and_tags(lake: lakefs_hl.Client) -> None:
    wanted = [f"r{number:04}" for number in range(1005)]
    for name in wanted:
        lakefs_hl.repository(name, client=lake).create()
    assert [repo.id for repo in lakefs_hl.repositories(client=lake)] == wanted
    assert [repo.id for repo in lakefs_hl.repositories(max_amount=1001, client=lake)] == wanted[:1001]
    first = lakefs_hl.repository(wanted[0], client=lake)
    for name in wanted:
        first.branch(name).create("main")
        first.tag(f"t-{name}").create("main")
    assert [branch.id for branch in first.list_branches(prefix="r")] == wanted
    assert [tag.id for tag in first.list_tags(after="t-r0001")] == [f"t-{name}" for name in wanted[2:]]


def test_listings_take_their_arguments_by_position(lake_repo: lakefs_hl.Repository) -> None:
    for name in ("a1", "a2", "a3", "b"):
        lake_repo.branch(name).create("main")
        lake_repo.tag(f"t{name}").create("main")
    assert [branch.id for branch in lake_repo.list_branches(1, "a1", "a")] == ["a2"]
    assert [tag.id for tag in lake_repo.list_tags(1, "ta1", "ta")] == ["ta2"]
    with pytest.raises(ValueError, match="max_amount"):
        lake_repo.list_branches(-1)


def test_b4_53_two_servers_in_one_process_do_not_mix() -> None:
    with lakefs_hl.Client("mem://") as one, lakefs_hl.Client("mem://") as two:
        lakefs_hl.repository("example", client=one).create().branch("main").upload("one", "a")
        lakefs_hl.repository("example", client=two).create().branch("main").upload("two", "a")
        assert lakefs_hl.repository("example", client=one).branch("main").download("a") == b"one"
        assert lakefs_hl.repository("example", client=two).branch("main").download("a") == b"two"
        assert one != two
