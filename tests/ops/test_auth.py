"""Authenticators: the header of each request, and one login for all ops that need it."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from lakefs_hl.ops import branches, server
from lakefs_hl.ops.auth import Authenticator, Sign, anonymous, basic, bearer, external, login
from lakefs_hl.ops.effects import Now, Once, Send
from lakefs_hl.ops.retry import authorization, call
from lakefs_hl.spec import endpoints, errors, models
from tests.ops.script import HTML, NOW, Play, down, lost, no, ok, ref, session, step

from lakefs_hl.spec.wire import Endpoint, Request, Response  # isort: skip

BRANCH = ("getBranch", "r", "b")
TOKEN = ok(models.Token("t1", 99))
HEAD = ref("b", "c")


def role() -> Sign:
    return lambda moment: {"signed": "s3cr3t", "at": moment}


def test_a_pair_goes_with_every_request() -> None:
    play = Play(step(*BRANCH, answer=ref("b", "c")))
    play.run(branches.get(session(basic("key", "s3cr3t")), "r", "b"))
    assert play.sent[0].authorization == "Basic " + base64.b64encode(b"key:s3cr3t").decode()


def test_in_process_no_credentials_are_sent() -> None:
    play = Play(step(*BRANCH, answer=ref("b", "c")))
    play.run(branches.get(session(anonymous()), "r", "b"))
    assert play.sent[0].authorization is None


def test_public_requests_carry_no_credentials() -> None:
    play = Play(step("healthCheck", answer=ok()), step("getLakeFSVersion", answer=no(401, "x")))
    play.run(server.health(session()))
    assert [request.authorization is None for request in play.sent] == [True, False]


@pytest.mark.parametrize("given", [basic("k", "s3cr3t"), bearer("s3cr3t")])
def test_a_refusal_of_what_cannot_be_renewed_is_final(given: Authenticator) -> None:
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
    s.authenticator.current = (3, "Bearer old")
    play = Play(
        step(*BRANCH, answer=no(401, "no")),
        step("login", answer=TOKEN),
        step(*BRANCH, answer=ref("b", "c")),
    )
    play.run(branches.get(s, "r", "b"))
    assert play.sent[2].authorization == "Bearer t1"
    assert s.authenticator.current == (4, "Bearer t1")
    assert play.slept == []


def test_a_second_401_is_final() -> None:
    s = session(login("k", "x"))
    s.authenticator.current = (0, "Bearer old")
    play = Play(
        step(*BRANCH, answer=no(401, "no")),
        step("login", answer=TOKEN),
        step(*BRANCH, answer=no(401, "no")),
    )
    error = play.fails(branches.get(s, "r", "b"), errors.NotAuthorizedException)
    assert len(error.attempts) == 2


@pytest.mark.parametrize("kind", ["commit", "createPullRequest"])
def test_a_401_is_no_unknown_outcome_even_where_nothing_is_repeated(kind: str) -> None:
    s = session(login("k", "x"))
    s.authenticator.current = (0, "Bearer old")
    row = endpoints.ENDPOINTS[kind]
    params = ("r", "b")[: row.path.count("{")]
    play = Play(
        step(kind, *params, answer=no(401, "no")),
        step("login", answer=TOKEN),
        step(kind, *params, answer=Response(201)),
    )
    play.run(call(s, Request(row, params)))


def test_a_401_between_retries_renews_the_token() -> None:
    s = session(login("k", "x"))
    s.authenticator.current = (0, "Bearer old")
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
    s.authenticator.current = (0, "Bearer old")
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


def test_a_refused_login_names_the_login_and_no_secret() -> None:
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


def test_a_login_at_another_server_asks_whether_the_endpoint_is_right() -> None:
    play = Play(step("login", answer=Response(200, HTML, b"<html>hello</html>")))
    play.fails(branches.get(session(login("k", "x")), "r", "b"), errors.ProtocolException, "is the endpoint right")


def test_a_role_logs_in_with_a_new_identity_each_time() -> None:
    found = list[int]()

    def find() -> Sign:
        found.append(len(found))
        return lambda moment: {"n": len(found)}

    s = session(external(find, 900))
    play = Play(
        step(
            "externalPrincipalLogin", answer=TOKEN, body={"identityRequest": {"n": 1}, "token_expiration_duration": 900}
        ),
        step(*BRANCH, answer=no(401, "no")),
        step("externalPrincipalLogin", answer=ok(models.Token("t2")), body={"identityRequest": {"n": 2}}),
        step(*BRANCH, answer=ref("b", "c")),
    )
    play.run(branches.get(s, "r", "b"))


def test_the_error_says_that_a_server_has_no_logins_by_role() -> None:
    play = Play(step("externalPrincipalLogin", answer=no(501, "Not Implemented")))
    error = play.fails(branches.get(session(external(role)), "r", "b"), errors.NotAuthorizedException, "AWS role")
    assert error.status == 501
    assert "access key" in str(error)


EXTERNAL = step("externalPrincipalLogin", answer=TOKEN)


def test_credentials_are_found_by_a_call_and_signed_at_the_time_of_the_clock() -> None:
    play = Play(
        EXTERNAL._replace(body={"identityRequest": {"signed": "s3cr3t", "at": NOW}}), step(*BRANCH, answer=HEAD)
    )
    play.run(branches.get(session(external(role, 900)), "r", "b"))
    assert play.effects == ["call", "now"]


@pytest.mark.parametrize("given", [basic("k", "x"), bearer("t"), anonymous(), login("k", "x")], ids=repr)
def test_what_never_expires_costs_no_effect(given: Authenticator) -> None:
    given.current = given.current if given.current[1] else (0, "Bearer t")
    play = Play(step(*BRANCH, answer=HEAD), step(*BRANCH, answer=HEAD))
    play.run(both(session(given)))
    assert play.effects == []


@pytest.mark.parametrize(("lifetime", "margin"), [(3600, 300), (1500, 300), (1000, 200), (10, 2)])
def test_b9_89_a_token_is_renewed_when_it_is_about_to_expire(lifetime: int, margin: float) -> None:
    s, play = session(external(role, lifetime)), Play(EXTERNAL, step(*BRANCH, answer=HEAD))
    play.run(branches.get(s, "r", "b"))

    play.steps, play.now, play.effects = [step(*BRANCH, answer=HEAD)], NOW + lifetime - margin - 1, []
    play.run(branches.get(s, "r", "b"))
    assert play.effects == ["now"]  # and no login

    play.steps, play.now = [EXTERNAL._replace(answer=ok(models.Token("t2"))), step(*BRANCH, answer=HEAD)], play.now + 1
    play.run(branches.get(s, "r", "b"))
    assert [request.authorization for request in play.sent if request.authorization] == [
        "Bearer t1", "Bearer t1", "Bearer t2",
    ]  # fmt: skip


@pytest.mark.parametrize("failed", [down(), no(503, "busy"), no(401, "unknown role")], ids=["down", "busy", "refused"])
def test_a_renewal_that_fails_before_the_token_expires_is_tried_again_later(failed: Any) -> None:
    s, play = session(external(role, 3600), attempts=1), Play(EXTERNAL, step(*BRANCH, answer=HEAD))
    play.run(branches.get(s, "r", "b"))

    play.now += 3600 - 300  # due, and valid for five more minutes
    play.steps, play.effects = [EXTERNAL._replace(answer=failed), *[step(*BRANCH, answer=HEAD)] * 2], []
    play.run(both(s))  # the second request does not try again at once

    play.now += 60
    play.steps = [EXTERNAL._replace(answer=ok(models.Token("t2"))), step(*BRANCH, answer=HEAD)]
    play.run(branches.get(s, "r", "b"))
    assert [one.authorization for one in play.sent if one.endpoint is not endpoints.EXTERNAL_PRINCIPAL_LOGIN] == [
        "Bearer t1", "Bearer t1", "Bearer t1", "Bearer t2",
    ]  # fmt: skip


def test_a_renewal_that_fails_after_the_token_has_expired_is_an_error() -> None:
    s, play = session(external(role, 3600), attempts=1), Play(EXTERNAL, step(*BRANCH, answer=HEAD))
    play.run(branches.get(s, "r", "b"))
    for late in (3600, 7200):
        play.now, play.steps = NOW + late, [EXTERNAL._replace(answer=no(503, "busy"))]
        play.fails(branches.get(s, "r", "b"), errors.ServerErrorException, "logging in")


def test_a_role_that_is_gone_is_an_error_once_the_token_has_expired() -> None:
    found = [role()]

    def find() -> Sign:
        if not found:
            raise errors.NoAuthenticationFound("none on this machine")
        return found.pop()

    s, play = session(external(find, 3600)), Play(EXTERNAL, step(*BRANCH, answer=HEAD))
    play.run(branches.get(s, "r", "b"))
    play.now, play.steps = NOW + 3599, [step(*BRANCH, answer=HEAD)]
    play.run(branches.get(s, "r", "b"))
    play.now = NOW + 3600
    play.fails(branches.get(s, "r", "b"), errors.NoAuthenticationFound, "none on this machine")


def test_a_token_of_unknown_lifetime_is_renewed_by_a_401_only() -> None:
    s, play = session(external(role)), Play(EXTERNAL, step(*BRANCH, answer=HEAD), step(*BRANCH, answer=HEAD))
    play.run(both(s))
    assert play.effects == ["call", "now"]


def test_forty_ops_renew_an_expiring_token_once() -> None:
    s = session(external(role, 1000))
    s.authenticator.current, s.authenticator.renew_at = (5, "Bearer old"), NOW
    ops = [branches.get(s, "r", "b") for _ in range(40)]
    for op in ops:
        assert isinstance(next(op), Now)
    asked = [op.send(NOW) for op in ops]
    assert {each.key for each in asked if isinstance(each, Once)} == {("login", id(s.authenticator), 5)}
    play = Play(EXTERNAL)
    for each in asked:
        assert isinstance(each, Once)
        play._drive(each.op)
    play.close()
    assert s.authenticator.current == (6, "Bearer t1")


@pytest.mark.parametrize(
    "request_", [Request(endpoints.HEALTH_CHECK), Request(endpoints.GET_OBJECT, url="https://s/k")]
)
def test_a_request_without_credentials_renews_no_token(request_: Request) -> None:
    s = session(external(role, 1000))
    s.authenticator.current, s.authenticator.renew_at = (1, "Bearer old"), NOW
    play = Play(step(request_.endpoint.operation, answer=ok(), url=request_.url))
    play.run(call(s, msgspec.structs.replace(request_, endpoint=with_204(request_.endpoint))))
    assert play.effects == []


def with_204(endpoint: Endpoint) -> Endpoint:
    return msgspec.structs.replace(endpoint, ok=(204,))


def test_what_finding_credentials_raises_is_the_error_of_the_op() -> None:
    def find() -> Sign:
        raise errors.NoAuthenticationFound("none on this machine")

    s = session(external(find))
    Play().fails(branches.get(s, "r", "b"), errors.NoAuthenticationFound, "none on this machine")
    Play().fails(s.authenticator.check(), errors.NoAuthenticationFound, "none on this machine")


def test_checking_credentials_sends_no_request() -> None:
    play = Play()
    play.run(external(role, 900).check())
    assert play.effects == ["call"]
    play.run(basic("k", "s3cr3t").check())
    assert play.effects == ["call"]


def test_the_authorization_alone_is_had_after_a_login() -> None:
    play, s = Play(EXTERNAL), session(external(role, 900))
    assert play.run(authorization(s)) == "Bearer t1"
    assert play.run(authorization(s)) == "Bearer t1"
    assert str(play.run(authorization(session(bearer("t"))))) == "…"


def test_nothing_prints_a_secret() -> None:
    for each in (basic("k", "s3cr3t"), bearer("s3cr3t"), login("k", "s3cr3t"), external(role), anonymous()):
        assert "s3cr3t" not in repr(each)
