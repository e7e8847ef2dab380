"""The server itself: health, configuration, login, and who asks."""

from __future__ import annotations

import pytest

from lakefs_hl.local.api import App
from lakefs_hl.local.api.service import GRACE
from lakefs_hl.local.keys import Key, Keys
from lakefs_hl.spec import administration, endpoints
from lakefs_hl.spec.headers import READ_ONLY
from lakefs_hl.spec.wire import Request, Response
from tests.local.api.support import WHO, ask, record

KEY = Key("AKIA", "secret", "mine", "me")


def test_health_tells_whether_the_lake_takes_writes(app: App) -> None:
    healthy = ask(app, endpoints.HEALTH_CHECK, ())
    assert (healthy.status, healthy.headers[READ_ONLY]) == (204, "false")
    app.engine.lake.database.trust.fail("a sync has failed")
    failed = ask(app, endpoints.HEALTH_CHECK, ())
    assert (failed.status, failed.headers[READ_ONLY]) == (204, "true")


def test_the_configuration_and_its_parts_agree(app: App) -> None:
    config = record(ask(app, endpoints.GET_CONFIG, ()))
    assert config["version_config"]["version"] == record(ask(app, endpoints.GET_LAKEFS_VERSION, ()))["version"]
    assert config["storage_config"] == record(ask(app, endpoints.GET_STORAGE_CONFIG, ()))
    assert config["storage_config"]["blockstore_type"] == "local"


def test_what_a_lake_has_once_and_for_all(app: App) -> None:
    assert record(ask(app, administration.GET_GARBAGE_COLLECTION_CONFIG, ())) == {"grace_period": GRACE}
    assert record(ask(app, administration.GET_SETUP_STATE, ()))["state"] == "initialized"
    assert record(ask(app, administration.GET_AUTH_CAPABILITIES, ())) == {"invite_user": False}
    assert ask(app, administration.POST_STATS_EVENTS, (), body={"events": []}).status == 204
    assert ask(app, administration.GET_USAGE_REPORT_SUMMARY, ()).status == 404
    for row in (administration.SETUP, administration.SETUP_COMM_PREFS):
        refused = ask(app, row, (), body={"username": "me"})
        assert (refused.status, record(refused)) == (409, {"message": "lakeFS already initialized"})


# --------------------------------------------------------------------------------------------------------------- login


def login(app: App, body: object) -> Response:
    return ask(app, endpoints.LOGIN, (), body=body)


@pytest.fixture
def keys(app: App) -> Keys:
    app.keys.put(KEY)
    return app.keys


def test_a_pair_gives_a_token_that_stands_for_it(app: App, keys: Keys) -> None:
    given = login(app, {"access_key_id": "AKIA", "secret_access_key": "secret"})
    assert given.status == 200
    assert keys.verify(record(given)["token"]) == KEY


@pytest.mark.parametrize(("key", "secret"), [("AKIA", "wrong"), ("none", "secret"), ("AKIA", "secre"), ("é", "\u2028")])
def test_a_wrong_pair_is_not_told_what_is_wrong_with_it(app: App, keys: Keys, key: str, secret: str) -> None:
    refused = login(app, {"access_key_id": key, "secret_access_key": secret})
    assert (refused.status, record(refused)) == (401, {"message": "error authenticating request"})


@pytest.mark.parametrize("name", ["access_key_id", "secret_access_key"])
def test_what_is_missing_is_named(app: App, keys: Keys, name: str) -> None:
    pair = {"access_key_id": "AKIA", "secret_access_key": "secret"}
    for body in ({**pair, name: ""}, {one: value for one, value in pair.items() if one != name}):
        refused = login(app, body)
        assert refused.status == 400
        message = record(refused)["message"]
        assert name in message
        assert "AKIA" not in message
        assert pair["secret_access_key"] not in message.replace("secret_access_key", "")


def test_a_lake_without_keys_lets_nobody_in(app: App) -> None:
    assert login(app, {"access_key_id": "AKIA", "secret_access_key": "secret"}).status == 401


# ------------------------------------------------------------------------------------------------------------ who asks


def test_who_asks(app: App) -> None:
    told = record(ask(app, endpoints.GET_CURRENT_USER, ()))["user"]
    assert told["id"] == WHO
    assert told["creation_date"] > 1_700_000_000
    assert record(ask(app, administration.GET_USER, (WHO,))) == told
    refused = ask(app, administration.GET_USER, ("somebody-else",))
    assert (refused.status, record(refused)) == (404, {"message": "user not found"})


def test_nobody_is_answered_as_nobody(app: App) -> None:
    told = app(Request(endpoints.GET_CURRENT_USER, (), {}, {}, b""), None)
    assert record(told) == {"user": {"id": "", "creation_date": 0}}
