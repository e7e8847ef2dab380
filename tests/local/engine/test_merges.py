"""Merge, revert, cherry-pick: one three-way merge of trees, three ways round."""

from __future__ import annotations

import msgspec
import pytest

from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import MergeConflict, ServerException
from tests.local.engine.support import branch, commit, paths, put, read, refused


def merge(engine: Engine, source: str, dest: str = "main", **how: object) -> str:
    wanted = models.decode(models.Merge, models.encode(how))
    return engine.merges.merge("repo", source, dest, wanted, who="me")


@pytest.fixture
def sides(engine: Engine) -> Engine:
    """main and side, both changed since their base; `both` on each, `gone` removed here and changed there."""
    for path in ("both", "gone", "kept"):
        put(engine, path, b"base")
    commit(engine)
    branch(engine, "side")
    for name in ("main", "side"):
        put(engine, "both", name.encode(), name)
        put(engine, f"{name}-only", b"x", name)
    put(engine, "gone", b"changed", "side")
    engine.objects.delete("repo", "main", "gone")
    commit(engine, "main")
    commit(engine, "side")
    return engine


def test_conflicts_are_named(sides: Engine) -> None:
    head = sides.branches.get("repo", "main")
    with pytest.raises(MergeConflict, match="update branch main: conflict found") as caught:
        merge(sides, "side")
    assert caught.value.conflicts == ("both", "gone")
    assert sides.branches.get("repo", "main") == head


def test_strategies(sides: Engine) -> None:
    branch(sides, "other")
    made = sides.commits.get("repo", merge(sides, "side", strategy="dest-wins"))
    assert made.metadata == {".lakefs.merge.strategy": "dest-wins"}
    assert made.message == "Merge 'side' into 'main'"
    assert made.parents == [sides.branches.get("repo", "other").commit_id, sides.branches.get("repo", "side").commit_id]
    assert (read(sides, "both"), paths(sides)) == (b"main", ["both", "kept", "main-only", "side-only"])
    merge(sides, "side", "other", strategy="source-wins", message="m", metadata={"k": "v"})
    assert (read(sides, "both", "other"), read(sides, "gone", "other")) == (b"side", b"changed")
    refused(400, lambda: merge(sides, "side", strategy="mine"), "argument strategy: invalid value: validation error")


def test_squash(sides: Engine) -> None:
    head = sides.branches.get("repo", "main").commit_id
    made = sides.commits.get("repo", merge(sides, "side", strategy="source-wins", squash_merge=True))
    assert made.parents == [head]


def test_a_squash_merge_is_of_a_higher_generation_than_its_source(engine: Engine) -> None:
    branch(engine, "side")
    for path in "abc":
        put(engine, path, branch="side")
        commit(engine, "side")
    made = engine.commits.get("repo", merge(engine, "side", squash_merge=True))
    assert (len(made.parents), made.generation) == (1, 5)
    assert not fsck(engine).damage


def test_nothing_to_merge(engine: Engine) -> None:
    branch(engine, "side")
    refused(400, lambda: merge(engine, "side"), "update branch main: no changes")
    assert merge(engine, "side", allow_empty=True) == engine.branches.get("repo", "main").commit_id
    assert merge(engine, "side", force=True)
    put(engine, "a", branch="side")
    refused(400, lambda: merge(engine, "side"), "update branch main: no changes")  # staged changes do not travel
    commit(engine, "side")
    merge(engine, "side")
    refused(400, lambda: merge(engine, "side"))


def test_there_and_back_is_nothing(engine: Engine) -> None:
    """The records differ in their time, and the trees in their hash: to lakeFS it is the same content."""
    engine.objects.stage("repo", "main", "a", models.ObjectStage("local:///x", "abc", 1, mtime=1))
    commit(engine)
    branch(engine, "side")
    engine.objects.stage("repo", "side", "a", models.ObjectStage("local:///x", "def", 1, mtime=1))
    commit(engine, "side")
    engine.objects.stage("repo", "side", "a", models.ObjectStage("local:///y", "abc", 1, mtime=2))
    commit(engine, "side")
    refused(400, lambda: merge(engine, "side"), "update branch main: no changes")


def test_the_destination_must_be_clean(engine: Engine) -> None:
    put(engine, "a")
    commit(engine)
    branch(engine, "side")
    put(engine, "b", branch="side")
    commit(engine, "side")
    put(engine, "c")
    refused(400, lambda: merge(engine, "side"), "uncommitted changes (dirty branch)")
    refused(400, lambda: merge(engine, "none"), "uncommitted changes (dirty branch)")  # asked first
    engine.branches.reset("repo", "main", models.Reset("reset"))
    put(engine, "a")  # the same again is no change, and is forgotten by the merge
    merge(engine, "side")
    assert engine.diffs.branch("repo", "main").results == []


def test_missing_things(engine: Engine) -> None:
    refused(404, lambda: merge(engine, "none"), "update branch main: get commit by ref none: not found")
    refused(404, lambda: merge(engine, "main", "none"), "branch not found")
    refused(400, lambda: merge(engine, "main", "main~1"))
    refused(400, lambda: merge(engine, "main$"))


def test_merge_base_is_told_the_wrong_way_round(sides: Engine) -> None:
    found = sides.merges.base("repo", "side", "main")
    heads = [sides.branches.get("repo", name).commit_id for name in ("main", "side")]
    assert [found.source_commit_id, found.destination_commit_id] == heads
    assert found.base_commit_id == sides.commits.get("repo", "main~1").id
    refused(404, lambda: sides.merges.base("repo", "none", "main"), "get commit by branch none: not found")
    refused(404, lambda: sides.merges.base("repo", "main", "none"), "get commit by ref none: not found")


def test_criss_cross_has_a_best_base(engine: Engine) -> None:
    put(engine, "a")
    commit(engine)
    branch(engine, "side")
    put(engine, "m")
    one = commit(engine)
    put(engine, "s", branch="side")
    other = commit(engine, "side")
    merge(engine, other, "main")
    merge(engine, one, "side")
    assert engine.merges.base("repo", "main", "side").base_commit_id in {one, other}


# -- revert ------------------------------------------------------------------------------------------------------------


def revert(engine: Engine, ref: str, number: int = 0, **more: object) -> models.Commit:
    how = models.decode(models.Revert, models.encode({"ref": ref, "parent_number": 0, **more}))
    how = msgspec.structs.replace(how, parent_number=number)  # also one that a request could not have
    return engine.merges.revert("repo", "main", how, who="me")


def test_revert(engine: Engine) -> None:
    put(engine, "a", b"1")
    commit(engine)
    put(engine, "a", b"2")
    put(engine, "b")
    undone = commit(engine)
    put(engine, "c")
    commit(engine)
    made = revert(engine, undone)
    assert (made.message, made.committer, made.metadata, len(made.parents)) == (f"Revert {undone}", "me", {}, 1)
    assert (paths(engine), read(engine, "a")) == (["a", "c"], b"1")
    refused(400, lambda: revert(engine, undone), "update branch: no changes")
    assert revert(engine, undone, allow_empty=True).meta_range_id == made.meta_range_id
    overrides = {"message": "other", "metadata": {"k": "v"}}
    made = revert(engine, "main~2", commit_overrides=overrides)
    assert (made.message, made.metadata) == ("other", {"k": "v"})


def test_reverts_refused(engine: Engine) -> None:
    first = engine.branches.get("repo", "main").commit_id
    put(engine, "a", b"1")
    made = commit(engine)
    refused(404, lambda: revert(engine, "none"), "get commit from ref none: not found")
    refused(400, lambda: revert(engine, made, 2), "given commit does not have the given parent number: parent 2")
    refused(400, lambda: engine.merges.revert("repo", "main", models.Revert(made, -1), who="me"))
    refused(400, lambda: revert(engine, first, 1))
    refused(400, lambda: revert(engine, first), "update branch: no changes")
    put(engine, "a", b"2")
    refused(400, lambda: revert(engine, made), "uncommitted changes (dirty branch)")
    commit(engine)
    refused(409, lambda: revert(engine, made), "update branch: conflict found")


def test_reverting_a_merge_needs_a_parent(sides: Engine) -> None:
    before = paths(sides)
    made = merge(sides, "side", strategy="source-wins")
    told = "must specify 1-based parent number for reverting merge commit"
    refused(409, lambda: revert(sides, made), told)
    revert(sides, made, 1)
    assert paths(sides) == before


def test_back_to_the_very_beginning(engine: Engine) -> None:
    put(engine, "a")
    assert revert(engine, commit(engine)).meta_range_id == ""  # as recorded


# -- cherry-pick -------------------------------------------------------------------------------------------------------


def pick(engine: Engine, ref: str, number: int | None = None, **more: object) -> models.Commit:
    how = models.decode(models.CherryPick, models.encode({"ref": ref, "parent_number": number, **more}))
    return engine.merges.cherry_pick("repo", "main", how, who="you")


def test_cherry_pick(engine: Engine) -> None:
    branch(engine, "side")
    put(engine, "a", branch="side")
    commit(engine, "side")
    put(engine, "b", branch="side")
    creation = models.CommitCreation("the second", {"k": "v"})
    picked = engine.commits.commit("repo", "side", creation, who="me").id
    made = pick(engine, "side")
    assert paths(engine) == ["b"]
    assert (made.message, made.committer) == ("the second", "you")
    assert made.metadata == {"k": "v", "cherry-pick-origin": picked, "cherry-pick-committer": "me"}
    assert pick(engine, picked).meta_range_id == made.meta_range_id  # again, as lakeFS does
    made = pick(engine, picked, commit_overrides={"message": "m", "metadata": {}})
    assert made.metadata == {
        "k": "v",
        "cherry-pick-origin": picked,
        "cherry-pick-committer": "me",
    }
    made = pick(engine, picked, commit_overrides={"metadata": {"other": "w"}})
    assert made.metadata == {"other": "w", "cherry-pick-origin": picked, "cherry-pick-committer": "me"}


def shown(engine: Engine, ref: str, name: str) -> dict[str, str]:
    """Holds that a log and a look-up show the same metadata of a commit."""
    (listed,) = (one for one in engine.commits.log("repo", name).results if one.id == ref)
    assert engine.commits.get("repo", ref) == listed
    return listed.metadata


def test_a_picked_commit_shows_that_it_was_picked(engine: Engine) -> None:
    branch(engine, "side")
    ids = []
    for path, metadata in (("a", {"k": "v", "cherry-pick-origin": "mine"}), ("b", {}), ("c", {"k": "w"})):
        put(engine, path, branch="side")
        ids.append(engine.commits.commit("repo", "side", models.CommitCreation(path, metadata), who="me").id)
    with pytest.raises(ServerException):
        pick(engine, ids[0], 2)
    assert shown(engine, ids[0], "side") == {"k": "v", "cherry-pick-origin": "mine"}
    pick(engine, ids[0])
    pick(engine, ids[1])  # it has no metadata
    pick(engine, ids[2], commit_overrides={"metadata": {"other": "x"}})  # the cherry-pick has its own
    assert shown(engine, ids[0], "side") == {
        "k": "v",
        "cherry-pick-origin": ids[0],
        "cherry-pick-committer": "me",
    }
    assert (shown(engine, ids[1], "side"), shown(engine, ids[2], "side")) == ({}, {"k": "w"})
    branch(engine, "other", ids[0])
    assert shown(engine, ids[0], "other")["cherry-pick-origin"] == ids[0]
    last = pick(engine, "main").id  # a pick of a pick
    assert engine.commits.get("repo", last).metadata["cherry-pick-origin"] == engine.commits.get("repo", "main~1").id
    assert not fsck(engine).damage


def test_cherry_picks_refused(sides: Engine) -> None:
    made = merge(sides, "side", strategy="source-wins")
    told = "must specify 1-based parent number for cherry-picking merge commit"
    refused(400, lambda: pick(sides, made), told)
    refused(400, lambda: pick(sides, made, 0))
    refused(400, lambda: pick(sides, made, 3), "parent 3: given commit does not have the given parent number")
    refused(400, lambda: pick(sides, "main~3"), "parent 1: given commit does not have the given parent number")
    refused(404, lambda: pick(sides, "none"), "get commit from ref none: not found")
    sides.commits.commit("repo", "side", models.CommitCreation("empty", allow_empty=True), who="me")
    refused(400, lambda: pick(sides, "side"), "update branch: no changes")
    put(sides, "both", b"third", "side")
    commit(sides, "side")
    put(sides, "both", b"fourth")
    refused(400, lambda: pick(sides, "side"), "uncommitted changes (dirty branch)")
    commit(sides)
    refused(409, lambda: pick(sides, "side"), "update branch: conflict found")


def test_an_empty_commit_on_the_first_one_can_be_picked_and_merged_as_in_lakefs(engine: Engine) -> None:
    """To lakeFS the first commit's tree is no tree, and an empty one something else."""
    creation = models.CommitCreation("empty", allow_empty=True)
    empty = engine.commits.commit("repo", "main", creation, who="me")
    branch(engine, "side", empty.parents[0])
    branch(engine, "other", empty.parents[0])
    assert engine.merges.cherry_pick("repo", "side", models.CherryPick(empty.id), who="me").generation == 2
    refused(400, lambda: merge(engine, empty.parents[0], "side"), "update branch side: no changes")
    assert engine.commits.get("repo", merge(engine, "main", "other")).generation == 3
    again = engine.commits.commit("repo", "main", creation, who="me")
    refused(400, lambda: pick(engine, again.id), "update branch: no changes")
