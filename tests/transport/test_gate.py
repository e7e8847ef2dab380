"""The maximum number of exchanges of a process: over all clients, in both colours, never more and no fewer."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.ops.effects import Cancelled
from lakefs_hl.spec.wire import TransportError
from lakefs_hl.transport.gate import Gate, gate_of
from lakefs_hl.transport.scope import Scope

MOST = 4
OBJECTS = 16
FOREVER = float("inf")


class Crowd:
    """A server that answers downloads in groups of `MOST`, and notes how many were there at a time."""

    def __init__(self) -> None:
        self.most = 0
        self._running = 0
        self._lock = threading.Lock()
        self._group = threading.Barrier(MOST)

    def meet(self) -> None:
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
        try:
            self._group.wait(30)  # breaks if fewer are let in
        finally:
            with self._lock:
                self._running -= 1


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Crowd, str]]:
    crowd = Crowd()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if "/objects?" in self.path:
                crowd.meet()
                self._answer(200, b"x")
            else:
                self._answer(403, b'{"message": "no"}')

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Write nothing to stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("LAKEFS_HL_MAX_CONCURRENCY", str(MOST))
    try:
        yield crowd, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def paths(of: str) -> list[str]:
    return [f"{of}{number}" for number in range(OBJECTS // 2)]


def test_two_clients_together_make_no_more_exchanges_than_the_process_may(crowd: tuple[Crowd, str]) -> None:
    found, url = crowd
    clients = [lakefs_hl.Client(url, "key", "secret", max_concurrency=8) for _ in range(2)]

    def read(client: lakefs_hl.Client) -> int:
        results = lakefs_hl.Branch("example", "main", client).download_many(paths("p"))
        return sum(result.content == b"x" for result in results)

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(read, clients)) == OBJECTS
    assert found.most == MOST
    for client in clients:
        client.close()


def test_so_do_two_clients_of_both_colours(crowd: tuple[Crowd, str]) -> None:
    found, url = crowd
    one = lakefs_hl.Client(url, "key", "secret")

    def read() -> int:
        return len(lakefs_hl.Branch("example", "main", one).download_many(paths("p")))

    async def read_both() -> list[int]:
        async with aio.Client(url, "key", "secret") as other:
            branch = aio.Branch("example", "main", other)

            async def read_too() -> int:
                return len(await asyncio.gather(*(branch.download(path) for path in paths("q"))))

            return list(await asyncio.gather(asyncio.to_thread(read), read_too()))

    assert asyncio.run(read_both()) == [OBJECTS // 2, OBJECTS // 2]
    assert found.most == MOST
    one.close()


def test_a_client_waits_no_longer_than_its_deadline(crowd: tuple[Crowd, str]) -> None:
    _, url = crowd
    gate = gate_of(MOST)
    users = [object() for _ in range(MOST)]
    for user in users:
        assert gate._slots.take(user)
    client = lakefs_hl.Client(url, "key", "secret", deadline=0.05, retries=0)
    try:
        with pytest.raises(exceptions.DeadlineExceeded):
            lakefs_hl.Branch("example", "main", client).download("p")
    finally:
        for user in users:
            gate.leave(user)
    client.close()


def test_a_place_is_given_back_and_can_be_waited_for() -> None:
    gate, entered = Gate(1), threading.Event()
    first, second = object(), object()
    assert gate.enter(first, None, FOREVER) == FOREVER

    def follow() -> None:
        gate.enter(second, None, 30)
        entered.set()
        gate.leave(second)

    thread = threading.Thread(target=follow)
    thread.start()
    assert not entered.is_set()
    gate.leave(first)
    thread.join()
    assert entered.is_set()
    assert not gate._slots.users


def test_an_exchange_inside_of_another_one_does_not_wait_for_it() -> None:
    gate, outer, inner = Gate(1), object(), object()
    gate.enter(outer, None, FOREVER)
    assert gate.enter(inner, None, 1.0) == 1.0
    gate.leave(inner)
    assert gate._slots.users == {outer}
    gate.leave(outer)
    assert not gate._slots.users


def test_a_wait_ends_with_its_scope_and_with_its_time() -> None:
    gate = Gate(1)
    assert gate._slots.take("other")
    scope, user = Scope(), object()
    scope.cancel()
    with pytest.raises(Cancelled):
        gate.enter(user, scope, FOREVER)
    with pytest.raises(TransportError, match="deadline"):
        gate.enter(user, None, 0.0)
    gate.leave(user)
    assert gate._slots.users == {"other"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_process_begins_with_all_places() -> None:
    gate = Gate(1)
    gate.enter(object(), None, FOREVER)
    child = os.fork()
    if not child:
        os._exit(0 if gate._slots.take("child") else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_there_is_one_gate_for_each_maximum() -> None:
    assert gate_of(3) is gate_of(3)
    assert gate_of(3) is not gate_of(5)
