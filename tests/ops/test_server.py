"""The server: asked once, whatever its age."""

from __future__ import annotations

from lakefs_hl.ops import server
from lakefs_hl.spec import errors, models
from tests.ops.script import Play, no, ok, session, step

STORAGE = models.StorageConfig("s3", pre_sign_support=True)


def test_storage_is_asked_once_per_session() -> None:
    s = session()
    assert Play(step("getStorageConfig", answer=ok(STORAGE))).run(server.storage(s)) == STORAGE
    assert Play().run(server.storage(s)) == STORAGE
    other = models.StorageConfig("local")
    assert Play(step("getStorageConfig", answer=ok(other))).run(server.storage(session())) == other  # B4.53
    assert Play().run(server.storage(s)) == STORAGE


def test_a_failure_is_not_kept() -> None:
    s = session()
    Play(step("getStorageConfig", answer=no(401, "x"))).fails(server.storage(s), errors.NotAuthorizedException)
    Play(step("getStorageConfig", answer=ok(STORAGE))).run(server.storage(s))


def test_a_server_that_has_dropped_the_call() -> None:
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
    Play(step("healthCheck", answer=ok())).run(server.health(session()))
