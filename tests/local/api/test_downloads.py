"""Downloads: headers, ranges, conditions."""

from __future__ import annotations

import hashlib
import random
import tempfile

import pytest
from pytest_mock import MockerFixture

from lakefs_hl.local.api import App
from lakefs_hl.local.disk.copying import PARALLEL
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.errors import LakeCorruptError
from lakefs_hl.spec.wire import FileSlice, Request, Response
from lakefs_hl.transport import inproc
from lakefs_hl.transport.inproc import InProcess
from tests.local.api.support import WHO, ask, content, put, record


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


# ---------------------------------------------------------------------------------------- what the lake itself checks


def large(app: App, path: str = "large") -> bytes:
    body = bytes(range(256)) * (PARALLEL // 256 + 1)
    put(app, path, body)
    return body


def get(app: App, sink: FileSlice | None = None, **headers: str) -> Response:
    """Reads the object through a transport, which compares MD5s."""
    request = Request(endpoints.GET_OBJECT, ("repo", "main"), {"path": "large"}, headers, sink=sink, digest=True)
    return InProcess(lambda asked: app(asked, WHO)).send(request)


@pytest.mark.parametrize("wanted", ["", "bytes=0-{last}"])
def test_a_large_file_is_held_against_its_own_checksum(app: App, mocker: MockerFixture, wanted: str) -> None:
    body = large(app)
    hashing = mocker.spy(inproc, "md5_of")
    headers = {"range": wanted.format(last=len(body) - 1)} if wanted else {}
    with tempfile.TemporaryFile() as target:
        response = get(app, FileSlice(target.fileno(), 0, len(body)), **headers)
        assert target.read() == body
    assert response.md5 == hashlib.md5(body).hexdigest()
    assert hashing.call_count == 0


def test_part_of_a_file_is_hashed_by_who_reads_it(app: App) -> None:
    body = large(app)
    response = get(app, range="bytes=1-")
    assert response.md5 == hashlib.md5(body[1:]).hexdigest()


def test_a_damaged_file_is_told_before_its_end_is_read(app: App) -> None:
    body = large(app)
    blobs = app.engine.lake.blobs
    with open(blobs.path(hashlib.sha256(body).digest()), "r+b") as file:
        file.seek(1000)
        file.write(b"!")
    with tempfile.TemporaryFile() as target:
        with pytest.raises(LakeCorruptError, match="is not what its checksum says"):
            get(app, FileSlice(target.fileno(), 0, len(body)))
        assert len(target.read()) < len(body)


def test_an_md5_that_is_not_that_of_the_file_proves_nothing(app: App) -> None:
    body = large(app, "other")
    address = record(ask(app, endpoints.STAT_OBJECT, query={"path": "other"}))["physical_address"]
    stage = {"physical_address": address, "checksum": "0" * 32, "size_bytes": len(body)}
    assert ask(app, endpoints.STAGE_OBJECT, query={"path": "large"}, body=stage).status == 201
    assert get(app).md5 == hashlib.md5(body).hexdigest()


def test_a_file_of_an_earlier_release_is_hashed_by_who_reads_it(app: App) -> None:
    body = large(app)
    app.engine.lake.submit(lambda writer: writer.execute("DELETE FROM checksum").get)
    assert get(app).md5 == hashlib.md5(body).hexdigest()
