"""Many exchanges under way on one thread, over libcurl's multi interface.

Rules of the room: there is no timer callback, as libcurl would swallow a Ctrl-C in it: `socket_action` is driven by a
poller, and by `timeout()`. Between `socket_action(SOCKET_TIMEOUT)`, which may end transfers, and `info_read` nothing
waits. A multi is used by one thread at a time, and only in the process that made it: closing an inherited TLS
connection would end that of the parent.

libcurl looks at idle connections once a second only. What comes on one that nothing was asked on belongs to no request,
so the connection is ended before libcurl can take it for the next one: its bytes would be that one's response. What a
TLS layer has decrypted already is not seen so, but read at once when the next request was sent: no response can be
there so early, so that exchange is made again on a new connection.

libcurl has the timeout of connecting. All others are checked here, after the sockets were read: what arrived while the
thread was busy with something else is not too late.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Generator
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple

import pycurl

from lakefs_hl.spec.wire import FileSlice, Request, Response
from lakefs_hl.transport.deadlines import Bounds, deadline_error
from lakefs_hl.transport.easy import Easy, Kind, Trust
from lakefs_hl.transport.idle import IdleConnections, close_idle, end_connection
from lakefs_hl.transport.limits import Limits
from lakefs_hl.transport.route import Route, Target, port_of

#: Longest time between two looks at the timeouts, and the shortest.
_TICK_SECONDS: Final = 0.25
_SHORTEST_SECONDS: Final = 0.01
#: Timeouts that are kept, by operation and what was asked for.
_MOST_BOUNDS: Final = 100
#: What of a poller's events is passed on: to read, to write, an error.
_READ, _WRITE, _BROKEN = select.POLLIN if hasattr(select, "POLLIN") else 1, 4, 8 | 16
_EVENTS: Final = (0, 1, 4, 5)  # of nothing, POLL_IN, POLL_OUT, POLL_INOUT


class Setup(NamedTuple):
    """What all exchanges of a client share.

    Attributes:
        route: Where requests go.
        connect: Connect timeout in seconds, for requests without one.
        trust: Which certificates are accepted.
        limits: Sizes, counts and the rate that peers are held to.
        most: Maximum number of exchanges.
    """

    route: Route
    connect: float
    trust: Trust
    limits: Limits
    most: int


class Multi:
    """Exchanges under way on one thread, and their connections.

    Args:
        setup: What all exchanges share.

    Attributes:
        epoch: How often its transport had been closed when it was opened.
        resting: Its idle connections.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self.epoch: int = 0
        self._pid = os.getpid()
        self._multi: Any = pycurl.CurlMulti()
        self._poller: Any = select.epoll() if hasattr(select, "epoll") else select.poll()
        self._unit = 1.0 if hasattr(select, "epoll") else 1000.0
        self.resting: IdleConnections = IdleConnections()
        self._flying: dict[Any, Easy] = {}
        self._begun: list[Easy] = []
        self._idle: dict[Kind, list[Easy]] = {}
        self._bounds: dict[tuple[str, float | None, float | None], Bounds] = {}
        self._home_proxy: str | None = None  # to the endpoint, once it was asked for
        self._kept: BaseException | None = None
        self._next_check = float("inf")
        self._wakes: tuple[socket.socket, socket.socket] | None = None
        self._waking = threading.RLock()
        self._sockets = self._note_sockets()
        next(self._sockets)
        # `max` is C code that calls `send` with each of the four arguments: see `easy` for the reason
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, partial(max, key=self._sockets.send))
        self._multi.setopt(pycurl.M_MAXCONNECTS, setup.most)

    @staticmethod
    def is_supported() -> bool:
        """Return whether the system can wait for many sockets."""
        return hasattr(select, "poll")

    def _note_sockets(self) -> Generator[int, Any, None]:
        """Take which sockets libcurl waits for: event, descriptor, the multi and what is assigned, one by one."""
        known = set[int]()
        while True:
            try:
                while True:
                    event = yield 0
                    fd = yield 0
                    yield 0
                    yield 0
                    if event == pycurl.POLL_REMOVE:
                        if fd in known:
                            known.discard(fd)
                            with suppress(OSError, KeyError):  # closed already
                                self._poller.unregister(fd)
                    elif fd in known:
                        self._poller.modify(fd, _EVENTS[event])
                    else:
                        known.add(fd)
                        self.resting.discard(fd)
                        self._poller.register(fd, _EVENTS[event])
            except GeneratorExit:
                raise
            except BaseException as exc:  # noqa: BLE001 - raised by the method that called libcurl
                self._kept = self._kept or exc
                break
        while True:  # the multi is at its end: which of the four comes next is not known
            yield 0

    @property
    def is_ours(self) -> bool:
        """Return whether this process has made it."""
        return self._pid == os.getpid()

    @property
    def is_clean(self) -> bool:
        """Return whether it can be used for another Gather."""
        return self._kept is None and not self._flying and self.is_ours

    # -- exchanges -----------------------------------------------------------------------------------------------------

    def start(self, request: Request, index: int, within: float | None) -> None:
        """Begin an exchange.

        Args:
            request: What to send.
            index: Number of the op that asks for it.
            within: Time limit in seconds. Defaults to the request's own.

        Raises:
            TransportError: It must not be sent.
            ValueError: It cannot be sent.
        """
        setup = self._setup
        target = setup.route.target(request)
        bounds = self._bounds_of(request, within)
        if bounds.within <= 0:
            raise deadline_error()
        body, method = request.body, request.endpoint.method
        if request.url is not None:
            proxy = self._proxy(target)
        elif self._home_proxy is None:
            proxy = self._home_proxy = self._proxy(target)
        else:
            proxy = self._home_proxy
        has_body = bool(body) or method in ("POST", "PUT", "PATCH")
        where = "file" if isinstance(body, FileSlice) else "bytes" if has_body else ""
        easy = self._take(Kind(method, where, proxy, request.url is not None))
        now = time.monotonic()
        try:
            easy.begin(request, target, bounds, index, now)
        except BaseException:
            easy.close()
            raise
        if self._next_check > now + _TICK_SECONDS or bounds.within < _TICK_SECONDS or bounds.read < _TICK_SECONDS:
            self._next_check = min(self._next_check, now + min(_TICK_SECONDS, bounds.within, bounds.read))
        self._flying[easy.curl] = easy
        self._begun.append(easy)
        self._multi.add_handle(easy.curl)
        self._check()

    def _bounds_of(self, request: Request, within: float | None) -> Bounds:
        setup = self._setup
        if within is not None or request.within is not None:
            return Bounds.of(request, within, connect=setup.connect, limits=setup.limits)
        key = request.endpoint.operation, request.timeout, request.connect
        found = self._bounds.get(key)
        if found is None:
            if len(self._bounds) >= _MOST_BOUNDS:
                self._bounds.clear()
            found = self._bounds[key] = Bounds.of(request, None, connect=setup.connect, limits=setup.limits)
        return found

    def _proxy(self, target: Target) -> str:
        url = target.url
        return self._setup.route.proxy(url.scheme, url.hostname or "", port_of(url))

    def _take(self, kind: Kind) -> Easy:
        idle = self._idle.get(kind)
        if idle:
            return idle.pop()
        return Easy(kind, self._setup.trust, self._setup.limits)

    def poll(self, seconds: float) -> list[tuple[int, Response | Exception]]:
        """Move what can be moved, and wait at most so many seconds for it.

        Returns:
            Number of the op and outcome of each exchange that has ended. Not if `wake` was called: nothing may have.

        Raises:
            BaseException: An interrupt that came while libcurl worked.
        """
        self._check()
        multi = self._multi
        act = multi.socket_action
        left = multi.timeout()  # milliseconds; negative for none
        seconds = min(seconds, self._next_check - time.monotonic())
        if not left:
            if self.resting:
                self.resting.end_strange()
            act(pycurl.SOCKET_TIMEOUT, 0)
            self._check()
            self._check_begun()
            seconds = 0.0
        elif 0 < left < seconds * 1000:
            seconds = left / 1000
        woken = -1 if self._wakes is None else self._wakes[0].fileno()
        for fd, events in self._poller.poll(max(0.0, seconds) * self._unit):
            if fd == woken:
                self._drain()
                continue
            flags = (1 if events & _READ else 0) | (2 if events & _WRITE else 0) | (4 if events & _BROKEN else 0)
            act(fd, flags)
            if self._kept is not None:
                raise self._kept
        ended = self._read_ended()
        if time.monotonic() >= self._next_check:
            ended += self._check_times()
        return ended

    def _check_begun(self) -> None:
        """Make those exchanges again whose response was there before their request."""
        begun, self._begun = self._begun, []
        for easy in begun:
            if easy.is_too_early():
                self._begin_anew(easy)

    def _begin_anew(self, easy: Easy) -> None:
        """Make an exchange again, on a new connection: what was on its own belongs to no request."""
        end_connection(easy.curl.getinfo(pycurl.ACTIVESOCKET))
        self._multi.remove_handle(easy.curl)
        self._check()
        easy.begin_anew()
        self._multi.add_handle(easy.curl)
        self._check()

    def _read_ended(self) -> list[tuple[int, Response | Exception]]:
        ended = list[tuple[int, Response | Exception]]()
        more = 1
        while more:
            more, good, bad = self._multi.info_read()
            if not good and not bad:
                break
            now = time.monotonic()
            for curl in good:
                ended.append(self._end(curl, 0, "", now))
            for curl, code, message in bad:
                if self._flying[curl].is_misled(code):
                    self._begin_anew(self._flying[curl])
                else:
                    ended.append(self._end(curl, code, message, now))
        return ended

    def _end(self, curl: Any, code: int, message: str, now: float) -> tuple[int, Response | Exception]:
        easy = self._flying[curl]
        fd = curl.getinfo(pycurl.ACTIVESOCKET)
        if easy.has_surplus:
            end_connection(fd)
        self.resting.add(fd, curl.getinfo(pycurl.LOCAL_PORT))
        self._multi.remove_handle(curl)
        self._check()
        outcome: Response | Exception
        try:
            outcome = easy.outcome(code, message, now)
        except Exception as exc:  # noqa: BLE001 - the outcome of this exchange
            outcome = exc
        return self._release(easy, outcome)

    def _release(self, easy: Easy, outcome: Response | Exception) -> tuple[int, Response | Exception]:
        index = easy.index
        easy.release()
        del self._flying[easy.curl]  # first: after an interrupt here nothing refers to it any more
        self._idle.setdefault(easy.kind, []).append(easy)
        return index, outcome

    def _check_times(self) -> list[tuple[int, Response | Exception]]:
        """End the exchanges that are too slow, and set when to look again."""
        now, tick = time.monotonic(), _TICK_SECONDS
        ended = list[tuple[int, Response | Exception]]()
        for curl, easy in list(self._flying.items()):
            error = easy.check(now)
            if error is None:
                tick = min(tick, easy.timing.until - now, easy.timing.read / 8)
                continue
            if not isinstance(error, Exception):  # an interrupt in a callback: libcurl may go on, at another address
                raise error
            self._multi.remove_handle(curl)  # this closes its connection
            self._check()
            ended.append(self._release(easy, error))
        self._next_check = now + max(tick, _SHORTEST_SECONDS) if self._flying else float("inf")
        return ended

    def _check(self) -> None:
        if self._kept is not None:
            raise self._kept

    # -- other threads -------------------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Let other threads end a wait of `poll`, until `ignore`.

        Not always: what is not closed by the garbage collector without a word is open for as long as it is needed.
        """
        if self._wakes is None:
            pair = self._wakes = socket.socketpair()
            for one in pair:
                one.setblocking(False)
            self._poller.register(pair[0].fileno(), _READ)

    def ignore(self) -> None:
        """Let no other thread end a wait any more."""
        pair, self._wakes = self._wakes, None
        if pair is not None:
            self._poller.unregister(pair[0].fileno())
            with self._waking:  # else a wake that is under way might go to whatever gets the same descriptor
                for one in pair:
                    one.close()

    def wake(self) -> None:
        """End a wait of `poll`. May be called from any thread."""
        pair = self._wakes
        if pair is not None:
            with (
                self._waking,
                suppress(OSError),
            ):  # as many wakes lie there as fit, and one is enough; or the Gather has ended
                pair[1].send(b"\0")

    def _drain(self) -> None:
        pair = self._wakes
        with suppress(BlockingIOError):
            while pair is not None and len(pair[0].recv(4096)) == 4096:
                pass

    # -- the end -------------------------------------------------------------------------------------------------------

    def abandon(self) -> None:
        """End all exchanges at once, and close the connections that they are on."""
        while self._flying:
            curl, easy = next(iter(self._flying.items()))
            with suppress(pycurl.error):  # it was not added, or is removed: an interrupt came in between
                self._multi.remove_handle(curl)
            easy.close()
            self._flying.pop(curl, None)

    def trim(self, most: int) -> None:
        """Close idle connections, but for `most`. Nothing must be under way."""
        self.resting.discard_closed()
        if len(self.resting) > most:
            close_idle(self._multi, most)
            self._check()
            self.resting.discard_closed()

    def close(self) -> None:
        """Close all connections and handles."""
        self.abandon()
        while self._idle:
            _, idle = self._idle.popitem()
            for easy in idle:
                easy.close()
        self._multi.close()
        self._sockets.close()
        if self._wakes is not None:
            self.ignore()
        if hasattr(self._poller, "close"):
            self._poller.close()
