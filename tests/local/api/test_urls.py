"""What a signed URL is: a method, a path and a query that this lake has signed, for a while."""

from __future__ import annotations

import time
from urllib.parse import parse_qsl, urlsplit

import pytest

from lakefs_hl.local.api import App, urls
from lakefs_hl.local.api.urls import Settings, Urls
from lakefs_hl.local.keys import Key
from lakefs_hl.spec.endpoints import GET_CONFIG
from lakefs_hl.spec.errors import BadRequestException
from lakefs_hl.spec.wire import Query, Request
from tests.local.api.support import record

HOST = {"host": "lake.example:99"}
ROW = GET_CONFIG


@pytest.fixture
def made(app: App) -> Urls:
    app.keys.put(Key("K", "s", "n", "u"))
    return Urls(app.keys, Settings("https", 1000))


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def test_a_url_is_one_method_one_path_and_one_query(made: Urls) -> None:
    url, expires = made.make(Request(ROW, headers=HOST), "/_a", "GET", {"b": "ü /&=", "a": ""}, 60)
    assert url.startswith("https://lake.example:99/_a?b=%C3%BC%20%2F%26%3D&a=&expires=")
    assert 58 <= expires - time.time() <= 60
    query = query_of(url)
    assert made.refusal("/_a", "GET", query) is None
    assert made.refusal("/_a", "HEAD", query) is None
    assert made.refusal("/_a", "GET", dict(reversed(query.items()))) is None
    others: list[tuple[str, str, Query]] = [
        ("/_b", "GET", query),
        ("/_a", "PUT", query),
        ("/_a", "get", query),
        ("/_a", "GET", {**query, "c": "d"}),
        ("/_a", "GET", {**query, "b": ("ü /&=", "x")}),
        ("/_a", "GET", {**query, "signature": (query["signature"],) * 2}),
        ("/_a", "GET", {name: value for name, value in query.items() if name != "signature"}),
        ("/_a", "GET", {**query, "a": "ü", "b": ""}),
    ]
    for path, method, other in others:
        refused = made.refusal(path, method, other)
        assert refused is not None, (path, method, other)
        assert (refused.status, "signature" in record(refused)["message"]) == (403, True)


def test_a_url_ends_in_time(made: Urls, monkeypatch: pytest.MonkeyPatch) -> None:
    url, expires = made.make(Request(ROW, headers=HOST), "/_a", "GET", {})
    assert expires == int(time.time()) + urls.LIFE_SECONDS or expires == int(time.time()) + urls.LIFE_SECONDS - 1
    monkeypatch.setattr(time, "time", lambda: float(expires))
    refused = made.refusal("/_a", "GET", query_of(url))
    assert refused is not None
    assert "expired" in record(refused)["message"]


@pytest.mark.parametrize("value", ["0", "-1", "604801", "1.5", "x", "１"])
def test_a_life_that_is_none(value: str) -> None:
    with pytest.raises(BadRequestException, match="expires_in"):
        urls.life({"expires_in": value})


def test_a_life_and_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [urls.life(query) for query in ({}, {"expires_in": "604800"})] == [900, 604_800]
    assert [urls.at_most({"m": value}, "m", 100) for value in ("", "0", "99", "101")] == [100, 0, 99, 100]
    for value in ("-1", "x", "9" * 20, "１"):
        with pytest.raises(BadRequestException, match="not a number of bytes"):
            urls.at_most({"m": value}, "m", 100)
