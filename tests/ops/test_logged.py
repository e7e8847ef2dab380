"""Commit and similar operations: after a lost response the log is searched before a retry."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.ops import branches, refs
from lakefs_hl.ops import logged as ops
from lakefs_hl.ops.auth import basic
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.refusals import meaning_of
from lakefs_hl.spec.wire import Response
from tests.ops.script import C0, C1, C2, C3, NOW, Play, commit, down, head, log, lost, no, ok, session, silent, step

DOWN = {"amount": "100", "first_parent": "true"}
BODY = {"metadata": {"lakefs_hl.op_id": "op1"}}
NO_CHANGES = no(400, "commit: no changes")


def make(s: Any = None, **options: Any) -> Op[models.Commit]:
    return branches.commit(s or session(), "r", "b", models.CommitCreation("m", **options), op_id="op1", now=NOW)


def sent(answer: Any) -> Any:
    return step("commit", "r", "b", answer=answer, body=BODY)


def looked(*commits: models.Commit) -> Any:
    return step("logCommits", "r", "b", answer=log(*commits), query={**DOWN, "stop_at": C0})


def looked_on(seen: str, *commits: models.Commit) -> Any:
    return step("logCommits", "r", "b", answer=log(*commits), query={**DOWN, "stop_at": seen})


UNKNOWN = [lost(), silent(1.0), no(500, "x"), no(502, "x"), no(503, "x"), no(504, "x"), no(499, "x"), no(408, "x")]


@pytest.mark.parametrize("first", UNKNOWN)
def test_lost_but_applied(first: Any) -> None:  # B5.57
    assert Play(head(), sent(first), looked(commit(C2), commit(C1, "op1"))).run(make()).id == C1


def test_lost_and_applied_late() -> None:
    play = Play(head(), sent(lost()), looked(), looked(), looked(commit(C1, "op1")))
    assert play.run(make()).id == C1
    assert play.slept == [(0.0, 0.2), (0.0, 0.4)]


def test_the_log_is_searched_for_ten_seconds_before_a_retry() -> None:
    play = Play(head(), sent(lost()), *[looked()] * 9, sent(ok(commit(C1, "op1"), 201)))
    assert play.run(make()).id == C1
    assert sum(wait for _, wait in play.slept) == pytest.approx(10.0)
    assert max(wait for _, wait in play.slept) == 2.0


def test_a_retry_that_is_rejected_because_the_first_attempt_was_applied() -> None:
    play = Play(head(), sent(lost()), looked(), sent(NO_CHANGES), looked(commit(C1, "op1")))
    assert play.run(make(session(search=0.0))).id == C1


def test_a_retry_that_is_rejected_without_a_commit_in_the_log() -> None:
    play = Play(head(), sent(lost()), looked(), sent(NO_CHANGES), looked())
    error = play.fails(make(session(search=0.0)), errors.BadRequestException, "no changes")
    assert [each.outcome for each in error.attempts] == ["reset (wait)", "400"]
    assert error.maybe_applied is None
    assert error.op_id == "op1"


def test_at_most_three_attempts() -> None:
    play = Play(head(), *[sent(lost()), looked()] * 3)
    error = play.fails(make(session(search=0.0)), errors.AmbiguousOutcomeError)
    assert len(error.attempts) == 3
    assert error.maybe_applied is None
    assert error.op_id == "op1"
    for words in ("committing branch 'b'", "lakefs_hl.op_id=op1", "2023-11-14T22:13:20+00:00", "log of lakefs://r/b"):
        assert words in str(error)


@pytest.mark.parametrize("option", ["allow_empty", "force"])
def test_operations_that_would_be_applied_twice_are_never_retried(option: str) -> None:
    play = Play(head(), sent(lost()), looked())
    play.fails(make(session(search_final=0.0), **{option: True}), errors.AmbiguousOutcomeError)
    play = Play(head(), sent(lost()), *[looked()] * 19)
    play.fails(make(**{option: True}), errors.AmbiguousOutcomeError)
    assert sum(wait for _, wait in play.slept) == pytest.approx(30.0)
    play = Play(head(), sent(lost()), looked(), looked(commit(C1, "op1")))
    assert play.run(make(**{option: True})).id == C1


def test_a_request_that_was_not_sent_needs_no_search() -> None:
    assert Play(head(), sent(down()), sent(ok(commit(C1), 201))).run(make()).id == C1
    assert Play(head(), *[sent(down())] * 3).fails(make(), errors.TransportException).maybe_applied is False


@pytest.mark.parametrize("message", ["branch is currently locked, try again later", "predicate failed"])
def test_a_lost_race_is_retried(message: str) -> None:  # B5.58
    Play(head(), sent(no(500, message)), sent(no(429, "x")), sent(ok(commit(C1), 201))).run(make())


def test_attempts_are_counted_together() -> None:
    play = Play(head(), sent(no(429, "x")), sent(lost()), looked(), sent(no(429, "x")), looked())
    error = play.fails(make(session(search=0.0)), errors.TooManyRequestsException)
    assert len(error.attempts) == 3
    assert error.maybe_applied is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412])
def test_an_error_of_the_first_attempt_is_raised(status: int) -> None:
    error = Play(head(), sent(no(status, "x"))).fails(make(), meaning_of(status).error)
    assert error.maybe_applied is False


def test_applied_with_an_unreadable_response() -> None:
    garbled = Response(201, {"content-type": "application/json"}, b'{"id": "11')
    assert Play(head(), sent(garbled), looked(commit(C1, "op1"))).run(make()).id == C1
    play = Play(head(), sent(garbled), looked())
    play.fails(make(session(search_final=0.0)), errors.AmbiguousOutcomeError)


def test_an_unreadable_log_leaves_the_outcome_unknown() -> None:
    play = Play(head(), sent(lost()), *[step("logCommits", "r", "b", answer=down())] * 5)
    error = play.fails(make(), errors.AmbiguousOutcomeError)
    assert "the log could not be read either" in error.__notes__[0]
    assert isinstance(error.__cause__, errors.TransportException)


def test_the_branch_is_deleted_meanwhile() -> None:
    play = Play(head(), sent(lost()), step("logCommits", "r", "b", answer=no(404, "ref: not found")))
    play.fails(make(), errors.AmbiguousOutcomeError)


def test_a_wrong_endpoint_is_not_an_unknown_outcome() -> None:
    play = Play(head(), sent(Response(302, {"location": "https://other/"})))
    play.fails(make(), errors.ProtocolException)


def test_the_search_does_not_depend_on_clocks() -> None:
    """Dates of commits are arbitrary, and the clocks of client and server differ."""
    play = Play(head(), sent(lost()), looked(commit(C1, "op1")))
    play.run(make(date=1))
    assert "since" not in play.sent[2].query


def test_the_users_metadata_is_not_modified() -> None:
    given = {"k": "v"}
    assert ops.with_op_id(given, "x") == {"k": "v", "lakefs_hl.op_id": "x"}
    assert given == {"k": "v"}


# the recorded head


def logged(*commits: models.Commit, more: bool = False) -> Response:
    return ok(models.CommitPage(models.Pagination(more, "x" if more else "", len(commits), 1000), list(commits)))


def others(start: int, count: int) -> list[models.Commit]:
    return [commit(f"{number:064x}", f"other{number}") for number in range(start, start + count)]


def test_a_busy_branch_is_searched_down_to_the_recorded_head() -> None:
    first, second = others(100, 100), others(200, 1000)
    play = Play(
        head(),
        sent(lost()),
        step("logCommits", "r", "b", answer=logged(*first, more=True), query={**DOWN, "stop_at": C0}),
        step(
            "logCommits",
            "r",
            first[-1].id,  # not with `after`, to which lakeFS would walk from the head
            answer=logged(first[-1], *second, more=True),
            query={**DOWN, "amount": "1000", "stop_at": C0},
        ),
        step("logCommits", "r", second[-1].id, answer=logged(second[-1], commit(C1, "op1"))),
    )
    assert play.run(make()).id == C1


def test_commits_below_the_recorded_head_are_not_read() -> None:
    below = logged(*others(300, 5), commit(C0), commit(C1, "op1"), more=True)
    play = Play(head(), sent(lost()), step("logCommits", "r", "b", answer=below), sent(ok(commit(C2), 201)))
    assert play.run(make(session(search=0.0))).id == C2


def test_commits_are_read_once() -> None:
    play = Play(head(), sent(lost()), looked(commit(C2), commit(C3)), looked_on(C2, commit(C1, "op1"), commit(C2)))
    assert play.run(make()).id == C1


def test_a_log_too_long_for_the_deadline_leaves_the_outcome_unknown() -> None:
    def slow(start: int) -> Response:
        answer = logged(*others(start, 100), more=True)
        answer.seconds = 300.0
        return answer

    steps = [step("logCommits", "r", "b", answer=slow(100)), step("logCommits", "r", f"{199:064x}", answer=slow(200))]
    error = Play(head(), sent(lost()), *steps).fails(make(), errors.AmbiguousOutcomeError)
    assert "the deadline expired" in error.__notes__[0]
    assert error.op_id == "op1"


def test_an_unknown_head_does_not_prevent_the_operation() -> None:
    for status in (403, 404):
        hidden = step("getBranch", "r", "b", answer=no(status, "no"))
        assert Play(hidden, sent(ok(commit(C1), 201))).run(make()).id == C1
    play = Play(hidden, sent(lost()), step("logCommits", "r", "b", answer=log(commit(C1, "op1")), query=DOWN))
    assert play.run(make()).id == C1


def test_a_server_that_is_down_before_anything_is_sent() -> None:
    play = Play(*[step("getBranch", "r", "b", answer=lost())] * 5)
    error = play.fails(make(), errors.TransportException, "committing branch 'b' of lakefs://r")
    assert error.maybe_applied is False


# a server that honours Idempotency-Key


def keyed(answer: Any, **headers: str) -> Any:
    return step("commit", "r", "b", answer=answer, body=BODY, headers={"idempotency-key": "op1", **headers})


PROOF = step(
    "healthCheck",
    answer=ok(status=204, x_lakefs_hl="idempotency-key", idempotency_key="op1"),
    headers={"idempotency-key": "op1"},
)


@pytest.mark.parametrize(
    "came",
    [
        ok(status=204, x_lakefs_hl="idempotency-key"),
        ok(status=204, x_lakefs_hl="idempotency-key", idempotency_key="another"),
        ok(status=204),
        lost(),
    ],
)
@pytest.mark.parametrize("option", [{}, {"allow_empty": True}, {"force": True}])
def test_a_key_that_a_proxy_may_drop_is_not_relied_on(option: dict[str, bool], came: Any) -> None:
    s = session()
    s.exactly_once = True  # the server reports it in every response, and a proxy forwards that
    probe = step("healthCheck", answer=came, headers={"idempotency-key": "op1"})
    look = step("logCommits", "r", "b", answer=log(commit(C2), commit(C1, "op1")))
    assert Play(keyed(lost()), probe, look).run(make(s, **option)).id == C1


def test_a_response_without_the_key_means_that_keys_do_not_arrive() -> None:
    s = session()
    s.exactly_once = True
    Play(keyed(ok(commit(C1), 201, x_lakefs_hl="idempotency-key"))).run(make(s))
    assert s.exactly_once is False
    Play(head(x_lakefs_hl="idempotency-key"), keyed(ok(commit(C1), 201, x_lakefs_hl="idempotency-key"))).run(make(s))


@pytest.mark.parametrize("option", [{}, {"allow_empty": True}, {"force": True}])
def test_a_lost_response_is_requested_again_by_its_key(option: dict[str, bool]) -> None:
    play = Play(keyed(lost()), keyed(no(503, "x")), keyed(ok(commit(C1), 201)))
    assert play.run(make(session(exactly_once=True), **option)).id == C1


def test_the_first_response_shows_whether_a_server_honours_keys() -> None:
    s = session()
    play = Play(head(x_lakefs_hl="idempotency-key"), keyed(lost()), PROOF, keyed(ok(commit(C1), 201)))
    assert play.run(make(s)).id == C1
    assert s.exactly_once is True
    assert Play(keyed(ok(commit(C1), 201))).run(make(s)).id == C1  # no look-up from then on


def test_without_honoured_keys_the_head_is_recorded_each_time() -> None:
    s = session()
    for _ in range(2):
        Play(head(), keyed(ok(commit(C1), 201))).run(make(s))
    assert s.exactly_once is False


def test_an_error_response_only_proves_that_keys_are_honoured() -> None:
    s = session()
    head, immutable = (step(name, "r", "b", answer=no(404, "branch not found")) for name in ("getBranch", "getCommit"))
    Play(head, keyed(no(404, "branch not found")), immutable).fails(make(s), errors.NotFoundException)
    assert s.exactly_once is None
    ours = keyed(no(404, "branch not found", x_lakefs_hl="idempotency-key", idempotency_key="op1"))
    Play(head, ours, immutable).fails(make(s), errors.NotFoundException)
    assert s.exactly_once is True


@pytest.mark.parametrize(("status", "words"), [(400, "commit: no changes"), (404, "branch not found")])
def test_an_error_of_a_retry_with_a_key_is_that_of_the_first_attempt(status: int, words: str) -> None:
    refused = keyed(no(status, words, x_lakefs_hl="idempotency-key", idempotency_key="op1"))
    look = [step("getCommit", "r", "b", answer=no(404, words))] if status == 404 else []  # is it a tag or a commit?
    play = Play(keyed(lost()), refused, *look)
    error = play.fails(make(session(exactly_once=True)), meaning_of(status).error, words)
    assert error.maybe_applied is False


def test_all_responses_lost_with_a_key() -> None:
    unread = step("logCommits", "r", "b", answer=log(commit(C2)), query=DOWN)
    error = Play(*[keyed(lost())] * 5, unread).fails(
        make(session(exactly_once=True, search=0.0)), errors.AmbiguousOutcomeError
    )
    assert len(error.attempts) == 5
    play = Play(*[keyed(lost())] * 5, step("logCommits", "r", "b", answer=log(commit(C1, "op1"))))
    assert play.run(make(session(exactly_once=True))).id == C1


def test_in_process_no_head_is_recorded_and_no_key_is_sent() -> None:
    local = Session(basic("AKEY", "s3cr3t"))
    play = Play(sent(ok(commit(C1), 201)))
    assert play.run(make(local)).id == C1
    assert "idempotency-key" not in play.sent[0].headers


def test_an_applied_merge_is_never_reported_as_an_error() -> None:
    """Lost on a busy branch, retried, rejected for having no changes: the commit is far down in the log."""
    far = [logged(*others(100, 100), more=True), logged(*others(199, 1000), commit(C1, "op1"))]
    play = Play(
        head("main"),
        step("mergeIntoBranch", "r", C2, "main", answer=lost()),
        step("logCommits", "r", "main", answer=log()),
        step("mergeIntoBranch", "r", C2, "main", answer=no(400, "update branch main: no changes")),
        step("logCommits", "r", "main", answer=far[0]),
        step("logCommits", "r", f"{199:064x}", answer=far[1]),
    )
    merge = refs.merge(session(search=0.0), "r", C2, "main", models.Merge(), op_id="op1", now=NOW)
    assert play.run(merge) == C1
