"""The paths of a bulk delete, read lazily, and its report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl._handles.deletions import DeleteReport, ObjectPaths
from lakefs_hl._handles.handle import Handle
from lakefs_hl.exceptions import PartialFailureError
from lakefs_hl.ops.objects import UNKNOWN
from lakefs_hl.spec.limits import MAX_DELETE
from lakefs_hl.spec.models import ObjectError

AT = Handle("example", "main")


def test_paths_are_read_lazily_and_counted() -> None:
    paths = ObjectPaths(iter(["a", "b"]), "paths", AT)
    read = iter(paths)
    assert (next(read), paths.count) == ("a", 1)
    assert (list(read), paths.count) == (["b"], 2)


def test_a_single_string_is_one_path() -> None:
    assert list(ObjectPaths("a/b", "paths", AT)) == ["a/b"]


def test_objects_are_their_paths_and_prefixes_are_failures() -> None:
    info = lakefs_hl.ObjectInfo("example", "main", "a")
    prefix = lakefs_hl.CommonPrefix("example", "main", "b/")
    paths = ObjectPaths([info, prefix], "paths", lakefs_hl.Branch("example", "main"))
    assert list(paths) == ["a"]
    assert (paths.count, [failure.path for failure in paths.prefixes]) == (2, ["b/"])


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (7, "paths must be a path, an ObjectInfo or an iterable of them, not int: 7"),
        (b"a", "not bytes"),
        ([1], "paths must hold paths or ObjectInfos, not int: 1"),
    ],
)
def test_something_else_is_refused(items: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        list(ObjectPaths(items, "paths", AT))


def test_an_asynchronous_listing_is_read_in_batches_of_one_request() -> None:
    async def names() -> AsyncIterator[str]:
        for number in range(MAX_DELETE + 1):
            yield f"{number}"

    async def main() -> None:
        paths = ObjectPaths((), "paths", AT)
        assert [len(batch) async for batch in paths.batches(names())] == [MAX_DELETE, 1]
        assert paths.count == MAX_DELETE + 1

    asyncio.run(main())
    with pytest.raises(TypeError, match=r"taken by lakefs_hl\.aio"):
        ObjectPaths(names(), "paths", AT)


def report(on_error: str, *failed: ObjectError, count: int = 2) -> DeleteReport:
    paths = ObjectPaths(["a", "b", "c"][:count], "paths", AT)
    list(paths)
    return DeleteReport._of("lakefs://example/main/", paths, list(failed), on_error)


def test_failures_are_raised_or_returned() -> None:
    failure = ObjectError(403, "not allowed", "a")
    assert report("raise").failed == ()
    found = report("return", failure)
    assert (found.requested, found.failed, found.errors) == (2, (failure,), (failure,))
    with pytest.raises(PartialFailureError, match=r"1 of 2 objects of .*main/ were not deleted; .*'a': not allowed"):
        report("raise", failure)


@pytest.mark.parametrize(
    ("statuses", "count", "maybe_applied"),
    [((403,), 1, False), ((403,), 2, True), ((403, UNKNOWN), 2, None)],
)
def test_the_error_says_whether_anything_was_deleted(
    statuses: tuple[int, ...], count: int, maybe_applied: bool | None
) -> None:
    failed = [ObjectError(status, "m", "a") for status in statuses]
    with pytest.raises(PartialFailureError) as caught:
        report("raise", *failed, count=count)
    assert caught.value.maybe_applied is maybe_applied
    assert caught.value.report.failed == tuple(failed)
