"""Commit and its like: an answer that is lost is looked for in the log, never sent again blindly (3.2 D, 3.3)."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.ops import branches, logged
from lakefs_hl.ops.effects import Op
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.wire import Response
from tests.ops.script import C1, C2, NOW, Play, commit, down, log, lost, no, ok, session, silent, step

BODY = {"metadata": {"lakefs_hl.op_id": "op1"}}
NO_CHANGES = no(400, "commit: no changes")


def make(s: Any = None, **options: Any) -> Op[models.Commit]:
    return branches.commit(s or session(), "r", "b", models.CommitCreation("m", **options), op_id="op1", now=NOW)


def sent(answer: Any) -> Any:
    return step("commit", "r", "b", answer=answer, body=BODY)


def looked(*commits: models.Commit) -> Any:
    return step("logCommits", "r", "b", answer=log(*commits), query={"amount": "100", "first_parent": "true"})


UNKNOWN = [lost(), silent(1.0), no(500, "x"), no(502, "x"), no(503, "x"), no(504, "x"), no(499, "x"), no(408, "x")]


@pytest.mark.parametrize("first", UNKNOWN)
def test_lost_but_done(first: Any) -> None:  # B5.57
    assert Play(sent(first), looked(commit(C2), commit(C1, "op1"))).run(make()).id == C1


def test_lost_and_landing_late() -> None:
    play = Play(sent(lost()), looked(), looked(), looked(commit(C1, "op1")))
    assert play.run(make()).id == C1
    assert play.slept == [(0.0, 0.2), (0.0, 0.4)]


def test_the_window_is_ten_seconds_then_it_is_sent_again() -> None:
    play = Play(sent(lost()), *[looked()] * 9, sent(ok(commit(C1, "op1"), 201)))
    assert play.run(make()).id == C1
    assert sum(wait for _, wait in play.slept) == pytest.approx(10.0)
    assert max(wait for _, wait in play.slept) == 2.0


def test_sent_again_and_refused_because_the_first_was_done() -> None:
    play = Play(sent(lost()), looked(), sent(NO_CHANGES), looked(commit(C1, "op1")))
    assert play.run(make(session(search=0.0))).id == C1


def test_sent_again_and_refused_and_not_there() -> None:
    play = Play(sent(lost()), looked(), sent(NO_CHANGES), looked())
    error = play.fails(make(session(search=0.0)), errors.BadRequestException, "no changes")
    assert [each.outcome for each in error.attempts] == ["reset (wait)", "400"]
    assert error.maybe_applied is None
    assert error.op_id == "op1"


def test_three_tries_and_no_more() -> None:
    play = Play(*[sent(lost()), looked()] * 3)
    error = play.fails(make(session(search=0.0)), errors.AmbiguousOutcomeError)
    assert len(error.attempts) == 3
    assert error.maybe_applied is None
    assert error.op_id == "op1"
    for words in ("committing branch 'b'", "lakefs_hl.op_id=op1", "2023-11-14T22:13:20+00:00", "log of lakefs://r/b"):
        assert words in str(error)


@pytest.mark.parametrize("option", ["allow_empty", "force"])
def test_what_the_server_would_repeat_is_never_sent_again(option: str) -> None:
    play = Play(sent(lost()), looked())
    play.fails(make(session(search_final=0.0), **{option: True}), errors.AmbiguousOutcomeError)
    play = Play(sent(lost()), *[looked()] * 19)
    play.fails(make(**{option: True}), errors.AmbiguousOutcomeError)
    assert sum(wait for _, wait in play.slept) == pytest.approx(30.0)
    play = Play(sent(lost()), looked(), looked(commit(C1, "op1")))
    assert play.run(make(**{option: True})).id == C1


def test_not_sent_is_no_reason_to_look() -> None:
    assert Play(sent(down()), sent(ok(commit(C1), 201))).run(make()).id == C1
    assert Play(*[sent(down())] * 3).fails(make(), errors.TransportException).maybe_applied is False


@pytest.mark.parametrize("message", ["branch is currently locked, try again later", "predicate failed"])
def test_a_lost_race_is_sent_again(message: str) -> None:  # B5.58
    Play(sent(no(500, message)), sent(no(429, "x")), sent(ok(commit(C1), 201))).run(make())


def test_tries_are_counted_together() -> None:
    play = Play(sent(no(429, "x")), sent(lost()), looked(), sent(no(429, "x")), looked())
    error = play.fails(make(session(search=0.0)), errors.TooManyRequestsException)
    assert len(error.attempts) == 3
    assert error.maybe_applied is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412])
def test_a_first_refusal_is_real(status: int) -> None:
    error = Play(sent(no(status, "x"))).fails(make(), errors.for_status(status))
    assert error.maybe_applied is False


def test_done_with_an_unreadable_answer() -> None:
    garbled = Response(201, {"content-type": "application/json"}, b'{"id": "11')
    assert Play(sent(garbled), looked(commit(C1, "op1"))).run(make()).id == C1
    play = Play(sent(garbled), looked())
    play.fails(make(session(search_final=0.0)), errors.AmbiguousOutcomeError)


def test_a_log_that_cannot_be_read_leaves_it_unknown() -> None:
    play = Play(sent(lost()), *[step("logCommits", "r", "b", answer=down())] * 5)
    error = play.fails(make(), errors.AmbiguousOutcomeError)
    assert "the log could not be read either" in error.__notes__[0]
    assert isinstance(error.__cause__, errors.TransportException)


def test_the_branch_is_gone_meanwhile() -> None:
    play = Play(sent(lost()), step("logCommits", "r", "b", answer=no(404, "ref: not found")))
    play.fails(make(), errors.AmbiguousOutcomeError)


def test_a_wrong_endpoint_is_no_unknown_outcome() -> None:
    play = Play(sent(Response(302, {"location": "https://other/"})))
    play.fails(make(), errors.ProtocolException)


def test_no_clock_decides_what_is_found() -> None:
    """A commit may be dated at will, and the clocks of client and server may differ: the log is read by number."""
    play = Play(sent(lost()), looked(commit(C1, "op1")))
    play.run(make(date=1))
    assert "since" not in play.sent[1].query


def test_marks_do_not_touch_the_users_dictionary() -> None:
    given = {"k": "v"}
    assert logged.marked(given, "x") == {"k": "v", "lakefs_hl.op_id": "x"}
    assert given == {"k": "v"}
