"""Reviews of pull requests: recorded for all clients, in order, with what they reviewed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakefs_hl import exceptions
from tests.worlds import World


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


@pytest.fixture
def dev(repo: Any) -> Any:
    branch = repo.branch("dev").create("main")
    put(branch, "one")
    return branch


@pytest.fixture
def proposal(repo: Any, dev: Any) -> Any:
    return repo.create_pull_request("dev", "main", "A change")


def put(branch: Any, content: str) -> str:
    branch.upload(content.encode(), "a")
    return str(branch.commit_changes(content).id)


def test_reviews_are_kept_in_order(world: World, repo: Any, dev: Any, proposal: Any) -> None:
    first, second = proposal.reject("not yet"), proposal.approve("now")
    found = repo.pull_request(proposal.id).reviews()
    assert found == [first, second]
    assert [(review.approved, review.notes) for review in found] == [(False, "not yet"), (True, "now")]
    assert {review.by for review in found} == {proposal.author}
    assert {review.source_commit for review in found} == {dev.head().id}
    assert all(abs(review.at - datetime.now(UTC)) < timedelta(minutes=5) for review in found)
    assert first.to_dict()["notes"] == "not yet"
    assert proposal.refresh().status == "open"


def test_a_review_of_earlier_content_is_outdated(dev: Any, proposal: Any) -> None:
    assert not proposal.approve().outdated
    put(dev, "two")
    proposal.approve("again")
    assert [review.outdated for review in proposal.reviews()] == [True, False]


def test_after_the_merge_the_reviews_are_of_what_was_merged(repo: Any, dev: Any, proposal: Any) -> None:
    proposal.approve("old")
    put(dev, "two")
    proposal.approve("new")
    proposal.merge(require_approvals=1)
    put(dev, "three")
    assert [(review.notes, review.outdated) for review in proposal.reviews()] == [("old", True), ("new", False)]
    dev.delete()
    assert [review.outdated for review in proposal.reviews()] == [True, False]


def test_a_merge_may_require_approvals(repo: Any, dev: Any, proposal: Any) -> None:
    before = repo.branch("main").head().id

    def refused(words: str) -> None:
        with pytest.raises(exceptions.BadRequestException, match=words) as caught:
            proposal.merge(require_approvals=1)
        assert caught.value.maybe_applied is False
        assert repo.branch("main").head().id == before

    refused("must be approved by at least 1 user, and is by 0")
    proposal.approve()
    proposal.reject("second thoughts")
    refused("must be approved by at least 1")
    proposal.approve()
    put(dev, "two")
    refused("reviewed an earlier commit")
    proposal.approve()
    with pytest.raises(exceptions.BadRequestException, match="at least 2 users, and is by 1"):
        proposal.merge(require_approvals=2)  # the same user twice is one
    assert proposal.merge(require_approvals=1).parents[0] == before
    assert proposal.status == "merged"


def test_only_open_pull_requests_are_reviewed(repo: Any, proposal: Any) -> None:
    proposal.close()
    for review in (proposal.approve, proposal.reject):
        with pytest.raises(exceptions.BadRequestException, match="it is closed") as caught:
            review("late")
        assert caught.value.kind == "pull_request_not_open"
    assert proposal.reviews() == []
    with pytest.raises(exceptions.NotFoundException):
        repo.pull_request("0" * 20).approve()
    with pytest.raises(exceptions.NotFoundException):
        repo.pull_request("0" * 20).reviews()


def test_a_source_branch_that_is_gone(repo: Any, dev: Any, proposal: Any) -> None:
    proposal.approve()
    dev.delete()
    assert [review.outdated for review in proposal.reviews()] == [True]
    with pytest.raises(exceptions.NotFoundException):
        proposal.approve()
    with pytest.raises(exceptions.BadRequestException):
        proposal.merge(require_approvals=1)


def test_notes_have_a_limit_and_any_characters(proposal: Any) -> None:
    notes = 'ü"\\\n\U0001f600'
    assert proposal.approve(notes).notes == notes
    assert proposal.reviews()[0].notes == notes
    with pytest.raises(ValueError, match="at most 4,096 bytes in UTF-8, not 4,098"):
        proposal.approve("ü" * 2049)
    assert len(proposal.reviews()) == 1
    assert proposal.approve("x" * 4096).notes == "x" * 4096


def test_other_metadata_is_kept_and_a_damaged_review_is_named(repo: Any, proposal: Any) -> None:
    repo.set_metadata({"mine": "1", f"lakefs_hl.review.{proposal.id}.other": "no review"})
    proposal.approve()
    assert len(proposal.reviews()) == 1
    assert repo.metadata()["mine"] == "1"
    key = f"lakefs_hl.review.{proposal.id}.{0:016x}-00"
    repo.set_metadata({key: "{}"})
    with pytest.raises(ValueError, match="another program has written it"):
        proposal.reviews()
    repo.delete_metadata(key)
    assert len(proposal.reviews()) == 1


def test_reviews_of_another_pull_request_are_apart(repo: Any, proposal: Any) -> None:
    other = repo.create_pull_request("dev", "main", "The same")
    proposal.approve("this")
    other.reject("that")
    assert [review.notes for review in proposal.reviews()] == ["this"]
    assert [review.notes for review in other.reviews()] == ["that"]
