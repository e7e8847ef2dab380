"""The server: configuration requested once, old and new servers, health."""

from __future__ import annotations

import pytest

from lakefs_hl.ops import server
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.headers import READ_ONLY
from lakefs_hl.spec.wire import Response
from tests.ops.script import Play, Step, no, ok, session, step

STORAGE = models.StorageConfig("s3", pre_sign_support=True)


def test_storage_is_requested_once_per_session() -> None:
    s = session()
    assert Play(step("getStorageConfig", answer=ok(STORAGE))).run(server.storage(s)) == STORAGE
    assert Play().run(server.storage(s)) == STORAGE
    other = models.StorageConfig("local")
    assert Play(step("getStorageConfig", answer=ok(other))).run(server.storage(session())) == other  # B4.53
    assert Play().run(server.storage(s)) == STORAGE


def test_a_failure_is_not_cached() -> None:
    s = session()
    Play(step("getStorageConfig", answer=no(401, "x"))).fails(server.storage(s), errors.NotAuthorizedException)
    Play(step("getStorageConfig", answer=ok(STORAGE))).run(server.storage(s))


def test_a_server_without_the_deprecated_call() -> None:
    play = Play(
        step("getStorageConfig", answer=no(404, "invalid API endpoint")),
        step("getConfig", answer=ok(models.Config(storage_config=STORAGE))),
    )
    assert play.run(server.storage(session())) == STORAGE


def test_version_and_health() -> None:
    assert (
        Play(step("getLakeFSVersion", answer=ok(models.VersionConfig("1.2")))).run(server.version(session())) == "1.2"
    )
    assert Play(step("getLakeFSVersion", answer=ok(models.VersionConfig()))).run(server.version(session())) == ""


HEALTHY = step("healthCheck", answer=ok())
VERSION = step("getLakeFSVersion", answer=ok(models.VersionConfig("1.2")))
ME = step("getCurrentUser", answer=ok(models.CurrentUser(models.User("ada", 0))))


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ([HEALTHY, VERSION, ME], (True, "1.2", True, "ada")),
        ([HEALTHY, step("getLakeFSVersion", answer=no(401, "x"))], (True, None, False, None)),
        ([HEALTHY, VERSION, step("getCurrentUser", answer=no(401, "x"))], (True, None, False, None)),
        ([HEALTHY, step("getLakeFSVersion", answer=no(403, "x")), ME], (True, None, True, "ada")),
        ([HEALTHY, VERSION, step("getCurrentUser", answer=no(404, "x"))], (True, "1.2", True, None)),
        (
            [HEALTHY, VERSION, step("getCurrentUser", answer=ok(models.CurrentUser(models.User("", 0))))],
            (True, None, False, None),
        ),
        ([step("healthCheck", answer=no(501, "x"))], (False, None, False, None)),
    ],
    ids=["well", "wrong keys", "wrong keys for one call", "may not ask", "no such call", "nobody", "not well"],
)
def test_health(steps: list[Step], found: tuple[object, ...]) -> None:
    health = Play(*steps).run(server.health(session()))
    assert (health.ok, health.version, health.authenticated, health.user) == found
    assert health.latency >= 0
    assert health.read_only is None


def test_health_of_a_read_only_lake() -> None:
    for said, read_only in (("true", True), ("false", False)):
        answer = Response(204, {READ_ONLY: said})
        health = Play(step("healthCheck", answer=answer), VERSION, ME).run(server.health(session()))
        assert health.read_only is read_only
