"""A handle of another repository, lake or colour as an argument; and which handles are one and the same commit."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.aio.default import of
from tests.worlds import namespace

COLOURS = ["blocking", "aio"]


def settle(value: Any) -> Any:
    """Runs what has to be awaited, or takes the first row of a listing."""
    if hasattr(value, "__anext__"):
        value = anext(value)
    if not asyncio.iscoroutine(value) and not hasattr(value, "__await__"):
        return next(value) if hasattr(value, "__next__") else value

    async def wait() -> Any:
        return await value

    return asyncio.run(wait())


@pytest.fixture
def elsewhere(client: lakefs_hl.Client, kind: str) -> Iterator[lakefs_hl.Branch]:
    """A branch `main` of another repository of the same lake."""
    name = f"t-{secrets.token_hex(8)}"
    repository = lakefs_hl.repository(name, client=client).create(namespace(kind, name))
    repository.branch("main").upload(b"", "a")
    yield repository.branch("main")
    repository.delete(force=True)


@pytest.fixture(params=COLOURS)
def here(branch: lakefs_hl.Branch, request: pytest.FixtureRequest) -> Any:
    """The branch `dev` of the test's repository, in each colour."""
    branch.upload(b"", "a")
    branch.commit_changes("first")
    lakefs_hl.Branch(branch.repository_id, "dev", branch._given).create("main")
    if request.param == "blocking":
        return lakefs_hl.Branch(branch.repository_id, "dev", branch._given)
    return aio.Branch(branch.repository_id, "dev", of(branch._client))


def package(here: Any) -> Any:
    return aio if isinstance(here, aio.Branch) else lakefs_hl


def tag_of(here: Any) -> Any:
    return package(here).Tag(here.repository_id, "v1", here._given)


def transaction(here: Any, other: Any) -> Any:
    return package(here).BranchTransaction(here.repository_id, "dev", here._given, source_ref=other)


def info(here: Any, other: Any) -> Any:
    return package(other).ObjectInfo(other.repository_id, other.id, "a", other._given)


def prefix(here: Any, other: Any) -> Any:
    return package(other).CommonPrefix(other.repository_id, other.id, "a/", other._given)


#: Every call that takes a handle, and what that argument is called.
CALLS: list[tuple[str, Callable[[Any, Any], Any]]] = [
    ("destination_branch_id", lambda here, other: here.merge_into(other)),
    ("other_ref", lambda here, other: here.diff(other)),
    ("source_reference_id", lambda here, other: type(here)(here.repository_id, "new", here._given).create(other)),
    ("source_ref", lambda here, other: tag_of(here).create(other)),
    ("reference_id", lambda here, other: here.hard_reset(other)),
    ("reference_id", lambda here, other: here.revert(other)),
    ("reference_id", lambda here, other: here.reverse(other)),
    ("reference_id", lambda here, other: here.cherry_pick(other)),
    ("stop_at", lambda here, other: here.log(stop_at=other)),
    ("from_reference", lambda here, other: here.copy_object(other, "a", "b")),
    ("source_ref", lambda here, other: here.transaction("m", source_ref=other)),
    ("source_ref", transaction),
    ("object_paths", lambda here, other: here.delete_objects(info(here, other))),
    ("object_paths", lambda here, other: here.delete_objects([prefix(here, other)])),
]


@pytest.mark.parametrize(("argument", "call"), CALLS, ids=[f"{n}-{name}" for n, (name, _) in enumerate(CALLS)])
def test_a_handle_of_another_repository_is_refused(
    here: Any, elsewhere: lakefs_hl.Branch, branch: lakefs_hl.Branch, argument: str, call: Callable[[Any, Any], Any]
) -> None:
    before = branch.head()
    other = aio.Branch(elsewhere.repository_id, "main", of(elsewhere._client))
    for handle in (elsewhere, other):
        with pytest.raises(ValueError, match=f"{argument}: .*{elsewhere.repository_id}.* is in another repository"):
            settle(call(here, handle))
    if "object" not in argument:
        with pytest.raises(ValueError, match=f"{argument}: .* is in another repository"):
            settle(call(here, elsewhere.uri))
    assert branch.head() == before
    assert [one.path for one in branch.list_objects()] == ["a"]


@pytest.mark.parametrize(("argument", "call"), CALLS, ids=[f"{n}-{name}" for n, (name, _) in enumerate(CALLS)])
def test_a_handle_of_another_lake_is_refused(
    here: Any, lake: lakefs_hl.Client, argument: str, call: Callable[[Any, Any], Any]
) -> None:
    for client in (lake, of(lake)):
        kind = lakefs_hl.Branch if client is lake else aio.Branch
        other = kind(here.repository_id, "main", client)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=f"{argument}: .* is on mem://.*, and this call is made on"):
            settle(call(here, other))


def test_an_object_of_another_place_is_named_itself(
    elsewhere: lakefs_hl.Branch, branch: lakefs_hl.Branch, lake: lakefs_hl.Client
) -> None:
    item = lakefs_hl.ObjectInfo(elsewhere.repository_id, "main", "data/t.csv", elsewhere._client)
    with pytest.raises(ValueError, match=r"path: <ObjectInfo .*/main/data/t.csv> is in another repository"):
        branch.exists(item)
    item = lakefs_hl.ObjectInfo(branch.repository_id, "main", "data/t.csv", lake)
    with pytest.raises(ValueError, match=r"path: <ObjectInfo .*/main/data/t.csv> is on mem://"):
        branch.exists(item)


def test_a_handle_of_either_colour_is_taken(here: Any, branch: lakefs_hl.Branch) -> None:
    other = aio.Branch(branch.repository_id, "main", of(branch._client))
    for handle in (branch, other, branch.uri):
        settle(here.hard_reset(handle))
        assert settle(here.head()).id == branch.head().id
        assert settle(here.copy_object(handle, "a", "copy")).path == "copy"
        assert settle(here.delete_objects(["copy"])).failed == ()
    assert settle(here.delete_objects(branch.list_objects())).requested == 1  # of another reference: its paths


def test_a_default_client_is_compared_once_it_is_there(
    lake_branch: lakefs_hl.Branch, lake: lakefs_hl.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(vars(lakefs_hl), "DefaultClient", raising=False)
    bare = lakefs_hl.Branch("example", "main")
    lake_branch.upload(b"", "a")
    assert lake_branch.copy_object(bare, "a", "b").path == "b"  # nobody knows yet where it is
    assert "DefaultClient" not in vars(lakefs_hl)
    with lakefs_hl.Client("mem://") as default:
        monkeypatch.setitem(vars(lakefs_hl), "DefaultClient", default)
        with pytest.raises(ValueError, match=r"from_reference: .* is on mem://"):
            lake_branch.copy_object(bare, "a", "c")
        with pytest.raises(ValueError, match=r"from_reference: .* is on mem://"):
            bare.copy_object(lake_branch, "a", "c")
        monkeypatch.setitem(vars(lakefs_hl), "DefaultClient", lake)
        assert bare.copy_object(lake_branch, "a", "c").path == "c"
        assert lake_branch.copy_object(aio.Branch("example", "main"), "a", "d").path == "d"
        monkeypatch.setitem(vars(aio), "DefaultClient", of(default))
        with pytest.raises(ValueError, match=r"from_reference: .* is on mem://"):
            lake_branch.copy_object(aio.Branch("example", "main"), "a", "e")


def test_a_default_client_that_is_still_to_be_made_is_compared_by_its_configuration(
    lake_branch: lakefs_hl.Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(vars(lakefs_hl), "DefaultClient", raising=False)
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", "secret")
    for bare in (lakefs_hl.Branch("example", "main"), aio.Branch("example", "main")):
        for handle in (bare, bare.with_options(timeout=5)):
            with pytest.raises(ValueError, match=r"other_ref: .* is on http://127.0.0.1:1, and this call"):
                lake_branch.diff(handle)
    assert "DefaultClient" not in vars(lakefs_hl)


def test_options_of_a_default_client_that_cannot_be_made_change_nothing(
    lake_branch: lakefs_hl.Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(vars(lakefs_hl), "DefaultClient", raising=False)
    for bare in (lakefs_hl.Branch("example", "main"), aio.Branch("example", "main")):
        assert list(lake_branch.diff(bare.with_options(timeout=5))) == []


@pytest.mark.parametrize("package", [lakefs_hl, aio])
def test_the_default_client_has_the_colour_of_the_package(
    package: Any, lake: lakefs_hl.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(package), "DefaultClient", of(lake) if package is lakefs_hl else lake)
    with pytest.raises(
        TypeError, match=rf"{package.__name__}\.DefaultClient must be a {package.__name__}\.Client, not"
    ):
        settle(package.repository("example").exists())


@pytest.mark.parametrize("colour", COLOURS)
def test_a_commit_is_the_same_whichever_call_gave_it(branch: lakefs_hl.Branch, colour: str) -> None:
    here: Any = branch if colour == "blocking" else aio.Branch(branch.repository_id, "main", of(branch._client))
    dev = type(here)(here.repository_id, "dev", here._given)
    settle(dev.create("main"))
    settle(dev.upload(b"1", "a"))
    committed = settle(dev.commit_changes("one"))
    merged = settle(dev.merge_into(here))
    same = [committed, settle(dev.head()), settle(dev.get_commit()), settle(dev.pin()), settle(dev.log())]
    same += [package(here).Reference(here.repository_id, committed.id, here._given)]
    assert all(one == committed and committed == one for one in same)
    assert len(set(same)) == 1
    assert {committed, settle(dev.with_options(timeout=5, retries=0).head())} == {committed}
    assert merged == settle(here.get_commit()) == settle(here.head())
    assert merged != committed
    assert committed not in (dev, here, committed.id, type(here)(here.repository_id, committed.id, here._given))
    assert committed != package(here).Reference(here.repository_id, committed.id[:12], here._given)
    assert committed != package(here).Reference("other", committed.id, here._given)
    assert committed != lakefs_hl.Reference(here.repository_id, committed.id)


def test_commits_of_two_colours_differ(branch: lakefs_hl.Branch) -> None:
    ours = branch.head()
    assert ours != aio.Reference(branch.repository_id, ours.id, of(branch._client))


def test_something_else_as_a_reference_is_a_type_error(here: Any) -> None:
    for other in (5, b"main", info(here, here), lakefs_hl.Repository("example")):
        with pytest.raises(TypeError, match="other_ref must be the name of a reference or a reference, not"):
            here.diff(other)
    with pytest.raises(ValueError, match="other_ref must not be empty"):
        here.diff("")
    with pytest.raises(exceptions.NotFoundException):
        settle(here.diff("nowhere"))
