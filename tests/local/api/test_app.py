"""The API as a function on a real engine: dispatch, who may ask, what each answer carries."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl.local.api import App
from lakefs_hl.local.api.app import HANDLERS
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import administration, endpoints
from lakefs_hl.spec.endpoints import ENDPOINTS
from lakefs_hl.spec.wire import Endpoint, FileSlice, Query, Request, Response

#: Operations of lakeFS that the embedded lake does not have: 501.
WITHOUT = {
    name
    for name in ENDPOINTS
    if any(word in name for word in ("Group", "Polic", "Credentials", "External", "external", "dump", "Dump", "estore"))
} | {
    *("listUsers", "createUser", "deleteUser", "stsLogin", "oauthCallback", "CreateCommitRecord", "createSymlinkFile"),
    *(name for name in ENDPOINTS if name.startswith("prepareGarbage")),
}
WHO = "somebody"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    engine = Engine.open(tmp_path / "lake", sync=False)
    found = App(engine)
    creation = {"name": "repo", "storage_namespace": "local://repo"}
    assert ask(found, endpoints.CREATE_REPOSITORY, (), body=creation).status == 201
    yield found
    engine.close()


def ask(
    app: App,
    endpoint: Endpoint,
    params: tuple[str, ...] = ("repo", "main"),
    query: Query | None = None,
    headers: Mapping[str, str] | None = None,
    body: Any = b"",
) -> Response:
    data = body if isinstance(body, bytes | FileSlice) else json.dumps(body).encode()
    return app(Request(endpoint, params, query or {}, headers or {}, data), WHO)


def put(app: App, path: str, data: bytes, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(app, endpoints.UPLOAD_OBJECT, query={"path": path}, headers=named, body=data)


def content(response: Response) -> bytes:
    """Reads a body as a transport would, and gives it back."""
    body = response.body
    data = os.pread(body.fd, body.length, body.offset) if isinstance(body, FileSlice) else body
    if response.done is not None:
        response.done()
    return data


def record(response: Response) -> Any:
    return json.loads(content(response))


# -- dispatch ----------------------------------------------------------------------------------------------------------


def test_every_operation_is_answered_or_named() -> None:
    assert set(HANDLERS) | WITHOUT == set(ENDPOINTS)
    assert not set(HANDLERS) & WITHOUT


def test_what_the_lake_does_not_have(app: App) -> None:
    for name in sorted(WITHOUT):
        response = app(Request(ENDPOINTS[name], ("a",) * ENDPOINTS[name].path.count("{")), WHO)
        assert (response.status, record(response)) == (501, {"message": "Not Implemented"})


def test_nobody_is_told_nothing(app: App) -> None:
    for name in HANDLERS:
        row = ENDPOINTS[name]
        response = app(Request(row, ("repo",) * row.path.count("{")), None)
        if row.public:
            assert response.status != 401
        elif name == "getCurrentUser":
            assert record(response) == {"user": {"id": "", "creation_date": 0}}
        else:
            assert response.status == 401


def test_odd_requests_are_never_our_fault(app: App, rng: random.Random) -> None:
    """Whatever comes, the answer is one that lakeFS could give: no exception, no 500 that is not recorded."""
    words = (
        "",
        "a",
        "main",
        "main~1",
        "repo",
        "x/y",
        "\x00",
        "é",
        "-1",
        "1001",
        "true",
        "*",
        "{}",
        "~",
        "^",
        "@",
        "\ud800",
    )
    names = (
        "path",
        "amount",
        "after",
        "prefix",
        "delimiter",
        "ref",
        "type",
        "id",
        "force",
        "presign",
        "dest_path",
        "since",
    )
    bodies = (
        b"",
        b"{}",
        b"[]",
        b"null",
        b'"x"',
        b'{"name": "x", "source": "main"}',
        b'{"paths": ["", "\\u0000", "a"]}',
        b'{"ref": "main", "parent_number": -1}',
        b'{"type": "object"}',
        b'{"message": "", "date": -99999999999999999999, "allow_empty": true}',
        b'{"src_path": "\\u0000"}',
        b'{"set": {"": ""}}',
        b'{"keys": [""]}',
        b'{"metadata": {"": ""}}',
        b'{"default_retention_days": -1, "branches": null}',
        b'{"staging": {}, "checksum": "", "size_bytes": -1}',
        b'{"physical_address": "x", "checksum": "", "size_bytes": 99999999999999999999}',
        b'{"paths": [{"type": "object", "path": "local://\\u0000", "destination": ""}], "commit": {"message": ""}}',
    )
    recorded = {"getPhysicalAddress", "createBranch", "uploadObject", "getCommit", "diffRefs", "findMergeBase"}
    assert put(app, "a", b"x").status == 201
    for _ in range(3000):
        row = rng.choice(list(ENDPOINTS.values()))
        params = tuple(
            "repo" if number == 0 and rng.random() < 0.8 else rng.choice(words) for number in range(row.path.count("{"))
        )
        query = {name: rng.choice(words) for name in rng.sample(names, rng.randrange(4))}
        headers = {"range": rng.choice(words), "content-type": rng.choice(words)} if rng.random() < 0.2 else {}
        request = Request(row, params, query, headers, rng.choice(bodies))
        response = app(request, WHO)
        content(response)
        assert response.status < 500 or response.status == 501 or row.operation in recorded, (request, request.body)


# -- objects -----------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("kind", "how"), [("text/html", "inline"), ("text/plain; charset=utf-8", "attachment")])
def test_disposition_compares_the_type_exactly(app: App, kind: str, how: str) -> None:
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


def test_metadata_headers(app: App) -> None:
    headers = {"x-lakefs-meta-a": "1", "x-lakefs-meta-": "2", "x-lakefs-internal-b": "3", "x-other": "4"}
    response = ask(app, endpoints.UPLOAD_OBJECT, query={"path": "x"}, headers=headers, body=b"x")
    assert record(response)["metadata"] == {"a": "1", "": "2", "::lakefs::b": "3"}
    assert record(response)["content_type"] == "application/octet-stream"
    bare = ask(app, endpoints.STAT_OBJECT, query={"path": "x", "user_metadata": "false"})
    assert record(bare)["metadata"] == {}
    page = ask(app, endpoints.LIST_OBJECTS, query={"user_metadata": "false"})
    assert "metadata" not in record(page)["results"][0]


def test_presign_is_refused(app: App) -> None:
    empty = ask(app, endpoints.LIST_OBJECTS, query={"presign": "true"})
    assert empty.status == 200
    put(app, "x", b"x")
    for row in (endpoints.STAT_OBJECT, endpoints.GET_OBJECT, endpoints.LIST_OBJECTS):
        response = ask(app, row, query={"path": "x", "presign": "true"})
        assert response.status == 400
        assert "operation not supported" in record(response)["message"]
        assert content(ask(app, row, query={"path": "x", "presign": "false"}))


def test_head_refusals_have_no_body(app: App) -> None:
    for query in ({"path": "absent"}, {}):
        response = ask(app, endpoints.HEAD_OBJECT, query=query)
        assert (response.status, response.body, dict(response.headers)) == (404 if query else 400, b"", {})


def test_create_only(app: App) -> None:
    assert put(app, "x", b"1", if_none_match="*").status == 201
    second = put(app, "x", b"2", if_none_match="*")
    assert (second.status, record(second)) == (412, {"message": "path already exists"})
    assert content(ask(app, endpoints.GET_OBJECT, query={"path": "x"})) == b"1"


# -- the rest ----------------------------------------------------------------------------------------------------------


def test_protection_etag(app: App) -> None:
    rules = [{"pattern": "rel-*"}]
    assert ask(app, administration.SET_BRANCH_PROTECTION_RULES, ("repo",), body=rules).status == 204
    first = ask(app, administration.GET_BRANCH_PROTECTION_RULES, ("repo",)).headers["etag"]
    for etag, status in (("wrong", 412), ("", 400), (first, 204)):
        given = ask(app, administration.SET_BRANCH_PROTECTION_RULES, ("repo",), headers={"if-match": etag}, body=[])
        assert given.status == status
    assert ask(app, administration.SET_BRANCH_PROTECTION_RULES, ("repo",), body=[{"pattern": ""}]).status == 400


def test_protection_in_its_old_spelling(app: App) -> None:
    add, drop = (
        administration.INTERNAL_CREATE_BRANCH_PROTECTION_RULE,
        administration.INTERNAL_DELETE_BRANCH_PROTECTION_RULE,
    )
    for pattern in ("a*", "a*", "b"):
        assert ask(app, add, ("repo",), body={"pattern": pattern}).status == 204
    listed = ask(app, administration.INTERNAL_GET_BRANCH_PROTECTION_RULES, ("repo",))
    assert record(listed) == [{"pattern": "a*"}, {"pattern": "b"}]
    assert ask(app, drop, ("repo",), body={"pattern": "b"}).status == 204
    assert ask(app, drop, ("repo",), body={"pattern": "b"}).status == 404


def test_merge_conflicts_name_nothing(app: App) -> None:
    put(app, "x", b"1")
    assert ask(app, endpoints.COMMIT, body={"message": "base"}).status == 201
    assert ask(app, endpoints.CREATE_BRANCH, ("repo",), body={"name": "dev", "source": "main"}).status == 201
    for branch in ("main", "dev"):
        query = {"path": "x"}
        assert ask(app, endpoints.UPLOAD_OBJECT, ("repo", branch), query, body=branch.encode()).status == 201
        assert ask(app, endpoints.COMMIT, ("repo", branch), body={"message": branch}).status == 201
    response = ask(app, endpoints.MERGE_INTO_BRANCH, ("repo", "dev", "main"))
    assert (response.status, record(response)) == (409, {"reference": ""})


def test_imports_below_a_root(app: App, tmp_path: Path) -> None:
    inside, outside = tmp_path / "data", tmp_path / "other"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "f.txt").write_bytes(b"x")
    (inside / "link").symlink_to(outside)
    for roots, source, status in (
        ((), inside, 403),
        ((inside,), inside, 202),
        ((inside,), outside, 403),
        ((inside,), inside / "link", 403),
        ((inside,), inside / ".." / "other", 403),
        (None, outside, 202),
    ):
        location = {"type": "common_prefix", "path": f"local://{source}/", "destination": "d/"}
        body = json.dumps({"paths": [location], "commit": {"message": "m"}}).encode()
        response = App(app.engine, import_roots=roots)(
            Request(endpoints.IMPORT_START, ("repo", "main"), body=body), WHO
        )
        assert response.status == status, (roots, source, response.body)
