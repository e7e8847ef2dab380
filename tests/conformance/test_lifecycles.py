"""Lifecycles: the rules of the seed, stored and applied."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakefs_hl import exceptions
from tests.worlds import World

#: As the seed has them.
RULES: list[dict[str, Any]] = [
    {"id": "delete-temp-files", "status": "Enabled", "expiration": {"days": 7}, "filter": {"prefix": "temp/"}},
    {"id": "archive-old-docs", "status": "Enabled", "expiration": {"days": 365}, "filter": {"prefix": "archive/"}},
]


def rule(**changes: Any) -> dict[str, Any]:
    made = {"id": "r", "status": "Enabled", "expiration": {"days": 1}, "filter": {"prefix": ""}} | changes
    return {key: value for key, value in made.items() if value is not None}


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


@pytest.fixture
def main(repo: Any) -> Any:
    branch = repo.branch("main")
    for path in ("archive/a", "docs/a", "temp/a", "temp/b"):
        branch.upload(path.encode(), path)
    branch.commit_changes("base")
    return branch


def names(branch: Any) -> list[str]:
    return [row.path for row in branch.list_objects(recursive=True)]


def after(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days, minutes=5)


def test_rules_are_stored_as_they_are(repo: Any) -> None:
    assert repo.lifecycle() == []
    repo.set_metadata({"mine": "kept"})
    repo.set_lifecycle(RULES)
    assert repo.lifecycle() == RULES
    assert json.loads(repo.metadata()["lakefs_hl.lifecycle"]) == RULES
    repo.set_lifecycle(iter(RULES[:1]))
    assert repo.lifecycle() == RULES[:1]
    repo.delete_lifecycle()
    repo.delete_lifecycle()
    assert repo.lifecycle() == []
    assert repo.metadata() == {"mine": "kept"}


def test_what_has_expired_is_deleted_by_one_commit(repo: Any, main: Any) -> None:
    repo.set_lifecycle(RULES)
    report = repo.apply_lifecycle(now=after(7))
    assert report.planned == ["temp/a", "temp/b"]
    assert report.rules == {"delete-temp-files": 2, "archive-old-docs": 0}
    assert (report.deleted, report.failed, report.dry_run) == (2, (), False)
    head = main.head()
    assert head.id == report.commit_id
    assert head.message == "Apply lifecycle: delete-temp-files, archive-old-docs"
    assert names(main) == ["archive/a", "docs/a"]
    assert list(main.list_uncommitted()) == []
    assert [branch.id for branch in repo.list_branches(hidden=True)] == ["main"]
    assert main.pin().id == head.id
    assert repo.ref("main~1").exists("temp/a")


def test_an_age_is_counted_from_the_last_modification(repo: Any, main: Any) -> None:
    repo.set_lifecycle(RULES)
    assert repo.apply_lifecycle().planned == []
    modified = main.stat_object("temp/a").modified_time
    assert repo.apply_lifecycle(now=modified + timedelta(days=7, seconds=-1), dry_run=True).planned == []
    assert "temp/a" in repo.apply_lifecycle(now=modified + timedelta(days=7), dry_run=True).planned
    main.copy_object("main", "docs/a", "temp/new")  # a commit does not make an object younger, a write does
    main.commit_changes("more")
    assert repo.apply_lifecycle(now="2100-01-31").planned == ["temp/a", "temp/b", "temp/new", "archive/a"]


def test_a_dry_run_deletes_nothing(repo: Any, main: Any) -> None:
    repo.set_lifecycle([*RULES, rule(id="again", filter={"prefix": "temp/a"})])
    head = main.head().id
    report = repo.apply_lifecycle(dry_run=True, now=after(7))
    assert report.planned == ["temp/a", "temp/b"]
    assert report.rules == {"delete-temp-files": 2, "archive-old-docs": 0, "again": 0}
    assert (report.deleted, report.commit_id, report.dry_run) == (0, None, True)
    assert main.head().id == head
    assert len(names(main)) == 4
    assert list(main.list_uncommitted()) == []


def test_overlapping_rules_count_an_object_once(repo: Any, main: Any) -> None:
    repo.set_lifecycle([rule(id="a", filter={"prefix": "temp/a"}), rule(id="all")])
    report = repo.apply_lifecycle(now=after(1))
    assert sorted(report.planned) == ["archive/a", "docs/a", "temp/a", "temp/b"]
    assert report.rules == {"a": 1, "all": 3}
    assert names(main) == []


def test_a_disabled_rule(repo: Any, main: Any) -> None:
    repo.set_lifecycle([rule(status="Disabled"), rule(id="on", filter={"prefix": "docs/"})])
    assert repo.lifecycle()[0]["status"] == "Disabled"
    assert repo.apply_lifecycle(now=after(1)).rules == {"on": 1}
    repo.set_lifecycle([rule(status="Disabled")])
    report = repo.apply_lifecycle(now=after(1))
    assert (report.planned, report.rules, report.commit_id) == ([], {}, None)
    assert len(names(main)) == 3


def test_another_branch(repo: Any, main: Any) -> None:
    side = repo.branch("side").create("main")
    repo.set_lifecycle(RULES)
    for given in ("side", side):
        repo.apply_lifecycle(given, now=after(7))
    assert names(side) == ["archive/a", "docs/a"]
    assert len(names(main)) == 4
    with pytest.raises(exceptions.NotFoundException, match="missing"):
        repo.apply_lifecycle("missing")


def test_uncommitted_changes_are_an_error(repo: Any, main: Any) -> None:
    repo.set_lifecycle(RULES)
    main.upload(b"1", "mine")
    with pytest.raises(exceptions.TransactionStartError, match=r"uncommitted changes \('mine' is one\)"):
        repo.apply_lifecycle(now=after(7))
    assert len(names(main)) == 5
    assert repo.apply_lifecycle(dry_run=True, now=after(7)).planned == ["temp/a", "temp/b"]


def test_rules_that_are_refused_change_nothing(repo: Any) -> None:
    repo.set_lifecycle(RULES)
    with pytest.raises(ValueError, match="rule 1: unknown key 'transition'"):
        repo.set_lifecycle([rule(transition={"days": 1})])
    for given in (rule(), "text", None, 5):
        with pytest.raises(TypeError, match="rules must be a list of dictionaries"):
            repo.set_lifecycle(given)
    assert repo.lifecycle() == RULES


def test_rules_that_others_have_damaged(repo: Any) -> None:
    for stored in ("{", "[5]", '"text"'):
        repo.set_metadata({"lakefs_hl.lifecycle": stored})
        for call in (repo.lifecycle, repo.apply_lifecycle):
            with pytest.raises(exceptions.InvalidConfigError, match=r"'lakefs_hl\.lifecycle', cannot be read"):
                call()


def test_a_protected_branch(repo: Any, main: Any) -> None:
    repo.set_lifecycle(RULES)
    repo.protect("main")
    assert repo.apply_lifecycle(now=after(7)).deleted == 2
    assert names(main) == ["archive/a", "docs/a"]
    repo.unprotect("main")
