"""Objects by `[]`, `in` and `del`: of references and branches, blocking only."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions


@pytest.fixture
def branch(lake_branch: lakefs_hl.Branch) -> lakefs_hl.Branch:
    lake_branch["data/a.csv"] = b"hello world"
    return lake_branch


def test_an_object_is_read_by_its_path(branch: lakefs_hl.Branch) -> None:
    assert branch["data/a.csv"] == b"hello world"
    assert branch[PurePosixPath("data/a.csv")] == b"hello world"
    assert branch[branch.stat_object("data/a.csv")] == b"hello world"
    assert branch["data/a.csv"][0:5] == b"hello"


@pytest.mark.parametrize(
    ("part", "content"),
    [
        (slice(0, 5), b"hello"),
        (slice(6, None), b"world"),
        (slice(None, 4, 1), b"hell"),
        (slice(-5, None), b"world"),
        (slice(0, 99), b"hello world"),
        (slice(3, 3), b""),
    ],
)
def test_a_range_of_an_object_is_read_by_a_slice(branch: lakefs_hl.Branch, part: slice, content: bytes) -> None:
    assert branch["data/a.csv", part] == content


def test_a_range_is_fetched_and_not_the_whole_object(branch: lakefs_hl.Branch, mocker: Any) -> None:
    download = mocker.spy(type(branch), "download")
    assert branch["data/a.csv", 0:5] == b"hello"
    download.assert_called_once_with(branch, "data/a.csv", start=0, end=5)


def test_an_object_that_does_not_exist_is_a_lookup_error(branch: lakefs_hl.Branch) -> None:
    with pytest.raises(exceptions.ObjectNotFoundException, match="nothing"):
        branch["nothing"]
    with pytest.raises(LookupError):
        branch["nothing", 0:5]


def test_a_branch_is_written_and_deleted_from(branch: lakefs_hl.Branch) -> None:
    branch["data/a.csv"] = "text"
    assert branch["data/a.csv"] == b"text"
    assert branch.stat_object("data/a.csv").content_type == "text/csv"
    del branch["data/a.csv"]
    assert "data/a.csv" not in branch
    del branch["data/a.csv"]  # as delete_objects has it


def test_in_asks_whether_an_object_exists(branch: lakefs_hl.Branch) -> None:
    assert "data/a.csv" in branch
    assert PurePosixPath("data/a.csv") in branch
    assert "data/" not in branch
    assert branch.stat_object("data/a.csv") in branch


def test_all_references_are_read_and_only_branches_are_written(branch: lakefs_hl.Branch) -> None:
    commit = branch.commit_changes("one")
    repository = lakefs_hl.Repository("example", branch._client)
    for ref in (commit, repository.tag("v1").create(commit), repository.ref("main"), repository.commit(commit.id)):
        assert ref["data/a.csv", 0:5] == b"hello"
        assert "data/a.csv" in ref
        immutable: Any = ref
        with pytest.raises(TypeError, match="does not support item assignment"):
            immutable["data/a.csv"] = b""
        with pytest.raises(TypeError, match="support item deletion"):
            del immutable["data/a.csv"]


def test_a_branch_in_the_place_of_paths_deletes_nothing(branch: lakefs_hl.Branch) -> None:
    takes_paths: list[Any] = [branch.delete_objects, branch.stat_many, branch.download_many, branch.upload_many]
    for call in takes_paths:
        with pytest.raises(TypeError, match=r"list_objects|paths"):
            call(branch)
    assert "data/a.csv" in branch


def test_a_reference_is_not_iterable(branch: lakefs_hl.Branch) -> None:
    for wrong in (iter, list, sorted, set, dict):
        with pytest.raises(TypeError, match=r"lakefs://example/main.* is not iterable: .*list_objects\(\)"):
            wrong(branch)
    with pytest.raises(TypeError, match="list_objects"):
        for _ in branch:
            pass
    with pytest.raises(TypeError):
        reversed(branch)  # type: ignore[call-overload]
    assert bool(branch)


@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        (slice(0, 100), TypeError, r"the path of one object in .*main.*, not slice.*files\(\)\[:100\]"),
        (5, TypeError, "not int: 5"),
        (None, TypeError, "not NoneType"),
        (["a", "b"], TypeError, "not list.*download_many"),
        (("a", "b"), TypeError, "want a path, or a path and a range"),
        (("a", slice(0, 1), 3), TypeError, "want a path, or a path and a range"),
        (("a", 5), TypeError, "want a path, or a path and a range"),
        (("a", slice(0, 9, 2)), ValueError, "no step"),
        (("a", slice("x", 9)), TypeError, "start"),
        ((5, slice(0, 9)), TypeError, "not int: 5"),
        ("", ValueError, "empty"),
    ],
)
def test_a_key_that_is_no_path_is_refused(
    branch: lakefs_hl.Branch, key: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        branch[key]


@pytest.mark.parametrize("key", [slice(None), 5, ["a"], ("data/a.csv", slice(0, 3))])
def test_such_a_key_writes_and_deletes_nothing(branch: lakefs_hl.Branch, key: Any) -> None:
    with pytest.raises(TypeError, match="path of one object"):
        branch[key] = b""
    with pytest.raises(TypeError, match="path of one object"):
        del branch[key]
    with pytest.raises(TypeError, match="path of one object"):
        key in branch  # noqa: B015
    assert branch["data/a.csv"] == b"hello world"


def test_a_prefix_is_no_object(branch: lakefs_hl.Branch) -> None:
    prefix = lakefs_hl.CommonPrefix("example", "main", "data/", branch._client)
    with pytest.raises(TypeError, match="common prefix"):
        branch[prefix]  # type: ignore[index]
    with pytest.raises(exceptions.PartialFailureError, match="data/"):
        del branch[prefix]  # type: ignore[arg-type]
    assert "data/a.csv" in branch


def test_asyncio_has_none_of_it() -> None:
    for name in ("__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__"):
        assert not hasattr(aio.Branch, name)
        assert not hasattr(lakefs_hl.BranchTransaction, name)
    branch: Any = aio.Branch("example", "main", aio.Client("mem://"))
    with pytest.raises(TypeError, match="not iterable"):
        "a" in branch  # noqa: B015
