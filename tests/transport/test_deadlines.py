"""Every exchange ends in time: peers that drip, stall or never stop, on real sockets; and no thread or file stays open.

Times are short and limits generous: an exchange must end by its own clock, and not by the peer's.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from pytest_mock import MockerFixture

from lakefs_hl.ops import objects, refs
from lakefs_hl.ops.auth import anonymous
from lakefs_hl.ops.effects import Cancelled, Op, Sleep, gather, once, send, sleep
from lakefs_hl.ops.retry import Policy, Session
from lakefs_hl.ops.transfer import download
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.wire import FileSlice, Request, Response, TransportError
from lakefs_hl.transport.aio import Aio
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.deadlines import FOREVER, Bounds, cut_sleep, remaining
from lakefs_hl.transport.exchange import Watch
from lakefs_hl.transport.http import Http
from lakefs_hl.transport.limits import LIMITS
from lakefs_hl.transport.scope import Scope
from tests.transport.fakes import STAT, Fake, same
from tests.transport.peers import Peer, answer, peer

WITHIN: Final = 0.2
SOON: Final = 10.0  # far from what the peer would make of it, and far above what a busy machine adds
READ = Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"})
HEAD = b"HTTP/1.1 200 OK\r\n"
#: A transfer that must move 64 KiB per second, judged every 0.3 s.
PACED = LIMITS._replace(rate=64 << 10, window=0.3)


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """No thread and no file descriptor outlives a test."""
    gc.collect()
    threads, files = set(threading.enumerate()), _open_files()
    yield
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        left = set(threading.enumerate()) - threads
        if not left and _open_files() <= files:
            return
        gc.collect()
        os.sched_yield()
    assert (left, _open_files()) == (set(), files)


def _open_files() -> int:
    with contextlib.suppress(FileNotFoundError):
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    return 0


def dripping(beginning: bytes, drop: bytes, pause: float = 0.05) -> Callable[[Peer, socket.socket, int], None]:
    """A peer that reads a request, begins to answer, and goes on by drops until the client hangs up."""

    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn)
        conn.sendall(beginning)
        conn.settimeout(pause or None)
        while True:
            conn.sendall(drop)
            if pause:
                try:
                    if not conn.recv(1):
                        return
                except TimeoutError:
                    continue

    return handle


def silent(server: Peer, conn: socket.socket, number: int) -> None:
    while conn.recv(65536):
        pass


DRIPS = {
    "nothing": silent,
    "status line": dripping(b"HTTP/1.1 200", b"O"),
    "headers": dripping(HEAD, b"x-a: 1\r\n"),
    "one header": dripping(HEAD + b"x-a: ", b"1"),
    "interim responses": dripping(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "body": dripping(HEAD + b"content-length: 100000\r\n\r\n", b" "),
    "body to the end of the connection": dripping(HEAD + b"connection: close\r\n\r\n", b" "),
    "chunks": dripping(HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "chunk extension": dripping(HEAD + b"transfer-encoding: chunked\r\n\r\n1", b";a"),
    "trailers": dripping(HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n \r\n0\r\n", b"a: b\r\n"),
    "error body": dripping(b"HTTP/1.1 500 Oops\r\ncontent-length: 100000\r\n\r\n", b" "),
}
ENDLESS = {
    "headers": dripping(HEAD, b"x-a: 1\r\n" * 100, 0),
    "one header": dripping(HEAD + b"x-a: ", b"1" * 10000, 0),
    "interim responses": dripping(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10, 0),
    "chunk extension": dripping(HEAD + b"transfer-encoding: chunked\r\n\r\n1", b";a" * 1000, 0),
    "trailers": dripping(HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n \r\n0\r\n", b"a: b\r\n" * 100, 0),
    "body": dripping(HEAD + b"connection: close\r\n\r\n", b" " * 65536, 0),
    "chunks": dripping(HEAD + b"transfer-encoding: chunked\r\n\r\n", b"10\r\n0123456789abcdef\r\n" * 1000, 0),
}


@contextlib.contextmanager
def speaking(server: Peer, **options: Any) -> Iterator[Http]:
    transport = Http(server.url, **options)
    try:
        yield transport
    finally:
        transport.close()


def broken(transport: Http, request: Request, within: float | None = None) -> TransportError:
    began = time.monotonic()
    with pytest.raises(TransportError) as caught:
        transport.send(request, None, within)
    assert time.monotonic() - began < SOON
    return caught.value


# ------------------------------------------------------------------------------------------------- one exchange


@pytest.mark.parametrize("how", DRIPS)
def test_a_peer_that_drips_ends_by_the_deadline(how: str) -> None:
    with peer(DRIPS[how]) as server, speaking(server) as transport:
        error = broken(transport, STAT, WITHIN)
    assert error.kind == "timeout"
    assert "the deadline expired after" in str(error)
    assert error.seconds >= 0.95 * WITHIN  # timers of the system may be early by some milliseconds


def test_a_peer_that_drips_over_tls_ends_by_the_deadline() -> None:
    handle = dripping(HEAD + b"content-length: 100000\r\n\r\n", b" ")
    with peer(handle, certificate="localhost") as server, speaking(server, verify_ssl=False) as transport:
        error = broken(transport, STAT, 2.0)  # the handshake takes its time on a busy machine
    assert (error.kind, error.phase) == ("timeout", "read")


def test_a_tls_handshake_without_an_answer_times_out() -> None:
    with peer(silent) as server:
        server.url = server.url.replace("http:", "https:")
        with speaking(server) as transport:
            error = broken(transport, STAT, WITHIN)
    assert (error.kind, error.phase, error.applied) == ("timeout", "tls", False)
    assert "deadline expired" in str(error)


@pytest.mark.parametrize("through", ["TLS", "the proxy"])
def test_connecting_as_a_whole_has_a_time_limit(through: str) -> None:
    """Each step takes long, though none alone takes too long."""

    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        conn.recv(65536)
        conn.settimeout(0.05)
        while True:
            conn.sendall(b"\x16\x03\x03\x40\x00" if through == "TLS" else b"H")
            with contextlib.suppress(TimeoutError):
                if not conn.recv(65536):
                    return

    with peer(handle) as server:
        place = server.url
        if through == "TLS":
            server.url = place.replace("http:", "https:")
            options = {}
        else:
            server.url, options = "https://127.0.0.1:1", {"proxies": {"https": place}}
        with speaking(server, **options) as transport:
            error = broken(transport, STAT, WITHIN)
    assert error.applied is False
    assert error.kind in ("timeout", "proxy", "certificate", "protocol")
    assert error.seconds < SOON


def test_a_peer_that_accepts_no_connection_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # the system connects, and the server never reads
        transport = Http(f"http://127.0.0.1:{listener.getsockname()[1]}")
        error = broken(transport, STAT, WITHIN)
        transport.close()
    assert error.kind == "timeout"


def test_a_look_up_that_never_ends_times_out(mocker: MockerFixture) -> None:
    over = threading.Event()

    def look_up(*args: Any, **kwargs: Any) -> Any:
        over.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    looked_up = mocker.patch.object(socket, "getaddrinfo", side_effect=look_up)
    transport = Http("http://lakefs.example")
    error = broken(transport, STAT, WITHIN)
    over.set()  # the resolver's thread ends
    assert (error.kind, error.phase, error.applied) == ("timeout", "connect", False)
    assert [call.args[0] for call in looked_up.call_args_list] == ["lakefs.example"]


def test_a_look_up_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    over, scope = threading.Event(), Scope()

    def look_up(host: str, *args: Any, **kwargs: Any) -> Any:
        scope.cancel()
        over.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    began = time.monotonic()
    with pytest.raises(Cancelled):
        Http("http://lakefs.example").send(STAT, scope)
    assert time.monotonic() - began < SOON
    over.set()


def test_a_connection_that_is_made_too_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    over, real = threading.Event(), socket.getaddrinfo

    def look_up(host: str, *args: Any, **kwargs: Any) -> Any:
        over.wait(60)
        return real("127.0.0.1", *args, **kwargs)

    with peer(silent) as server:
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        transport = Http(f"http://lakefs.example:{server.port}")
        assert broken(transport, STAT, WITHIN).phase == "connect"
        over.set()
        end = time.monotonic() + SOON
        while any(thread.name == "lakefs_hl-connect" for thread in threading.enumerate()):
            assert time.monotonic() < end
            os.sched_yield()
        assert server.asked == []


def test_a_host_that_is_looked_up_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *args, **kwargs: real("127.0.0.1", *args, **kwargs))
    with peer(dripping(answer(b"{}"), b"", 0.01)) as server:
        transport = Http(f"http://lakefs.example:{server.port}")
        assert transport.send(STAT).status == 200
        transport.close()


@pytest.mark.parametrize("body", ["bytes", "file"])
def test_a_peer_that_does_not_read_times_out(body: str) -> None:
    gone = threading.Event()

    def stuck(server: Peer, conn: socket.socket, number: int) -> None:
        conn.recv(1000)
        gone.wait(60)

    with peer(stuck) as server, speaking(server) as transport, tempfile.TemporaryFile() as file:
        file.truncate(50 << 20)
        content = bytes(50 << 20) if body == "bytes" else FileSlice(file.fileno(), 0, 50 << 20)
        request = Request(endpoints.UPLOAD_OBJECT, ("r", "main"), {"path": "k"}, body=content)
        error = broken(transport, request, WITHIN)
        gone.set()
    assert (error.kind, error.phase) == ("timeout", "send")
    assert 0 < error.sent < 50 << 20


def test_waiting_for_a_connection_counts_against_the_deadline() -> None:
    with peer(silent) as server, speaking(server) as transport:
        slots = transport._lane(transport._endpoint).pool.slots
        while slots.take(object()):
            pass
        error = broken(transport, STAT, WITHIN)
    assert (error.kind, error.phase, error.applied) == ("timeout", "connect", False)
    assert "all connections to 127.0.0.1" in str(error)


def test_after_the_deadline_nothing_is_sent() -> None:
    with peer(silent) as server, speaking(server) as transport:
        error = broken(transport, STAT, 0.0)
        assert (error.kind, error.applied, server.connections) == ("timeout", False, 0)


def test_a_request_may_have_a_connect_timeout_of_its_own() -> None:
    with peer(silent) as server:
        server.url = server.url.replace("http:", "https:")
        with speaking(server) as transport:
            error = broken(transport, Request(STAT.endpoint, STAT.params, STAT.query, connect=0.2))
    assert (error.kind, error.phase) == ("timeout", "tls")
    assert "did not complete the TLS handshake" in str(error)


@pytest.mark.parametrize("how", ["nothing", "headers", "interim responses", "status line"])
def test_the_connect_timeout_limits_the_time_of_a_proxys_tunnel(how: str) -> None:
    """A transfer has no deadline that would end it instead."""
    with peer(DRIPS[how]) as proxy:
        place, proxy.url = proxy.url, "https://127.0.0.2:1"
        with speaking(proxy, proxies={"https": place}) as transport:
            error = broken(transport, Request(READ.endpoint, READ.params, READ.query, connect=0.2))
    assert (error.kind, error.phase, error.applied) == ("timeout", "connect", False)
    assert f"the proxy 127.0.0.1:{proxy.port}" in str(error)


# ------------------------------------------------------------------------------------------------------- endless


@pytest.mark.parametrize("how", [how for how in ENDLESS if how not in ("body", "chunks")])
@pytest.mark.parametrize("request_", [STAT, READ], ids=["record", "data"])
def test_a_head_that_never_ends_is_a_protocol_failure(how: str, request_: Request) -> None:
    with peer(ENDLESS[how]) as server, speaking(server) as transport:
        error = broken(transport, request_)
    assert (error.kind, error.retry) == ("protocol", False)


@pytest.mark.parametrize("how", ["body", "chunks"])
def test_a_record_that_never_ends_is_too_large(how: str) -> None:
    with peer(ENDLESS[how]) as server, speaking(server, limits=LIMITS._replace(record=64 << 10)) as transport:
        error = broken(transport, STAT)
    assert error.kind == "protocol"
    assert "the response is larger than" in str(error)


# --------------------------------------------------------------------------------------------------- the rate


@pytest.mark.parametrize(
    ("how", "sink"),
    [
        ("body", True),
        ("body", False),
        ("body to the end of the connection", False),
        ("chunks", True),
        ("chunk extension", False),
        ("trailers", True),
    ],
)
def test_a_download_that_crawls_ends(how: str, sink: bool) -> None:
    room = memoryview(bytearray(100000)) if sink else None
    with peer(DRIPS[how]) as server, speaking(server, limits=PACED) as transport:
        error = broken(transport, Request(READ.endpoint, READ.params, READ.query, sink=room))
    assert (error.kind, error.phase) == ("timeout", "read")
    assert "moved fewer than 65,536 bytes per second over 0.3 s" in str(error)


def test_the_framing_of_chunks_is_no_progress() -> None:
    """Long extensions around chunks of one byte: fast on the wire, and a crawl all the same."""
    long = b"1;" + b"a" * 4000 + b"\r\n \r\n"
    handle = dripping(HEAD + b"transfer-encoding: chunked\r\n\r\n", long, 0.01)
    with peer(handle) as server, speaking(server, limits=PACED) as transport:
        assert broken(transport, READ).kind == "timeout"


def test_a_download_that_stalls_ends_after_the_window() -> None:
    with peer(dripping(HEAD + b"content-length: 100000\r\n\r\n" + b" " * 50000, b"", 0.05)) as server:
        with speaking(server, limits=PACED) as transport:
            error = broken(transport, READ)
            assert "moved fewer than" in str(error)
            patient = Request(READ.endpoint, READ.params, READ.query, timeout=0.6)
            error = broken(transport, patient)  # a longer read timeout accepts a longer stall
    assert error.seconds >= 0.57


def test_an_upload_that_crawls_ends() -> None:
    def sip(server: Peer, conn: socket.socket, number: int) -> None:
        conn.settimeout(0.05)
        over = time.monotonic() + 60
        while time.monotonic() < over and conn.recv(100):
            with contextlib.suppress(TimeoutError):
                conn.recv(0) or threading.Event().wait(0.02)

    with peer(sip) as server, speaking(server, limits=PACED) as transport:
        request = Request(endpoints.UPLOAD_OBJECT, ("r", "main"), {"path": "k"}, body=bytes(50 << 20))
        error = broken(transport, request)
    assert (error.kind, error.phase) == ("timeout", "send")
    assert "moved fewer than 65,536 bytes per second" in str(error)


def test_the_headers_of_a_transfer_have_a_time_limit() -> None:
    with peer(DRIPS["headers"]) as server, speaking(server, limits=PACED) as transport:
        error = broken(transport, Request(READ.endpoint, READ.params, READ.query, timeout=0.2))
    assert error.kind == "timeout"
    assert "did not finish the headers" in str(error)


def test_interim_responses_share_the_time_limit_of_the_final_one() -> None:
    limits = LIMITS._replace(head_seconds=0.3)
    with peer(DRIPS["interim responses"]) as server, speaking(server, limits=limits) as transport:
        assert broken(transport, READ).kind == "timeout"


@pytest.mark.parametrize(
    ("moves", "slow"),
    [
        ([(1.0, 1024)] * 100, False),
        ([(1.0, 1000)] * 100, True),
        ([(0.5, 2)] * 100, True),
        ([(29.0, 1)], False),  # not yet
        ([(29.0, 1), (29.0, 1)], True),
        ([(1.0, 1 << 20), *[(1.0, 1)] * 29], False),
        ([(1.0, 1 << 20), *[(1.0, 1)] * 40], True),  # a fast beginning does not count later
        ([(0.0, 1)] * 1000, False),  # no wait, no fault
    ],
)
def test_the_rate_is_of_the_last_seconds_of_waiting(moves: list[tuple[float, int]], slow: bool) -> None:
    watch = Watch(1024, 30.0)
    assert any(watch.note(seconds, count) for seconds, count in moves) is slow


# ---------------------------------------------------------------------------------------------- the whole call


class Clock:
    """Time that passes only during a request or a wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.within = list[float | None]()
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.spend)

    def spend(self, seconds: float) -> None:
        self.now += seconds

    def transport(self, seconds: float) -> Fake:
        def reply(request: Request, scope: Scope | None, within: float | None) -> Response:
            self.within.append(within)
            self.spend(seconds)
            return Response(204)

        return Fake(reply, fan_out=1)


def test_one_deadline_for_all_requests_and_pauses_of_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    def op() -> Op[None]:
        while True:
            yield from send(STAT)
            yield from gather([send(STAT)], 4)
            yield from once("key", send(STAT))
            yield from sleep(0.0, 1.0)

    with pytest.raises(TransportError, match="deadline expired before"):
        Blocking(clock.transport(2.0), 10.0).run(op())
    assert clock.within == [10.0, 8.0, 6.0, 3.0, 1.0]


def test_without_a_deadline_each_request_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    Blocking(clock.transport(2.0)).run(gather([send(STAT)] * 1, 1))
    assert clock.within == [None]


def test_a_pause_is_cut_to_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert Blocking(clock.transport(0.0), 10.0).run(sleep(0.0, 60.0)) == 10.0


def one_by_one(after: str, amount: int) -> Op[models.ObjectPage]:
    yield from send(STAT)
    number = f"{int(after or 0) + 1:04d}"
    row = models.ObjectStats(number, "object")
    return models.ObjectPage(models.Pagination(True, number, 1, 1000), [row])


def test_the_deadline_of_a_listing_counts_waiting_only(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    rows = Blocking(clock.transport(2.0), 10.0).pages(one_by_one, "", None, same)
    seen = list[int]()
    with pytest.raises(TransportError, match="deadline"):
        for row in rows:
            seen.append(int(row.path))
            clock.spend(1000.0)  # the caller's own time
    assert seen == [1, 2, 3, 4, 5]


def _driver(colour: str, transport: Any, deadline: float) -> Callable[[Op[Any]], Any]:
    if colour == "blocking":
        return Blocking(transport, deadline).run
    return lambda op: asyncio.run(Aio(transport, deadline).run(op))


@pytest.mark.parametrize("colour", ["blocking", "aio"])
@pytest.mark.parametrize("how", ["nothing", "body", "interim responses"])
def test_a_call_ends_by_its_deadline_whatever_it_retries(how: str, colour: str) -> None:
    session = Session(anonymous(), Policy(deadline=0.5, timeout=0.2, base=0.01))
    with peer(DRIPS[how]) as server, speaking(server) as transport:
        began = time.monotonic()
        with pytest.raises(errors.DeadlineExceeded, match=r"looking up lakefs://r/main/k"):
            _driver(colour, transport, 0.5)(objects.stat(session, "r", "main", "k"))
        assert 0.2 <= time.monotonic() - began < SOON


@pytest.mark.parametrize("colour", ["blocking", "aio"])
def test_a_transfer_has_the_deadline_that_was_set(colour: str) -> None:
    session = Session(anonymous(), Policy(deadline=0.4, attempts=1))
    with peer(DRIPS["body"]) as server, speaking(server) as transport:
        with pytest.raises(errors.DeadlineExceeded, match="deadline expired"):
            _driver(colour, transport, 0.4)(download(session, "r", "main", "k", pre_signed=False))


def test_many_calls_that_wait_for_a_worker_end_together() -> None:
    """Many times as many as there are workers: the time in the queue counts, else this would take ten seconds."""
    session = Session(anonymous(), Policy(deadline=0.4, attempts=1))

    async def main(transport: Http) -> list[Any]:
        driver = Aio(transport, 0.4)
        ops = [driver.run(objects.stat(session, "r", "main", "k")) for _ in range(100)]
        ended = await asyncio.gather(*ops, return_exceptions=True)
        await driver.close()
        return ended

    with peer(silent) as server:
        began = time.monotonic()
        ended = asyncio.run(main(Http(server.url, fan_out=4)))
        assert time.monotonic() - began < 6.0
    assert {type(error) for error in ended} == {errors.DeadlineExceeded}


@pytest.mark.parametrize("colour", ["blocking", "aio"])
def test_a_call_that_waits_for_another_login_keeps_its_own_deadline(colour: str) -> None:
    entered, over = threading.Event(), threading.Event()

    def reply(request: Request, scope: Scope | None, within: float | None) -> Response:
        entered.set()
        over.wait(30)
        return Response(204)

    transport = Fake(reply)
    if colour == "blocking":
        driver = Blocking(transport)
        leader = threading.Thread(target=lambda: driver.run(once("login", send(STAT))))
        leader.start()
        assert entered.wait(10)
        driver._deadline = 0.1
        with pytest.raises(errors.DeadlineExceeded, match="login of another call"):
            driver.run(once("login", send(STAT)))
        over.set()
        leader.join()
        driver.close()
        return

    async def main() -> None:
        slow = Aio(transport)
        first = asyncio.ensure_future(slow.run(once("login", send(STAT))))
        while not entered.is_set():
            await asyncio.sleep(0)
        slow._deadline = 0.1
        with pytest.raises(errors.DeadlineExceeded, match="login of another call"):
            await slow.run(once("login", send(STAT)))
        over.set()
        await first
        await slow.close()

    asyncio.run(main())


def test_a_leader_whose_deadline_expires_does_not_fail_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = itertools.count()
    waiting, entered = threading.Event(), threading.Event()

    def reply(request: Request, scope: Scope | None, within: float | None) -> Response:
        if next(calls) == 0:  # the leader's
            entered.set()
            assert waiting.wait(10)
            assert within is not None
            time.sleep(within)
            raise TransportError("wait", "the deadline expired", kind="timeout")
        return Response(204)

    transport = Fake(reply)
    short, patient = Blocking(transport, 0.2), Blocking(transport)
    patient._runs, patient._lock = short._runs, short._lock  # as two calls of one client
    failed = list[BaseException]()

    def lead() -> None:
        try:
            short.run(once("login", send(STAT)))
        except TransportError as exc:
            failed.append(exc)

    leader = threading.Thread(target=lead)
    leader.start()
    assert entered.wait(10)
    waiting.set()
    assert patient.run(once("login", send(STAT))).status == 204
    leader.join()
    assert len(failed) == 1


def test_the_workers_of_cancelled_calls_become_free() -> None:
    async def main(transport: Http) -> None:
        driver = Aio(transport)
        session = Session(anonymous(), Policy(attempts=1))
        tasks = [asyncio.ensure_future(driver.run(refs.commit(session, "r", "main"))) for _ in range(4)]
        while len(server.asked) < 4:
            await asyncio.sleep(0.001)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await driver.close()

    with peer(DRIPS["body"]) as server:
        asyncio.run(main(Http(server.url, fan_out=4)))


# ----------------------------------------------------------------------------------- timeouts, without a connection


@pytest.mark.parametrize(
    ("request_", "within", "expected"),
    [
        (STAT, None, Bounds(5.0, STAT.endpoint.timeouts.read, STAT.endpoint.timeouts.deadline, None)),
        (STAT, 2.0, Bounds(5.0, STAT.endpoint.timeouts.read, 2.0, None)),
        (msgspec.structs.replace(STAT, within=1.0), 2.0, Bounds(5.0, STAT.endpoint.timeouts.read, 1.0, None)),
        (msgspec.structs.replace(STAT, timeout=3.0), None, Bounds(3.0, 3.0, STAT.endpoint.timeouts.deadline, None)),
        (
            msgspec.structs.replace(STAT, timeout=3.0, connect=4.0),
            None,
            Bounds(4.0, 3.0, STAT.endpoint.timeouts.deadline, None),
        ),
        (READ, None, Bounds(5.0, READ.endpoint.timeouts.read, FOREVER, LIMITS.window)),
        (msgspec.structs.replace(READ, timeout=90.0), None, Bounds(5.0, 90.0, FOREVER, 90.0)),
    ],
)
def test_a_requests_own_timeouts_go_before_those_of_its_row(
    request_: Request, within: float | None, expected: Bounds
) -> None:
    assert Bounds.of(request_, within) == expected


def test_without_a_deadline_nothing_is_cut() -> None:
    pause = Sleep(3.0, 1.0)
    assert remaining(FOREVER) is None
    assert cut_sleep(pause, FOREVER) is pause


def test_after_the_deadline_no_request_is_sent_and_no_pause_made() -> None:
    past = time.monotonic() - 1.0
    with pytest.raises(TransportError, match="the deadline expired before the request was sent") as caught:
        remaining(past)
    assert (caught.value.kind, caught.value.retry, caught.value.applied) == ("timeout", False, False)
    cut = cut_sleep(Sleep(3.0, 1.0), past)
    assert (cut.upto, cut.atleast) == (0.0, 0.0)


def test_after_the_deadline_nothing_of_many_exchanges_is_sent() -> None:
    from lakefs_hl.ops.effects import send_all
    from lakefs_hl.transport.blocking import Blocking
    from tests.transport.fakes import SERIAL, STAT, WAVES

    for way in (SERIAL, WAVES):
        transport = way(lambda *_: pytest.fail("it was sent"))
        found = Blocking(transport, deadline=-1.0).run(send_all([STAT] * 2))
        assert [str(one) for one in found] == ["the deadline expired before the request was sent"] * 2
        assert found[0] is not found[1]
