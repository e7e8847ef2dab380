"""Pre-signed URLs as the API gives and takes them; `tests/local/serve/test_presign.py` has them on sockets."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from lakefs_hl.local.api import App, links, presign
from lakefs_hl.local.keys import Key
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Query, Request, Response
from tests.local.api.support import ask, content, put, record

HOST = {"host": "lake.example:99"}


@pytest.fixture
def signing(app: App) -> App:
    """The same lake with pre-signed URLs."""
    app.keys.put(Key("K", "s", "n", "u"))
    return App(app.engine, keys=app.keys, signing=presign.Settings("https", 1000))


def query_of(url: str) -> dict[str, str]:
    assert url.startswith("https://lake.example:99/_content?")
    return dict(parse_qsl(urlsplit(url).query))


def test_there_are_none_unless_they_are_asked_for(app: App, signing: App) -> None:
    put(app, "a", b"content")
    query = {"path": "a", "presign": "true"}
    for row in (endpoints.STAT_OBJECT, endpoints.GET_OBJECT):
        assert ask(app, row, query=query).status == 400
    assert ask(app, endpoints.GET_PHYSICAL_ADDRESS, query=query).status == 500
    assert app.presign is None
    assert ask(app, presign.PUT_CONTENT, (), {"address": "x"}).status == 501
    assert record(ask(app, endpoints.GET_STORAGE_CONFIG, ()))["pre_sign_support"] is False
    assert record(ask(signing, endpoints.GET_STORAGE_CONFIG, ()))["pre_sign_support"] is True
    plain = record(ask(signing, endpoints.STAT_OBJECT, query={"path": "a"}, headers=HOST))
    assert plain == record(ask(app, endpoints.STAT_OBJECT, query={"path": "a"}))


def test_a_url_is_let_in_as_it_was_signed_and_in_no_other_way(signing: App) -> None:
    assert signing.presign is not None
    put(signing, "a", b"content")
    found = ask(signing, endpoints.STAT_OBJECT, query={"path": "a", "presign": "true"}, headers=HOST)
    query = query_of(record(found)["physical_address"])
    assert signing.presign.admit(presign.PATH, "GET", query) == (presign.GET_CONTENT, (), None)
    assert signing.presign.admit(presign.PATH, "HEAD", query) == (presign.HEAD_CONTENT, (), None)
    assert signing.presign.admit(presign.PATH, "GET", dict(reversed(query.items()))) == (presign.GET_CONTENT, (), None)
    assert isinstance(signing.presign.admit(links.PATH, "GET", query), Response)
    wrong: list[tuple[str, Query]] = [
        ("PUT", query),
        ("POST", query),
        ("GET", {}),
        ("GET", {**query, "size": ("7", "7")}),
        ("GET", {**query, "signature": (query["signature"], query["signature"])}),
        ("GET", {**query, "signature": ""}),
        ("GET", {**query, "expires": str(int(query["expires"]) + 1)}),
    ]
    for method, other in wrong:
        refusal = signing.presign.admit(presign.PATH, method, other)
        assert isinstance(refusal, Response)
        assert refusal.status == 403
    assert content(signing(Request(presign.GET_CONTENT, (), query), "")) == b"content"


def test_content_is_put_and_linked(signing: App) -> None:
    place = record(ask(signing, endpoints.GET_PHYSICAL_ADDRESS, query={"path": "a", "presign": "true"}, headers=HOST))
    query = query_of(place["presigned_url"])
    assert presign.limit(query) == 1000
    etag = signing(Request(presign.PUT_CONTENT, (), query, {}, b"content"), "").headers["etag"]
    wanted = {"staging": place, "checksum": etag, "size_bytes": 7}
    assert ask(signing, endpoints.LINK_PHYSICAL_ADDRESS, query={"path": "a"}, body=wanted).status == 200
    assert content(ask(signing, endpoints.GET_OBJECT, query={"path": "a"})) == b"content"
