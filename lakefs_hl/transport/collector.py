"""A Gather on an event loop whose requests go out as waves: the loop runs the ops, and a worker each wave.

Rules of the room: one wave at a time. What ops ask for while one is out makes the next. An op that is cancelled while
its request is out goes on when the wave is over, so that nothing is written to its sink any more.
"""

from __future__ import annotations

import asyncio
from typing import Final

from lakefs_hl.spec.wire import Request, Response, TransportError
from lakefs_hl.transport.base import Outcome, SendMany
from lakefs_hl.transport.deadlines import deadline_error, remaining
from lakefs_hl.transport.scope import Scope
from lakefs_hl.transport.waves import Weight
from lakefs_hl.transport.workers import Workers

#: Requests of one wave, at most: their ops are tasks, which cost more than their requests.
MOST: Final = 512
#: Ops of a wave that go on at a time.
TOLD: Final = 32


class _Asked:
    """A request of an op that waits; two equal ones are two."""

    __slots__ = ("answer", "request", "until")

    def __init__(self, request: Request, until: float, answer: asyncio.Future[Response]) -> None:
        self.request, self.until, self.answer = request, until, answer


class Collector:
    """The requests of one Gather.

    Args:
        send_many: Makes the exchanges of a wave, on a worker.
        workers: Where.
    """

    def __init__(self, send_many: SendMany, workers: Workers) -> None:
        self._send_many, self._workers = send_many, workers
        self._loop = asyncio.get_running_loop()
        self._asked: list[_Asked] = []
        self._scope: Scope | None = None  # of the wave that is out
        self._due = False

    async def send(self, request: Request, until: float) -> Response:
        """Make an exchange together with those of the other ops.

        Args:
            request: The request.
            until: Deadline on the monotonic clock.
        """
        asked = _Asked(request, until, self._loop.create_future())
        self._asked.append(asked)
        self._call_soon()
        try:
            return await asyncio.shield(asked.answer)
        except asyncio.CancelledError as exc:
            if asked in self._asked:
                self._asked.remove(asked)
                raise
            await self._abandon(asked)
            if request.endpoint.retry != "A":
                exc.add_note(f"{request.endpoint.operation} was under way: it may have been applied")
            raise

    async def _abandon(self, asked: _Asked) -> None:
        """Wait until the wave is over that the request is in, however often this is cancelled meanwhile."""
        while not asked.answer.done():
            try:
                await asyncio.wait({asked.answer})
            except asyncio.CancelledError:
                continue
        if not asked.answer.cancelled():
            asked.answer.exception()  # retrieved, or asyncio would log it

    def _call_soon(self) -> None:
        """Send the next wave when all ops that can run have run; unless one is out, which does so when it ends."""
        if not self._due and self._scope is None:
            self._due = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._due = False
        wave, within = self._take()
        if not wave:
            return
        self._scope = scope = Scope()
        try:
            work = self._workers.submit(self._send_many, [asked.request for asked in wave], scope, within)
        except RuntimeError as exc:  # no thread can be started
            self._end(wave, exc)
            return
        asyncio.wrap_future(work).add_done_callback(lambda done: self._end(wave, _outcomes(done)))

    def _take(self) -> tuple[list[_Asked], float | None]:
        """Take the requests of a wave; return also how long it may take: as long as the one with the least time."""
        wave: list[_Asked] = []
        weight, shortest = Weight(), None
        while self._asked and len(wave) < MOST and not weight.is_full:
            asked = self._asked.pop(0)
            try:
                within = remaining(asked.until)
            except TransportError:
                _tell(asked, deadline_error())
                continue
            if within is not None:
                shortest = within if shortest is None else min(shortest, within)
            weight.add(asked.request)
            wave.append(asked)
        return wave, shortest

    def _end(self, wave: list[_Asked], outcomes: list[Outcome] | BaseException, start: int = 0) -> None:
        """Let the ops of a wave go on, some at a time: other tasks of the loop run in between."""
        end = min(start + TOLD, len(wave))
        for number in range(start, end):
            _tell(wave[number], outcomes if isinstance(outcomes, BaseException) else outcomes[number])
        if end < len(wave):
            self._loop.call_soon(self._end, wave, outcomes, end)
            return
        self._scope = None
        if self._asked:
            self._call_soon()


def _outcomes(done: asyncio.Future[list[Outcome]]) -> list[Outcome] | BaseException:
    if done.cancelled():
        return asyncio.CancelledError()
    error = done.exception()
    return done.result() if error is None else error


def _tell(asked: _Asked, outcome: Response | BaseException) -> None:
    answer = asked.answer
    if answer.done():
        return
    if isinstance(outcome, Response):
        answer.set_result(outcome)
    elif isinstance(outcome, asyncio.CancelledError):
        answer.cancel()
    else:
        answer.set_exception(outcome)
