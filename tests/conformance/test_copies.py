"""`lakefs_hl.copy`: within a repository, between repositories, and between lakes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from lakefs_hl import exceptions
from lakefs_hl._files import bodies, copies
from tests.worlds import World, bare

TREE = {"d/a.csv": b"1,2", "d/empty": b"", "d/e/b": bytes(range(256)) * 2000, "d2/c": b"3"}


def copy(world: World, *places: Any, **options: Any) -> Any:
    given = {name: bare(value) for name, value in options.items()}
    return world.settle(world.module.copy(*map(bare, places), **given))


@pytest.fixture
def main(world: World) -> Any:
    made = world.fresh().branch("main")
    for path, content in TREE.items():
        made.upload(content, path, content_type="text/x-test", metadata={"at": path})
    return made


@pytest.fixture
def other(world: World) -> Any:
    """A branch of another repository."""
    return world.fresh().branch("main")


@pytest.fixture
def elsewhere(world: World) -> Iterator[Any]:
    """A branch of another lake."""
    client = world.settle(world.module.Client("mem://"))
    repository = world.settle(world.module.repository("elsewhere", client=bare(client)))
    yield repository.create().branch("main")
    client.close()


def content(branch: Any) -> dict[str, Any]:
    return {entry.path: branch.download(entry.path) for entry in branch.list_objects(recursive=True)}


def test_an_object_keeps_its_name_under_a_prefix(world: World, main: Any) -> None:
    options = {"src_client": world.client, "dst_client": world.client}
    report = copy(world, f"{main.uri}d/a.csv", f"{main.uri}new/", **options)
    assert (report.transferred, report.bytes) == (1, 3)
    assert copy(world, f"{main.uri}d/a.csv", f"{main.uri}b.csv", **options).ok
    assert copy(world, main.stat_object("d/a.csv"), main).ok
    for path in ("new/a.csv", "b.csv", "a.csv"):
        found = main.stat_object(path)
        assert (found.size_bytes, found.content_type, found.metadata) == (3, "text/x-test", {"at": "d/a.csv"})


def test_a_prefix_of_a_repository(world: World, main: Any) -> None:
    (prefix,) = [entry for entry in main.list_objects() if entry.path == "d/"]
    assert copy(world, prefix, f"{main.uri}e", dst_client=world.client).transferred == 3
    assert main.download("e/e/b") == TREE["d/e/b"]
    with pytest.raises(ValueError, match="overlap"):
        copy(world, prefix, main)


@pytest.mark.parametrize("place", ["other", "elsewhere"])
def test_a_prefix_to_another_repository(world: World, main: Any, place: str, request: pytest.FixtureRequest) -> None:
    target, events = request.getfixturevalue(place), list[Any]()
    report = copy(world, f"{main.uri}d/", target, src_client=world.client, progress=events.append)
    assert (report.transferred, report.bytes, report.failed_count) == (3, 3 + 256 * 2000, 0)
    assert content(target) == {path[2:]: data for path, data in TREE.items() if path.startswith("d/")}
    found = target.stat_object("a.csv")
    assert (found.content_type, found.metadata) == ("text/x-test", {"at": "d/a.csv"})
    assert {event.path for event in events if event.kind == "complete"} == {"a.csv", "empty", "e/b"}
    assert copy(world, main, f"{target.uri}all/", dst_client=target._given).transferred == 4
    assert target.download("all/d2/c") == b"3"


@pytest.mark.parametrize("place", ["other", "elsewhere"])
def test_large_objects_go_through_a_file_one_by_one(
    world: World,
    main: Any,
    place: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    rng: random.Random,
) -> None:
    for module in (copies, bodies):  # what is large, and a spool that is a file
        monkeypatch.setattr(module, "SPOOL", 1000)
    monkeypatch.setattr(copies, "BATCH", 2)
    target = request.getfixturevalue(place)
    large = rng.randbytes(300_000)
    main.upload(large, "d/large")
    assert copy(world, f"{main.uri}d/", target, src_client=world.client).transferred == 4
    assert target.download("large") == large
    assert copy(world, main.stat_object("d/large"), f"{target.uri}one", dst_client=target._given).bytes == 300_000
    assert target.download("one") == large


def test_what_cannot_be_copied(world: World, main: Any, other: Any) -> None:
    with pytest.raises(IsADirectoryError, match="end it with '/' to copy them all"):
        copy(world, f"{main.uri}d", other, src_client=world.client)
    with pytest.raises(exceptions.ObjectNotFoundException, match="none"):
        copy(world, f"{main.uri}none", other, src_client=world.client)
    with pytest.raises(exceptions.ObjectNotFoundException, match="none/"):
        copy(world, f"{main.uri}none/", other, src_client=world.client)
    with pytest.raises(ValueError, match="the same"):
        copy(world, main.stat_object("d/a.csv"), main.stat_object("d/a.csv"))
    with pytest.raises(exceptions.NotFoundException):
        copy(world, main, f"lakefs://{other.repository_id}/none/", dst_client=world.client)
    main.commit_changes("all")
    with pytest.raises(exceptions.BadRequestException, match="immutable"):
        copy(world, main, f"lakefs://{main.repository_id}/{main.get_commit().id}/", dst_client=world.client)
