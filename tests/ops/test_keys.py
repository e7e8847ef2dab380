"""Access keys: nothing is sent to a server that does not announce them, and no lost response loses a secret."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.ops import keys
from lakefs_hl.ops.auth import bearer
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.secret import KeyPair, reveal
from lakefs_hl.spec.sigv4 import Gateway
from lakefs_hl.spec.wire import Response
from tests.ops.script import NOW, Play, Step, lost, no, ok, session, step

PAIR = KeyPair("LKHL" + "A" * 16, "s" * 40)
WISH = models.AccessKeyCreation(PAIR.access_key_id, PAIR.secret_access_key, "job", True, ["r"])
RECORD = models.AccessKey(PAIR.access_key_id, "job", "admin", True, ["r"], 1)
OURS = {"x_lakefs_hl": "idempotency-key, keys"}
STORAGE = models.StorageConfig("local")


def known(**fields: Any) -> Session:
    """A session that knows that the server manages keys."""
    found = session(exactly_once=True, **fields)
    found.links, found.manages_keys = False, True
    found.gateway = Gateway("http://lake:8000", PAIR, "")
    return found


def storage(**headers: str) -> Step:
    return step("getStorageConfig", answer=ok(STORAGE, 200, 0.0, **headers))


def post(answer: Any) -> Step:
    body = {"access_key_id": PAIR.access_key_id, "secret_access_key": PAIR.secret_access_key, "name": "job"}
    return step("createKey", answer=answer, body=body)


CALLS: list[Any] = [
    lambda s: keys.create(s, WISH),
    lambda s: keys.page(s, "", 10),
    lambda s: keys.get(s, "job"),
    lambda s: keys.delete(s, "job"),
]


@pytest.mark.parametrize("call", CALLS)
def test_another_server_is_sent_nothing(call: Any) -> None:
    s = session()
    failed = Play(storage()).fails(call(s), errors.UnsupportedOperationException, "only `lakefs-hl serve`")
    assert failed.maybe_applied is False
    Play().fails(call(s), errors.UnsupportedOperationException, "only `lakefs-hl serve`")
    old = session()
    Play(storage(x_lakefs_hl="idempotency-key")).fails(call(old), errors.UnsupportedOperationException, "upgrade")
    forbidden = step("getStorageConfig", answer=no(403, "insufficient permissions"))
    Play(forbidden).fails(call(session()), errors.UnsupportedOperationException)
    scoped = known()
    scoped.scope = "alice-"
    Play().fails(call(scoped), errors.UnsupportedOperationException, "without a scope")


def test_what_the_server_announces_is_learned_once() -> None:
    s = session()
    found = step("getKey", "job", answer=ok(RECORD))
    assert Play(storage(**OURS), found).run(keys.get(s, "job")) == RECORD
    assert s.copy(s.policy).manages_keys is True
    assert Play(found).run(keys.get(s, "job")) == RECORD


def test_a_lost_response_is_asked_for_again() -> None:
    for lost_one in (lost(), no(502), no(503)):
        assert Play(post(lost_one), post(ok(RECORD, 201))).run(keys.create(known(), WISH)) == RECORD


def test_a_key_without_any_response_is_removed() -> None:
    gone = step("deleteKey", PAIR.access_key_id, answer=ok())
    play = Play(*[post(lost())] * 5, gone)
    failed = play.fails(keys.create(known(), WISH), errors.TransportException)
    assert failed.maybe_applied is False
    assert "nothing is left" in failed.__notes__[0]
    # the name is taken, perhaps by the request whose response was lost
    play = Play(post(lost()), post(no(409, "an access key of the name 'job' exists")), gone)
    assert play.fails(keys.create(known(), WISH), errors.ConflictException).maybe_applied is False


def test_a_key_that_cannot_be_removed_is_named() -> None:
    gone = step("deleteKey", PAIR.access_key_id, answer=lost())
    play = Play(*[post(lost())] * 5, gone, gone)
    failed = play.fails(keys.create(known(), WISH), errors.AmbiguousOutcomeError, PAIR.access_key_id)
    assert isinstance(failed, errors.AmbiguousOutcomeError)
    assert (failed.maybe_applied, failed.result_id) == (None, PAIR.access_key_id)
    assert PAIR.secret_access_key not in f"{failed!r} {failed} {failed.__cause__} {WISH!r} {PAIR!r}"


def test_a_refusal_removes_nothing() -> None:
    play = Play(post(no(409, "an access key of the name 'job' exists")))
    assert play.fails(keys.create(known(), WISH), errors.ConflictException, "exists").maybe_applied is False


def test_a_key_is_deleted_by_its_id() -> None:
    found, gone = step("getKey", "job", answer=ok(RECORD)), step("deleteKey", PAIR.access_key_id, answer=ok())
    Play(found, gone).run(keys.delete(known(), "job"))
    Play(found, step("deleteKey", PAIR.access_key_id, answer=lost()), gone).run(keys.delete(known(), "job"))
    missing = step("getKey", "job", answer=no(404, "access key 'job' not found"))
    Play(missing).fails(keys.delete(known(), "job"), errors.NotFoundException, "deleting access key 'job'")


# -- tokens and the gateway --------------------------------------------------------------------------------------------


def login(answer: Any, **query: str) -> Step:
    body = {"access_key_id": PAIR.access_key_id, "secret_access_key": PAIR.secret_access_key}
    return step("login", answer=answer, body=body, query=query)


def test_a_token() -> None:
    found = Play(login(ok(models.Token("t0ken", int(NOW))))).run(keys.token(known(), None))
    assert (reveal(found.token), found.expires) == ("t0ken", NOW)
    assert "t0ken" not in repr(found)
    assert Play(login(ok({"token": "t"}))).run(keys.token(known(), None)).expires is None
    Play(login(ok(models.Token("t", 1)), expires_in="60")).run(keys.token(known(), 60))
    Play(login(no(401, "error"))).fails(keys.token(known(), None), errors.NotAuthorizedException)


def test_the_life_of_a_token_is_the_servers() -> None:
    other = session()
    other.gateway = Gateway("http://lake:8000", PAIR, "")
    Play(storage()).fails(keys.token(other, 60), errors.UnsupportedOperationException, "leave out ttl")


def test_a_client_without_a_key_pair() -> None:
    s = session(bearer("t0ken"))
    for op in (keys.token(s, None), keys.s3_access(s, "r")):
        failed = Play().fails(op, errors.UnsupportedOperationException, r"Client\(host, username, password\)")
        assert "t0ken" not in str(failed)


def test_s3_credentials() -> None:
    other = session()
    other.gateway = Gateway("http://s3:8000", PAIR, "")
    repository = step("getRepository", "r", answer=ok(models.Repository("r", 1, "main", "s3://b/r")))
    found = Play(storage(), repository).run(keys.s3_access(other, "r"))
    assert (found.endpoint, found.bucket, found.provider) == ("http://s3:8000", "r", "local")
    assert PAIR.secret_access_key not in repr(found)
    missing = step("getRepository", "r", answer=no(404, "repository not found"))
    Play(missing).fails(keys.s3_access(other, "r"), errors.NotFoundException)
    ours = session()
    ours.gateway = other.gateway
    Play(storage(**OURS)).fails(keys.s3_access(ours, "r"), errors.UnsupportedOperationException, "no S3 gateway")
    other.gateway = Gateway("http://lake/path", PAIR, "the S3 gateway cannot be under a path")
    Play().fails(keys.s3_access(other, "r"), errors.UnsupportedOperationException, "under a path")


def test_an_error_page_that_repeats_the_request_is_not_kept() -> None:
    """Some proxies answer with what they were sent. Errors are logged and pickled with their attributes."""
    body = models.encode({"message": "no", "received": {"secret_access_key": "s" * 40}})
    echo = Response(400, {"content-type": "application/json"}, body, reason="Bad Request")
    calls: list[tuple[str, Any]] = [
        ("createKey", lambda: keys.create(known(), WISH)),
        ("login", lambda: keys.token(known(), None)),
    ]
    for operation, call in calls:
        failed = Play(step(operation, answer=echo)).fails(call(), errors.BadRequestException)
        assert failed.body == b""
        assert "s" * 40 not in f"{failed!r}{vars(failed)}"
