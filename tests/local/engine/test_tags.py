"""Tags: names that never move."""

from __future__ import annotations

from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import models
from tests.local.engine.support import branch, commit, paths, put, refused


def tag(engine: Engine, name: str, ref: str = "main") -> models.Ref:
    return engine.tags.create("repo", models.TagCreation(name, ref))


def test_a_tag_stays(engine: Engine) -> None:
    put(engine, "a")
    made = commit(engine)
    assert tag(engine, "v1") == models.Ref("v1", made)
    put(engine, "b")
    commit(engine)
    assert engine.tags.get("repo", "v1").commit_id == made
    assert paths(engine, "v1") == ["a"]
    branch(engine, "side", "v1")
    engine.branches.delete("repo", "side")
    assert engine.tags.get("repo", "v1").commit_id == made


def test_what_is_refused(engine: Engine) -> None:
    first = tag(engine, "v1").commit_id
    refused(409, lambda: tag(engine, "v1"), "tag already exists: not unique")
    refused(409, lambda: tag(engine, "main"), "branch name main: conflict found")
    refused(409, lambda: tag(engine, first), f"commit ID {first}: conflict found")
    refused(404, lambda: tag(engine, "x", "none"), "not found")
    refused(400, lambda: tag(engine, "x", "main$"))
    refused(400, lambda: tag(engine, "a b"), "argument tagID: tag id: invalid value: validation error")
    refused(404, lambda: engine.tags.get("repo", "none"), "tag not found")
    refused(404, lambda: engine.tags.delete("repo", "none"), "tag not found")


def test_pages_and_deletion(engine: Engine) -> None:
    for name in ("v1", "v2", "w"):
        tag(engine, name)
    page = engine.tags.page("repo", "v", "", 1)
    assert ([one.id for one in page.results], page.pagination.next_offset) == (["v1"], "v1")
    engine.tags.delete("repo", "v1")
    assert [one.id for one in engine.tags.page("repo", "", "", 100).results] == ["v2", "w"]
    refused(404, lambda: paths(engine, "v1"), "not found")
