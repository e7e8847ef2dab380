"""The API as a function on a real engine: dispatch, who may ask, what each answer carries."""

from __future__ import annotations

import random

from lakefs_hl.local.api import App
from lakefs_hl.local.api.app import HANDLERS
from lakefs_hl.spec.endpoints import ENDPOINTS
from lakefs_hl.spec.wire import Request
from tests.local.api.support import WHO, content, put, record

#: Operations of lakeFS that the embedded lake does not have: 501.
WITHOUT = {
    name
    for name in ENDPOINTS
    if any(word in name for word in ("Group", "Polic", "Credentials", "External", "external", "dump", "Dump", "estore"))
} | {
    *("listUsers", "createUser", "deleteUser", "stsLogin", "oauthCallback", "CreateCommitRecord", "createSymlinkFile"),
    *(name for name in ENDPOINTS if name.startswith("prepareGarbage")),
}


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
