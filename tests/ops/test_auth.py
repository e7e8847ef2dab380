"""Who we are: what goes on each request, and one renewal for all."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from lakefs_hl.ops import branches, server
from lakefs_hl.ops.auth import Authority, basic, bearer, external, login, nobody
from lakefs_hl.ops.effects import Once, Send
from lakefs_hl.spec import endpoints, errors, models
from tests.ops.script import HTML, Play, down, lost, no, ok, ref, session, step

from lakefs_hl.spec.wire import Response  # isort: skip

BRANCH = ("getBranch", "r", "b")
TOKEN = ok(models.Token("t1", 99))


def role() -> dict[str, Any]:
    return {"signed": "s3cr3t"}


def test_a_pair_goes_with_every_request() -> None:
    play = Play(step(*BRANCH, answer=ref("b", "c")))
    play.run(branches.get(session(basic("key", "s3cr3t")), "r", "b"))
    assert play.sent[0].authorization == "Basic " + base64.b64encode(b"key:s3cr3t").decode()


def test_in_process_nothing_is_said() -> None:
    play = Play(step(*BRANCH, answer=ref("b", "c")))
    play.run(branches.get(session(nobody()), "r", "b"))
    assert play.sent[0].authorization is None


def test_public_requests_carry_nothing() -> None:
    play = Play(step("healthCheck", answer=ok()), step("getLakeFSVersion", answer=no(401, "x")))
    play.run(server.health(session()))
    assert [request.authorization is None for request in play.sent] == [True, False]


@pytest.mark.parametrize("given", [basic("k", "s3cr3t"), bearer("s3cr3t")])
def test_a_refusal_of_what_cannot_be_renewed_is_final(given: Authority) -> None:
    error = Play(step(*BRANCH, answer=no(401, "error authenticating request"))).fails(
        branches.get(session(given), "r", "b"), errors.NotAuthorizedException
    )
    assert "check the access key" in str(error)
    assert "s3cr3t" not in str(error) + repr(given)


def test_a_token_is_fetched_before_the_first_request() -> None:
    play = Play(
        step("login", answer=TOKEN, body={"access_key_id": "k", "secret_access_key": "s3cr3t"}),
        step(*BRANCH, answer=ref("b", "c")),
        step(*BRANCH, answer=ref("b", "c")),
    )
    s = session(login("k", "s3cr3t"))
    Play.run(play, both(s))
    assert [each.authorization for each in play.sent] == [None, "Bearer t1", "Bearer t1"]


def both(s: Any) -> Any:
    yield from branches.get(s, "r", "b")
    return (yield from branches.get(s, "r", "b"))


def test_a_401_renews_once_and_tries_once_more() -> None:  # B9.89
    s = session(login("k", "x"))
    s.authority.current = (3, "Bearer old")
    play = Play(
        step(*BRANCH, answer=no(401, "no")),
        step("login", answer=TOKEN),
        step(*BRANCH, answer=ref("b", "c")),
    )
    play.run(branches.get(s, "r", "b"))
    assert play.sent[2].authorization == "Bearer t1"
    assert s.authority.current == (4, "Bearer t1")
    assert play.slept == []


def test_twice_401_is_the_end() -> None:
    s = session(login("k", "x"))
    s.authority.current = (0, "Bearer old")
    play = Play(
        step(*BRANCH, answer=no(401, "no")),
        step("login", answer=TOKEN),
        step(*BRANCH, answer=no(401, "no")),
    )
    error = play.fails(branches.get(s, "r", "b"), errors.NotAuthorizedException)
    assert len(error.attempts) == 2


@pytest.mark.parametrize("kind", ["commit", "createPullRequest"])
def test_a_401_is_no_unknown_outcome_even_where_nothing_is_repeated(kind: str) -> None:
    from lakefs_hl.ops.retry import call
    from lakefs_hl.spec.wire import Request

    s = session(login("k", "x"))
    s.authority.current = (0, "Bearer old")
    row = endpoints.ENDPOINTS[kind]
    params = ("r", "b")[: row.path.count("{")]
    play = Play(
        step(kind, *params, answer=no(401, "no")),
        step("login", answer=TOKEN),
        step(kind, *params, answer=Response(201)),
    )
    play.run(call(s, Request(row, params)))


def test_the_401_in_the_middle_of_retries() -> None:
    s = session(login("k", "x"))
    s.authority.current = (0, "Bearer old")
    play = Play(
        step(*BRANCH, answer=no(500, "x")),
        step(*BRANCH, answer=no(401, "no")),
        step("login", answer=TOKEN),
        step(*BRANCH, answer=lost()),
        step(*BRANCH, answer=ref("b", "c")),
    )
    play.run(branches.get(s, "r", "b"))


def test_forty_late_401s_log_in_once() -> None:  # B6.63, B9.89: single flight
    s = session(login("k", "x"))
    s.authority.current = (0, "Bearer old")
    ops = [branches.get(s, "r", "b") for _ in range(40)]
    for op in ops:
        assert isinstance(next(op), Send)
    asked = [op.send(no(401, "no")) for op in ops]  # all saw the old generation
    assert len({each.key for each in asked if isinstance(each, Once)}) == 1
    play = Play(step("login", answer=TOKEN))
    for each in asked:  # a driver that shares no run at all: the second one finds a new generation and does nothing
        assert isinstance(each, Once)
        play._drive(each.op)
    play.close()
    again = [op.send(None) for op in ops]
    assert {each.request.authorization for each in again if isinstance(each, Send)} == {"Bearer t1"}


def test_a_login_that_is_refused() -> None:
    play = Play(step("login", answer=no(401, "error authenticating request")))
    error = play.fails(branches.get(session(login("k", "s3cr3t")), "r", "b"), errors.NotAuthorizedException)
    assert "logging in" in str(error)
    assert "s3cr3t" not in str(error)


def test_a_login_is_retried_like_any_read() -> None:
    play = Play(
        step("login", answer=no(503, "busy")),
        step("login", answer=down()),
        step("login", answer=TOKEN),
        step(*BRANCH, answer=ref("b", "c")),
    )
    play.run(branches.get(session(login("k", "x")), "r", "b"))


def test_a_login_at_something_else() -> None:
    play = Play(step("login", answer=Response(200, HTML, b"<html>hello</html>")))
    play.fails(branches.get(session(login("k", "x")), "r", "b"), errors.ProtocolException, "is the endpoint right")


def test_a_role_logs_in_with_a_fresh_identity_each_time() -> None:
    made = list[int]()

    def identity() -> dict[str, Any]:
        made.append(len(made))
        return {"n": len(made)}

    s = session(external(identity, 900))
    play = Play(
        step(
            "externalPrincipalLogin", answer=TOKEN, body={"identityRequest": {"n": 1}, "token_expiration_duration": 900}
        ),
        step(*BRANCH, answer=no(401, "no")),
        step("externalPrincipalLogin", answer=ok(models.Token("t2")), body={"identityRequest": {"n": 2}}),
        step(*BRANCH, answer=ref("b", "c")),
    )
    play.run(branches.get(s, "r", "b"))


def test_a_server_without_roles_is_said_plainly() -> None:
    play = Play(step("externalPrincipalLogin", answer=no(501, "Not Implemented")))
    error = play.fails(branches.get(session(external(role)), "r", "b"), errors.NotAuthorizedException, "AWS role")
    assert error.status == 501
    assert "access key" in str(error)


def test_nothing_prints_a_secret() -> None:
    for each in (basic("k", "s3cr3t"), bearer("s3cr3t"), login("k", "s3cr3t"), external(role), nobody()):
        assert "s3cr3t" not in repr(each)
