"""A proxy on real sockets that breaks exchanges on purpose, and notes every one it saw.

It stands between a client and a served lake, one thread per connection. HTTP is understood as far as delimiting one
request and one response; what happens to a request is decided by its *fault*, a function that gets the `Turn`: it may
forward the request, or not, and may send back what it likes, whole, in parts or not at all. `tests.faults.faults` has
the catalogue. Nothing here waits by the clock except a fault that is made of waiting.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit

from lakefs_hl.spec import routes

#: Headers that belong to a connection, not to what is forwarded on it.
_HOP: frozenset[str] = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
#: In "foreign" mode the server is made to look like one that knows nothing of these.
_OURS: frozenset[str] = frozenset({"idempotency-key", "x-lakefs-hl"})
#: A connection to the server that was idle longer is not used again, seconds: the server may be closing it.
IDLE = 1.0


class HungUp(Exception):
    """The fault ends the connection; nothing more is read from it."""


@dataclass
class Reply:
    """A whole response of the server, or one made up."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    reason: str = ""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    def set(self, name: str, value: str) -> Reply:
        kept = [(key, old) for key, old in self.headers if key.lower() != name]
        return Reply(self.status, [*kept, (name, value)], self.body, self.reason)

    def head(self, *lines: str) -> bytes:
        """Status line and headers, then `lines`; without a length of its own."""
        reason = self.reason or http.client.responses.get(self.status, "")
        told = [f"HTTP/1.1 {self.status} {reason}", *(f"{name}: {value}" for name, value in self.headers), *lines]
        return "\r\n".join([*told, "", ""]).encode("latin-1")

    @property
    def bodiless(self) -> bool:
        return self.status in (204, 304)

    def raw(self, *, length: int | None = None) -> bytes:
        """The response as it goes out; `length` is what its Content-Length claims instead of the truth."""
        if self.bodiless:
            return self.head()
        return self.head(f"content-length: {len(self.body) if length is None else length}") + self.body


@dataclass
class Seen:
    """One request that came, and what became of it.

    Attributes:
        operation: lakeFS's operationId; "" if the API has no such request.
        method: HTTP method.
        target: Path and query.
        headers: By lower-case name.
        body: The request's body.
        fault: Name of the fault it met; "" means that it passed.
        status: What the server answered if the request was forwarded, whether or not the client was told; else None.
    """

    operation: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    fault: str = ""
    status: int | None = None

    def __str__(self) -> str:
        became = "not forwarded" if self.status is None else f"server: {self.status}"
        return f"{self.operation or self.target} [{self.fault or 'passed'}; {became}]"


#: What happens to a request. One with an attribute `early` that is true gets it before it is read.
Fault: TypeAlias = "Callable[[Turn], None]"
#: Chooses the fault of a request: its name and what it does; None lets it pass.
Plan: TypeAlias = Callable[[Seen], "tuple[str, Fault] | None"]


class Turn:
    """One request in the hands of a fault.

    Attributes:
        seen: The request.
        proxy: The proxy.
    """

    def __init__(self, proxy: Proxy, conn: socket.socket, seen: Seen) -> None:
        self.proxy = proxy
        self.seen = seen
        self._conn = conn

    def forward(self) -> Reply:
        """Lets the server have the request; returns its response. The client has heard nothing yet."""
        reply = self.proxy.forward(self.seen)
        if self.proxy.between is not None and self.seen.fault:
            hook, self.proxy.between = self.proxy.between, None
            hook()
        return reply

    def send(self, data: bytes) -> None:
        """Sends bytes to the client; a client that has hung up ends the connection."""
        try:
            self._conn.sendall(data)
        except OSError as exc:
            raise HungUp from exc

    def answer(self, reply: Reply) -> None:
        """Sends a whole response; the connection stays."""
        self.send(reply.raw())

    def close(self) -> None:
        """Ends the connection by a FIN: what was sent arrives."""
        raise HungUp

    def reset(self) -> None:
        """Ends the connection by a RST."""
        self._conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise HungUp

    def stall(self) -> None:
        """Says nothing more until the client hangs up, or the proxy closes."""
        with contextlib.suppress(OSError):
            while self._conn.recv(65536):
                pass
        raise HungUp

    def drip(self, data: bytes, pause: float) -> None:
        """Sends byte after byte, `pause` seconds apart, until all is out or the client has had enough."""
        for index in range(len(data)):
            self.send(data[index : index + 1])
            if self.proxy.closing.wait(pause):
                raise HungUp

    def hold(self) -> None:
        """Keeps the request back: it reaches the server with the next of its kind, or at `Proxy.release`."""
        self.proxy.held.append(self.seen)


class Proxy:
    """The proxy of one client.

    Args:
        upstream: URL of the server.
        foreign: Whether to hide from each side what only our own client and server say to each other.

    Attributes:
        plan: Chooses the fault of each request; the default lets all pass.
        between: Called once, after a faulty request was applied and before its client hears of that: what others do
            in the meantime.
        seen: All requests, in the order in which they came.
        held: Requests kept back.
        elsewhere: URL of another server, for faults that send the client there; ends with a slash.
        closing: Set once the proxy closes.
    """

    def __init__(self, upstream: str, *, foreign: bool = False) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self._foreign = foreign
        self.plan: Plan = lambda seen: None
        self.between: Callable[[], None] | None = None
        self.seen: list[Seen] = []
        self.held: list[Seen] = []
        self.elsewhere = "http://127.0.0.1:9/"
        self.closing = threading.Event()
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []
        self._conns: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._accepting = threading.Thread(target=self._accept, name="fault-proxy", daemon=True)
        self._accepting.start()

    # -- what tests ask -----------------------------------------------------------------------------------------------

    def operations(self) -> list[str]:
        """The operationIds of all requests."""
        return [seen.operation for seen in self.seen]

    def count(self, operations: Iterable[str]) -> int:
        """How many requests of these operations came."""
        wanted = frozenset(operations)
        return sum(seen.operation in wanted for seen in self.seen)

    def journal(self) -> str:
        """All exchanges, for a message."""
        return " · ".join(map(str, self.seen)) or "no request"

    def release(self) -> None:
        """Lets the server have what was kept back."""
        while self.held:
            self.forward(self.held.pop(0))

    def refuse(self) -> None:
        """Stops listening: from here on connections are refused."""
        self._stop_listening()
        self._hang_up()

    def close(self) -> None:
        """Ends all of it; returns when no thread of the proxy is left."""
        self.closing.set()
        self._stop_listening()
        self._hang_up()
        for thread in self._threads:
            thread.join()
        for _, upstream in self._idle:
            upstream.close()

    # -- one connection -----------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self._listener.accept()
            except OSError:  # closed
                return
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._conns.add(conn)
                if self.closing.is_set():
                    conn.close()
                    return
                thread = threading.Thread(target=self._serve, args=(conn,), name="fault-proxy", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, conn: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError, HungUp):  # OSError: the client hung up, or the proxy closes
                while self._exchange(conn):
                    pass
        finally:
            with self._lock:
                self._conns.discard(conn)
            conn.close()

    def _exchange(self, conn: socket.socket) -> bool:
        first = _peek(conn)
        if first is None:
            return False
        chosen = self.plan(first)
        early = chosen is not None and getattr(chosen[1], "early", False)
        seen = first if early else _read(conn)
        if seen is None:
            return False
        self.seen.append(seen)
        turn = Turn(self, conn, seen)
        if chosen is None:
            reply = turn.forward()
            self._land(seen)
            turn.answer(reply)
        else:
            seen.fault, fault = chosen
            fault(turn)
        return True

    def _land(self, seen: Seen) -> None:
        """Requests that were kept back and are overtaken by `seen` reach the server now."""
        late = [one for one in self.held if one.operation == seen.operation]
        for one in late:
            self.held.remove(one)
            self.forward(one)

    def forward(self, seen: Seen) -> Reply:
        """Sends a request to the server on a connection of its own, and returns the response."""
        headers = {name: value for name, value in seen.headers.items() if name not in _HOP and name != "expect"}
        if self._foreign:
            headers = {name: value for name, value in headers.items() if name not in _OURS}
        upstream = self._reach()
        try:
            upstream.putrequest(seen.method, seen.target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                upstream.putheader(name, f"{self._upstream[0]}:{self._upstream[1]}" if name == "host" else value)
            if seen.body or seen.method in ("POST", "PUT", "PATCH"):
                upstream.putheader("content-length", str(len(seen.body)))
            upstream.endheaders(seen.body or None)
            response = upstream.getresponse()
            body = response.read()
        except BaseException:
            upstream.close()
            raise
        self._idle.append((time.monotonic(), upstream))
        seen.status = response.status
        hidden = _HOP | _OURS if self._foreign else _HOP
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in hidden]
        return Reply(response.status, kept, body, response.reason)

    def _reach(self) -> http.client.HTTPConnection:
        """A connection to the server that it is not about to close."""
        while self._idle:
            since, upstream = self._idle.pop()
            if time.monotonic() - since < IDLE:
                return upstream
            upstream.close()
        upstream = http.client.HTTPConnection(*self._upstream, timeout=30)
        upstream.connect()
        upstream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return upstream

    def _stop_listening(self) -> None:
        with contextlib.suppress(OSError):  # closed already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()

    def _hang_up(self) -> None:
        with self._lock:
            conns = list(self._conns)
        for conn in conns:
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)


def _peek(conn: socket.socket) -> Seen | None:
    """The request's first line, left where it is; None at the connection's end."""
    data = b""
    while b"\r\n" not in data:
        data = conn.recv(65536, socket.MSG_PEEK)
        if not data:
            return None
    method, target, _ = data.partition(b"\r\n")[0].decode("latin-1").split(" ", 2)
    return Seen(_operation(method, target), method, target, {}, b"")


def _read(conn: socket.socket) -> Seen | None:
    """One request; None at the connection's end."""
    data = b""
    while b"\r\n\r\n" not in data:
        block = conn.recv(65536)
        if not block:
            return None
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert "transfer-encoding" not in headers, "the client never sends chunks"
    left = int(headers.get("content-length", "0")) - len(body)
    blocks = [body]
    while left > 0:
        block = conn.recv(min(left, 1 << 20))
        if not block:
            return None
        blocks.append(block)
        left -= len(block)
    method, target, _ = first.split(" ", 2)
    return Seen(_operation(method, target), method, target, headers, b"".join(blocks))


def _operation(method: str, target: str) -> str:
    path = target.partition("?")[0]
    found = routes.match(path.removeprefix(routes.BASE)) if path.startswith(routes.BASE) else None
    row = found[0].get(method) if found is not None else None
    return row.operation if row is not None else ""


@contextlib.contextmanager
def proxied(upstream: str, *, foreign: bool = False) -> Iterator[Proxy]:
    """A proxy for the length of a block."""
    proxy = Proxy(upstream, foreign=foreign)
    try:
        yield proxy
    finally:
        proxy.close()
