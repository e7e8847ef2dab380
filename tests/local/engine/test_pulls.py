"""Pull requests: records, their order, their states, and a merge that is one with the record's change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine import pulls as pulls_module
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import LakeCorruptError, MergeConflict, ServerException
from tests.local.engine.support import branch, commit, put, read, refused

NOT_OPEN = "bad pull request status"
MISSING = "0" * 20


@pytest.fixture
def dev(engine: Engine) -> Engine:
    """A lake with a branch `dev` that is one commit ahead of `main`."""
    branch(engine, "dev")
    put(engine, "a", b"dev", "dev")
    commit(engine, "dev")
    return engine


def propose(engine: Engine, title: str = "t", source: str = "dev", destination: str = "main") -> str:
    return engine.pulls.create("repo", models.PullRequestCreation(title, source, destination, "why"), who="me")


def update(engine: Engine, id: str, **fields: str) -> models.PullRequest:
    engine.pulls.update("repo", id, models.PullRequestUpdate(**fields))
    return engine.pulls.get("repo", id)


def titles(engine: Engine, status: str = "all", prefix: str = "", after: str = "", amount: int = 100) -> str:
    return "".join(one.title for one in engine.pulls.page("repo", prefix, after, amount, status).results)


def log(engine: Engine, name: str = "main") -> list[str]:
    return [one.message for one in engine.commits.log("repo", name).results]


def test_a_pull_request_has_what_it_was_made_with(dev: Engine) -> None:
    made = dev.pulls.get("repo", propose(dev))
    assert (made.title, made.description, made.author, made.status) == ("t", "why", "me", "open")
    assert (made.source_branch, made.destination_branch) == ("dev", "main")
    assert (made.merged_commit_id, made.closed_date) == (None, None)
    (listed,) = dev.pulls.page("repo", "", "", 100).results
    assert listed == models.PullRequest(
        made.id, "t", "open", "me", made.creation_date, "dev", "main"
    )  # without the description


def test_what_cannot_be_made_is_refused(dev: Engine) -> None:
    refused(404, lambda: propose(dev, source="no"), "branch not found")
    refused(404, lambda: propose(dev, destination="no"), "branch not found")
    refused(400, lambda: propose(dev, source="main"))
    refused(400, lambda: propose(dev, source="a b"), "argument src: branch id: invalid value: validation error")
    refused(400, lambda: propose(dev, destination=""), "argument dest: branch id: invalid value: validation error")
    assert titles(dev) == ""


def test_ids_are_checked_before_they_are_looked_up(dev: Engine) -> None:
    for bad in ("", "p1", "0" * 19, "0" * 21, "0" * 19 + "1", "0" * 19 + "w", "A" * 20):
        refused(400, lambda: dev.pulls.get("none", bad))  # noqa: B023 - called at once
    for call in (
        lambda: dev.pulls.get("repo", MISSING),
        lambda: dev.pulls.merge("repo", MISSING, who="me"),
        lambda: update(dev, MISSING, title="t"),
    ):
        refused(404, call, "pull request not found")
    refused(404, lambda: dev.pulls.get("none", MISSING), "repository not found")


def test_a_listing_is_newest_first_whatever_the_clock_says(dev: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, moment in enumerate((10**18, 10**18, 5 * 10**17, 2 * 10**18, 10**18 + 1)):
        monkeypatch.setattr(pulls_module, "now", lambda moment=moment: moment)
        propose(dev, str(number))
    assert titles(dev) == "43210"
    found = dev.pulls.page("repo", "", "", 100).results
    for one in found:
        pulls_module._check_id(one.id)
    assert [pulls_module._number(one.id) for one in found] == sorted(pulls_module._number(one.id) for one in found)


def test_pages_by_status_prefix_and_after(dev: Engine) -> None:
    ids = {title: propose(dev, title) for title in "fedcba"}
    for title in "bd":
        update(dev, ids[title], status="closed")
    update(dev, ids["e"], status="merged")
    assert titles(dev) == "abcdef"
    assert (titles(dev, "open"), titles(dev, "closed")) == ("acf", "bde")
    assert titles(dev, after=ids["b"]) == "cdef"
    assert titles(dev, "closed", after=ids["b"], amount=1) == "d"
    assert titles(dev, prefix=ids["c"]) == "c"
    assert titles(dev, prefix=ids["c"], after=ids["d"]) == ""
    assert titles(dev, prefix="v") == titles(dev, after="v") == ""
    page = dev.pulls.page("repo", "", "", 2, "open")
    assert (page.pagination.has_more, page.pagination.next_offset, page.pagination.results) == (True, ids["c"], 2)
    page = dev.pulls.page("repo", "", ids["c"], 1, "open")
    assert (page.pagination.has_more, page.pagination.next_offset) == (False, "")


def test_a_filter_looks_beyond_one_batch(dev: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulls_module, "_BATCH", 2)
    ids = [propose(dev, title) for title in "gfedcba"]
    for number in (0, 6):
        update(dev, ids[number], status="closed")
    assert (titles(dev, "closed"), titles(dev, "open")) == ("ag", "bcdef")


def test_an_update_changes_only_what_is_given(dev: Engine) -> None:
    made = propose(dev)
    before = dev.pulls.get("repo", made)
    assert update(dev, made) == before
    assert update(dev, made, title="").title == ""
    changed = update(dev, made, description="because", title="better")
    assert (changed.title, changed.description, changed.status) == ("better", "because", "open")
    assert changed.creation_date == before.creation_date


def test_a_closed_one_can_be_opened_again_and_keeps_its_date(dev: Engine) -> None:
    made = propose(dev)
    closed = update(dev, made, status="closed")
    assert closed.closed_date is not None
    refused(400, lambda: dev.pulls.merge("repo", made, who="me"), NOT_OPEN)
    opened = update(dev, made, status="open")
    assert (opened.status, opened.closed_date) == ("open", closed.closed_date)
    dev.pulls.merge("repo", made, who="me")
    assert dev.pulls.get("repo", made).closed_date != closed.closed_date


def test_a_merge_is_one_with_the_change_of_the_record(dev: Engine) -> None:
    made = propose(dev)
    merged = dev.pulls.merge("repo", made, who="you")
    found, head = dev.pulls.get("repo", made), dev.commits.get("repo", "main")
    assert (found.status, found.merged_commit_id) == ("merged", merged)
    assert (head.id, head.committer, head.message) == (merged, "you", "Merge 'dev' into 'main'")
    assert read(dev, "a") == b"dev"
    refused(400, lambda: dev.pulls.merge("repo", made, who="me"), NOT_OPEN)


def test_what_refuses_a_merge_leaves_the_record_open(dev: Engine) -> None:
    made = propose(dev)
    put(dev, "staged")
    refused(400, lambda: dev.pulls.merge("repo", made, who="me"), "uncommitted changes (dirty branch)")
    put(dev, "a", b"main")
    commit(dev, "main")
    with pytest.raises(MergeConflict) as caught:
        dev.pulls.merge("repo", made, who="me")
    assert caught.value.conflicts == ("a",)
    dev.branches.delete("repo", "dev")
    refused(404, lambda: dev.pulls.merge("repo", made, who="me"))
    branch(dev, "dev")
    refused(400, lambda: dev.pulls.merge("repo", made, who="me"))  # no changes
    assert dev.pulls.get("repo", made).status == "open"


def test_one_that_is_closed_while_it_is_merged_is_not_merged(dev: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    made, before = propose(dev), log(dev)
    merge = dev.merges.merge

    def closing(*args: object, **kwargs: object) -> str:
        update(dev, made, status="closed")  # after the first look at the record
        return merge(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(dev.merges, "merge", closing)
    refused(400, lambda: dev.pulls.merge("repo", made, who="me"), NOT_OPEN)
    assert log(dev) == before
    found = dev.pulls.get("repo", made)
    assert (found.status, found.merged_commit_id) == ("closed", None)


def test_of_many_who_merge_one_only_one_does(dev: Engine) -> None:
    made = propose(dev)

    def merge(_: int) -> str:
        try:
            return dev.pulls.merge("repo", made, who="me")
        except ServerException as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(merge, range(8)))
    merged = dev.pulls.get("repo", made).merged_commit_id
    assert merged is not None
    assert found.count(merged) == 1
    assert set(found) - {merged} <= {NOT_OPEN, "update branch main: no changes"}
    assert log(dev).count("Merge 'dev' into 'main'") == 1


def test_a_deleted_repository_takes_them_along(dev: Engine) -> None:
    made = propose(dev)
    dev.repositories.delete("repo")
    dev.repositories.create(models.RepositoryCreation("repo", "local://again"), who="me")
    refused(404, lambda: dev.pulls.get("repo", made), "pull request not found")
    with dev.lake.database.read() as reader:
        assert reader.row("SELECT count(*) FROM pull_request") == (0,)
    assert "pull requests" not in fsck(dev).counts


def test_damage_is_told_by_reads_and_by_fsck(dev: Engine) -> None:
    made = propose(dev)
    assert fsck(dev).counts["pull requests"] == 1
    assert not fsck(dev).damage
    with dev.lake.database.write() as writer:
        writer.execute("UPDATE pull_request SET sum = sum + 1")
    for call in (
        lambda: dev.pulls.get("repo", made),
        lambda: dev.pulls.page("repo", "", "", 100),
        lambda: update(dev, made, title="t"),
        lambda: dev.pulls.merge("repo", made, who="me"),
    ):
        with pytest.raises(LakeCorruptError, match="is not what was written"):
            call()
    (told,) = fsck(dev).damage
    assert f"{made} of the table pull_request is not what was written" in told
