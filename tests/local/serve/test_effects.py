"""`Idempotency-Key` over a socket: every operation that changes the lake, repeated on a connection of its own."""

from __future__ import annotations

import base64
import http.client
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from lakefs_hl.local.api.effects import KEY
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import endpoints, routes
from lakefs_hl.spec.routes import BASE
from lakefs_hl.spec.wire import Endpoint, Request
from tests.local.operations import OPERATIONS, Operation, kept, prepare, tables
from tests.serving import Served, running, start

ANNOUNCED = ("x-lakefs-hl", "idempotency-key, keys")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with running(tmp_path_factory.mktemp("served") / "lake") as found:
        yield found


@pytest.fixture
def engine(served: Served) -> Iterator[Engine]:
    """The same lake, in this process."""
    found = Engine.open(served.folder)
    yield found
    found.close()


def exchange(
    served: Served, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, bytes, str | None]:
    """One exchange: status, body and content type."""
    parts = urlsplit(served.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    pair = base64.b64encode(f"{served.key}:{served.secret}".encode()).decode()
    connection.request(method, path, body=body, headers={"authorization": f"Basic {pair}", **(headers or {})})
    response = connection.getresponse()
    found = response.status, response.read(), response.getheader("content-type")
    announced = [(name.lower(), value) for name, value in response.getheaders()]
    assert ANNOUNCED in announced
    key = {name.lower(): value for name, value in (headers or {}).items()}.get("idempotency-key")
    # the key comes back, so that a client knows that no proxy has dropped it
    wanted = [("idempotency-key", key)] if key is not None and KEY.fullmatch(key) else []
    assert [pair for pair in announced if pair[0] == "idempotency-key"] == wanted
    connection.close()
    return found


def send(served: Served, operation: Operation, repo: str, key: str | None = None) -> tuple[int, bytes, str | None]:
    headers = {"content-type": "application/json", **operation.headers}
    if key is not None:
        headers["Idempotency-Key"] = key
    row = operation.endpoint
    path = routes.target(Request(row, operation.path(repo), operation.query))
    return exchange(served, row.method, path, operation.data(repo), headers)


def import_ends(engine: Engine, repo: str, body: bytes) -> None:
    """Waits until an import has its error: it writes at its own time."""
    name = body.split(b'"')[3].decode()
    while engine.imports.status(repo, name).error is None:
        pass


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.endpoint.operation)
def test_a_repetition_gets_the_first_answer_and_changes_nothing(
    served: Served, engine: Engine, operation: Operation
) -> None:
    row: Endpoint = operation.endpoint
    repo, key = row.operation.lower(), str(uuid4())
    prepare(engine, repo)
    if operation.before:
        operation.before(engine, repo)
    first = send(served, operation, repo, key)
    assert first[0] in row.ok, first
    assert ("admin", key) in list(kept(engine))
    if row is endpoints.IMPORT_START:
        import_ends(engine, repo, first[1])
    if operation.between:
        operation.between(engine, repo)
    state = tables(engine)
    assert send(served, operation, repo, key) == first
    assert tables(engine) == state
    again = send(served, operation, repo)
    assert again != first or tables(engine) != state


def test_every_answer_says_that_keys_are_honoured(served: Served) -> None:
    """`exchange` holds it; here are the answers that no handler gives."""
    for method, path, status in (
        ("GET", f"{BASE}/healthcheck", 204),
        ("GET", f"{BASE}/nothing", 404),
        ("GET", f"{BASE}/repositories/none", 404),
        ("HEAD", f"{BASE}/repositories/none/refs/main/objects?path=x", 404),
        ("PUT", f"{BASE}/repositories/none/refs/dump", 501),
        ("POST", f"{BASE}/repositories", 400),
    ):
        assert exchange(served, method, path)[0] == status
    assert exchange(served, "GET", f"{BASE}/repositories", headers={"authorization": "Basic eA=="})[0] == 401


def test_another_request_under_the_same_key_is_refused(served: Served) -> None:
    made = [
        exchange(
            served,
            "POST",
            f"{BASE}/repositories",
            b'{"name": "%s", "storage_namespace": "local://%s"}' % (name, name),
            {"idempotency-key": "one", "content-type": "application/json"},
        )
        for name in (b"first", b"second", b"first")
    ]
    assert [status for status, *_ in made] == [201, 422, 201]
    assert made[0] == made[2]


def test_an_answer_that_a_killed_server_did_not_give(tmp_path: Path) -> None:
    """The server is killed after it has answered nobody knows what; the next one knows."""
    merge = next(one for one in OPERATIONS if one.endpoint is endpoints.MERGE_INTO_BRANCH)
    folder = tmp_path / "lake"
    engine = Engine.open(folder)
    prepare(engine, "repo")
    before = engine.branches.get("repo", "main").commit_id
    engine.close()
    first = start(folder)
    answer = send(first, merge, "repo", "one")
    first.process.send_signal(signal.SIGKILL)
    first.process.communicate()
    with running(folder) as second:
        assert send(second, merge, "repo", "one") == answer
    engine = Engine.open(folder)
    assert engine.commits.get("repo", "main").parents[0] == before, "merged once"
    engine.close()
