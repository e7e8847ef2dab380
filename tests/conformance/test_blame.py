"""Blame: the commit that changed each object last, which is that of the newest version of its history."""

from __future__ import annotations

import random
from typing import Any

import pytest

from lakefs_hl import exceptions
from lakefs_hl.ops import blame
from tests.worlds import PREFIXES, REAL, World, bare


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


@pytest.fixture
def main(repo: Any) -> Any:
    return repo.branch("main")


def put(branch: Any, message: str, *paths: str) -> str:
    for path in paths:
        branch.upload(message.encode(), path)
    return str(branch.commit_changes(message).id)


def found(ref: Any, *args: Any) -> dict[str, str]:
    return {entry.path: entry.commit.message for entry in ref.blame(*args)}


def test_each_object_has_the_commit_that_changed_it_last(main: Any) -> None:
    put(main, "one", "a", "b", "d/c")
    second = put(main, "two", "b")
    main.upload(b"staged", "a")
    main.delete_objects("d/c")
    entries = list(main.blame())
    assert [(entry.path, entry.commit.message) for entry in entries] == [("a", "one"), ("b", "two"), ("d/c", "one")]
    assert entries[1].commit.id == second
    assert {entry.info.reference_id for entry in entries} == {second}
    assert entries[0].info.download() == b"one"
    path, commit, info = bare(entries[1])
    assert (path, commit.id, info.path) == ("b", second, "b")
    shown = entries[1].to_dict()
    assert (shown["path"], shown["commit_id"], shown["message"], shown["size_bytes"]) == ("b", second, "two", 3)


def test_one_object_a_prefix_and_a_part(main: Any) -> None:
    put(main, "one", "d/a", "d/a.old", "d/b", "e")
    assert found(main, "d/a") == {"d/a": "one"}
    assert list(found(main, "d/")) == ["d/a", "d/a.old", "d/b"]
    assert list(found(main, "", 2)) == ["d/a", "d/a.old"]
    assert found(main, "d/none/") == {}
    with pytest.raises(exceptions.ObjectNotFoundException, match="a prefix ends with '/'"):
        list(main.blame("d"))


def test_a_missing_reference(repo: Any) -> None:
    for ref in (repo.branch("none"), repo.ref("main~9")):
        with pytest.raises(exceptions.NotFoundException):
            list(ref.blame())


def test_an_object_that_was_merged_has_the_commit_that_made_it(repo: Any, main: Any) -> None:
    put(main, "base", "a", "b", "c", "d", "e")
    dev = repo.branch("dev").create("main")
    put(dev, "theirs", "a", "b")
    put(main, "ours", "a", "c")
    dev.merge_into("main", strategy="dest-wins")
    assert found(main) == {"a": "ours", "b": "theirs", "c": "ours", "d": "base", "e": "base"}
    assert found(repo.ref("main~1"))["b"] == "base"


def test_content_that_came_back_has_the_commit_that_brought_it_back(main: Any) -> None:
    names = [f"{number}" for number in range(8)]
    put(main, "one", *names)
    put(main, "two", *names)
    for name in names:
        main.upload(b"one", name)
    main.commit_changes("back")
    assert set(found(main).values()) == {"back"}


def test_metadata_that_changed_counts(main: Any) -> None:
    names = [f"{number}" for number in range(6)]
    put(main, "one", *names)
    main.set_object_metadata("3", {"k": "v"})
    main.commit_changes("described")
    assert found(main) == {name: "described" if name == "3" else "one" for name in names}


@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_the_newest_version_of_the_history(
    world: World, repo: Any, main: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if world.kind in {REAL, *PREFIXES}:
        pytest.skip("the same requests as above, and many of them")
    draw = random.Random(seed)
    names = [f"{'d/' * (number % 3)}{number:02}" for number in range(14)]
    put(main, "base", *names)
    branches = [main, repo.branch("dev").create("main")]
    for number in range(14):
        branch, other = draw.sample(branches, 2)
        for name in draw.sample(names, 3):
            if draw.random() < 0.2:
                branch.delete_objects(name)
            else:
                branch.upload(bytes([draw.randrange(3)]), name)
        branch.commit_changes(f"{number}", on_empty="skip")
        if draw.random() < 0.4:
            try:
                other.merge_into(branch.id, strategy=draw.choice(["dest-wins", "source-wins"]))
            except exceptions.BadRequestException:
                continue  # there is nothing to merge
    here = [info.path for info in main.list_objects(recursive=True)]
    expected = {path: next(iter(main.history(path))).commit.id for path in here}
    for rows, budget in ((250, None), (5, None), (250, 0)):
        monkeypatch.setattr(blame, "MAX_ROWS", rows)
        if budget is not None:
            monkeypatch.setattr(blame, "FEW", 100)
        assert {entry.path: entry.commit.id for entry in main.blame()} == expected, f"seed {seed}"
