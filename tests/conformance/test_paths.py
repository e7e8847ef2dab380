"""Paths and references of calls: text, or what a listing returned."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

from tests.worlds import World


@pytest.fixture
def branch(world: World) -> Any:
    """`main` of a new repository, with three objects and one commit."""
    made = world.fresh().branch("main")
    for path in ("a/1", "a/2", "b"):
        made.upload(path, path)
    made.commit_changes("first")
    return made


def test_an_object_of_a_listing_names_itself(world: World, branch: Any) -> None:
    one, two, b = branch.list_objects(recursive=True)
    assert branch.stat_object(one) == one
    assert branch.exists(b)
    assert branch.download(two) == b"a/2"
    file = branch.open(b)
    assert world.settle(file.read()) == "b"
    world.settle(file.close())
    assert [item.path for item in branch.list_objects(after=one, recursive=True)] == ["a/2", "b"]
    assert branch.upload(b"new", b).path == "b"
    assert branch.copy_object(branch, one, two).path == "a/2"
    branch.set_object_metadata(one, {"k": "v"})
    branch.reset(b)
    assert branch.download(b) == b"b"
    assert [change.path for change in branch.list_uncommitted(after=one)] == ["a/2"]
    head = branch.commit_changes("second")
    assert [commit.id for commit in branch.log(objects=one)] == [head.id, _first(branch)]
    assert [commit.message for commit in branch.log(after=head)][:1] == ["first"]


def _first(branch: Any) -> str:
    return str(next(commit.id for commit in branch.log() if commit.message == "first"))


def test_a_common_prefix_names_a_prefix(branch: Any) -> None:
    prefix, _ = branch.list_objects()
    assert [item.path for item in branch.list_objects(prefix=prefix)] == ["a/1", "a/2"]
    branch.upload(b"new", "a/1")
    branch.upload(b"new", "b")
    assert [change.path for change in branch.list_uncommitted(prefix=prefix)] == ["a/1"]
    branch.reset(prefix)
    assert [change.path for change in branch.list_uncommitted()] == ["b"]
    assert [commit.message for commit in branch.log(prefixes=prefix)] == ["first"]
    for call in (branch.stat_object, branch.download, branch.exists, branch.open):
        with pytest.raises(TypeError, match=r"path must be the path of an object, and <CommonPrefix .*a/> is a common"):
            call(prefix)


def test_a_posix_path_is_its_text(branch: Any) -> None:
    folder = PurePosixPath("a")
    assert branch.download(folder / "1") == b"a/1"
    assert branch.upload(b"x", folder / "3").path == "a/3"
    assert branch.delete_objects([folder / "3"]).failed == ()
    assert branch.delete_objects(folder / "2").requested == 1
    with pytest.raises(TypeError, match=r"prefix must be .* drops the slash at its end: give text such as 'data/'"):
        branch.list_objects(prefix=folder)


def test_a_path_of_the_machine_is_refused(branch: Any) -> None:
    with pytest.raises(
        TypeError, match=r"path must be .* not PureWindowsPath: .*a Windows path is not a name in a lake"
    ):
        branch.download(PureWindowsPath("a\\1"))
    with pytest.raises(TypeError, match=r"path must be .* not a name in a lake: path.as_posix\(\) is its text"):
        branch.upload(b"", Path("a/1"))


def test_an_object_of_another_repository_is_refused(world: World, branch: Any) -> None:
    other = world.fresh().branch("main").upload(b"", "b")
    for call in (branch.stat_object, branch.download, branch.delete_objects):
        with pytest.raises(
            ValueError, match=r"<ObjectInfo .*main/b.*> is in another repository|is in another repository"
        ):
            call(other)


def test_an_object_of_another_reference_stands_for_its_path(world: World, branch: Any) -> None:
    dev = world.repository(branch.repository_id).branch("dev").create("main")
    dev.upload(b"dev", "b")
    assert branch.download(dev.stat_object("b")) == b"b"
    assert branch.copy_object(dev, branch.stat_object("b")).size_bytes == 3


def test_a_handle_names_a_reference_everywhere(world: World, branch: Any) -> None:
    repo = world.repository(branch.repository_id)
    tag = repo.tag("v1").create(branch)
    head = branch.head()
    assert (repo.branch(branch).id, repo.tag(tag).id, repo.ref(tag).id) == ("main", "v1", "v1")
    assert repo.commit(head).id == head.id
    dev = repo.branch("dev").create(tag)
    assert [found.id for found in repo.list_branches(after=dev)] == ["main"]
    assert [found.id for found in repo.list_tags(after=tag)] == []
    with pytest.raises(ValueError, match=r"branch_id: .* is in another repository"):
        world.fresh().branch(branch)
