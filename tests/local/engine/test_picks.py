"""Picked commits: shown with the metadata of the cherry-pick, and as they are otherwise."""

from __future__ import annotations

import msgspec
import pytest

from lakefs_hl.local.engine import Engine, picks
from lakefs_hl.spec import models
from tests.local.engine.support import branch, commit, put


@pytest.fixture
def made(engine: Engine) -> models.Commit:
    """A commit on `side`, with metadata."""
    branch(engine, "side")
    put(engine, "a", branch="side")
    return engine.commits.commit("repo", "side", models.CommitCreation("m", {"key": "value"}), who="them")


def shown(engine: Engine, one: models.Commit, repository: str = "repo") -> models.Commit:
    with engine.lake.read(repository) as snapshot:
        return picks.shown(snapshot, one)


def note(engine: Engine, commit: str) -> None:
    engine.lake.write("repo", lambda transaction: picks.note(transaction, bytes.fromhex(commit)))


def test_without_a_note_it_is_as_it_is(engine: Engine, made: models.Commit) -> None:
    note(engine, "0" * 64)  # of another
    assert shown(engine, made) == made


def test_with_a_note_it_has_the_metadata_of_the_pick_too(engine: Engine, made: models.Commit) -> None:
    note(engine, made.id)
    expected = {"key": "value", "cherry-pick-origin": made.id, "cherry-pick-committer": "them"}
    assert shown(engine, made) == msgspec.structs.replace(made, metadata=expected)
    assert made.metadata == {"key": "value"}


def test_without_metadata_none_is_added(engine: Engine, made: models.Commit) -> None:
    note(engine, made.id)
    bare = msgspec.structs.replace(made, metadata={})
    assert shown(engine, bare) == bare


def test_the_note_is_of_one_repository(engine: Engine, made: models.Commit) -> None:
    engine.repositories.create(models.RepositoryCreation("other", "local://other"), who="me")
    note(engine, made.id)
    assert shown(engine, made, "other") == made


@pytest.mark.parametrize("overrides", [None, models.CommitOverrides(metadata={"mine": "1"})])
def test_who_is_picked_shows_it_in_look_ups_and_logs(
    engine: Engine, made: models.Commit, overrides: models.CommitOverrides | None
) -> None:
    put(engine, "b")
    commit(engine)
    engine.merges.cherry_pick("repo", "main", models.CherryPick("side", commit_overrides=overrides), who="me")
    expected = dict(made.metadata or {})
    if overrides is None:  # else the pick has metadata of its own
        expected |= picks.metadata(made.id, "them")
    assert engine.commits.get("repo", made.id).metadata == expected
    assert [one.metadata for one in engine.commits.log("repo", "side").results if one.id == made.id] == [expected]
    assert engine.branches.get("repo", "side").commit_id == made.id, "the commit itself stays as it is"
