"""What a client may make the server hold, and for how long: bodies, connections, descriptors, memory, and its end."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lakefs_hl.local.serve import exchange, guard
from lakefs_hl.local.serve.connections import KEPT, Connections
from lakefs_hl.local.serve.server import HttpServer
from tests.local.serve.support import BASE, connect, head, rest_of, serving, status_of
from tests.serving import Served, running, start

UPLOAD = f"{BASE}/branches/main/objects?path="
LOGIN = "/api/v1/auth/login"
JSON = "Content-Type: application/json"
HEALTH = head("GET", "/api/v1/healthcheck", authorization=None)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    """A server with little patience for slow clients."""
    monkeypatch.setattr(guard, "WINDOW_SECONDS", 0.5)
    with serving(tmp_path) as found:
        yield found


def basic(served: Served) -> str:
    return "Basic " + base64.b64encode(f"{served.key}:{served.secret}".encode()).decode()


def make_repository(served: Served) -> None:
    parts = urlsplit(served.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    body = json.dumps({"name": "repo", "storage_namespace": "local://repo"})
    headers = {"authorization": basic(served), "content-type": "application/json"}
    connection.request("POST", "/api/v1/repositories", body, headers)
    assert connection.getresponse().status == 201
    connection.close()


def health_seconds(url: str) -> float:
    before = time.perf_counter()
    with connect(url) as sock:
        sock.sendall(HEALTH)
        assert sock.recv(65536).startswith(b"HTTP/1.1 204 ")
    return time.perf_counter() - before


# -- bodies ------------------------------------------------------------------------------------------------------------


def test_what_is_announced_is_looked_at_first(server: HttpServer) -> None:
    limit = exchange.MAX_UNKNOWN
    for fields, authorization, status in (
        (("POST", LOGIN, JSON, f"Content-Length: {limit + 1}"), None, 413),
        (("POST", f"{BASE}/branches/main/commits", JSON, f"Content-Length: {exchange.MAX_BODY + 1}"), "", 413),
        (("POST", UPLOAD + "x", f"Content-Length: {10**12}"), "", 413),
        (("POST", UPLOAD + "x", f"Content-Length: {10**12}"), None, 401),
        (("POST", f"{BASE}/branches/main/commits", "Content-Length: 5"), "", 415),
        (("POST", f"{BASE}/branches/main/commits", "Content-Type: text/plain", "Content-Length: 5"), "", 415),
        (("POST", f"{BASE}/branches/main/commits", "Content-Type: text/json", "Transfer-Encoding: chunked"), "", 415),
    ):
        with connect(server.url) as sock:
            sent = head(*fields, authorization=None) if authorization is None else head(*fields)
            sock.sendall(sent)
            assert status_of(rest_of(sock)) == status, fields


def test_a_body_without_credentials_and_without_length(server: HttpServer) -> None:
    with connect(server.url) as sock:
        sock.sendall(head("POST", LOGIN, JSON, "Transfer-Encoding: chunked", authorization=None))
        sock.sendall(b"%x\r\n%s\r\n" % (exchange.MAX_UNKNOWN + 1, b"x" * (exchange.MAX_UNKNOWN + 1)))
        assert status_of(rest_of(sock)) == 413


def test_an_upload_that_the_disk_has_no_room_for(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "FREE", 1 << 60)
    with connect(server.url) as sock:
        sock.sendall(head("POST", UPLOAD + "x", "Content-Length: 3000000"))
        assert status_of(rest_of(sock)) == 507


def test_a_client_reads_its_refusal_while_it_sends(server: HttpServer) -> None:
    """A socket that is closed with unread data in it resets the connection, and the refusal with it."""
    body = b"x" * 1_000_000
    for _ in range(30):
        with connect(server.url) as sock:
            sock.sendall(head("POST", LOGIN, JSON, f"Content-Length: {len(body)}", authorization=None))
            sock.sendall(body)
            assert status_of(rest_of(sock)) == 413


def test_json_with_parameters_is_json(server: HttpServer) -> None:
    body = b'{"message": "m", "allow_empty": true}'
    kind = "Content-Type: Application/JSON; charset=utf-8"
    with connect(server.url) as sock:
        sock.sendall(head("POST", f"{BASE}/branches/main/commits", kind, f"Content-Length: {len(body)}") + body)
        assert sock.recv(65536).startswith(b"HTTP/1.1 201 ")


# -- slow clients ------------------------------------------------------------------------------------------------------


def test_a_dripping_upload_is_ended(server: HttpServer) -> None:
    with connect(server.url) as sock, connect(server.url) as login:
        sock.sendall(head("POST", UPLOAD + "x", "Content-Length: 1000000"))
        login.sendall(head("POST", LOGIN, JSON, "Content-Length: 1000", authorization=None))
        for one in (sock, login):
            one.settimeout(0.1)
            answer = b""
            for _ in range(100):
                try:
                    answer = one.recv(65536)
                    break
                except TimeoutError:
                    one.sendall(b"x")
            assert status_of(answer) == 408


def test_a_slow_upload_that_goes_on_is_not(server: HttpServer) -> None:
    pieces = 30
    with connect(server.url) as sock:
        sock.sendall(head("POST", UPLOAD + "x", f"Content-Length: {pieces * 512}"))
        sock.settimeout(0.1)
        for _ in range(pieces):
            with pytest.raises(TimeoutError):
                sock.recv(1)
            sock.sendall(b"x" * 512)
        sock.settimeout(30)
        assert sock.recv(65536).startswith(b"HTTP/1.1 201 ")


def test_a_reader_that_does_not_read_is_ended(server: HttpServer) -> None:
    data = os.urandom(20_000_000)
    with connect(server.url) as sock:
        sock.sendall(head("POST", UPLOAD + "big", f"Content-Length: {len(data)}") + data)
        assert sock.recv(65536).startswith(b"HTTP/1.1 201 ")
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(30)
        sock.connect(("127.0.0.1", urlsplit(server.url).port or 0))
        sock.sendall(head("GET", f"{BASE}/refs/main/objects?path=big"))
        assert sock.recv(9) == b"HTTP/1.1 "  # the server has this connection now
        deadline = time.monotonic() + 30
        while len(server.connections) and time.monotonic() < deadline:
            health_seconds(server.url)
        assert rest_of(sock).endswith(b"(reset)")


def test_line_ends_are_no_request(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SECONDS", 0.3)
    with connect(server.url) as sock:
        sock.sendall(HEALTH)
        assert sock.recv(65536).startswith(b"HTTP/1.1 204 ")
        sock.sendall(b"\r\n")
        assert status_of(rest_of(sock)) == 408


def test_many_fields_and_many_requests_at_once(server: HttpServer) -> None:
    with connect(server.url) as sock:
        sock.sendall(head("GET", "/api/v1/healthcheck", *(f"x-{n}: y" for n in range(2 * guard.MAX_FIELDS))))
        assert status_of(rest_of(sock)) == 431
    with connect(server.url) as sock:
        sock.sendall(HEALTH * 10)
        answers = b""
        while answers.count(b"\r\n\r\n") < 10:
            answers += sock.recv(65536)
        assert answers.count(b"HTTP/1.1 204 ") == 10
    with connect(server.url) as sock:
        sock.sendall(HEALTH * 400)
        assert rest_of(sock).count(b"HTTP/1.1 204 ") < 400
    assert health_seconds(server.url) < 5


# -- connections -------------------------------------------------------------------------------------------------------


class Client:
    """A connection that can be dropped."""

    dropped = False

    def is_stalled(self, now: float) -> bool:
        return False

    def drop(self) -> None:
        self.dropped = True

    def refuse_stalled(self) -> None:
        self.dropped = True


def test_who_goes_at_the_limit() -> None:
    connections = Connections(3)
    idle, unknown, trusted, late = Client(), Client(), Client(), Client()
    for one in (trusted, unknown, idle):
        assert connections.add(one)
    connections.begin(trusted)
    connections.trust(trusted)
    connections.begin(unknown)
    assert connections.add(late)
    assert (idle.dropped, unknown.dropped, trusted.dropped) == (True, False, False)
    connections.begin(late)
    connections.trust(late)
    last = Client()
    assert connections.add(last)
    assert unknown.dropped, "whoever has shown no credentials goes before one who has"
    connections.begin(last)
    connections.trust(last)
    assert not connections.add(Client()), "nobody is at work for nothing"
    connections.rest(trusted)
    assert connections.add(Client())
    assert trusted.dropped
    assert len(connections) == 3


def test_more_connections_than_descriptors(tmp_path: Path) -> None:
    with running(tmp_path / "lake", descriptors=KEPT + 64) as served, contextlib.ExitStack() as stack:
        make_repository(served)
        busy = stack.enter_context(connect(served.url))
        expect = "Expect: 100-continue"
        busy.sendall(head("POST", UPLOAD + "kept", "Content-Length: 4", expect, authorization=basic(served)))
        assert busy.recv(65536).startswith(b"HTTP/1.1 100 ")
        idle = [stack.enter_context(connect(served.url)) for _ in range(300)]
        assert health_seconds(served.url) < 5
        assert rest_of(idle[0]) in (b"", b"(reset)"), "the longest idle one was closed"
        idle[-1].sendall(HEALTH)
        assert idle[-1].recv(65536).startswith(b"HTTP/1.1 204 "), "the youngest one was not"
        data = os.urandom(100_000)
        with connect(served.url) as sock:
            sock.sendall(head("POST", UPLOAD + "y", f"Content-Length: {len(data)}", authorization=basic(served)) + data)
            assert sock.recv(65536).startswith(b"HTTP/1.1 201 "), "there is room for the lake's own files"
        busy.sendall(b"data")
        assert busy.recv(65536).startswith(b"HTTP/1.1 201 "), "an upload was not given up for idle ones"
        for sock in idle:
            sock.close()
        served.process.send_signal(signal.SIGTERM)
        assert served.process.communicate(timeout=30)[1] == ""


def rss(served: Served) -> int:
    """Bytes of memory of the server."""
    lines = Path(f"/proc/{served.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def test_a_thousand_idle_sockets(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2048:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, hard), hard))
    with running(tmp_path / "lake") as served, contextlib.ExitStack() as stack:
        health_seconds(served.url)
        before = rss(served)
        for _ in range(1000):
            stack.enter_context(connect(served.url))
        times = sorted(health_seconds(served.url) for _ in range(20))
        assert times[10] < 0.25
        assert rss(served) - before < 100e6


def test_large_transfers_need_little_memory(tmp_path: Path) -> None:
    size = 64 << 20
    piece = os.urandom(1 << 20)
    with running(tmp_path / "lake") as served:
        make_repository(served)
        before = rss(served)
        with connect(served.url) as sock:
            sock.sendall(head("POST", UPLOAD + "big", f"Content-Length: {size}", authorization=basic(served)))
            for _ in range(size >> 20):
                sock.sendall(piece)
            assert sock.recv(65536).startswith(b"HTTP/1.1 201 ")
            sock.sendall(head("GET", f"{BASE}/refs/main/objects?path=big", authorization=basic(served)))
            got = 0
            while got < size:
                got += len(sock.recv(1 << 20))
        assert rss(served) - before < 32 << 20


# -- the end -----------------------------------------------------------------------------------------------------------


def test_stalled_clients_and_a_waiting_writer_do_not_delay_the_end(tmp_path: Path) -> None:
    served = start(tmp_path / "lake")
    with contextlib.ExitStack() as stack:
        stack.callback(served.process.kill)
        make_repository(served)
        data = os.urandom(8_000_000)
        with connect(served.url) as sock:
            sock.sendall(
                head("POST", UPLOAD + "big", f"Content-Length: {len(data)}", authorization=basic(served)) + data
            )
            assert sock.recv(65536).startswith(b"HTTP/1.1 201 ")
        lock = stack.enter_context((tmp_path / "lake" / "lock").open("rb+"))
        fcntl.flock(lock, fcntl.LOCK_EX)  # as another process that writes for long
        for index in range(60):
            sock = stack.enter_context(connect(served.url))
            if index % 3 == 0:
                sock.sendall(head("POST", UPLOAD + "s", "Content-Length: 1000000", authorization=basic(served)) + b"x")
            elif index % 3 == 1:
                sock.sendall(head("GET", f"{BASE}/refs/main/objects?path=big", authorization=basic(served)))
            else:
                sock.sendall(head("POST", UPLOAD + "w", "Content-Length: 1", authorization=basic(served)) + b"x")
        health_seconds(served.url)
        began = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        served.process.communicate(timeout=30)
        assert time.monotonic() - began < 2.5, "2 s, and what a busy machine adds"
        assert served.process.returncode == 0
        fcntl.flock(lock, fcntl.LOCK_UN)
    check = [sys.executable, "-m", "lakefs_hl", "fsck", str(tmp_path / "lake")]
    assert subprocess.run(check, capture_output=True, check=False, timeout=60).returncode == 0


# -- readers and writers -----------------------------------------------------------------------------------------------


def read_latencies(served: Served, seconds: float, writers: int) -> list[float]:
    """Seconds of listings and stats while the lake's lock is held and many writers wait for it."""
    make_repository(served)
    with connect(served.url) as sock:
        sock.sendall(head("POST", UPLOAD + "a", "Content-Length: 1", authorization=basic(served)) + b"x")
        assert sock.recv(65536).startswith(b"HTTP/1.1 201 ")
    found: list[float] = []
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context((served.folder / "lock").open("rb+"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = [stack.enter_context(connect(served.url)) for _ in range(writers)]
        for index, sock in enumerate(waiting):
            sent = head("POST", f"{UPLOAD}w{index}", "Content-Length: 1", authorization=basic(served)) + b"x"
            sock.sendall(sent)
        reader = stack.enter_context(connect(served.url))
        paths = (f"{BASE}/refs/main/objects/ls", f"{BASE}/refs/main/objects/stat?path=a", f"{BASE}/branches")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for path in paths:
                before = time.perf_counter()
                reader.sendall(head("GET", path, authorization=basic(served)))
                assert reader.recv(65536).startswith(b"HTTP/1.1 200 "), path
                found.append(time.perf_counter() - before)
        fcntl.flock(lock, fcntl.LOCK_UN)
        for sock in waiting:
            assert sock.recv(65536).startswith(b"HTTP/1.1 201 ")
    return sorted(found)


def test_reads_do_not_wait_for_another_process_that_writes(tmp_path: Path) -> None:
    with running(tmp_path / "lake") as served:
        times = read_latencies(served, 2.0, 50)
        assert times[int(len(times) * 0.99)] < 0.25


def test_dripping_headers_do_not_disturb_others(tmp_path: Path) -> None:
    with running(tmp_path / "lake") as served:
        assert abused(served, 100) < 0.25


def abused(served: Served, drippers: int) -> float:
    """The 99th percentile of a healthy client's seconds beside drippers, all of which are sent away in time."""
    end = time.monotonic() + guard.SECONDS + 3
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(connect(served.url)) for _ in range(drippers)]
        for sock in socks:
            sock.sendall(b"GET /api/v1/healthcheck HTTP/1.1\r\nX: ")
            sock.setblocking(False)
        over = threading.Event()
        times: list[float] = []

        def drip() -> None:
            while not over.wait(0.5):
                for sock in socks:
                    with contextlib.suppress(OSError):
                        sock.send(b"a")

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            while time.monotonic() < end:
                times.append(health_seconds(served.url))
                over.wait(0.02)
        finally:
            over.set()
            thread.join()
        for sock in socks:
            sock.setblocking(True)
            assert status_of(rest_of(sock)) in (0, 408)
    return sorted(times)[int(len(times) * 0.99)]
