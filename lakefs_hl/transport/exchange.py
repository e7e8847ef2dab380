"""One exchange over sockets: its phase, the time limits of every wait, and how another thread ends it.

Every wait on a socket passes through here and is cut to what the deadline leaves, so a peer that drips bytes reaches
the same limit as one that sends none. Time spent elsewhere (on a slow disk) does not count against a peer's rate.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from urllib3.connection import HTTPConnection  # noqa: TC002 - loaded by the others anyway
from urllib3.util import wait_for_read

from lakefs_hl.spec.wire import Phase, Response
from lakefs_hl.transport import hashing
from lakefs_hl.transport.deadlines import Bounds
from lakefs_hl.transport.greenlets import Local
from lakefs_hl.transport.hashing import Hash
from lakefs_hl.transport.limits import LIMITS, Limits
from lakefs_hl.transport.route import Guard
from lakefs_hl.transport.scope import Flag, Scope
from lakefs_hl.transport.workers import launch

_MARKS: Final = 8
#: A body of at most so many bytes goes out together with the headers.
_JOINED: Final = 64 << 10


class UnusableConnectionError(Exception):
    """There is something to read on a kept connection before the request is sent: its end, or bytes of no request.

    Nothing was sent. What is there would be taken for the response. Not an `OSError`, which urllib3 would wrap.
    """


class Watch:
    """Measures whether a transfer moves fewer than `rate` bytes per second over the last `window` seconds of waits."""

    __slots__ = ("_clock", "_marks", "_moved", "_rate", "_step", "_window")

    def __init__(self, rate: int, window: float) -> None:
        self._rate, self._window, self._step = rate, window, window / _MARKS
        self._clock = 0.0
        self._moved = 0
        self._marks: deque[tuple[float, int]] = deque([(0.0, 0)])

    @property
    def window(self) -> float:
        """Return the seconds that are averaged over."""
        return self._window

    def note(self, seconds: float, count: int) -> bool:
        """Count a wait and the bytes that moved in it; return whether the transfer is too slow."""
        self._clock += seconds
        self._moved += count
        clock, marks = self._clock, self._marks
        if clock - marks[-1][0] < self._step:
            return False
        marks.append((clock, self._moved))
        while clock - marks[1][0] >= self._window:
            marks.popleft()
        since, had = marks[0]
        return clock - since >= self._window and self._moved - had < self._rate * (clock - since)

    def count(self, count: int) -> None:
        """Count bytes whose wait has been noted."""
        self._moved += count


class Exchange:
    """One exchange under way; belongs to the thread that makes it.

    Args:
        bounds: Its timeouts, which begin now.
        scope: Lets another thread end it.
        guard: Called with the peer's address before anything is sent; may raise.
        careful: Whether it must not be sent on a socket that may be closing.
        limits: Sizes, counts and the rate that the peer is held to.
        secret: Whether its URL is pre-signed, and so in no log.

    Attributes:
        until: When its time limit is reached, on the monotonic clock.
        proxy: Host and port of the proxy on the way; "" without one.
        phase: How far it is.
        sent: Body bytes handed to the network.
        received: Body bytes received.
        headers: Headers of the response, once they are received: names in lower case, values of one name joined.
        response: Status and headers, once they are received.
        hashed: What hashes the bytes that move, if the request asks for it. Closed by `finish`.
        is_kept: Whether the connection has had a response to an earlier request.
        early: Body bytes sent when something arrived although there were more to send. None if nothing did.
        has_surplus: Whether bytes arrived behind the response.
        slow: Why it was ended although the peer sent something in time; "" otherwise.
    """

    sent: int
    slow: str
    early: int | None

    __slots__ = (
        "_at_body",
        "_awaiting",
        "_bound",
        "_connect",
        "_connecting",
        "_head",
        "_head_until",
        "_lock",
        "_met",
        "_over",
        "_read",
        "_watch",
        "_wire_counts",
        "bounds",
        "careful",
        "early",
        "guard",
        "has_surplus",
        "hashed",
        "headers",
        "is_kept",
        "limits",
        "phase",
        "proxy",
        "received",
        "response",
        "scope",
        "secret",
        "sent",
        "slow",
        "until",
    )

    def __init__(
        self,
        bounds: Bounds,
        scope: Scope | None,
        guard: Guard | None,
        *,
        careful: bool = False,
        limits: Limits = LIMITS,
        secret: bool = False,
    ) -> None:
        self.bounds: Bounds = bounds
        self._connect, self._read = bounds.connect, bounds.read
        self.scope: Scope | None = scope
        self.careful: bool = careful
        self.guard: Guard | None = guard
        self.limits: Limits = limits
        now = time.monotonic()
        self.until: float = now + bounds.within
        self.secret: bool = secret
        self.proxy: str = ""
        self.phase: Phase = "connect"
        self.sent = 0
        self.received: int = 0
        self.headers: dict[str, str] = {}
        self.response: Response | None = None
        self.hashed: Hash | None = None
        self.slow = ""
        self.is_kept: bool = False
        self.early = None
        self.has_surplus: bool = False
        self._watch: Watch | None = None
        self._wire_counts = False
        self._bound = min(self.until, now + limits.head_seconds)
        self._head = b""
        self._head_until = 0.0
        self._awaiting = False
        self._at_body = False
        self._connecting = False
        self._met = False
        self._over = False
        self._lock: threading.Lock | None = None

    @property
    def left(self) -> float:
        """Return the seconds to the time limit."""
        return self.until - time.monotonic()

    @property
    def is_out_of_step(self) -> bool:
        """Return whether the connection must not be used again: what arrives on it next may be of this exchange."""
        return self.has_surplus or self.early is not None

    def restart(self) -> None:
        """Drop what was prepared for a connection that was not usable."""
        if self.hashed is not None:
            hashing.close(self.hashed)
        self.hashed = None
        self._head, self._at_body, self.phase = b"", False, "connect"

    # -- connecting ----------------------------------------------------------------------------------------------------

    @property
    def is_connecting(self) -> bool:
        """Return whether the connection is still being made, a proxy's tunnel included."""
        return self._connecting

    def connect(self, connection: HTTPConnection, connect: Callable[[], None]) -> None:
        """Connect. Names are looked up on a thread of their own: nothing else ends a look-up (getaddrinfo) in time."""
        self.phase, self._connecting, self._met = "connect", True, False
        self.is_kept = False
        if self.scope is not None:
            self.scope.check()
        connection.timeout = max(min(self._connect, self.left), 1e-3)
        if _needs_no_lookup(connection.host):
            connect()
        else:
            self._lock = threading.Lock()
            _Connecting(self, connection, connect).wait(self._bound - time.monotonic())
        if self.scope is not None:
            self.scope.check()
        self._connecting = False

    def on_connect(self, sock: Any) -> None:
        """Check the peer's address before anything is sent; called again with the TLS layer.

        The TLS handshake gets the connect timeout, cut to the time limit. From here on a cancellation can shut the
        socket down.
        """
        if not self._connecting:
            return
        with self._lock or contextlib.nullcontext():
            if self._over:
                msg = "the exchange has ended"
                raise TimeoutError(msg)
            if self.scope is not None:
                self.scope.attach(partial(shut, sock))
        sock.settimeout(max(min(self._connect, self.left), 1e-3))
        if not self._met:
            self._met = True
            if self.guard is not None:
                self.guard(str(sock.getpeername()[0]))

    def on_tunnel(self, sock: socket.socket) -> None:
        """Note that a proxy has opened a tunnel: its time does not count against the TLS handshake and the server."""
        self._head_until, self._bound, self._awaiting = 0.0, self.until, False
        sock.settimeout(max(min(self._connect, self.left), 1e-3))

    def finish(self) -> None:
        """End the exchange; what a late look-up opens is closed again."""
        self._over = True
        if self.hashed is not None:
            hashing.close(self.hashed)
        if self._lock is not None:
            with self._lock:  # a socket that is attached at this moment is detached below
                pass
        if self.scope is not None:
            self.scope.detach()

    # -- sending -------------------------------------------------------------------------------------------------------

    def send(self, connection: HTTPConnection, data: Any, fallback: Callable[[Any], None]) -> None:
        """Send in pieces: each may take the read timeout, and each is counted.

        The headers wait for a short body and go out with it, in one packet.

        Raises:
            UnusableConnectionError: There is something to read on a kept connection. Nothing was sent.
        """
        if connection.sock is None:
            connection.connect()
        if self._connecting or not isinstance(data, bytes | bytearray | memoryview):
            fallback(data)
        elif not self._at_body:
            self._head += data
        else:
            self._send(connection, data)

    def _send(self, connection: HTTPConnection, data: bytes | bytearray | memoryview) -> None:
        if self.is_kept and self.phase == "connect" and has_input(connection.sock):  # just before the first bytes
            raise UnusableConnectionError
        self.phase, self._bound = "send", self.until
        head, self._head = self._head, b""
        if head and len(data) > _JOINED:
            self._transmit(connection.sock, head, len(head))
            head = b""
        self._transmit(connection.sock, head + data if head else data, len(head))

    def _transmit(self, sock: socket.socket, data: bytes | bytearray | memoryview, headers: int) -> None:
        """Send bytes, of which the first `headers` are not counted."""
        left = memoryview(data)
        while left:
            # only on a kept connection: on a new one of TLS, that is the server's tickets, and nothing can be older
            if self.is_kept and self.sent and self.early is None and has_input(sock):
                self.early = self.sent
            count = self._move(sock, sock.send, left)
            left = left[count:]
            self.sent += max(0, count - headers)
            headers = max(0, headers - count)

    def headers_sent(self) -> None:
        """Note that the body follows."""
        self._at_body = True
        self._start_watch()

    def request_sent(self, connection: HTTPConnection) -> None:
        """Note that the request is complete, and send what was held back."""
        if self._head:
            self._send(connection, b"")
        self.phase = "wait"

    # -- receiving -----------------------------------------------------------------------------------------------------

    def await_head(self) -> None:
        """Wait for a head: for its first byte the read timeout, and as long again for all of it."""
        if not self._head_until:  # interim responses share the time of the final one
            seconds = self._connect if self._connecting else self.limits.head_seconds  # else a proxy's tunnel
            self._head_until = min(self.until, time.monotonic() + seconds)
        self._bound = self._head_until
        self._watch = None
        self._awaiting = True

    def await_body(self, *, chunked: bool) -> None:
        """Wait for a body. Of a chunked one the payload is counted, not the framing."""
        self._awaiting, self._bound = False, self.until
        self._wire_counts = not chunked
        self._start_watch()

    def receive(self, sock: Any, buffer: Any) -> int:
        """Read what has arrived, and return its number of bytes."""
        count = self._move(sock, sock.recv_into, buffer)
        if self._awaiting:
            self._awaiting = False
            self._bound = min(self._bound, time.monotonic() + self._read)
        return count

    def payload(self, count: int) -> None:
        """Count bytes of a chunked body."""
        if self._watch is not None:
            self._watch.count(count)

    # -- both ----------------------------------------------------------------------------------------------------------

    def _start_watch(self) -> None:
        if self.bounds.window is not None:
            self._watch = Watch(self.limits.rate, self.bounds.window)

    def _move(self, sock: Any, move: Callable[[Any], int], data: Any) -> int:
        """Move bytes, and wait no longer than read timeout, rate and time limit allow."""
        began = time.monotonic()
        wait, watch = self._connect if self._connecting else self._read, self._watch
        if watch is not None and watch.window < wait:
            wait = watch.window
        if self._bound - began < wait:
            wait = self._bound - began
            if wait <= 0:
                self._expire()
        if sock.gettimeout() != wait:
            sock.settimeout(wait)
        try:
            count = move(data)
        except TimeoutError:
            if watch is not None and wait == watch.window:
                self._stall(watch)
            if time.monotonic() >= self._bound:
                self._expire()
            raise
        if watch is not None:
            counted = count if self._wire_counts or self.phase == "send" else 0
            if watch.note(time.monotonic() - began, counted):
                self._stall(watch)
        return count

    def _stall(self, watch: Watch) -> None:
        self.slow = f"moved fewer than {self.limits.rate:,} bytes per second over {watch.window:g} s"
        raise TimeoutError(self.slow)

    def _expire(self) -> None:
        if self._bound < self.until:
            self.slow = "did not finish the headers of its response in time"
        msg = "the time limit is reached"
        raise TimeoutError(msg)


class _Connecting:
    """A connection that is being made on another thread, which closes it if it is too late."""

    def __init__(self, exchange: Exchange, connection: HTTPConnection, connect: Callable[[], None]) -> None:
        self._exchange, self._connection, self._connect = exchange, connection, connect
        self._wake = Flag()
        self._lock = threading.Lock()
        self._ended = self._abandoned = False
        self._error: BaseException | None = None

    def wait(self, seconds: float) -> None:
        """Wait for the connection, and raise what connecting raised, or TimeoutError."""
        exchange = self._exchange
        try:
            try:
                launch(threading.Thread(target=self._work, name="lakefs_hl-connect", daemon=True))
            except RuntimeError:  # as at the interpreter's exit: a look-up has limits of its own
                self._connect()
                return
            if exchange.scope is not None:
                exchange.scope.attach(self._wake.set)
            self._wake.wait(seconds)
        finally:
            with self._lock:
                self._abandoned = not self._ended
        if exchange.scope is not None:
            exchange.scope.check()
        if self._abandoned:
            msg = "connecting timed out"
            raise TimeoutError(msg)
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        begin(self._exchange)
        try:
            self._connect()
        except BaseException as exc:  # noqa: BLE001 - raised by the thread that waits
            self._error = exc
        finally:
            end()
            with self._lock:
                self._ended = True
                late = self._abandoned
            self._wake.set()
            if late:
                self._connection.close()


def _needs_no_lookup(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def has_input(sock: Any) -> bool:
    """Return whether there is something to read, the end of the connection included, also inside of a TLS layer."""
    pending = getattr(sock, "pending", None)
    return (pending is not None and pending() > 0) or wait_for_read(sock, timeout=0.0)


def shut(sock: Any) -> None:
    """Shut a socket down under the thread that waits on it."""
    plain = sock if isinstance(sock, socket.socket) else getattr(sock, "socket", None)  # below TLS within TLS
    if isinstance(plain, socket.socket):
        with contextlib.suppress(OSError):  # closed meanwhile
            # not SSLSocket.shutdown, which drops the TLS layer under a reading thread
            socket.socket.shutdown(plain, socket.SHUT_RDWR)


_here = Local()


def current() -> Exchange | None:
    """Return the exchange that this thread makes."""
    return getattr(_here, "exchange", None)


def begin(exchange: Exchange) -> None:
    """Set the exchange that this thread makes; connections look it up."""
    _here.exchange = exchange


def end(outer: Exchange | None = None) -> None:
    """Set the exchange of this thread to the one around it: a callback for progress of one may make another."""
    _here.exchange = outer
