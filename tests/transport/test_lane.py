"""A Gather on the fast lane: what it does like threads, over a network, and what is special about libcurl."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import BuiltinFunctionType
from typing import Any, Final

import msgspec
import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl.ops.effects import Call, Gather, Op, SendAll, gather, gather_each, now, once, send, sleep
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.secret import Secret
from lakefs_hl.spec.wire import FileSlice, Request, Response, TransportError
from lakefs_hl.transport import fast, lane
from lakefs_hl.transport.aio import Aio
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.http import Http
from lakefs_hl.transport.limits import LIMITS
from lakefs_hl.types import Retry
from tests.transport.peers import CERTIFICATES, Peer, answer, answering, peer

pytest.importorskip("pycurl")

from lakefs_hl.transport.easy import Easy, Kind, Trust

AUTHORITY: Final = str(CERTIFICATES / "authority.pem")
WHERE: Final = ("r", "main")
STAT: Final = Request(endpoints.STAT_OBJECT, WHERE, {"path": "k"})
GET: Final = Request(endpoints.GET_OBJECT, WHERE, {"path": "k"})
COMMIT: Final = Request(endpoints.COMMIT, WHERE, headers={"content-type": "application/json"}, body=b"{}")
Handle = Callable[[Peer, socket.socket, int], None]


def put(body: bytes | FileSlice, **more: Any) -> Request:
    return Request(endpoints.UPLOAD_OBJECT, WHERE, {"path": "k"}, {"content-type": "text/plain"}, body, **more)


def outcome(request: Request) -> Op[Any]:
    try:
        return (yield from send(request))
    except Exception as exc:
        return exc


def on_lane(http: Http, *requests: Request, **options: Any) -> list[Any]:
    """Make requests at the same time, with one more op, so that it is a Gather."""
    return list(Blocking(http, **options).run(gather(map(outcome, requests), 8)))


def on_loop(http: Http, op: Op[Any]) -> Any:
    return asyncio.run(Aio(http).run(op))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations that were sent over urllib3."""
    found, original = list[str](), Http.send

    def noted(self: Http, request: Request, *args: Any) -> Response:
        found.append(f"{request.endpoint.operation} on {threading.current_thread().name.partition('_')[0]}")
        return original(self, request, *args)

    monkeypatch.setattr(Http, "send", noted)
    return found


@pytest.fixture
def slow_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers of TLS in this process may be faster than any over a network, and would be asked twice now and then."""
    monkeypatch.setattr("lakefs_hl.transport.easy._AT_ONCE_SECONDS", -1.0)


# -- what it does like threads -----------------------------------------------------------------------------------------


def whole(index: int, made: list[int]) -> Op[Any]:
    """An op that asks for everything."""
    moment = yield from now()
    slept = yield from sleep(0.001)
    here = yield Call(threading.get_ident)
    shared = yield from once("key", outcome(STAT))
    many = yield SendAll([STAT, STAT])
    inner = yield from gather((outcome(STAT) for _ in range(3)), 2)
    response = yield from outcome(put(b"%d" % index))
    made.append(index)
    return [moment > 0, slept >= 0, here > 0, shared.status, len(many), len(inner), response.body]


@pytest.mark.parametrize("way", ["lane", "loop", "threads"])
def test_every_effect_has_its_result(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "threads":
        monkeypatch.setattr(fast, "ENABLED", False)
    made = list[int]()
    with answering(lambda asked: answer(asked.body or b"{}")) as server, contextlib.closing(Http(server.url)) as http:
        op = gather((whole(index, made) for index in range(20)), 8)
        found = on_loop(http, op) if way == "loop" else Blocking(http).run(op)
    assert found == [[True, True, True, 200, 2, 3, b"%d" % index] for index in range(20)]
    assert sorted(made) == list(range(20))


@pytest.mark.parametrize("way", ["lane", "loop"])
def test_results_are_passed_on_where_the_caller_is_and_no_more_run_than_the_limit(way: str) -> None:
    live, most, here = 0, 0, set[int]()
    seen = dict[int, int]()

    def op(index: int) -> Op[int]:
        nonlocal live, most
        live += 1
        most = max(most, live)
        yield from send(STAT)
        live -= 1
        return index

    def ops() -> Iterator[Op[int]]:
        for index in range(40):
            here.add(threading.get_ident())
            yield op(index)

    def take(index: int, result: int) -> None:
        here.add(threading.get_ident())
        seen[index] = result

    with answering(answer(b"{}")) as server, contextlib.closing(Http(server.url)) as http:
        run = gather_each(ops(), 5, take)
        assert (on_loop(http, run) if way == "loop" else Blocking(http).run(run)) is None
        assert server.connections == 5
    assert seen == {index: index for index in range(40)}
    assert most == 5
    assert here == {threading.get_ident()}


@pytest.mark.parametrize("way", ["lane", "loop"])
@pytest.mark.parametrize("what", ["op", "on_result", "iterable"])
def test_the_first_failure_ends_all_and_is_raised(what: str, way: str) -> None:
    unwound = list[int]()

    def op(index: int) -> Op[int]:
        try:
            if index == 3 and what == "op":
                raise LookupError(what)
            yield from send(STAT)
            if index != 2:
                yield from sleep(0, 60)
        finally:
            unwound.append(index)
        return index

    def ops() -> Iterator[Op[int]]:
        for index in range(9):
            if index == 6 and what == "iterable":
                raise LookupError(what)
            yield op(index)

    def fail(index: int, result: int) -> None:
        raise LookupError(what)

    run = Gather(ops(), 8, fail if what == "on_result" else None)

    def call() -> Op[Any]:
        return (yield run)

    with answering(answer(b"{}")) as server, contextlib.closing(Http(server.url)) as http:
        with pytest.raises(LookupError, match=what):
            on_loop(http, call()) if way == "loop" else Blocking(http).run(call())
    assert sorted(unwound) == sorted(set(unwound))


@pytest.mark.parametrize("way", ["lane", "loop"])
def test_ops_that_end_without_a_request_do_not_hold_up_those_under_way(way: str) -> None:
    arrived, until = threading.Event(), time.monotonic() + 5

    def ask() -> Op[None]:
        yield from send(STAT)
        arrived.set()

    def ops() -> Iterator[Op[None]]:
        yield ask()
        while not arrived.is_set() and time.monotonic() < until:
            yield from (skip() for _ in range(64))

    def skip() -> Op[None]:
        return
        yield

    with answering(answer(b"{}")) as server, contextlib.closing(Http(server.url)) as http:
        run = gather_each(ops(), 8, lambda index, result: None)
        on_loop(http, run) if way == "loop" else Blocking(http).run(run)
    assert time.monotonic() < until


def test_a_cancelled_task_ends_its_lane_and_unwinds_its_ops() -> None:
    begun, unwound = threading.Event(), list[str]()

    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        while (asked := server.read(conn, number)) is not None:
            if "heads" in asked.target:
                conn.sendall(answer(b"{}"))
            begun.set()

    def op() -> Op[None]:
        try:
            yield from send(STAT)
        finally:
            unwound.append("begun")
            yield from sleep(0.0)
            unwound.append("ended")

    async def call(http: Http) -> None:
        calling = Aio(http).run(gather((op() for _ in range(3)), 3))
        task = asyncio.get_running_loop().create_task(calling)
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with peer(handle) as server, contextlib.closing(Http(server.url)) as http:
        asyncio.run(call(http))
    assert sorted(unwound) == ["begun"] * 3 + ["ended"] * 3


# -- which requests ----------------------------------------------------------------------------------------------------


def test_what_must_not_be_sent_twice_or_is_large_goes_over_urllib3(
    sent: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lane, "MAX_BYTES", 1000)
    content, sink = os.urandom(2000), bytearray(2000)
    with answering(lambda asked: answer(asked.body or content)) as server:
        with contextlib.closing(Http(server.url)) as http, (tmp_path / "f").open("wb+") as file:
            file.write(content)
            file.flush()
            small, large = FileSlice(file.fileno(), 0, 900), FileSlice(file.fileno(), 0, 2000)
            requests = [
                put(small, digest=True),
                put(content[:900]),
                STAT,
                put(large),
                put(content),
                Request(endpoints.GET_OBJECT, WHERE, {"path": "k"}, sink=memoryview(sink)),
                COMMIT,
                msgspec.structs.replace(put(b"new"), headers={"if-none-match": "*"}),
            ]
            found = on_lane(http, *requests)
    assert [one.status for one in found] == [200] * 8
    assert [one.body for one in found] == [content[:900], content[:900], content, content, content, b"", b"{}", b"new"]
    assert bytes(sink) == content
    assert sorted(sent) == sorted(
        f"{name} on lakefs" for name in ("uploadObject", "uploadObject", "uploadObject", "getObject", "commit")
    )


def test_the_lane_carries_what_may_arrive_twice_without_harm() -> None:
    upload = put(b"x")
    abort = Request(endpoints.ABORT_PRESIGN_MULTIPART_UPLOAD, ("r", "main", "id"), {"path": "k"})
    for request in (STAT, GET, upload, msgspec.structs.replace(GET, headers={"if-match": '"e"'})):
        assert lane.is_carried(request)
    for request in (COMMIT, abort, put(bytes(lane.MAX_BYTES + 1))):
        assert not lane.is_carried(request)
    for name in ("if-match", "if-none-match"):
        assert not lane.is_carried(msgspec.structs.replace(upload, headers={name: "*"}))


@pytest.mark.parametrize("retries", [0, Retry(overwrites=False)], ids=["no retries", "no overwrites"])
def test_a_client_that_does_not_repeat_overwrites_has_no_libcurl_that_does(
    retries: int | Retry, sent: list[str]
) -> None:
    for options in ({}, {"retries": retries}):
        sent.clear()
        with (
            answering(lambda _: answer(b"{}")) as server,
            lakefs_hl.Client(server.url, "key", "secret", **options) as client,  # type: ignore[arg-type]
        ):
            client._run_here(lambda _: gather([send(put(b"1")), send(put(b"2"))], 2))
        over_urllib3 = [name for name in sent if name.startswith("uploadObject")]
        assert len(over_urllib3) == (2 if options else 0)


def test_a_commit_on_a_connection_that_is_closed_is_sent_once() -> None:
    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        while (asked := server.read(conn, number)) is not None:
            if asked.method == "POST":
                return  # read, and closed without a response
            conn.sendall(answer(b"{}"))

    with peer(handle) as server, contextlib.closing(Http(server.url)) as http:
        on_lane(http, STAT, STAT)
        found = on_lane(http, STAT, COMMIT)
        assert isinstance(found[1], TransportError)
        assert sum(asked.method == "POST" for asked in server.asked) == 1


# -- what is sent ------------------------------------------------------------------------------------------------------


def test_a_request_is_the_one_that_urllib3_sends_whatever_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login eve password eve\n")
    (tmp_path / ".curlrc").write_text('user-agent = "eve"\n')
    for name in ("http_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(lane, "MAX_BYTES", 4 << 20)  # libcurl asks before it sends more than 1 MiB, unless told not to
    strange = {"path": "a b/../ü?#%2F"}
    file = tmp_path / "f"
    file.write_bytes(b"x" * 5000)
    fd = os.open(file, os.O_RDONLY)
    requests = [
        Request(endpoints.STAT_OBJECT, WHERE, strange, {"x-empty": "", "x-e": "é"}, authorization=Secret("Basic abc")),
        Request(endpoints.HEAD_OBJECT, WHERE, strange),
        put(b"x" * 5000),
        put(b""),
        put(FileSlice(fd, 0, 5000)),
        put(b"x" * (2 << 20)),
        Request(endpoints.UPLOAD_OBJECT, WHERE, {"path": "k"}, body=b"no type"),
    ]
    with answering(answer(b"")) as server, contextlib.closing(Http(server.url + "/prefix")) as http:
        for request in requests:
            http.send(request)
        expected, server.asked = [(one[:2], dict(one.headers), one.body) for one in server.asked], []
        for request in requests:
            assert on_lane(http, request)[0].status == 200
        assert [(one[:2], dict(one.headers), one.body) for one in server.asked] == expected
    os.close(fd)


@pytest.mark.parametrize("header", [{"x": "a\r\nb: c"}, {"x\n": "a"}, {"x": "\u20ac"}, {"x": "a\0"}])
def test_a_header_that_cannot_be_sent_is_refused(header: dict[str, str]) -> None:
    with answering(answer(b"{}")) as server, contextlib.closing(Http(server.url)) as http:
        bad, good = on_lane(http, Request(endpoints.STAT_OBJECT, WHERE, {"path": "k"}, header), STAT)
    assert isinstance(bad, ValueError)
    assert good.status == 200
    assert len(server.asked) == 1


def test_proxies_get_their_login_and_servers_do_not() -> None:
    with answering(answer(b"{}")) as proxy:
        url = proxy.url.replace("://", "://me:p%40ss@")
        for scheme in ("http", "https"):
            with contextlib.closing(Http(f"{scheme}://lakefs.example:1", proxies={"all": url}, connect=0.3)) as http:
                found = on_lane(http, STAT)[0]
            asked = proxy.asked[-1]
            assert asked.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
            if scheme == "http":
                assert found.status == 200
                assert asked.target.startswith("http://lakefs.example:1/api/v1/")
            else:  # the proxy opens a tunnel that speaks no TLS
                assert (asked.method, asked.target) == ("CONNECT", "lakefs.example:1")
                assert (found.phase, found.applied) == ("tls", False)


def test_a_pre_signed_url_is_guarded_before_anything_is_sent_and_gets_no_credentials() -> None:
    def signed(server: Peer) -> Request:
        url = server.url + "/bucket/k?X-Amz-Signature=hush"
        headers = {"authorization": Secret("Basic abc"), "x-lakefs-x": "1"}
        return Request(endpoints.PRESIGNED_PUT, WHERE, {}, headers, b"data", url=url)

    with answering(answer(b"{}")) as server, answering(answer(b"")) as store:
        with contextlib.closing(Http(server.url)) as http:
            on_lane(http, STAT, STAT)
            refused = on_lane(http, signed(store), STAT)[0]
            assert "is another service on this machine" in str(refused)
            assert "hush" not in str(refused)
            assert not store.connections
        where = store.url.partition("//")[2]
        with contextlib.closing(Http(server.url, allowed_storage_hosts=[where])) as http:
            assert on_lane(http, signed(store), STAT)[0].status == 200
            assert store.asked[0].target == "/bucket/k?X-Amz-Signature=hush"
            assert not {"authorization", "x-lakefs-x", "content-type", "expect"} & store.asked[0].headers.keys()


def test_a_header_of_blanks_is_sent_as_it_is_by_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    request = put(b"x")
    request = msgspec.structs.replace(request, headers={**request.headers, "x-lakefs-meta-blank": " \t"})
    with answering(answer(b"{}")) as server:
        for enabled in (True, False):
            monkeypatch.setattr(fast, "ENABLED", enabled)
            with contextlib.closing(Http(server.url)) as http:
                on_lane(http, request, request)
        assert [one.headers.get("x-lakefs-meta-blank") for one in server.asked] == [""] * 4


@pytest.mark.parametrize("enabled", [True, False])
def test_no_frame_shows_the_login_of_a_proxy(enabled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "ENABLED", enabled)
    strange = msgspec.structs.replace(STAT, headers={"a b": "c"})
    for scheme, request in (("http", strange), ("http", STAT), ("socks", STAT)):
        with contextlib.closing(
            Http("http://127.0.0.1:9", proxies={"http": f"{scheme}://me:hush@127.0.0.1:9"})
        ) as http:
            with pytest.raises((TransportError, ValueError)) as raised:
                Blocking(http).run(gather([send(request), send(request)], 2))
        frame = raised.value.__traceback__
        while frame is not None:
            if frame.tb_frame.f_code.co_filename != __file__:
                assert "hush" not in repr(dict(frame.tb_frame.f_locals)), frame.tb_frame.f_code.co_qualname
            frame = frame.tb_next


def test_no_frame_of_an_error_shows_a_secret() -> None:
    def closing(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn)

    with (
        peer(closing) as server,
        contextlib.closing(Http(server.url, allowed_storage_hosts=[server.url.partition("//")[2]])) as http,
    ):
        ours = msgspec.structs.replace(STAT, authorization=Secret("Basic hush"))
        strange = msgspec.structs.replace(STAT, authorization=Secret("Basic hush\u20ac"))
        signed = Request(endpoints.PRESIGNED_PUT, WHERE, url=f"{server.url}/k?X-Amz-Signature=hush")
        unfit = Request(endpoints.PRESIGNED_PUT, WHERE, url=f"{server.url}/ü?X-Amz-Signature=hush")
        for request in (ours, strange, signed, unfit):
            with pytest.raises((TransportError, ValueError)) as raised:
                Blocking(http).run(gather([send(request), send(STAT)], 2))
            frame = raised.value.__traceback__
            while frame is not None:
                if frame.tb_frame.f_code.co_filename != __file__:
                    assert "hush" not in repr(frame.tb_frame.f_locals)
                frame = frame.tb_next


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("certificate", "options", "words"),
    [
        ("localhost", {"ca_cert": AUTHORITY}, ""),
        ("elsewhere", {"verify_ssl": False}, ""),
        ("localhost", {}, "cannot be verified"),
        ("expired", {"ca_cert": AUTHORITY}, "cannot be verified: certificate has expired"),
        ("elsewhere", {"ca_cert": AUTHORITY}, "cannot be verified"),
        ("localhost", {"ca_cert": "/nonexistent/ca.pem"}, "certificate authorities cannot be read"),
    ],
)
def test_certificates_are_those_of_our_one_setting(certificate: str, options: dict[str, Any], words: str) -> None:
    with answering(answer(b"{}"), certificate=certificate) as server:
        with contextlib.closing(Http(server.url, **options)) as http:
            found = on_lane(http, STAT, STAT)[0]
    if not words:
        assert found.status == 200
        return
    assert words in str(found)
    assert (found.kind, found.phase, found.retry, found.applied) == ("certificate", "tls", False, False)
    assert not server.asked


# -- failures ----------------------------------------------------------------------------------------------------------

LIMIT: Final = LIMITS._replace(window=0.2, rate=1000, head_seconds=0.4)


def says(data: bytes, *, then: str = "close") -> Handle:
    """Read a request, say something, and close, reset or keep the connection."""

    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn)
        conn.sendall(data)
        if then == "reset":
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        elif then == "keep":
            conn.recv(1)

    return handle


def drips(data: bytes, drop: bytes) -> Handle:
    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn)
        conn.sendall(data)
        while True:
            conn.sendall(drop)
            time.sleep(0.05)

    return handle


def never_reads(server: Peer, conn: socket.socket, number: int) -> None:
    conn.recv(10)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    while conn.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 and not server.is_closing:  # type: ignore[attr-defined]
        time.sleep(0.01)


HEAD: Final = b"HTTP/1.1 200 OK\r\n"
SOON: Final = Request(endpoints.STAT_OBJECT, WHERE, {"path": "k"}, timeout=0.15)


@pytest.mark.parametrize(
    ("handle", "request_"),
    [
        pytest.param(says(b""), STAT, id="closed"),
        pytest.param(says(b"", then="reset"), STAT, id="reset"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}"), STAT, id="short body"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}", then="reset"), GET, id="reset body"),
        pytest.param(says(b"SSH-2.0-OpenSSH_9.6\r\n"), STAT, id="ssh"),
        pytest.param(says(b"HTTP/1.1 abc OK\r\n\r\n"), STAT, id="no status"),
        pytest.param(says(HEAD + b"x: y\r\n" * 1001 + b"\r\n"), STAT, id="many lines"),
        pytest.param(says(HEAD + b"x: " + b"y" * (1 << 20)), STAT, id="long line"),
        pytest.param(says(HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\n"), STAT, id="two lengths"),
        pytest.param(says(HEAD + b"content-length: %d\r\n\r\nx" % 10**30), GET, id="length beyond integers"),
        pytest.param(says(HEAD + b"content-length: %d\r\n\r\n" % 10**30), GET, id="length and nothing"),
        pytest.param(says(HEAD + b"transfer-encoding: gzip\r\n\r\nx"), STAT, id="coding"),
        pytest.param(says(HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n"), STAT, id="bad chunk"),
        pytest.param(says(HEAD + b"content-length: 99999999\r\n\r\n"), STAT, id="large record"),
        pytest.param(
            says(
                answer(b"", "400 Bad", content_length="61")
                + b"Client sent an HTTP request to an HTTPS server.\n"
                + b"." * 13
            ),
            STAT,
            id="tls",
        ),
        pytest.param(says(b"", then="keep"), SOON, id="silence"),
        pytest.param(says(HEAD + b"content-length: 10\r\n\r\n{}", then="keep"), SOON, id="silent body"),
        pytest.param(drips(HEAD, b"x: y\r\n"), SOON, id="dripping head"),
        pytest.param(drips(HEAD + b"content-length: 9999\r\n\r\n", b"x"), GET, id="dripping body"),
        pytest.param(
            drips(HEAD + b"content-length: 9999\r\n\r\n", b"x"),
            Request(endpoints.STAT_OBJECT, WHERE, {"path": "k"}, within=0.2),
            id="deadline",
        ),
    ],
)
def test_a_failure_is_the_one_of_urllib3(handle: Handle, request_: Request) -> None:
    with peer(handle) as server, contextlib.closing(Http(server.url, limits=LIMIT)) as http:
        with pytest.raises(TransportError) as raised:
            http.send(request_)
        expected, found = raised.value, on_lane(http, request_)[0]
    assert isinstance(found, TransportError), found
    names = ("kind", "phase", "retry", "applied")
    assert [getattr(found, name) for name in names] == [getattr(expected, name) for name in names], str(found)
    assert 0 <= found.seconds < 20


def test_heads_end_with_their_first_blank_line_however_lines_end() -> None:
    interim = b"HTTP/1.1 103 Hints\nlink: x\n\n"
    with peer(says(interim + answer(b"body"))) as server, contextlib.closing(Http(server.url)) as http:
        assert on_lane(http, GET)[0].body == http.send(GET).body == b"body"


@pytest.mark.parametrize("way", ["lane", "loop"])
@pytest.mark.parametrize("certificate", [None, "localhost"])
def test_what_comes_on_an_idle_connection_is_the_response_to_no_request(
    certificate: str | None, way: str, slow_peers: None
) -> None:
    idle, strange = threading.Event(), threading.Event()

    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        while (asked := server.read(conn, number)) is not None:
            conn.sendall(answer(asked.body or b"right"))
            if number == 1:
                idle.wait(10)
                conn.sendall(answer(b"wrong"))
                strange.set()

    def op() -> Op[list[Any]]:
        first = yield from send(GET)
        yield Call(idle.set)
        yield Call(lambda: strange.wait(10))
        second = yield from send(GET)
        third = yield from send(put(b"third"))
        return [first.body, second.body, third.body]

    with peer(handle, certificate=certificate) as server:
        with contextlib.closing(Http(server.url, ca_cert=AUTHORITY)) as http:
            run = gather([op()], 8)
            found = on_loop(http, run) if way == "loop" else Blocking(http).run(run)
            assert found == [[b"right", b"right", b"third"]]
            assert server.connections == 2
            assert on_lane(http, GET)[0].status == 200
            assert server.connections == 2  # well-behaved ones are kept


def test_a_closed_port_and_a_host_without_a_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url, kind in ((f"http://127.0.0.1:{port}", "refused"), ("http://lakefs.invalid:1", "dns")):
        with contextlib.closing(Http(url)) as http:
            found = on_lane(http, STAT)[0]
        assert (found.kind, found.phase, found.retry, found.applied) == (kind, "connect", True, False)


def test_the_deadline_of_a_call_is_one_of_its_requests() -> None:
    with peer(says(b"", then="keep")) as server, contextlib.closing(Http(server.url)) as http:
        found = on_lane(http, STAT, COMMIT, deadline=0.3)
    assert [(one.kind, one.phase) for one in found] == [("timeout", "wait")] * 2
    assert "the deadline expired" in str(found[0])


def test_what_arrived_while_the_thread_was_busy_is_not_too_late() -> None:
    def busy() -> Op[Any]:
        yield from send(STAT)
        yield Call(lambda: time.sleep(0.5))

    def late(server: Peer, conn: socket.socket, number: int) -> None:
        while server.read(conn, number) is not None:
            time.sleep(0.1 if number > 1 else 0.0)
            conn.sendall(answer(b"{}"))

    slow = msgspec.structs.replace(STAT, timeout=0.3, within=0.4)
    with peer(late) as server, contextlib.closing(Http(server.url)) as http:
        assert Blocking(http).run(gather([busy(), outcome(slow)], 3))[1].status == 200


def raising(*_: Any) -> None:
    raise LookupError("a callback")


def test_an_exception_of_a_callback_is_raised_as_itself_and_not_retried(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x" * 500)
    with (
        answering(answer(b"y" * 500)) as server,
        contextlib.closing(Http(server.url)) as http,
        file.open("rb+") as open_file,
    ):
        fd = open_file.fileno()
        requests = [
            put(FileSlice(fd, 0, 500, raising)),
            put(FileSlice(fd, 0, 501)),
            Request(endpoints.GET_OBJECT, WHERE, {"path": "k"}, sink=FileSlice(fd, 0, 500, None, raising)),
            Request(endpoints.GET_OBJECT, WHERE, {"path": "k"}, sink=FileSlice(-1, 0, 500)),
            Request(endpoints.GET_OBJECT, WHERE, {"path": "k"}, sink=memoryview(bytearray(499))),
            STAT,
        ]
        found = on_lane(http, *requests)
    assert [type(one) for one in found] == [LookupError, EOFError, LookupError, OSError, TransportError, Response]
    assert not capfd.readouterr().err


# -- interrupts and processes ------------------------------------------------------------------------------------------

INTERRUPTED: Final = """
import gc, os, random, signal, sys, threading, time, warnings
from lakefs_hl.ops.effects import gather, send, sleep, Call
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import FileSlice, Request
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.easy import Easy
from lakefs_hl.transport.http import Http

url, times = sys.argv[1], int(sys.argv[2])
http, live = Http(url), set()
file = os.open(__file__ if "__file__" in globals() else sys.executable, os.O_RDONLY)
requests = [
    Request(endpoints.STAT_OBJECT, ("r", "main"), {"path": "k"}),
    Request(endpoints.UPLOAD_OBJECT, ("r", "main"), {"path": "k"}, body=b"x" * 1000),
    Request(endpoints.UPLOAD_OBJECT, ("r", "main"), {"path": "k"}, body=FileSlice(file, 0, 5000)),
]

def op(index):
    live.add(index)
    try:
        yield from send(requests[index % 3])
        yield from send(requests[(index + 1) % 3])
    finally:
        live.discard(index)

def endless():
    index = 0
    while True:
        yield op(index)
        index += 1

driver = Blocking(http)
descriptors = None
lost = 0
for number in range(times):
    timer = threading.Timer(random.uniform(0.0, 0.01), os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        driver.run(gather(endless(), 16))
    except KeyboardInterrupt:
        pass
    else:
        lost += 1
    timer.join()
    assert not live, live
    if number == 20:
        gc.collect()
        descriptors = len(os.listdir("/proc/self/fd"))
gc.collect()
more = len(os.listdir("/proc/self/fd")) - descriptors
easies = sum(isinstance(one, Easy) for one in gc.get_objects())
assert driver.run(gather((op(index) for index in range(50)), 16)) == [None] * 50
http.close()
gc.collect()
print(lost, max(0, more - 40), sum(isinstance(one, Easy) for one in gc.get_objects()))
"""


def test_no_callback_is_a_function_of_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An interrupt at its start would be printed and lost."""
    import pycurl

    found = dict[int, Any]()

    class Recorded(pycurl.Curl):  # type: ignore[misc]  # pycurl has no types
        def setopt(self, option: int, value: Any, **more: Any) -> None:
            if callable(value):
                found[option] = value
            super().setopt(option, value, **more)

    monkeypatch.setattr(pycurl, "Curl", Recorded)
    (tmp_path / "f").write_bytes(b"x" * 500)
    with answering(answer(b"{}")) as server, (tmp_path / "f").open("rb") as file:
        where = server.url.partition("//")[2]
        with contextlib.closing(Http(server.url, allowed_storage_hosts=[where])) as http:
            signed = Request(endpoints.PRESIGNED_PUT, WHERE, body=b"data", url=f"{server.url}/k")
            answers = on_lane(http, STAT, put(FileSlice(file.fileno(), 0, 500)), signed)
    assert [one.status for one in answers] == [200] * 3
    assert {pycurl.SEEKFUNCTION, pycurl.OPENSOCKETFUNCTION, pycurl.WRITEFUNCTION, pycurl.READFUNCTION} <= found.keys()
    for callback in found.values():
        for each in (callback.func, *callback.keywords.values()) if isinstance(callback, partial) else (callback,):
            assert isinstance(each, BuiltinFunctionType), each


def test_a_body_is_begun_again_from_its_start_only(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 500)
    trust, kind = Trust(True, "", ""), Kind("PUT", "file", "", False)
    with (tmp_path / "f").open("rb") as file:
        made = Easy(kind, trust, LIMITS)
        made._request = put(FileSlice(file.fileno(), 0, 500), digest=True)
        begin = partial(max, True, key=made._callbacks[3].send)
        assert [begin(0, 0), begin(1, 0), begin(0, 2), begin(0, 0)] == [0, 1, 1, 0]
        assert made._reader.read(1000) == b"x" * 500
        del made._request
        assert begin(0, 0) == 1
        assert isinstance(made._kept, AttributeError)
        made.close()


def test_no_interrupt_is_lost_and_none_leaves_anything_behind() -> None:
    with answering(answer(b"{}")) as server:
        command = [sys.executable, "-c", INTERRUPTED, server.url, "200"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # hangs if one is lost
    assert ended.stdout.split() == ["0", "0", "0"], ended.stderr[-3000:]
    assert not ended.stderr


@pytest.mark.parametrize("error", [KeyboardInterrupt(), LookupError("a guard")])
def test_what_a_callback_raised_is_not_lost_while_libcurl_goes_on(error: BaseException) -> None:
    with contextlib.closing(Http("http://127.0.0.1:9")) as http:
        multi = http.open_multi()
        assert multi is not None
        multi.start(STAT, 0, None)
        next(iter(multi._flying.values()))._kept = error  # as after an address, where libcurl tries the next one
        if isinstance(error, Exception):
            assert multi._check_times() == [(0, error)]
        else:
            with pytest.raises(KeyboardInterrupt):
                multi._check_times()
        multi.close()


def test_a_wake_is_not_sent_to_what_gets_its_descriptor() -> None:
    """A thread wakes a Gather that ends meanwhile: its socket is closed after the byte was sent, not before."""
    begun, go = threading.Event(), threading.Event()

    class Slow:
        def __init__(self, real: socket.socket) -> None:
            self.close, self.real = real.close, real

        def send(self, data: bytes) -> None:
            begun.set()
            go.wait(10)
            assert self.real.fileno() >= 0
            bytes_sent.append(data)

    bytes_sent = list[bytes]()
    with contextlib.closing(Http("http://127.0.0.1:9")) as http:
        multi: Any = http.open_multi()
        multi.listen()
        multi._wakes = multi._wakes[0], Slow(multi._wakes[1])
        waking, ending = threading.Thread(target=multi.wake), threading.Thread(target=multi.ignore)
        waking.start()
        begun.wait(10)
        ending.start()
        ending.join(0.05)
        go.set()
        for thread in (waking, ending):
            thread.join()
        multi.close()
    assert bytes_sent == [b"\0"]


def test_a_child_leaves_the_connections_of_its_parent_alone(slow_peers: None) -> None:
    with answering(answer(b"{}"), certificate="localhost") as server:
        with contextlib.closing(Http(server.url, ca_cert=AUTHORITY)) as http:
            on_lane(http, STAT)
            child = os.fork()
            if not child:
                try:
                    fine = on_lane(http, STAT)[0].status == 200 and server.connections
                    http.close()
                    os._exit(0 if fine else 1)
                finally:
                    os._exit(2)
            assert os.waitpid(child, 0)[1] == 0
            assert on_lane(http, STAT)[0].status == 200
            assert server.connections == 2


def test_connections_are_kept_until_the_client_is_closed() -> None:
    with answering(answer(b"{}")) as server, contextlib.closing(Http(server.url)) as http:
        for _ in range(3):
            on_lane(http, STAT)
        assert server.connections == 1
        http.close()
        on_lane(http, STAT)
        assert server.connections == 2

        def closing() -> Op[None]:
            yield from send(STAT)
            http.close()

        Blocking(http).run(gather([closing(), closing()], 2))
        assert not http._multis


def connected_to(port: int) -> int:
    """The number of descriptors of this process that are connections to a port."""
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if int(row[2].partition(":")[2], 16) == port}
    found = 0
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # that of the listing itself is closed
            found += str(path.readlink()) in sockets
    return found


@pytest.mark.parametrize("certificate", [None, "localhost"])
def test_a_gather_leaves_no_more_connections_than_threads_would(certificate: str | None, slow_peers: None) -> None:
    width = threading.Barrier(12)

    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        while server.read(conn, number) is not None:
            if number <= 12:
                width.wait(10)
            conn.sendall(answer(b"{}"))

    with peer(handle, certificate=certificate) as server:
        with contextlib.closing(Http(server.url, ca_cert=AUTHORITY, fan_out=4, width=12)) as http:
            Blocking(http).run(gather((send(STAT) for _ in range(12)), 12))
            assert server.connections == 12
            assert connected_to(server.port) == 4 == len(http._multis[0].resting)


def test_a_multi_that_is_kept_while_its_transport_is_closed_is_closed(mocker: MockerFixture) -> None:
    with answering(answer(b"{}")) as server, contextlib.closing(Http(server.url)) as http:
        for moment in ("trim", "append"):
            on_lane(http, STAT)
            multi: Any = http.open_multi()
            if moment == "trim":  # just before it is kept
                mocker.patch.object(multi, "trim", side_effect=lambda _: http.close())
            else:  # just after
                http._multis = Closing(http)
            http.keep_multi(multi)
            assert not http._multis
            assert not connected_to(server.port)


class Closing(list[Any]):
    def __init__(self, http: Http) -> None:
        super().__init__()
        self._http = http

    def append(self, one: Any) -> None:
        super().append(one)
        self._http.close()


@pytest.mark.parametrize("why", ["old", "broken", "gevent", "gate", ""])
def test_threads_do_it_where_the_lane_is_off(why: str, sent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import pycurl

    fast._load.cache_clear()
    options: dict[str, Any] = {}
    if why == "old":
        monkeypatch.setattr(pycurl, "version", "PycURL/7.46.1 libcurl/8")
    elif why == "broken":
        monkeypatch.setitem(sys.modules, "pycurl", None)
    elif why == "gevent":
        monkeypatch.setitem(sys.modules, "gevent.monkey", type("monkey", (), {"is_module_patched": bool}))
    elif why == "gate":
        options["most"] = 3
    with answering(answer(b"{}")) as server, contextlib.closing(Http(server.url, **options)) as http:
        assert [one.status for one in on_lane(http, STAT, STAT)] == [200, 200]
    fast._load.cache_clear()
    assert len(sent) == (0 if not why else 2)


# -- logs --------------------------------------------------------------------------------------------------------------


def test_each_exchange_is_logged_as_by_threads(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = dict[bool, list[str]]()
    with answering(lambda asked: answer(b"{}", "404 No" if asked.method == "HEAD" else "200 OK")) as server:
        for enabled in (True, False):
            monkeypatch.setattr(fast, "ENABLED", enabled)
            caplog.clear()
            with caplog.at_level(logging.DEBUG, "lakefs_hl"), contextlib.closing(Http(server.url)) as http:
                on_lane(http, STAT, put(b"abc"), Request(endpoints.HEAD_OBJECT, WHERE, {"path": "k"}))
            lines[enabled] = sorted(re.sub(r"in \d+\.\d+ s", "", one.getMessage()) for one in caplog.records)
    assert len(lines[True]) == 3
    assert lines[True] == lines[False]
