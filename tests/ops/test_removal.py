"""Requests that are not repeated blindly: what a check decides after a lost response."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lakefs_hl.exceptions import AmbiguousOutcomeError, ForbiddenException, NotFoundException
from lakefs_hl.ops import removal
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.removal import Verdict
from lakefs_hl.ops.retry import ask
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.wire import Request
from tests.ops.script import NOW, Play, head, lost, no, ok, session, step

DELETE = Request(endpoints.DELETE_BRANCH, ("r", "b"))


def deleting(answer: Any) -> Any:
    return step("deleteBranch", "r", "b", answer=answer)


def looking(*verdicts: Verdict) -> Any:
    left: Iterator[Verdict] = iter(verdicts)

    def look() -> Op[Verdict]:
        yield from ()
        return next(left)

    return look


def test_a_response_ends_the_call_without_a_check() -> None:
    assert Play(deleting(ok())).run(removal.run(session(), DELETE, looking())).status == 204  # type: ignore[union-attr]


def test_a_rejected_request_was_not_applied() -> None:
    error = Play(deleting(no(403, "no"))).fails(removal.run(session(), DELETE, looking()), ForbiddenException)
    assert error.maybe_applied is False


def test_a_lost_response_of_an_applied_request_is_a_success() -> None:
    assert Play(deleting(lost())).run(removal.run(session(), DELETE, looking(Verdict.APPLIED))) is None


def test_a_request_is_sent_again_while_its_target_is_unchanged() -> None:
    play = Play(deleting(lost()), deleting(ok()))
    found = play.run(removal.run(session(), DELETE, looking(Verdict.UNCHANGED)))
    assert found is not None
    assert len(play.slept) == 1


def test_a_target_that_changed_is_left_alone() -> None:
    play = Play(deleting(lost()))
    error = play.fails(removal.run(session(), DELETE, looking(Verdict.CHANGED)), AmbiguousOutcomeError)
    assert (error.maybe_applied, len(error.attempts)) == (None, 1)
    assert "outcome unknown" in str(error)


def test_a_retry_that_finds_nothing_means_that_the_first_attempt_deleted_it() -> None:
    play = Play(deleting(lost()), deleting(no(404, "not found")))
    assert play.run(removal.run(session(), DELETE, looking(Verdict.UNCHANGED))) is None


def test_a_check_that_fails_leaves_the_outcome_unknown() -> None:
    def look() -> Op[Verdict]:
        yield from ()
        raise NotFoundException("not found")

    error = Play(deleting(lost())).fails(removal.run(session(), DELETE, look), AmbiguousOutcomeError)
    assert any("the check whether it was applied failed too" in note for note in error.__notes__)


def test_the_state_before_is_looked_up_only_where_it_is_needed() -> None:
    wanted = removal.learn_server(session(), "r", "b")
    Play(head()).run(wanted)
    Play().run(removal.learn_server(session(exactly_once=True), "r", "b"))
    asked = Request(endpoints.GET_BRANCH, ("r", "b"))

    def op() -> Op[Any]:
        return ask(session(), models.Ref, asked)

    assert Play().run(removal.look_up_before(session(exactly_once=True), op())) is None
    missing = step("getBranch", "r", "b", answer=no(404, "not found"))
    assert Play(missing).run(removal.look_up_before(session(), op())) is None


@pytest.mark.parametrize(
    ("date", "seconds", "older"),
    [
        ("Tue, 14 Nov 2023 22:13:20 GMT", NOW - 6, True),
        ("Tue, 14 Nov 2023 22:13:20 GMT", NOW - 5, False),
        ("Tue, 14 Nov 2023 22:13:20 GMT", NOW + 1, False),
        ("Tue, 14 Nov 2023 22:13:20 GMT", None, False),
        ("", NOW - 100, False),
        ("yesterday", NOW - 100, False),
    ],
)
def test_only_what_is_clearly_older_existed_before(date: str, seconds: float | None, older: bool) -> None:
    assert removal.is_older(date, seconds) is older
