"""What limited keys may do, in every operation of the API: requests as they come from a socket, on a real lake.

Two repositories have the same kinds of things. A key that may only read changes no row of the lake, whatever it sends;
one that is limited to the first repository gets nothing of the second one, by whatever name.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest

from lakefs_hl.local.api import App, links, presign
from lakefs_hl.local.api.presign import Settings
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.keys import Key
from lakefs_hl.local.serve import exchange
from lakefs_hl.spec import endpoints, keys, models, routes
from lakefs_hl.spec import links as link_rows
from lakefs_hl.spec.wire import Endpoint, Request, Response
from tests.local.api.support import content
from tests.local.operations import IMPORT, OPERATIONS, PULL, prepare, propose, put, tables

MINE, OTHER = "mine", "hidden-7f3a"
SECRET = b"a content that only the other repository has"
ROOT = Key("ROOT", "secret", "root", "root")
READER = Key("READER", "secret", "reader", "reader", read_only=True)
LIMITED = Key("LIMITED", "secret", "limited", "limited", repositories=(MINE,))
#: Every operation that this server routes.
ROWS = {**endpoints.ENDPOINTS, **link_rows.ENDPOINTS, **keys.ENDPOINTS}
BODIES = {one.endpoint.operation: one for one in OPERATIONS}
#: What is asked of a row's further parameters.
NAMES = {
    "branch": "main",
    "ref": "main",
    "run_id": "1",
    "pull_request": PULL,
    "tag": "v1",
    "destination_branch": "main",
}
#: Without a repository, what a limited key may ask.
OPEN = {"getConfig", "getStorageConfig", "getLakeFSVersion", "getCurrentUser", "listRepositories"}
#: Operations that answer GET and are to write.
WRITING = {"getPhysicalAddress", "writeLink"}


class Lake(NamedTuple):
    """A lake, and what of it is known to the attacker.

    Attributes:
        app: The API.
        commit: A commit of the other repository.
        tree: Its tree.
    """

    app: App
    commit: str
    tree: str


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    engine = Engine.open(tmp_path / "lake", sync=False)
    for name in (MINE, OTHER):
        prepare(engine, name)
        propose(engine, name)
    put("secret", body=SECRET)(engine, OTHER)
    made = engine.commits.commit(OTHER, "main", models.CommitCreation("m"), who="me")
    app = App(engine, import_roots=(), signing=Settings("http", 10**6))
    for key in (ROOT, READER, LIMITED):
        app.keys.put(key)
    yield Lake(app, made.id, made.meta_range_id)
    engine.close()


def basic(key: Key) -> str:
    return "Basic " + base64.b64encode(f"{key.access_key_id}:{key.secret_access_key}".encode()).decode()


def ask(
    app: App,
    method: str,
    target: str,
    body: bytes = b"",
    *,
    authorization: str | None = basic(ROOT),
    headers: dict[str, str] | None = None,
) -> Response:
    """Answer a request line as the server does."""
    path, _, query = target.partition("?")
    given = {"host": "lake:1", "content-type": "application/json", **(headers or {})}
    if authorization is not None:
        given["authorization"] = authorization
    asked = exchange.parse(app, method, path, query, given)
    return asked if isinstance(asked, Response) else exchange.answer(app, asked, body)


def api(app: App, key: Key, row: Endpoint, params: tuple[str, ...], body: Any = b"", **query: str) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ask(app, row.method, routes.target(Request(row, params, query)), data, authorization=basic(key))


def request(row: Endpoint, repository: str) -> tuple[str, bytes]:
    """A request of an operation: that of the table of changes, if it has one."""
    operation = BODIES.get(row.operation)
    if operation is not None:
        asked = Request(row, operation.path(repository), operation.query)
        return routes.target(asked), operation.data(repository)
    params = tuple(repository if name == "repository" else NAMES.get(name, "x") for name in row.parameters)
    query = {"path": "a", "id": IMPORT, "physical_address": f"local://{repository}/data/x", "presign": "true"}
    return routes.target(Request(row, params, query)), b"{}"


def text(response: Response) -> bytes:
    return content(response) + json.dumps(dict(response.headers)).encode()


# -- every operation ---------------------------------------------------------------------------------------------------


def test_a_key_that_may_only_read_changes_nothing(lake: Lake) -> None:
    before, stored = tables(lake.app.engine), lake.app.keys.all()
    for row in ROWS.values():
        if row.public:
            continue
        found = ask(lake.app, row.method, *request(row, MINE), authorization=basic(READER))
        writes = row.method not in ("GET", "HEAD") or row.operation in WRITING or row.operation in keys.ENDPOINTS
        assert (found.status == 403) == writes, (row.operation, found.status)
        if not writes:
            assert found.status in (200, 204, 302, 400, 404, 501), (row.operation, found.status)
        text(found)
    assert tables(lake.app.engine) == before
    assert lake.app.keys.all() == stored


def test_the_same_requests_change_everything_without_limits(lake: Lake) -> None:
    """So the test above is no test of bad requests."""
    for number, operation in enumerate(OPERATIONS):
        name = f"fresh-{number}"
        prepare(lake.app.engine, name)
        if operation.before is not None:
            operation.before(lake.app.engine, name)
        target, body = request(operation.endpoint, name)
        status = ask(lake.app, operation.endpoint.method, target, body, headers=dict(operation.headers)).status
        assert status < 300, (operation.endpoint.operation, status)


def test_a_limited_key_is_refused_every_other_repository(lake: Lake) -> None:
    before = tables(lake.app.engine)
    for row in ROWS.values():
        if row.public:
            continue
        found = ask(lake.app, row.method, *request(row, OTHER), authorization=basic(LIMITED))
        if "repository" not in row.parameters:
            assert (found.status == 403) == (row.operation not in OPEN), (row.operation, found.status)
            assert OTHER.encode() not in text(found), row.operation
            continue
        none = ask(lake.app, row.method, *request(row, "hidden-none"), authorization=basic(LIMITED))
        assert found.status == none.status == 403, row.operation
        assert text(found) == text(none).replace(b"hidden-none", OTHER.encode()), "it tells which repositories exist"
    assert tables(lake.app.engine) == before


def test_a_limited_key_is_not_refused_its_own(lake: Lake) -> None:
    for row in ROWS.values():
        if "repository" not in row.parameters or row.operation == "deleteRepository":
            continue
        found = ask(lake.app, row.method, *request(row, MINE), authorization=basic(LIMITED))
        assert found.status not in (401, 403, 500), (row.operation, text(found))
        assert OTHER.encode() not in text(found), row.operation


def test_no_credentials_reach_nothing(lake: Lake) -> None:
    for row in ROWS.values():
        if not row.public and row is not endpoints.GET_CURRENT_USER:
            assert ask(lake.app, row.method, *request(row, MINE), authorization=None).status == 401, row.operation


# -- names of other repositories within the own one --------------------------------------------------------------------


def references(commit: str) -> Iterator[tuple[Endpoint, tuple[str, ...], Any, dict[str, str]]]:
    """Requests in the own repository that name a reference of another one."""
    e = endpoints
    yield e.GET_COMMIT, (MINE, commit), b"", {}
    yield e.LOG_COMMITS, (MINE, commit), b"", {}
    yield e.LIST_OBJECTS, (MINE, commit), b"", {}
    yield e.STAT_OBJECT, (MINE, commit), b"", {"path": "secret"}
    yield e.GET_OBJECT, (MINE, commit), b"", {"path": "secret"}
    yield e.HEAD_OBJECT, (MINE, commit), b"", {"path": "secret"}
    yield e.DIFF_REFS, (MINE, commit, "main"), b"", {}
    yield e.DIFF_REFS, (MINE, "main", commit), b"", {}
    yield e.FIND_MERGE_BASE, (MINE, commit, "main"), b"", {}
    yield e.MERGE_INTO_BRANCH, (MINE, commit, "main"), {}, {}
    yield e.REVERT_BRANCH, (MINE, "main"), {"ref": commit, "parent_number": 0}, {}
    yield e.CHERRY_PICK, (MINE, "main"), {"ref": commit}, {}
    yield e.HARD_RESET_BRANCH, (MINE, "main"), b"", {"ref": commit}
    yield e.CREATE_BRANCH, (MINE,), {"name": "stolen", "source": commit}, {}
    yield e.CREATE_TAG, (MINE,), {"id": "stolen", "ref": commit}, {}
    yield e.COPY_OBJECT, (MINE, "main"), {"src_path": "secret", "src_ref": commit}, {"dest_path": "stolen"}
    yield link_rows.READ_LINK, (MINE, commit), b"", {"path": "secret"}
    yield e.GET_UNDERLYING_PROPERTIES, (MINE, commit), b"", {"path": "secret"}


def test_a_commit_of_another_repository_is_no_reference(lake: Lake) -> None:
    for name in (lake.commit, lake.commit[:12], f"{lake.commit}~0", f"{OTHER}/main", f"lakefs://{OTHER}/main"):
        for row, params, body, query in references(name):
            found = api(lake.app, LIMITED, row, params, body, **query)
            assert 400 <= found.status < 500, (row.operation, found.status)
            assert SECRET not in text(found)


def test_no_content_by_its_hash(lake: Lake) -> None:
    digest = hashlib.sha256(SECRET).hexdigest()
    own, other = (lake.app.engine.repositories.get(name).storage_namespace for name in (MINE, OTHER))
    drawn = lake.app.engine.addresses.address(OTHER, "main", "x").physical_address or ""
    lake.app.engine.addresses.receive(drawn, SECRET)
    md5 = hashlib.md5(SECRET).hexdigest()
    addresses = [drawn, drawn.partition(",")[0], f"{drawn.partition(',')[0]},forged"]
    for namespace in (own, other, f"{own},x", f"{own}/data"):
        addresses += [f"{namespace}/data/{digest}", f"{namespace}/data/{digest},signature"]
    for address in addresses:
        stage = {"physical_address": address, "checksum": md5, "size_bytes": len(SECRET)}
        link = {"staging": {"physical_address": address}, "checksum": md5, "size_bytes": len(SECRET)}
        for row, body in ((endpoints.STAGE_OBJECT, stage), (endpoints.LINK_PHYSICAL_ADDRESS, link)):
            found = api(lake.app, LIMITED, row, (MINE, "main"), body, path="stolen")
            if not address.startswith(f"{own},x/") or "signature" not in address:  # which names no content at all
                assert found.status == 403, (row.operation, address)
                assert b"getPhysicalAddress" in text(found)
            read = api(lake.app, LIMITED, endpoints.GET_OBJECT, (MINE, "main"), path="stolen")
            assert (read.status in (404, 410), SECRET in text(read)) == (True, False)
            assert api(lake.app, ROOT, row, (MINE, "main"), body, path="taken").status in (200, 201), "unlimited"
    received = api(lake.app, LIMITED, link_rows.RECEIVED, (MINE, "main"), path="x", physical_address=drawn)
    assert received.status == 400


def test_what_was_uploaded_to_the_own_address_is_linked(lake: Lake) -> None:
    place = json.loads(content(api(lake.app, LIMITED, endpoints.GET_PHYSICAL_ADDRESS, (MINE, "main"), path="a")))
    lake.app.engine.addresses.receive(place["physical_address"], b"mine")
    body = {"staging": place, "checksum": hashlib.md5(b"mine").hexdigest(), "size_bytes": 4}
    assert api(lake.app, LIMITED, endpoints.LINK_PHYSICAL_ADDRESS, (MINE, "main"), body, path="a").status == 200
    assert content(api(lake.app, LIMITED, endpoints.GET_OBJECT, (MINE, "main"), path="a")) == b"mine"
    elsewhere = {"physical_address": "local:///etc/passwd", "checksum": "c", "size_bytes": 9}
    assert api(lake.app, LIMITED, endpoints.STAGE_OBJECT, (MINE, "main"), elsewhere, path="b").status == 201
    assert api(lake.app, LIMITED, endpoints.GET_OBJECT, (MINE, "main"), path="b").status == 410


def test_no_tree_of_another_repository(lake: Lake) -> None:
    def adopt(key: Key, tree: str) -> int:
        row, query = endpoints.COMMIT, {"source_metarange": tree}
        return api(lake.app, key, row, (MINE, "main"), {"message": "m", "allow_empty": True}, **query).status

    own = json.loads(content(api(lake.app, LIMITED, endpoints.GET_COMMIT, (MINE, "side"))))["meta_range_id"]
    for tree in (lake.tree, lake.tree.upper(), "0" * 64, "x"):
        assert adopt(LIMITED, tree) == 403
    assert adopt(LIMITED, own) == 201
    assert adopt(ROOT, lake.tree) == 201


def test_paths_that_other_parsers_read_in_another_way(lake: Lake) -> None:
    tricks = [
        f"{MINE}/../{OTHER}",
        f"{MINE}%2F..%2F{OTHER}",
        f"{MINE}/%2e%2e/{OTHER}",
        f"{MINE};/{OTHER}",
        f"/{OTHER}",
        f"./{OTHER}",
        f"%2F{OTHER}",
        OTHER.replace("h", "%68"),
        OTHER.replace("h", "%2568"),
        f"{OTHER}%00",
        f"{OTHER}%20",
        f"{MINE},{OTHER}",
        OTHER.upper(),
        f"{OTHER}?repository={MINE}",
        f"{OTHER}#{MINE}",
    ]
    for trick, rest in itertools.product(tricks, ("/refs/main/objects?path=secret", "/branches", "", "/metadata")):
        found = ask(lake.app, "GET", f"/api/v1/repositories/{trick}{rest}", authorization=basic(LIMITED))
        assert found.status in (400, 403, 404), (trick, rest, found.status)
        assert SECRET not in text(found)


def test_a_listing_of_repositories_does_not_tell_of_others(lake: Lake) -> None:
    for name in ("aa-mine", "mine-2", "zz-mine"):
        lake.app.engine.repositories.create(models.RepositoryCreation(name, f"local://at-{name}"), who="me")
    key = Key("SOME", "secret", "some", "some", repositories=("aa-mine", "gone", MINE, "zz-mine"))
    lake.app.keys.put(key)
    own = ["aa-mine", MINE, "zz-mine"]

    def page(**query: str) -> Any:
        return json.loads(content(api(lake.app, key, endpoints.LIST_REPOSITORIES, (), **query)))

    for amount in range(1, 5):
        names, after, more = [], "", True
        while more:
            found = page(amount=str(amount), after=after)
            names += [row["id"] for row in found["results"]]
            more, after = found["pagination"]["has_more"], found["pagination"]["next_offset"]
            assert after in ("", *own)
            assert more == (len(names) < len(own))
        assert names == own
    assert [row["id"] for row in page(prefix="mine")["results"]] == [MINE]
    assert [row["id"] for row in page(search="-mine")["results"]] == ["aa-mine", "zz-mine"]
    assert page(prefix="hidden")["results"] == page(search="hidden")["results"] == []
    assert [row["id"] for row in page(after=OTHER)["results"]] == [MINE, "zz-mine"]


def test_an_idempotency_key_of_another_key_gives_nothing(lake: Lake) -> None:
    row = endpoints.CREATE_BRANCH
    target = routes.target(Request(row, (MINE,)))
    body, headers = b'{"name": "once", "source": "main"}', {"idempotency-key": "guessed"}
    assert ask(lake.app, row.method, target, body, headers=headers).status == 201
    assert ask(lake.app, row.method, target, body, headers=headers).status == 201
    again = ask(lake.app, row.method, target, body, headers=headers, authorization=basic(LIMITED))
    assert again.status == 409


# -- keys, tokens and links --------------------------------------------------------------------------------------------


def creation(**fields: Any) -> dict[str, Any]:
    pair = keys.draw()
    return {"access_key_id": pair.access_key_id, "secret_access_key": pair.secret_access_key, **fields}


def bearer(app: App, key: Key) -> str:
    body = {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}
    return f"Bearer {json.loads(content(api(app, ROOT, endpoints.LOGIN, (), body)))['token']}"


def test_only_a_key_without_limits_manages_keys(lake: Lake) -> None:
    wish = json.dumps(creation(name="mine-now")).encode()
    for key in (READER, LIMITED, Key("BOTH", "secret", "both", "both", read_only=True, repositories=(MINE,))):
        lake.app.keys.put(key)
        for authorization in (basic(key), bearer(lake.app, key)):
            for method, target, body in (
                ("GET", "/api/v1/keys", b""),
                ("POST", "/api/v1/keys", wish),
                ("GET", "/api/v1/keys/ROOT", b""),
                ("DELETE", "/api/v1/keys/ROOT", b""),
                ("DELETE", f"/api/v1/keys/{key.access_key_id}", b""),
            ):
                found = ask(lake.app, method, target, body, authorization=authorization)
                assert found.status == 403
                assert b"only keys without limits manage keys" in text(found)
    assert {key.label for key in lake.app.keys.all()} == {"root", "reader", "limited", "both"}
    assert ask(lake.app, "POST", "/api/v1/keys", wish, authorization=bearer(lake.app, ROOT)).status == 201


@pytest.mark.parametrize(
    "fields",
    [
        {"access_key_id": "ROOT"},
        {"access_key_id": "LKHLshort"},
        {"secret_access_key": "a" * 39},
        {"secret_access_key": ""},
        {"secret_access_key": "ü" * 40},
        {"name": ""},
        {"name": ".."},
        {"name": "a\nb"},
        {"name": " a"},
        {"name": "x" * 101},
        {"name": "LKHL" + "A" * 16},
        {"name": 5},
        {"repositories": []},
        {"repositories": ["UPPER"]},
        {"repositories": ["a/b"]},
        {"repositories": "mine"},
        {"repositories": [f"repo-{number}" for number in range(1001)]},
        {"read_only": "yes"},
    ],
)
def test_a_key_that_is_not_created(lake: Lake, fields: dict[str, Any]) -> None:
    before = lake.app.keys.all()
    found = api(lake.app, ROOT, keys.CREATE_KEY, (), creation(**fields))
    assert found.status == 400
    assert lake.app.keys.all() == before


def test_the_answers_have_no_secret(lake: Lake) -> None:
    wish = creation(name="one", read_only=True, repositories=["b-repo", "a-repo", "b-repo"])
    made = api(lake.app, ROOT, keys.CREATE_KEY, (), wish)
    again = api(lake.app, ROOT, keys.CREATE_KEY, (), wish)
    got = api(lake.app, ROOT, keys.GET_KEY, ("one",))
    assert (made.status, again.status, got.status) == (201, 201, 200)
    assert content(made) == content(again) == content(got)
    assert json.loads(content(made))["repositories"] == ["a-repo", "b-repo"]
    for response in (made, api(lake.app, ROOT, keys.LIST_KEYS, ())):
        assert wish["secret_access_key"].encode() not in text(response)
    for changed in ({"read_only": False}, {"secret_access_key": "a" * 40}, {"name": "two"}):
        assert api(lake.app, ROOT, keys.CREATE_KEY, (), {**wish, **changed}).status == 409
    assert api(lake.app, ROOT, keys.CREATE_KEY, (), creation(name="one")).status == 409
    assert api(lake.app, ROOT, keys.CREATE_KEY, (), creation(name="admin")).status == 409
    assert api(lake.app, ROOT, keys.CREATE_KEY, (), creation(name="ROOT")).status == 409, "the ID of another one"


def test_a_key_that_was_deleted_is_not_created_again(lake: Lake) -> None:
    wish, late = creation(name="one"), creation()
    assert api(lake.app, ROOT, keys.CREATE_KEY, (), wish).status == 201
    for one in (wish, late):
        assert api(lake.app, ROOT, keys.DELETE_KEY, (one["access_key_id"],)).status == 204
        assert api(lake.app, ROOT, keys.DELETE_KEY, (one["access_key_id"],)).status == 204
        assert api(lake.app, ROOT, keys.CREATE_KEY, (), one).status == 409, "the request came late"
    assert api(lake.app, ROOT, keys.DELETE_KEY, ("one",)).status == 404


def test_the_key_in_use_and_the_administrators_are_kept(lake: Lake) -> None:
    lake.app.keys.put(Key("ADMIN", "secret", "admin", "admin"))
    for name in ("ROOT", "root"):
        found = api(lake.app, ROOT, keys.DELETE_KEY, (name,))
        assert (found.status, b"this request is made with" in text(found)) == (409, True)
    for name in ("ADMIN", "admin"):
        found = api(lake.app, ROOT, keys.DELETE_KEY, (name,))
        assert (found.status, b"LAKEFS_HL_SERVE_ACCESS_KEY_ID" in text(found)) == (409, True)
    assert {"root", "admin"} <= {key.label for key in lake.app.keys.all()}


def test_everything_of_a_deleted_key_ends_at_once(lake: Lake) -> None:
    key = Key("GONE", "secret", "gone", "gone")
    lake.app.keys.put(key)
    token = bearer(lake.app, key)
    stat = api(lake.app, key, endpoints.STAT_OBJECT, (MINE, "main"), path="a", presign="true")
    read = api(lake.app, key, link_rows.READ_LINK, (MINE, "main"), path="a")
    write = api(lake.app, key, link_rows.WRITE_LINK, (MINE, "main"), path="new")
    place = api(lake.app, key, endpoints.GET_PHYSICAL_ADDRESS, (MINE, "main"), path="new", presign="true")
    urls = [
        ("GET", json.loads(content(stat))["physical_address"]),
        ("GET", json.loads(content(read))["url"]),
        ("PUT", json.loads(content(write))["url"]),
        ("PUT", json.loads(content(place))["presigned_url"]),
    ]

    def statuses() -> list[int]:
        found = []
        for method, url in urls:
            parts = urlsplit(url)
            response = ask(lake.app, method, f"{parts.path}?{parts.query}", b"x", authorization=None)
            text(response)
            found.append(response.status)
        plain = (ask(lake.app, "GET", "/api/v1/repositories", authorization=one) for one in (basic(key), token))
        return [*found, *(response.status for response in plain)]

    assert statuses() == [200] * 6
    limited = Key("GONE", "secret", "gone", "gone", read_only=True, repositories=(OTHER,))
    lake.app.keys.put(limited)
    assert statuses() == [403] * 4 + [200] * 2
    lake.app.keys.remove("GONE")
    assert statuses() == [403] * 4 + [401] * 2
    body = {"access_key_id": "GONE", "secret_access_key": "secret"}
    assert api(lake.app, ROOT, endpoints.LOGIN, (), body).status == 401


@pytest.mark.parametrize("change", ["deleted", "limited", "new secret"])
def test_a_key_that_goes_while_a_body_arrives(lake: Lake, change: str) -> None:
    key = Key("SLOW", "secret", "slow", "slow")
    lake.app.keys.put(key)
    target = routes.target(Request(endpoints.UPLOAD_OBJECT, (MINE, "main"), {"path": "late"}))
    link = json.loads(content(api(lake.app, key, link_rows.WRITE_LINK, (MINE, "main"), path="late")))["url"]
    headers = {"authorization": basic(key), "host": "lake:1", "content-type": "text/plain"}
    path, _, query = target.partition("?")
    parts = urlsplit(link)
    asked = [
        exchange.parse(lake.app, "POST", path, query, headers),
        exchange.parse(lake.app, "PUT", parts.path, parts.query, {"host": "lake:1"}),
    ]
    if change == "deleted":
        lake.app.keys.remove("SLOW")
    elif change == "limited":
        lake.app.keys.put(Key("SLOW", "secret", "slow", "slow", repositories=(OTHER,)))
    else:
        lake.app.keys.put(Key("SLOW", "new", "slow", "slow", generation=2))
    for one in asked:
        assert not isinstance(one, Response)
        assert exchange.answer(lake.app, one, b"late").status == (403 if change == "limited" else 401)
    assert api(lake.app, ROOT, endpoints.STAT_OBJECT, (MINE, "main"), path="late").status == 404


def test_the_life_of_a_token(lake: Lake) -> None:
    body = {"access_key_id": "READER", "secret_access_key": "secret"}
    found = api(lake.app, ROOT, endpoints.LOGIN, (), body, expires_in="1")
    assert found.status == 200
    for wrong in ("0", "-1", "x", str(keys.MAX_TOKEN_SECONDS + 1), "1e3"):
        assert api(lake.app, ROOT, endpoints.LOGIN, (), body, expires_in=wrong).status == 400


def test_every_row_with_a_repository_begins_with_it() -> None:
    """The check of a key reads the first parameter: in no row is it another one."""
    for row in ROWS.values():
        assert ("repository" in row.parameters) == row.path.startswith("/repositories/{repository}"), row.operation
        assert row.parameters[:1] == ("repository",) or "repository" not in row.parameters
    assert {row.method for row in links.ENDPOINTS.values()} == set(links.RIGHTS) == set(presign.ENDPOINTS)
    assert quote(MINE) == MINE
