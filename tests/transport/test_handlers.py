"""What a signal handler of the user raises reaches the user as itself, and is not a failure of the network."""

from __future__ import annotations

import contextlib
import functools
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

import pytest

from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Request, TransportError
from lakefs_hl.transport.http import Http
from tests.transport.peers import Peer, answer, peer
from tests.transport.ways import run, ways

GET: Final = Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"})


class AlarmError(TimeoutError):
    pass


def alarm(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)  # as one that works once: who it was cannot be looked up later
    raise AlarmError


def of_any_arguments(*args: Any) -> None:
    raise AlarmError


class Alarm:
    def __call__(self, number: int, frame: FrameType | None) -> None:
        raise AlarmError


@contextlib.contextmanager
def alarms(handler: Callable[..., Any]) -> Iterator[None]:
    old = signal.signal(signal.SIGALRM, handler)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


@ways
@pytest.mark.parametrize("said", [b"", answer(b"half of it")[:-3]], ids=["wait", "read"])
@pytest.mark.parametrize("kept", [False, True], ids=["new", "kept"])
def test_the_timeout_of_an_alarm_is_not_one_of_the_network(way: str, said: bytes, kept: bool) -> None:
    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        if kept:
            server.read(conn, number)
            conn.sendall(answer(b"fine"))
        server.read(conn, number)
        conn.sendall(said)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        conn.recv(1)

    with peer(handle) as server, contextlib.closing(Http(server.url)) as http, alarms(alarm):
        with pytest.raises(AlarmError):
            run(way, http, *[GET] * (1 + kept))
        assert len(server.asked) == 1 + kept


@pytest.mark.parametrize(
    "handler", [of_any_arguments, Alarm(), functools.partial(alarm)], ids=["*", "object", "partial"]
)
def test_a_handler_may_be_anything_that_is_called(handler: Callable[..., Any]) -> None:
    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn, number)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        conn.recv(1)

    with peer(handle) as server, contextlib.closing(Http(server.url)) as http, alarms(handler):
        with pytest.raises(AlarmError):
            http.send(GET)


@ways
def test_a_timeout_of_the_network_is_one_also_where_a_handler_is_set(way: str) -> None:
    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn, number)
        conn.recv(1)

    soon = Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"}, timeout=0.1)
    with peer(handle) as server, contextlib.closing(Http(server.url)) as http, alarms(alarm):
        (found,) = run(way, http, soon)
    assert isinstance(found, TransportError)
    assert found.kind == "timeout"
