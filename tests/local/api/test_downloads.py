"""Downloads: headers, ranges, conditions."""

from __future__ import annotations

import random

import pytest

from lakefs_hl.local.api import App
from lakefs_hl.spec import endpoints
from tests.local.api.support import ask, content, put, record


def test_downloads_carry_what_lakefs_sends(app: App) -> None:
    put(app, "a.txt", b"hello world", content_type="text/plain")
    response = ask(app, endpoints.GET_OBJECT, query={"path": "a.txt"})
    assert response.status == 200
    assert response.headers["etag"] == '"5eb63bbbe01eeed093cb22bb8f5acdc3"'
    assert response.headers["content-type"] == "text/plain"
    assert response.headers["content-disposition"] == "inline"
    assert response.headers["last-modified"].endswith(" GMT")
    assert response.headers["cache-control"] == "no-store, must-revalidate"
    assert content(response) == b"hello world"
    assert response.done is not None


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("image/png", "inline"),
        ("application/pdf", "inline"),
        ("text/plain; charset=utf-8", "attachment"),
        ("text/html", "attachment"),
        ("image/svg+xml", "attachment"),
        ("application/xml", "attachment"),
        ("text/javascript", "attachment"),
        ("application/xhtml+xml", "attachment"),
    ],
)
def test_only_what_holds_no_scripts_is_shown_in_place(app: App, kind: str, how: str) -> None:
    put(app, "x", b"x", content_type=kind)
    response = ask(app, endpoints.GET_OBJECT, query={"path": "x"})
    assert response.headers["content-disposition"] == how
    content(response)


@pytest.mark.parametrize("size", [0, 10, 20_000])
def test_ranges_of_small_and_large_objects(app: App, size: int, rng: random.Random) -> None:
    data = rng.randbytes(size)
    put(app, "x", data)
    for _ in range(20):
        start, end = sorted((rng.randrange(size + 5), rng.randrange(size + 5)))
        response = ask(app, endpoints.GET_OBJECT, query={"path": "x"}, headers={"range": f"bytes={start}-{end}"})
        head = ask(app, endpoints.HEAD_OBJECT, query={"path": "x"}, headers={"range": f"bytes={start}-{end}"})
        assert response.status == head.status == (206 if start < size else 416)
        if start < size:
            assert content(response) == data[start : end + 1]
            assert response.headers["content-range"] == head.headers["content-range"]
            assert head.headers["content-length"] == str(len(data[start : end + 1]))
        else:
            assert response.headers["content-range"] == f"bytes */{size}"
            assert "content-range" not in head.headers
            assert record(response) == {"message": "Requested Range Not Satisfiable"}


def test_not_modified(app: App) -> None:
    put(app, "x", b"hello world")
    etag = '"5eb63bbbe01eeed093cb22bb8f5acdc3"'
    assert ask(app, endpoints.GET_OBJECT, query={"path": "x"}, headers={"if-none-match": etag}).status == 304
    for other in ("*", f"W/{etag}", f"{etag}, {etag}", etag.strip('"')):
        response = ask(app, endpoints.GET_OBJECT, query={"path": "x"}, headers={"if-none-match": other})
        assert response.status == 200
        content(response)


def test_head_refusals_have_no_body(app: App) -> None:
    for query in ({"path": "absent"}, {}):
        response = ask(app, endpoints.HEAD_OBJECT, query=query)
        assert (response.status, response.body, dict(response.headers)) == (404 if query else 400, b"", {})
