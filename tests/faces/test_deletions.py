"""Bulk deletes say what they know: how many paths were given, and which failed. Prefixes are not objects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.aio.default import of
from lakefs_hl.spec import models
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.transport.aio import Aio
from tests.faces.conftest import Tap


@pytest.fixture(params=["blocking", "aio"])
def delete(branch: lakefs_hl.Branch, request: pytest.FixtureRequest) -> Any:
    """`delete_objects` of the branch in each colour."""
    if request.param == "blocking":
        return branch.delete_objects
    twin = aio.Branch(branch.repository_id, "main", of(branch._client))
    return lambda *args, **kwargs: asyncio.run(twin.delete_objects(*args, **kwargs))


def paths(branch: lakefs_hl.Branch) -> list[str]:
    return [item.path for item in branch.list_objects(recursive=True)]


def test_a_path_that_is_not_there_is_requested_not_called_deleted(branch: lakefs_hl.Branch, delete: Any) -> None:
    branch.upload(b"", "a")
    report = delete(["a", "mispelled"])
    assert report == (2, ())
    assert not hasattr(report, "deleted")
    assert paths(branch) == []


def test_a_prefix_that_is_no_object_fails(branch: lakefs_hl.Branch, delete: Any) -> None:
    for path in ("data/1", "data/2", "marker/", "marker/1", "b"):
        branch.upload(b"", path)
    with pytest.raises(
        exceptions.PartialFailureError, match=r"1 of 3 .* 'data/': no object has this path, it is a prefix"
    ) as caught:
        delete(["data/", "marker/", "b"])
    (failed,) = caught.value.report.failed
    assert (caught.value.report.requested, failed.path, failed.status_code) == (3, "data/", 404)
    assert "list_objects(prefix='data/', recursive=True)" in failed.message
    assert paths(branch) == ["data/1", "data/2", "marker/1"]
    report = delete("nothing/", on_error="return")
    assert (report.requested, [one.path for one in report.errors]) == (1, ["nothing/"])


def test_a_listing_with_prefixes_deletes_its_objects(branch: lakefs_hl.Branch, delete: Any) -> None:
    for path in ("a/1", "a/2", "b"):
        branch.upload(b"", path)
    report = delete(branch.list_objects(), on_error="return")
    assert (report.requested, [one.path for one in report.failed]) == (2, ["a/"])
    assert paths(branch) == ["a/1", "a/2"]
    (prefix,) = branch.list_objects()
    assert [one.path for one in delete(prefix, on_error="return").failed] == ["a/"]
    assert delete(branch.list_objects(prefix="a/", recursive=True)).failed == ()
    assert paths(branch) == []


def test_one_string_is_one_path(branch: lakefs_hl.Branch, delete: Any) -> None:
    for path in ("a", "b", "ab"):
        branch.upload(b"", path)
    assert delete("ab").requested == 1
    assert paths(branch) == ["a", "b"]
    assert delete(f"{branch.uri}a").requested == 1
    assert paths(branch) == ["b"]


def test_an_asynchronous_listing_is_for_the_awaitable_colour(branch: lakefs_hl.Branch) -> None:
    listing = aio.Branch(branch.repository_id, "main", of(branch._client)).list_objects()
    with pytest.raises(TypeError, match=r"object_paths must be a path.*taken by lakefs_hl\.aio"):
        branch.delete_objects(listing)  # type: ignore[arg-type]


def test_an_asynchronous_listing_is_deleted_in_thousands_as_it_comes(lake_branch: lakefs_hl.Branch) -> None:
    client = of(lake_branch._client)
    tap = Tap(lake_branch._client._transport)
    client._driver = Aio(tap)
    branch = aio.Branch("example", "main", client)
    sizes = list[int]()
    given = list[int]()

    def count(request: Request, response: Response) -> Response:
        if request.endpoint.operation == "deleteObjects":
            sizes.append(len(models.decode(models.PathList, bytes(request.body)).paths))  # type: ignore[arg-type]
            given.append(asked)
        return response

    tap.change = count
    asked = 0

    async def names() -> AsyncIterator[str]:
        nonlocal asked
        for number in range(2345):
            asked += 1
            yield f"{number:04}"

    assert asyncio.run(branch.delete_objects(names())) == (2345, ())
    assert sizes == [1000, 1000, 345]
    assert given == [1000, 2000, 2345]  # no item is asked for while a batch is under way
    assert tap.operations().count("getBranch") == 1


def test_a_listing_of_its_own_is_deleted(branch: lakefs_hl.Branch) -> None:
    for number in range(7):
        branch.upload(b"", f"{number}/x")

    async def main() -> None:
        here = aio.Branch(branch.repository_id, "main", of(branch._client))
        report = await here.delete_objects(here.list_objects(3, recursive=True))
        assert report == (3, ())
        report = await here.delete_objects(here.list_objects(), on_error="return")
        assert (report.requested, len(report.failed)) == (4, 4)
        assert (await here.delete_objects(here.list_objects(recursive=True))).requested == 4

    asyncio.run(main())
    assert paths(branch) == []


def test_nothing_is_deleted_of_nothing_of_a_missing_branch(branch: lakefs_hl.Branch) -> None:
    async def none() -> AsyncIterator[str]:
        for path in list[str]():
            yield path

    nowhere = aio.Branch(branch.repository_id, "nowhere", of(branch._client))
    assert asyncio.run(nowhere.delete_objects(none())) == (0, ())

    async def one() -> AsyncIterator[str]:
        yield "a"

    with pytest.raises(exceptions.NotFoundException, match="nowhere"):
        asyncio.run(nowhere.delete_objects(one()))


@pytest.mark.parametrize("wrong", [5, None, b"bytes", [5], [b"a"], [["a"]], [object()]])
def test_what_is_no_path_is_refused(branch: lakefs_hl.Branch, delete: Any, wrong: Any) -> None:
    branch.upload(b"", "a")
    with pytest.raises(TypeError, match="object_paths must"):
        delete(wrong)
    assert paths(branch) == ["a"]


def test_what_a_listing_raises_is_raised(branch: lakefs_hl.Branch) -> None:
    def failing() -> Iterator[str]:
        yield "a"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        branch.delete_objects(failing())
