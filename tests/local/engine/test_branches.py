"""Branches: created from any commit, reset, moved, removed; names are shared with tags and commits."""

from __future__ import annotations

import pytest

from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import models
from tests.local.engine.support import branch, commit, head, paths, put, refused


def staged(engine: Engine, name: str = "main") -> list[str]:
    return [one.path for one in engine.diffs.branch("repo", name).results]


def test_a_branch_starts_without_what_is_staged(engine: Engine) -> None:
    put(engine, "a")
    made = commit(engine)
    put(engine, "b")
    assert branch(engine, "side") == made
    assert engine.branches.get("repo", "side") == models.Ref("side", made)
    assert (paths(engine, "side"), paths(engine, "main")) == (["a"], ["a", "b"])


@pytest.mark.parametrize("ref", ["main", "main@", "main~0", "v1", "main~1^0"])
def test_any_commit_is_a_source(engine: Engine, ref: str) -> None:
    first = engine.branches.get("repo", "main").commit_id
    put(engine, "a")
    made = commit(engine)
    engine.tags.create("repo", models.TagCreation("v1", "main"))
    assert branch(engine, "side", ref) == (first if "~1" in ref else made)
    assert branch(engine, "short", made[:12]) == made


def test_what_is_refused(engine: Engine) -> None:
    branch(engine, "side")
    engine.tags.create("repo", models.TagCreation("v1", "main"))
    first = engine.branches.get("repo", "main").commit_id
    refused(409, lambda: branch(engine, "side"), "branch already exists: not unique")
    refused(409, lambda: branch(engine, "v1"), "tag ID v1: conflict found")
    refused(409, lambda: branch(engine, first), f"commit ID {first}: conflict found")
    refused(404, lambda: branch(engine, "x", "none"), "source reference 'none': not found")
    refused(404, lambda: branch(engine, "x", "main~5"), "source reference 'main~5': not found")
    refused(400, lambda: branch(engine, "x", "main$"))
    refused(500, lambda: branch(engine, "x", ""), "argument ref: required value: validation error")
    assert "cannot start with a dash" in str(refused(400, lambda: branch(engine, "-x")))
    refused(404, lambda: engine.branches.get("none", "main"), "repository not found")


def test_pages_and_hidden_ones(engine: Engine) -> None:
    for name in ("a1", "a2", "b"):
        branch(engine, name)
    engine.branches.create("repo", models.BranchCreation("a15", "main", hidden=True))
    page = engine.branches.page("repo", "a", "", 1)
    assert ([one.id for one in page.results], page.pagination.has_more) == (["a1"], True)
    assert [one.id for one in engine.branches.page("repo", "", "a1", 100).results] == ["a2", "b", "main"]
    assert [one.id for one in engine.branches.page("repo", "a", "", 100, True).results] == ["a1", "a15", "a2"]
    assert engine.branches.get("repo", "a15").id == "a15"


def test_deleting(engine: Engine) -> None:
    branch(engine, "side")
    put(engine, "a", branch="side")
    engine.branches.delete("repo", "side")
    refused(404, lambda: engine.branches.delete("repo", "side"), "branch not found")
    refused(403, lambda: engine.branches.delete("repo", "main"), "cannot delete repository default branch")
    branch(engine, "side")
    assert staged(engine, "side") == []


def test_resets(engine: Engine) -> None:
    put(engine, "kept")
    commit(engine)
    for path in ("a", "a/b", "a/c", "ab", "b"):
        put(engine, path)
    engine.objects.delete("repo", "main", "kept")
    engine.branches.reset("repo", "main", models.Reset("object", "a"))
    assert staged(engine) == ["a/b", "a/c", "ab", "b", "kept"]
    engine.branches.reset("repo", "main", models.Reset("common_prefix", "a/"))
    assert staged(engine) == ["ab", "b", "kept"]
    engine.branches.reset("repo", "main", models.Reset("object", "none"))
    refused(400, lambda: engine.branches.reset("repo", "main", models.Reset("object")))
    engine.branches.reset("repo", "main", models.Reset("reset"))
    assert (staged(engine), paths(engine)) == ([], ["kept"])


def test_hard_reset_keeps_what_is_staged(engine: Engine) -> None:
    first = engine.branches.get("repo", "main").commit_id
    put(engine, "a")
    commit(engine)
    put(engine, "b")
    engine.branches.hard_reset("repo", "main", first)
    assert engine.branches.get("repo", "main").commit_id == first
    assert (paths(engine), staged(engine)) == (["b"], ["b"])
    refused(404, lambda: engine.branches.hard_reset("repo", "main", "none"), "hard-reset main to none: not found")
    refused(400, lambda: engine.branches.hard_reset("repo", "main", "main$"))
    refused(404, lambda: engine.branches.hard_reset("repo", "none", first), "branch not found")


def test_protection(engine: Engine) -> None:
    engine.settings.set_protection("repo", [models.BranchProtectionRule("ma*")])
    refused(403, lambda: put(engine, "a"), "cannot write to protected branch")
    refused(403, lambda: engine.branches.reset("repo", "main", models.Reset("reset")))
    refused(403, lambda: engine.branches.hard_reset("repo", "main", "main"), "protected branch")
    refused(403, lambda: commit(engine), "cannot commit to protected branch")
    branch(engine, "side")
    put(engine, "a", branch="side")
    commit(engine, "side")
    engine.merges.merge("repo", "side", "main", models.Merge(), who="me")
    engine.settings.set_protection("repo", [])
    put(engine, "b")


def test_a_branch_is_not_reset_hard_after_a_reset_by_prefix_has_left_something(engine: Engine) -> None:
    """As lakeFS has it; only what is committed or dropped makes the branch movable again."""
    for path in ("a/1", "b"):
        put(engine, path)
    engine.branches.reset("repo", "main", models.Reset("common_prefix", path="a/"))
    refused(400, lambda: engine.branches.hard_reset("repo", "main", "main"), "main: uncommitted changes (dirty branch)")
    for _ in range(3):  # and its tokens do not become more and more
        put(engine, "c/1")
        engine.branches.reset("repo", "main", models.Reset("common_prefix", path="c/"))
    assert len(head(engine).tokens) == 2
    commit(engine)
    assert paths(engine, "main@") == ["b"]
    engine.branches.hard_reset("repo", "main", "main~1")
    assert paths(engine) == []
