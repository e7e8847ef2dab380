"""Commits: what counts as a change, what is written down, and the log."""

from __future__ import annotations

import pytest

from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine import commits as commits_module
from lakefs_hl.local.engine.bulk import BulkNodes
from lakefs_hl.local.engine.commits import _Draft
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.spec import models
from tests.local.engine.support import branch, commit, head, paths, put, read, refused, seal


def test_a_commit(engine: Engine) -> None:
    first = engine.branches.get("repo", "main").commit_id
    put(engine, "a")
    creation = models.CommitCreation("why", {"k": "v", "::lakefs::x": "y"}, date=1_600_000_000)
    made = engine.commits.commit("repo", "main", creation, who="me")
    assert (made.parents, made.committer, made.message, made.metadata) == ([first], "me", "why", creation.metadata)
    assert (made.creation_date, made.generation, made.version) == (1_600_000_000, 2, 1)
    for ref in ("main", made.id, made.id[:10], "main@"):
        assert engine.commits.get("repo", ref) == made
    refused(404, lambda: engine.commits.get("repo", "0" * 64), "commit not found")
    refused(400, lambda: engine.commits.get("repo", "main$"))


def test_nothing_changed(engine: Engine) -> None:
    refused(400, lambda: commit(engine), "commit: no changes")
    put(engine, "a")
    before = commit(engine)
    put(engine, "a")
    engine.objects.delete("repo", "main", "none")
    put(engine, "gone")
    engine.objects.delete("repo", "main", "gone")
    refused(400, lambda: commit(engine), "commit: no changes")
    made = engine.commits.commit("repo", "main", models.CommitCreation("", allow_empty=True), who="me")
    assert made.meta_range_id == engine.commits.get("repo", before).meta_range_id


def test_what_is_equal_keeps_its_old_record(engine: Engine) -> None:
    stage = models.ObjectStage("local:///one", "abc", 3, mtime=1)
    engine.objects.stage("repo", "main", "a", stage)
    commit(engine)
    engine.objects.stage("repo", "main", "a", models.ObjectStage("local:///two", "abc", 3, mtime=2))
    put(engine, "b")
    commit(engine)
    stats = engine.objects.stat("repo", "main", "a")
    assert (stats.physical_address, stats.mtime) == ("local:///one", 1)


def test_an_empty_tree_is_not_the_first_commits(engine: Engine) -> None:
    put(engine, "a")
    commit(engine)
    engine.objects.delete("repo", "main", "a")
    made = engine.commits.get("repo", commit(engine))
    assert made.meta_range_id != ""
    assert paths(engine) == []


def test_dates_out_of_range(engine: Engine) -> None:
    put(engine, "a")
    for date in (commits_module.LATEST + 1, commits_module.EARLIEST - 1, 2**62):
        refused(400, lambda date=date: commit(engine, date=date))  # type: ignore[misc]


@pytest.mark.parametrize("date", [commits_module.EARLIEST, -1, 0, 2**33, 2**34, commits_module.LATEST])
def test_dates_of_all_years(engine: Engine, date: int) -> None:
    put(engine, "a")
    made = commit(engine, date=date)
    assert engine.commits.get("repo", made).creation_date == date
    put(engine, "b")
    later = commit(engine, date=date)
    log = engine.commits.log("repo", "main", amount=10).results
    assert [one.id for one in log[:2]] == [later, made]
    assert [one.creation_date for one in log[:2]] == [date, date]
    assert fsck(engine).damage == []


def test_a_tree_to_adopt(engine: Engine) -> None:
    put(engine, "a")
    tree = engine.commits.get("repo", commit(engine)).meta_range_id
    branch(engine, "side", "main~1")
    creation = models.CommitCreation("adopted")
    engine.commits.commit("repo", "side", creation, who="me", source_metarange=tree)
    assert paths(engine, "side") == ["a"]
    for bad in ("0" * 64, "x"):
        refused(404, lambda bad=bad: engine.commits.commit("repo", "side", creation, who="me", source_metarange=bad))  # type: ignore[misc]
    put(engine, "b", branch="side")
    refused(400, lambda: engine.commits.commit("repo", "side", creation, who="me", source_metarange=tree))


def test_missing_things(engine: Engine) -> None:
    refused(404, lambda: commit(engine, "none"), "branch not found")
    refused(400, lambda: commit(engine, "main~1"))
    refused(404, lambda: engine.commits.commit("none", "main", models.CommitCreation("m"), who="me"))


def test_large_commits_are_sealed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a small limit the large way is gone often, and shows the same as the small one."""
    monkeypatch.setattr(commits_module, "SMALL", 5)
    for index in range(23):
        put(engine, f"a/{index:02d}", b"%d" % index)
    commit(engine)
    assert paths(engine) == [f"a/{index:02d}" for index in range(23)]
    for index in range(0, 23, 2):
        engine.objects.delete("repo", "main", f"a/{index:02d}")
    put(engine, "a/01", b"new")
    commit(engine)
    assert paths(engine) == [f"a/{index:02d}" for index in range(1, 23, 2)]
    assert read(engine, "a/01") == b"new"
    for index in range(1, 23, 2):
        put(engine, f"a/{index:02d}", b"new" if index == 1 else b"%d" % index)
    refused(400, lambda: commit(engine), "commit: no changes")
    put(engine, "z")
    commit(engine)
    with engine.lake.database.read() as reader:
        assert reader.row("SELECT count(*) FROM staging") == (0,)


def test_sealed_changes_of_the_dead_are_committed_by_the_next(engine: Engine) -> None:
    put(engine, "a", b"old")
    put(engine, "b")
    seal(engine)
    put(engine, "a", b"new")
    engine.objects.delete("repo", "main", "b")
    put(engine, "c")
    assert (paths(engine), read(engine, "a")) == (["a", "c"], b"new")
    assert [one.path for one in engine.diffs.branch("repo", "main").results] == ["a", "c"]
    commit(engine)
    assert (paths(engine, "main@"), read(engine, "a", "main@")) == (["a", "c"], b"new")
    assert head(engine).sealed == ()


# -- the log -----------------------------------------------------------------------------------------------------------


def messages(page: models.CommitPage) -> list[str]:
    return [one.message for one in page.results]


@pytest.fixture
def history(engine: Engine) -> dict[str, str]:
    """c1 - c2 - m - c4 on main, s1 on side merged by m."""
    made = {}
    put(engine, "a")
    made["c1"] = commit(engine, message="c1", date=1000)
    branch(engine, "side")
    put(engine, "b/x")
    made["c2"] = commit(engine, message="c2", date=2000)
    put(engine, "s", branch="side")
    made["s1"] = commit(engine, "side", "s1", date=3000)
    made["m"] = engine.merges.merge("repo", "side", "main", models.Merge(message="m"), who="me")
    engine.objects.delete("repo", "main", "a")
    made["c4"] = commit(engine, message="c4", date=500)  # an odd clock
    return made


def test_children_come_before_parents(engine: Engine, history: dict[str, str]) -> None:
    page = engine.commits.log("repo", "main")
    assert messages(page) == ["c4", "m", "s1", "c2", "c1", "Repository created"]
    assert messages(engine.commits.log("repo", "main", first_parent=True)) == [
        "c4",
        "m",
        "c2",
        "c1",
        "Repository created",
    ]


def test_pages_of_the_log(engine: Engine, history: dict[str, str]) -> None:
    page = engine.commits.log("repo", "main", amount=2)
    assert (messages(page), page.pagination.next_offset) == (["c4", "m"], history["m"])
    assert messages(engine.commits.log("repo", "main", amount=2, after=history["m"])) == ["s1", "c2"]
    assert messages(engine.commits.log("repo", "main", after="side")) == ["c2", "c1", "Repository created"]
    assert messages(engine.commits.log("repo", "side", after="main")) == []  # never met


def test_filters_of_the_log(engine: Engine, history: dict[str, str]) -> None:
    assert messages(engine.commits.log("repo", "main", objects=["a"])) == ["c4", "c1"]
    assert messages(engine.commits.log("repo", "main", prefixes=["b/"])) == ["c2"]
    assert messages(engine.commits.log("repo", "main", objects=["s"], prefixes=["b"])) == ["s1", "c2"]
    page = engine.commits.log("repo", "main", objects=["a"], amount=1, limit=True)
    assert (messages(page), page.pagination.has_more) == (["c4"], False)
    assert messages(engine.commits.log("repo", "main", stop_at=history["s1"])) == ["c4", "m", "s1"]
    assert messages(engine.commits.log("repo", "main~1", since=2500.0)) == ["m", "s1"]


def test_refusals_of_the_log(engine: Engine, history: dict[str, str]) -> None:
    refused(404, lambda: engine.commits.log("repo", "none"), "ref: not found")
    refused(404, lambda: engine.commits.log("repo", "main", stop_at="none"), "stop_at: not found")
    refused(404, lambda: engine.commits.log("repo", "main", after="none"), "from ref: not found")
    told = "ref: ref: invalid value: validation error: should point to a commit"
    refused(400, lambda: engine.commits.log("repo", "main$"), told)


def test_a_commit_that_finds_part_of_its_changes_taken_commits_the_rest(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two large commits at once: the second has sealed the changes of the first, too, and then the first is done."""
    monkeypatch.setattr(commits_module, "SMALL", 2)
    real = BulkNodes
    for index in range(3):
        put(engine, f"first/{index}")
    sealed = seal(engine)
    for index in range(3):
        put(engine, f"second/{index}")

    def overtaken(lake: Lake) -> BulkNodes:
        monkeypatch.setattr(commits_module, "BulkNodes", real)
        engine.commits._commit_sealed(sealed, _Draft("repo", "main", models.CommitCreation("first"), "me"))
        return real(lake)

    monkeypatch.setattr(commits_module, "BulkNodes", overtaken)
    commit(engine, message="second")
    assert messages(engine.commits.log("repo", "main"))[:2] == ["second", "first"]
    assert paths(engine, "main@") == [f"{name}/{index}" for name in ("first", "second") for index in range(3)]
    assert head(engine).sealed == ()
