"""Repositories: made once, listed by name, deleted with all they hold; their namespaces stay used."""

from __future__ import annotations

import pytest

from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine import purge as purge_module
from lakefs_hl.spec import models
from tests.local.engine.support import branch, commit, paths, put, read, refused

pytestmark = pytest.mark.timeout(60)


def create(engine: Engine, name: str, namespace: str = "", **more: object) -> models.Repository:
    values = {"name": name, "storage_namespace": namespace or f"local://{name}", **more}
    return engine.repositories.create(models.decode(models.RepositoryCreation, models.encode(values)), who="me")


def test_a_new_one_has_a_first_commit(engine: Engine) -> None:
    made = engine.repositories.get("repo")
    assert (made.id, made.default_branch, made.storage_namespace, made.read_only) == (
        "repo",
        "main",
        "local://repo",
        False,
    )
    page = engine.commits.log("repo", "main")
    assert [(one.message, one.parents, one.meta_range_id, one.generation) for one in page.results] == [
        ("Repository created", [], "", 1)
    ]
    assert page.results[0].creation_date == made.creation_date


def test_names_and_namespaces_are_used_once(engine: Engine) -> None:
    refused(409, lambda: create(engine, "repo", "local://other"), "error creating repository: not unique")
    assert "already in use" in str(refused(400, lambda: create(engine, "other", "local://repo")))
    assert "already in use" in str(refused(400, lambda: create(engine, "other", "local://repo/")))
    refused(
        400,
        lambda: create(engine, "other", "s3://bucket"),
        "failed to match required regex ^local://: invalid namespace",
    )
    assert create(engine, "mirror", "local://repo", read_only=True).read_only is True


def test_pages(engine: Engine) -> None:
    for name in ("a-1", "a-2", "b-1"):
        create(engine, name)
    page = engine.repositories.page("a", "", 1)
    assert ([one.id for one in page.results], page.pagination.next_offset) == (["a-1"], "a-1")
    assert [one.id for one in engine.repositories.page("a", "a-1", 100).results] == ["a-2"]
    assert [one.id for one in engine.repositories.page("", "", 100, "-1").results] == ["a-1", "b-1"]


def test_metadata(engine: Engine) -> None:
    assert engine.repositories.metadata("repo") == {}
    engine.repositories.set_metadata("repo", {"a": "1", "b": "2"})
    engine.repositories.set_metadata("repo", {"b": "3"})
    engine.repositories.delete_metadata("repo", ["a", "none"])
    assert engine.repositories.metadata("repo") == {"b": "3"}
    refused(404, lambda: engine.repositories.metadata("none"))
    engine.repositories.set_metadata("none", {})  # as in lakeFS


def test_deleted_and_made_again(engine: Engine) -> None:
    put(engine, "a")
    commit(engine)
    branch(engine, "side")
    engine.tags.create("repo", models.TagCreation("v1", "main"))
    put(engine, "staged")
    engine.repositories.set_metadata("repo", {"a": "1"})
    engine.repositories.delete("repo")
    refused(404, lambda: engine.repositories.get("repo"), "repository not found")
    refused(404, lambda: engine.repositories.delete("repo"))
    assert "already in use" in str(refused(400, lambda: create(engine, "repo", "local://repo")))
    create(engine, "repo", "local://again")
    assert paths(engine) == []
    assert [one.id for one in engine.branches.page("repo", "", "", 100).results] == ["main"]
    assert engine.tags.page("repo", "", "", 100).results == []
    assert engine.repositories.metadata("repo") == {}


def test_deletion_leaves_no_rows(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge_module, "CHUNK", 7)
    for index in range(40):
        put(engine, f"a/{index}")
        if index % 2:
            commit(engine)
    for index in range(40):
        put(engine, f"b/{index}")
    engine.repositories.delete("repo")
    with engine.lake.database.read() as reader:
        for table in ("history", "staging", "branch", "tag", "setting", "import"):
            assert reader.row(f"SELECT count(*) FROM {table}") == (0,)
        assert reader.row("SELECT count(*) FROM meta WHERE key LIKE 'de%'") == (0,)


def test_read_only(engine: Engine) -> None:
    create(engine, "frozen", read_only=True)
    refused(403, lambda: engine.objects.put("frozen", "main", "a", b""), "read-only repository")
    refused(403, lambda: engine.branches.create("frozen", models.BranchCreation("b", "main")))
    refused(403, lambda: engine.repositories.delete("frozen"))
    engine.objects.put("frozen", "main", "a", b"", force=True)
    engine.branches.create("frozen", models.BranchCreation("b", "main", force=True))
    engine.repositories.delete("frozen", force=True)


def test_sample_data(engine: Engine) -> None:
    create(engine, "samples", sample_data=True)
    names = [one.path for one in engine.objects.list("samples", "main").results]
    assert "README.md" in names
    assert [one.message for one in engine.commits.log("samples", "main").results] == [
        "Add sample data",
        "Repository created",
    ]
    assert engine.settings.protection("samples")[0] == [models.BranchProtectionRule("main")]
    refused(403, lambda: engine.objects.put("samples", "main", "a", b""))


def test_bare(engine: Engine) -> None:
    made = engine.repositories.create(models.RepositoryCreation("bare", "local://repo"), bare=True, who="me")
    assert made.read_only is None
    assert engine.branches.page("bare", "", "", 100).results == []
    refused(404, lambda: engine.branches.get("bare", "main"))
    assert read(engine, put(engine, "a", b"1").path) == b"1"  # the one that shares its namespace is untouched
