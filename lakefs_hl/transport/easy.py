"""One exchange as a handle of libcurl: its options, its callbacks, and its outcome.

Rules of the room: libcurl never chooses a proxy, a redirect, a login or a protocol, and reads nothing of the
environment. An exception of a callback is kept and raised as itself: pycurl would print it, and libcurl would report a
code.

Python handles a signal when a function of Python begins. While libcurl works that is a callback, outside of any `try`
in it, and a Ctrl-C there would be printed and lost. So each callback is the `send` of a generator, which is C code and
goes on inside of a `try`. Where several arguments come, or something else than a number is returned, `max` calls it for
each argument, and returns one of them.
"""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Generator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

import pycurl

from lakefs_hl.spec.secret import Secret
from lakefs_hl.spec.wire import FileSlice, Phase, Request, Response, TransportError
from lakefs_hl.transport import failures
from lakefs_hl.transport.body import BodyReader, OwnFileError, Receiver, md5, receiver
from lakefs_hl.transport.curl_causes import NOT_KEPT, NOT_SENT, PARTIAL, TLS, Ended, fault_of
from lakefs_hl.transport.deadlines import Bounds
from lakefs_hl.transport.failures import Fault, wants_tls
from lakefs_hl.transport.framing import BODILESS, BrokenReply, Chunks, MalformedReply, body_length, is_chunked
from lakefs_hl.transport.hashing import Hash
from lakefs_hl.transport.limits import Limits
from lakefs_hl.transport.reply import final_head_of, is_short
from lakefs_hl.transport.route import Target, parse, place, without_login
from lakefs_hl.transport.timing import Moved, Timing

#: Options that pycurl passes on and has no names for: long ones, by their number in curl.h.
_SUPPRESS_CONNECT_HEADERS: Final = 265
_QUICK_EXIT: Final = 322
_NAME: Final = re.compile(r"[!#-'*+.0-9A-Z^-z|~-]+")
_SECRET: Final = frozenset({"authorization", "proxy-authorization", "cookie"})
#: Bytes that libcurl reads and sends at once.
_BUFFER: Final = 128 << 10
#: A response that begins sooner after its request was there before.
_AT_ONCE_SECONDS: Final = 0.00005
#: A larger body in memory is not kept until the next exchange of its handle.
_KEPT: Final = 64 << 10


class Trust(NamedTuple):
    """Which certificates are accepted.

    Attributes:
        verify: False accepts any.
        file: File of certificate authorities; "" for none.
        directory: Directory of them; "" for none.
    """

    verify: bool
    file: str
    directory: str


class Kind(NamedTuple):
    """What is the same for all exchanges of a handle.

    Attributes:
        method: HTTP method.
        body: Where the body is: "" for none, "bytes" or "file".
        proxy: URL of the proxy with its login; "" without one.
        secret: Whether URLs are pre-signed: they may lead to other hosts.
    """

    method: str
    body: str
    proxy: str
    secret: bool

    def __repr__(self) -> str:  # the proxy's URL may have a password
        return f"<Kind {self.method} {self.body}>"


class _Opened:
    """Sockets that were opened for pycurl, which takes a duplicate of what `fileno` returns, once."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self.descriptor: dict[str, int] = {}
        self.fileno = partial(self.descriptor.pop, "fd", pycurl.SOCKET_BAD)

    def close(self) -> None:
        while self.sockets:
            self.sockets.pop().close()


class Easy:
    """A handle of libcurl, for one exchange after the other.

    Args:
        kind: What all its exchanges have in common.
        trust: Which certificates are accepted.
        limits: Sizes, counts and the rate that peers are held to.

    Attributes:
        curl: The handle.
        index: Number of the op whose exchange it makes.
        timing: Timeouts of its exchange.
    """

    def __init__(self, kind: Kind, trust: Trust, limits: Limits) -> None:
        self.kind: Final = kind
        self.curl: Any = pycurl.Curl()
        self.index: int = -1
        self._limits = limits
        self._connect = -1.0
        self._lines: list[bytes] = []
        self._headers: dict[str, str] = {}
        self._server: tuple[object, str] = None, ""
        self._kept: BaseException | None = None
        self._is_fresh = False
        self._opened = _Opened()
        self._callbacks = [self._take_blocks(), self._give_blocks(), self._open_sockets(), self._begin_bodies()]
        for callback in self._callbacks:
            next(callback)
        self._configure(trust)

    def _configure(self, trust: Trust) -> None:
        curl = self.curl
        _set_options(curl, self.kind, trust)
        _set_method(curl, self.kind)
        if self.kind.body == "file":
            curl.setopt(pycurl.READFUNCTION, self._callbacks[1].send)
            curl.setopt(pycurl.SEEKFUNCTION, partial(max, True, key=self._callbacks[3].send))
        curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)  # libcurl has limits of its own, the same for all
        curl.setopt(pycurl.WRITEFUNCTION, self._callbacks[0].send, use_memoryview=True)

    # -- an exchange ---------------------------------------------------------------------------------------------------

    def begin(self, request: Request, target: Target, bounds: Bounds, index: int, now: float) -> None:
        """Set what is to be sent. The handle is ready then to be added to a multi.

        Args:
            request: The request.
            target: Where it goes.
            bounds: Its timeouts.
            index: Number of the op that asks for it.
            now: The time of the monotonic clock.

        Raises:
            ValueError: A header or the URL cannot be sent.
        """
        self.index, self._request, self._target = index, request, target
        self.timing: Timing = Timing(bounds, self._limits, now)
        self._hashed: Hash | None = md5(request)
        self._response: Response | None = None
        self._receiver: Receiver | None = None
        self._chunks: Chunks | None = None
        self._kept = None
        self._full = False
        self._lines.clear()
        curl = self.curl
        if bounds.connect != self._connect:
            self._connect = bounds.connect
            curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(bounds.connect * 1000)))
        if self.kind.body:
            self._set_body(request.body)
        if target.url is not self._server[0]:
            self._server = target.url, f"{target.url.scheme}://{place(target.url)}"
        curl.setopt(pycurl.URL, _url(self._server[1], target.path))
        if target.headers != self._headers:  # mostly those of the last exchange
            self._headers = {}
            curl.setopt(pycurl.HTTPHEADER, _lines_of(target.headers, has_body=bool(self.kind.body)))
            self._headers = target.headers
        if self.kind.secret:
            curl.setopt(pycurl.OPENSOCKETFUNCTION, partial(max, self._opened, key=self._callbacks[2].send))

    def is_too_early(self) -> bool:
        """Return whether a response has begun on a kept connection of TLS. Asked just after the request was sent.

        No network is as fast. A peer on this machine may be, and then gets the request twice.
        """
        if self._target.url.scheme != "https" or not self._lines or not self.is_on_kept_connection():
            return False
        curl = self.curl
        return bool(curl.getinfo(pycurl.STARTTRANSFER_TIME) - curl.getinfo(pycurl.PRETRANSFER_TIME) <= _AT_ONCE_SECONDS)

    def is_on_kept_connection(self) -> bool:
        """Return whether the connection was made for an earlier exchange, and no interrupt is to be raised."""
        return not self.curl.getinfo(pycurl.NUM_CONNECTS) and isinstance(self._kept, Exception | None)

    def is_misled(self, code: int) -> bool:
        """Return whether a kept connection was closed, or had something else than a response, by libcurl's code.

        libcurl itself tries five closed ones, and then gives up.
        """
        return code in NOT_KEPT and not self._lines and self.is_on_kept_connection()

    @property
    def has_surplus(self) -> bool:
        """Return whether anything has arrived behind the response."""
        return self._chunks is not None and self._chunks.has_surplus

    def begin_anew(self) -> None:
        """Set everything for the same exchange again, on a connection of its own."""
        timing = self.timing
        self.begin(self._request, self._target, timing.bounds, self.index, timing.since)
        self._is_fresh = True
        self.curl.setopt(pycurl.FRESH_CONNECT, 1)

    def _set_body(self, body: bytes | FileSlice) -> None:
        if isinstance(body, FileSlice):
            self._reader = BodyReader(body, self._hashed)
            self.curl.setopt(pycurl.INFILESIZE_LARGE, body.length)
        else:
            if self._hashed is not None:
                self._hashed.update(body)
            self.curl.setopt(pycurl.POSTFIELDS, body)

    def _open_sockets(self) -> Generator[int, Any, None]:
        """Open sockets, and check the peer's address before anything is sent to it.

        Takes what `max` compares, the holder of the descriptor, a purpose and an address. All are equal, so the first
        one is what pycurl gets, and asks for the descriptor that is left for it here.
        """
        while True:
            try:
                while True:
                    value = yield 0
                    if value is self._opened or isinstance(value, int):
                        continue
                    family, kind, protocol, where = value
                    guard = self._target.guard
                    if guard is not None and not self.kind.proxy:
                        guard(str(where[0]))
                    conn = socket.socket(family, kind, protocol)
                    self._opened.sockets.append(conn)
                    self._opened.descriptor["fd"] = conn.fileno()
            except GeneratorExit:
                raise
            except BaseException as exc:  # noqa: BLE001 - raised by `outcome`
                self._kept = self._kept or exc

    def _begin_bodies(self) -> Generator[int, Any, None]:
        """Begin the body again: libcurl has found the connection closed before the request was sent.

        Takes what `max` compares: True, which means failure, an offset and its origin. The origin 0 means success too.
        """
        key, place = 0, list[int]()
        while True:
            try:
                while True:
                    value = yield key
                    key = 0
                    if value is True:
                        place.clear()
                        continue
                    place.append(value)
                    if place == [0, 0]:
                        self._hashed = md5(self._request)
                        if isinstance(self._request.body, FileSlice):
                            self._reader = BodyReader(self._request.body, self._hashed)
                        key = 1
            except GeneratorExit:
                raise
            except BaseException as exc:  # noqa: BLE001 - raised by `outcome`
                self._kept, key = self._kept or exc, 0

    def _take_blocks(self) -> Generator[Any, Any, None]:
        answer: int | None = None
        while True:
            try:
                while True:
                    block = yield answer
                    answer = None
                    taker = self._receiver or self._read_head()
                    if taker is not None:
                        for piece in (block,) if self._chunks is None else self._chunks.feed(block):
                            taker.feed(piece)
                            if taker.is_full:
                                self._full, answer = True, -1
                                break
            except GeneratorExit:
                raise
            except BaseException as exc:  # noqa: BLE001 - raised by `outcome`
                self._kept, answer = self._kept or exc, -1

    def _give_blocks(self) -> Generator[Any, Any, None]:
        answer: Any = b""
        while True:
            try:
                while True:
                    size = yield answer
                    answer = b""
                    answer = self._reader.read(size)
            except GeneratorExit:
                raise
            except BaseException as exc:  # noqa: BLE001 - raised by `outcome`
                self._kept, answer = self._kept or exc, pycurl.READFUNC_ABORT

    def _read_head(self) -> Receiver | None:
        """Read the head of the final response, and return what takes its body. None if the head is not complete.

        Raises:
            HTTPException: It is not a head, or exceeds a limit.
            TransportError: It announces what was not asked for.
        """
        found = final_head_of(self._lines, self._limits)
        if found is None:
            return None
        status, reason, headers = found
        if is_chunked(headers) and status not in BODILESS and self.kind.method != "HEAD":
            self._chunks = Chunks(self._limits)
        self._response = Response(status, headers, reason=reason)
        taker = self._receiver = receiver(self._request, self._response, self._limits, self._hashed)
        return taker

    def _try_head(self) -> None:
        """Read the head if it is complete, and keep what is wrong with it."""
        if self._kept is None and self._receiver is None:
            try:
                self._read_head()
            except Exception as exc:  # noqa: BLE001 - raised by `outcome`
                self._kept = exc

    # -- its outcome ---------------------------------------------------------------------------------------------------

    def outcome(self, code: int, message: str, now: float) -> Response:
        """Return the response.

        Args:
            code: libcurl's code.
            message: libcurl's message.
            now: The time of the monotonic clock.

        Raises:
            TransportError: There is no response, or its body is incomplete.
            BaseException: What a callback raised, as itself.
        """
        self._try_head()
        if self._kept is not None:
            raise self._kept_error(now)
        if code and not self._full:
            raise self._error(fault_of(self._describe(code, message)), now)
        response, taker = self._response, self._receiver
        if response is None or taker is None:
            raise self._error(failures.connection_closed(place(self._target.url), "wait"), now)
        is_cut = self._chunks is not None and not self._chunks.is_over
        if not self._full and self.kind.method != "HEAD" and (is_cut or is_short(response, taker.received)):
            raise self._error(fault_of(self._describe(PARTIAL, "")), now)
        taker.finish()
        response.seconds = now - self.timing.since
        guard = self._target.guard
        if guard is not None and not self.kind.secret and self.curl.getinfo(pycurl.NUM_CONNECTS):
            guard(str(self.curl.getinfo(pycurl.PRIMARY_IP)))
        if response.status == 400 and self._target.url.scheme == "http" and wants_tls(response.body):
            raise self._error(failures.speaks_tls(place(self._target.url), "wait"), now)
        return response

    def _kept_error(self, now: float) -> BaseException:
        kept, self._kept = self._kept, None
        if isinstance(kept, OwnFileError):
            return kept.cause
        if isinstance(kept, MalformedReply):
            fault = failures.broken_response if isinstance(kept, BrokenReply) else failures.bad_response
            return self._error(fault(place(self._target.url), str(kept), self._phase(0)), now)
        if isinstance(kept, http.client.HTTPException):
            what = "its response does not begin with a status line of HTTP/1.1"
            return self._error(failures.not_http(place(self._target.url), what, self._phase(0)), now)
        if isinstance(kept, TransportError):
            kept.seconds = now - self.timing.since
        return kept or RuntimeError("no exception was kept")

    def _error(self, fault: Fault, now: float) -> TransportError:
        taker = self._receiver
        received = 0 if taker is None else taker.received
        sent = int(self.curl.getinfo(pycurl.SIZE_UPLOAD_T))
        return fault.error(sent=sent, received=received, seconds=now - self.timing.since, response=self._response)

    def _describe(self, code: int, message: str) -> Ended:
        missing = "bytes are missing"
        if self._response is not None and (length := body_length(self._response.headers)) is not None:
            came = 0 if self._receiver is None else self._receiver.received
            missing = f"{came} bytes received, {length - came} missing"
        proxy = place(parse(self.kind.proxy)) if self.kind.proxy else ""
        number = int(self.curl.getinfo(pycurl.OS_ERRNO))
        where = place(self._target.url)
        return Ended(code, message, self._phase(code), where, proxy, number, self.timing.read, missing)

    def _phase(self, code: int) -> Phase:
        """Return how far the exchange is."""
        curl = self.curl
        if self._response is not None:
            return "read"
        if code in NOT_SENT or not curl.getinfo(pycurl.REQUEST_SIZE):
            return "tls" if code in TLS or (code not in NOT_SENT and self._is_shaking_hands()) else "connect"
        body = self._request.body
        length = body.length if isinstance(body, FileSlice) else len(body)
        return "send" if curl.getinfo(pycurl.SIZE_UPLOAD_T) < length else "wait"

    def _is_shaking_hands(self) -> bool:
        """Return whether the connection is made, and what is missing is its TLS."""
        curl = self.curl
        has_tunnel = not self.kind.proxy or curl.getinfo(pycurl.HTTP_CONNECTCODE) // 100 == 2
        return self._target.url.scheme == "https" and curl.getinfo(pycurl.CONNECT_TIME) > 0 and has_tunnel

    def check(self, now: float) -> BaseException | None:
        """Return what a callback raised, or the error of an exchange that is too slow or has reached its time limit.

        Args:
            now: The time of the monotonic clock.
        """
        self._try_head()
        if self._kept is not None:
            return self._kept_error(now)
        curl = self.curl
        taker = None if self._chunks is None else self._receiver  # what is around chunks is no progress
        came = curl.getinfo(pycurl.SIZE_DOWNLOAD_T) if taker is None else taker.received
        payload = curl.getinfo(pycurl.SIZE_UPLOAD_T) + came
        moved = Moved(self._phase(0), payload, curl.getinfo(pycurl.HEADER_SIZE), bool(self._lines))
        fault = self.timing.check(place(self._target.url), moved, now)
        return None if fault is None else self._error(fault, now)

    def release(self) -> None:
        """Refer to nothing of the exchange any more."""
        if self.kind.body == "bytes" and len(self._request.body) > _KEPT:  # type: ignore[arg-type]
            self.curl.setopt(pycurl.POSTFIELDS, b"")
        if self._is_fresh:
            self._is_fresh = False
            self.curl.setopt(pycurl.FRESH_CONNECT, 0)
        del self._request, self._target, self._response, self._receiver, self._hashed
        self._kept = None
        self._opened.close()
        if self.kind.body == "file":
            del self._reader

    def close(self) -> None:
        """Close the handle. A transfer under way must have been removed from its multi."""
        self.curl.close()
        self._opened.close()
        for callback in self._callbacks:
            callback.close()


def _set_options(curl: Any, kind: Kind, trust: Trust) -> None:
    """Set what is the same for all exchanges of a handle."""
    options: list[tuple[int, Any]] = [
        (pycurl.NOSIGNAL, 1),
        (pycurl.PATH_AS_IS, 1),
        (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.HTTP_TRANSFER_DECODING, 0),  # libcurl drops what it has read behind the last chunk
        (pycurl.FOLLOWLOCATION, 0),
        (pycurl.NOPROXY, ""),
        (pycurl.PROXY, ""),
        (pycurl.SSL_VERIFYPEER, int(trust.verify)),
        (pycurl.SSL_VERIFYHOST, 2 if trust.verify else 0),
        (pycurl.PROXY_SSL_VERIFYPEER, int(trust.verify)),
        (pycurl.PROXY_SSL_VERIFYHOST, 2 if trust.verify else 0),
        (pycurl.BUFFERSIZE, _BUFFER),
        (pycurl.UPLOAD_BUFFERSIZE, _BUFFER),
        (_SUPPRESS_CONNECT_HEADERS, 1),
        (_QUICK_EXIT, 1),
    ]
    for option, value in options:
        curl.setopt(option, value)
    for option, value in ((pycurl.CAINFO, trust.file), (pycurl.CAPATH, trust.directory)):
        if value:
            curl.setopt(option, value)
        elif trust.file or trust.directory:
            curl.unsetopt(option)
    for option, value in ((pycurl.PROXY_CAINFO, trust.file), (pycurl.PROXY_CAPATH, trust.directory)):
        if value:
            curl.setopt(option, value)
    if kind.proxy:
        address, login = without_login(kind.proxy)
        curl.setopt(pycurl.PROXY, address)
        curl.setopt(pycurl.HEADEROPT, pycurl.HEADER_SEPARATE)
        curl.setopt(pycurl.PROXYHEADER, _lines_of(login))


def _set_method(curl: Any, kind: Kind) -> None:
    if kind.body == "file":
        curl.setopt(pycurl.UPLOAD, 1)
    elif kind.body:
        curl.setopt(pycurl.POST, 1)
    elif kind.method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
        return
    if kind.method != "GET" or kind.body:
        curl.setopt(pycurl.CUSTOMREQUEST, kind.method)


def _url(server: str, path: str) -> str:
    if not path.isascii():  # pycurl's own error would hold all of it
        msg = "the server gave a pre-signed URL that is not a URL"
        raise TransportError("connect", msg, retry=False, kind="protocol")
    return Secret(server + path) if isinstance(path, Secret) else server + path


def _lines_of(headers: Mapping[str, str], *, has_body: bool = False) -> Sequence[str | bytes]:
    """Return headers as libcurl takes them. What it would add by itself is taken out.

    Raises:
        ValueError: A header cannot be sent.
    """
    lines = [_line(name, value) for name, value in headers.items()]
    if has_body:
        lines.append("Expect:")
        if "content-type" not in headers:
            lines.append("Content-Type:")
    return lines


@lru_cache(256)
def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _line(name: str, value: str) -> str | bytes:
    if not _is_name(name):
        msg = f"{name!a:.80} is not the name of a header"
        raise ValueError(msg)
    if "\n" in value or "\r" in value or "\0" in value:
        msg = f"the header {name!r} has a value that cannot be sent"
        raise ValueError(msg)
    if isinstance(value, Secret) or name in _SECRET:
        if not value.isascii():
            msg = f"the header {name!r} has a value that is not ASCII"
            raise ValueError(msg)
        return Secret(name + ": " + value)
    if not value.strip(" \t\v\f"):
        return f"{name};"  # an empty value, where a colon would remove the header
    line = f"{name}: {value}"
    return line if line.isascii() else line.encode("latin-1")
