"""Links as the API makes and takes them; `tests/local/serve/test_links.py` has them on sockets."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from lakefs_hl.local.api import App, links, presign
from lakefs_hl.local.keys import Key
from lakefs_hl.spec import links as rows
from lakefs_hl.spec.wire import Endpoint, Request, Response
from tests.local.api.support import ask, content, put, record

HOST = {"host": "lake.example:99"}


@pytest.fixture
def signing(app: App) -> App:
    """The same lake with links."""
    app.keys.put(Key("K", "s", "n", "u"))
    return App(app.engine, keys=app.keys, signing=presign.Settings("https", 1000))


def query_of(app: App, row: Endpoint, **query: str) -> dict[str, str]:
    url = record(ask(app, row, query={"path": "a", **query}, headers=HOST))["url"]
    assert url.startswith(f"https://lake.example:99{links.PATH}?")
    return dict(parse_qsl(urlsplit(url).query))


def admitted(app: App, method: str, query: dict[str, str]) -> tuple[Endpoint, tuple[str, ...]]:
    assert app.presign is not None
    found = app.presign.admit(links.PATH, method, query)
    assert not isinstance(found, Response), found
    return found[:2]


def test_a_link_is_admitted_with_what_it_names(signing: App) -> None:
    put(signing, "a", b"content")
    query = query_of(signing, rows.READ_LINK)
    row, params = admitted(signing, "GET", query)
    assert (row, params) == (links.GET_LINKED, ("repo", "main"))
    assert content(signing(Request(row, params, query), "")) == b"content"
    row, params = admitted(signing, "HEAD", query)
    only = signing(Request(row, params, query), "")
    assert (only.body, only.headers["content-length"]) == (b"", "7")
    query = query_of(signing, rows.WRITE_LINK)
    assert presign.limit(query) == 1000
    row, params = admitted(signing, "PUT", query)
    assert row.operation in presign.UPLOADS
    assert signing(Request(row, params, query, {}, b"new"), "").status == 200
    assert content(ask(signing, links.GET_LINKED, query={"path": "a"})) == b"new"


def test_a_lake_without_signing_has_none_of_it(app: App) -> None:
    put(app, "a", b"content")
    for row in (*rows.ENDPOINTS.values(), *links.ENDPOINTS.values()):
        assert ask(app, row, query={"path": "a"}).status == 501


def test_a_name_with_marks_is_a_name(signing: App) -> None:
    assert links.disposition("image/png", 'a"b.png') == "inline; filename*=UTF-8''a%22b.png"
    assert links.disposition("IMAGE/PNG; x=y", "") == "inline"
    assert links.attachment("a.b") == "attachment; filename=a.b"
    assert links.disposition("", "a") == "attachment; filename=a"
