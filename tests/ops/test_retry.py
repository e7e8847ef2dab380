"""The retry policy: statuses by class, deadlines, backoff, Retry-After, budget."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from lakefs_hl.ops.retry import Budget, Policy, Session, attempt, call, retry_after
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.refusals import meaning_of
from lakefs_hl.spec.wire import Endpoint, Request, Response, TransportError
from tests.ops.script import HTML, Play, down, lost, no, ok, session, silent, step

BY_CLASS = {
    "A": endpoints.GET_BRANCH,
    "B": endpoints.IMPORT_CANCEL,
    "W": endpoints.STAGE_OBJECT,
    "C": endpoints.CREATE_BRANCH,
    "D": endpoints.COMMIT,
    "R": endpoints.DELETE_BRANCH,
    "E": endpoints.CREATE_PULL_REQUEST,
}
TRANSIENT = (408, 425, 429, 499, 500, 502, 503, 504)
FINAL = (400, 401, 403, 404, 405, 409, 410, 412, 413, 414, 416, 422, 501, 505, 507)


def request(row: Endpoint) -> Request:
    return Request(row, ("r", "b")[: row.path.count("{")], body=b"{}")


def refused(row: Endpoint, *answers: Any, s: Session | None = None, kind: type[Any] | None = None, **opts: Any) -> Any:
    """Return the exception of a call with these responses, the last one repeated."""
    play = Play(*(step(row.operation, *request(row).params, answer=each) for each in answers))
    with pytest.raises(kind or errors.LakeFSException) as caught:
        play._drive(call(s or session(), request(row), **opts))
    play.close()
    return caught.value


@pytest.mark.parametrize("status", TRANSIENT)
@pytest.mark.parametrize("kind", "ABWCDRE")
def test_transient_statuses_by_class(kind: str, status: int) -> None:
    row = BY_CLASS[kind]
    moved = status != 429 or kind in "BWR"  # a rate-limited ref did not move; a staged write may have been applied
    tries = 5 if kind in "ABWC" else 1 if moved or kind == "E" else 3
    error = refused(row, *[no(status, "x")] * tries)
    assert len(error.attempts) == tries
    assert [each.outcome for each in error.attempts] == [str(status)] * tries
    assert error.maybe_applied is (None if moved and kind != "A" else False)
    assert isinstance(error, errors.AmbiguousOutcomeError) == (kind in "ER" and moved)


@pytest.mark.parametrize("status", FINAL)  # B5.59
@pytest.mark.parametrize("kind", "ABWCDRE")
def test_error_responses_are_final_for_every_class(kind: str, status: int) -> None:
    error = refused(BY_CLASS[kind], no(status, "x"))
    assert len(error.attempts) == 1
    assert error.maybe_applied is False
    assert error.status == status
    assert error.request_id == "req-1"
    assert type(error) is meaning_of(status).error


@pytest.mark.parametrize("kind", "ABWCDRE")
def test_unsent_requests_are_retried_for_every_class(kind: str) -> None:
    tries = 3 if kind == "D" else 5
    error = refused(BY_CLASS[kind], *[down()] * tries, kind=errors.TransportException)
    assert error.maybe_applied is False
    assert len(error.attempts) == tries
    assert "refuses connections" in str(error)
    assert "the server is running" in str(error)


@pytest.mark.parametrize("kind", "ABWCDRE")
def test_a_lost_response_is_retried_where_that_is_safe(kind: str) -> None:  # B5.60: not sent against sent, no reply
    tries = 5 if kind in "ABWC" else 1
    error = refused(BY_CLASS[kind], *[lost()] * tries)
    assert error.maybe_applied is (False if kind == "A" else None)
    assert isinstance(error, errors.AmbiguousOutcomeError) == (kind in "ER")


def test_overwrites_are_not_retried_if_the_policy_forbids_it() -> None:
    error = refused(BY_CLASS["W"], lost(), s=session(retry_overwrites=False), kind=errors.AmbiguousOutcomeError)
    assert error.maybe_applied is None
    assert "outcome unknown" in str(error)


@pytest.mark.parametrize("message", ["branch is currently locked, try again later", "update branch: predicate failed"])
def test_a_lost_race_is_not_an_unknown_outcome_for_refs(message: str) -> None:  # B5.58
    error = refused(BY_CLASS["D"], *[no(500, message)] * 3)
    assert error.maybe_applied is False


def test_a_rejection_by_a_hook_is_final() -> None:  # B5.58
    error = refused(BY_CLASS["D"], no(412, "pre-commit hook aborted, run id '1': no"))
    assert type(error) is errors.PreconditionFailedException


@pytest.mark.parametrize("retry", "CDR")
def test_an_invalid_action_file_is_final_and_nothing_was_applied(retry: str) -> None:
    error = refused(BY_CLASS[retry], no(500, "pre-merge hook aborted, run id '1': parsing file a.yaml: invalid action"))
    assert type(error) is errors.ServerErrorException
    assert (error.kind, error.maybe_applied, len(error.attempts)) == (ErrorKind.HOOK_REFUSED, False, 1)


@pytest.mark.parametrize("message", ["local adapter presigned URL: operation not supported", "no merge base"])
def test_a_500_of_a_final_kind_is_not_retried(message: str) -> None:
    assert len(refused(BY_CLASS["A"], no(500, message)).attempts) == 1


def test_a_404_that_was_cut_off_is_read_again() -> None:
    whole = no(404, "branch not found")
    assert isinstance(whole.body, bytes)
    cut = msgspec.structs.replace(whole, headers={"content-length": str(len(whole.body))}, body=whole.body[:10])
    error = refused(BY_CLASS["A"], cut, cut, whole)
    assert type(error) is errors.NotFoundException
    assert len(error.attempts) == 3
    error = refused(BY_CLASS["A"], *[cut] * 5)
    assert type(error) is errors.ProtocolException
    assert f"cut off after 10 of {len(whole.body)} bytes" in str(error)
    assert len(refused(BY_CLASS["D"], cut).attempts) == 1  # only of a read it does not matter


@pytest.mark.parametrize("headers", [{}, {"content-length": "30"}, {"content-length": "99", "content-encoding": "br"}])
def test_a_404_that_may_be_whole_is_final(headers: dict[str, str]) -> None:
    whole = msgspec.structs.replace(no(404, "branch not found"), headers=headers)
    assert len(refused(BY_CLASS["A"], whole).attempts) == 1


@pytest.mark.parametrize("kind", ["certificate", "protocol"])
def test_a_pointless_retry_is_not_made(kind: str) -> None:
    broken = TransportError("tls", "no", retry=False, kind=kind)
    want = errors.CertificateException if kind == "certificate" else errors.ProtocolException
    assert type(refused(BY_CLASS["A"], broken)) is want


def test_backoff_is_full_jitter_and_doubles() -> None:  # B5.61
    play = Play(*[step("getBranch", "r", "b", answer=no(500, "x"))] * 5)
    play.fails(call(session(), request(BY_CLASS["A"])), errors.ServerErrorException)
    assert play.slept == [(0.1, 0), (0.2, 0), (0.4, 0), (0.8, 0)]
    play = Play(*[step("getBranch", "r", "b", answer=no(503, "slow down"))] * 5)
    play.fails(call(session(), request(BY_CLASS["A"])), errors.ServerErrorException)
    assert play.slept == [(1, 0), (2, 0), (4, 0), (8, 0)]
    assert Policy().backoff(30, busy=True) == 20


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT", "date": "Tue, 14 Nov 2023 22:13:20 GMT"}, 10.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:10 GMT", "date": "Tue, 14 Nov 2023 22:13:20 GMT"}, 0.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT"}, None),  # the local clock is not used
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(Response(429, headers)) == seconds


def test_a_retry_after_within_the_deadline_is_waited_for() -> None:  # B5.59
    play = Play(
        step("getBranch", "r", "b", answer=no(429, "busy", retry_after="7")),
        step("getBranch", "r", "b", answer=ok(models.Ref("b", "c"))),
    )
    play.run(call(session(), request(BY_CLASS["A"])))
    assert play.slept == [(1.0, 7.0)]


@pytest.mark.parametrize("hint", ["61", "3600"])
def test_a_retry_after_beyond_the_deadline_ends_the_call_and_is_reported(hint: str) -> None:
    error = refused(BY_CLASS["A"], no(429, "busy", retry_after=hint))
    assert type(error) is errors.TooManyRequestsException
    assert error.retry_after == float(hint)
    assert len(error.attempts) == 1


def test_the_deadline_is_the_whole_call() -> None:
    # 30 s without a response, a wait, 30 s again: the third attempt would begin after 60 s
    error = refused(BY_CLASS["A"], silent(), silent(), kind=errors.DeadlineExceeded)
    assert [each.seconds for each in error.attempts] == [30.0, 30.0]
    assert "gave up after 2 attempts" in str(error)


def test_each_attempt_gets_the_rest_of_the_deadline() -> None:
    play = Play(
        step("getBranch", "r", "b", answer=silent(30)),
        step("getBranch", "r", "b", answer=no(500, "x", seconds=20.0)),
        step("getBranch", "r", "b", answer=ok(models.Ref("b", "c"))),
    )
    play.run(call(session(), request(BY_CLASS["A"])))
    assert [each.within for each in play.sent] == [None, pytest.approx(29.9), pytest.approx(9.7)]


def test_timeout_and_deadline_of_the_client() -> None:
    play = Play(step("getBranch", "r", "b", answer=ok(models.Ref("b", "c"))))
    play.run(call(session(timeout=5.0), request(BY_CLASS["A"])))
    assert play.sent[0].timeout == 5.0
    play = Play(step("getBranch", "r", "b", answer=ok(models.Ref("b", "c"))))
    play.run(call(session(deadline=2.0, connect=0.5), request(BY_CLASS["A"])))
    assert (play.sent[0].timeout, play.sent[0].within, play.sent[0].connect) == (None, 2.0, 0.5)


@pytest.mark.parametrize("deadline", [1.0, 3600.0])
@pytest.mark.parametrize("row", [endpoints.STAT_OBJECT, endpoints.COMMIT, endpoints.GET_OBJECT])
def test_a_deadline_of_the_policy_wins_over_the_rows(row: Endpoint, deadline: float) -> None:
    assert Policy(deadline=deadline).limit(row) == deadline


def test_a_transfer_has_no_deadline() -> None:
    assert Policy().limit(endpoints.GET_OBJECT) == math.inf


def test_budget_costs_and_refills() -> None:
    s = session()
    play = Play(
        step("getBranch", "r", "b", answer=no(500, "x")),
        step("getBranch", "r", "b", answer=silent(1.0)),
        step("getBranch", "r", "b", answer=no(500, "x")),
        step("getBranch", "r", "b", answer=no(500, "x")),
        step("getBranch", "r", "b", answer=no(500, "x")),
    )
    play.fails(call(s, request(BY_CLASS["A"])), errors.ServerErrorException)
    assert s.budget.left == 500 - (5 + 10 + 5 + 5)
    Play(step("getBranch", "r", "b", answer=ok(models.Ref("b", "c")))).run(call(s, request(BY_CLASS["A"])))
    assert s.budget.left == 476
    Play(
        step("getBranch", "r", "b", answer=no(500, "x")), step("getBranch", "r", "b", answer=ok(models.Ref("b", "c")))
    ).run(call(s, request(BY_CLASS["A"])))
    assert s.budget.left == 476


def test_an_outage_does_not_multiply_requests() -> None:  # B5.61
    s, sent = session(), 0
    for _ in range(1000):
        play = Play(*[step("getBranch", "r", "b", answer=no(502, "x"))] * 5)
        with pytest.raises(errors.ServerErrorException) as caught:
            play._drive(call(s, request(BY_CLASS["A"])))
        sent += len(play.sent)
    assert sent <= 1100
    assert caught.value.retry_budget_exhausted
    assert len(caught.value.attempts) == 1


def test_budget_never_exceeds_its_size() -> None:
    budget = Budget(10)
    budget.refill(5)
    assert budget.left == 10
    assert budget.spend(10)
    assert not budget.spend(1)


def test_an_error_after_a_lost_response_has_an_unknown_outcome() -> None:
    error = refused(BY_CLASS["C"], lost(), no(409, "branch already exists: not unique"), kind=errors.ConflictException)
    assert error.maybe_applied is None
    assert [each.outcome for each in error.attempts] == ["reset (wait)", "409"]


def test_every_attempt_sends_the_same_bytes() -> None:
    row = BY_CLASS["C"]
    play = Play(*[step(row.operation, "r", answer=no(503, "x"))] * 5)
    asked = Request(row, ("r",), body=b'{"name":"x"}')
    play.fails(call(session(), asked), errors.ServerErrorException)
    assert {each.body for each in play.sent} == {asked.body}


def test_credentials_are_on_each_attempt_and_in_no_error() -> None:
    play = Play(*[step("getBranch", "r", "b", answer=no(500, "x"))] * 5)
    error = play.fails(call(session(), request(BY_CLASS["A"])), errors.ServerErrorException)
    assert all(each.authorization for each in play.sent)
    assert "s3cr3t" not in repr(play.sent) + repr(error) + repr(error.__dict__)


def test_attempt_returns_failures() -> None:
    found = Play(step("getBranch", "r", "b", answer=no(404, "branch not found"))).run(
        attempt(call(session(), request(BY_CLASS["A"])))
    )
    assert isinstance(found, errors.NotFoundException)


def test_a_local_error_is_raised_as_itself_and_not_retried() -> None:
    play = Play(step("getBranch", "r", "b", answer=EOFError("the file is shorter than promised")))
    play.fails(call(session(), request(BY_CLASS["A"])), EOFError)


@pytest.mark.parametrize("kind", "ABWCDRE")
def test_an_unexpected_success_status_is_an_error(kind: str) -> None:
    row = BY_CLASS[kind]
    status = 204 if 204 not in row.ok else 200
    error = refused(row, Response(status, HTML, b"<html>"))
    if kind in "ER":
        assert type(error) is errors.AmbiguousOutcomeError
    else:
        assert type(error) is errors.ProtocolException
    assert "http://lake:8000" in str(error)


def test_policy_is_a_value() -> None:
    assert msgspec.structs.replace(Policy(), attempts=2) == Policy(attempts=2)
