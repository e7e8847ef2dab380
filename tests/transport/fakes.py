"""A transport that is a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias, TypeVar

from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.transport.base import Outcome
from lakefs_hl.transport.scope import Scope

Answer: TypeAlias = Callable[[Request, Scope | None, float | None], Response]
T = TypeVar("T")
STAT = Request(endpoints.STAT_OBJECT, ("r", "main"), {"path": "k"})
DELETE = Request(endpoints.DELETE_OBJECT, ("r", "main"), {"path": "k"})


def same(row: T) -> T:
    """Wrap a row in nothing."""
    return row


def done(request: Request, scope: Scope | None, within: float | None) -> Response:
    return Response(204)


class Fake:
    def __init__(self, answer: Answer = done, fan_out: int = 8) -> None:
        self.answer = answer
        self.fan_out = fan_out
        self.closed = 0

    def send(self, request: Request, scope: Scope | None = None, within: float | None = None) -> Response:
        return self.answer(request, scope, within)

    def close(self) -> None:
        self.closed += 1


class FakeMany(Fake):
    """One that takes many requests at a time, and answers them in turn.

    Attributes:
        waves: How many came together, each time.
    """

    def __init__(self, answer: Answer = done, fan_out: int = 1) -> None:
        super().__init__(answer, fan_out)
        self.waves = list[int]()

    def send_many(
        self, requests: Sequence[Request], scope: Scope | None = None, within: float | None = None
    ) -> list[Outcome]:
        self.waves.append(len(requests))
        found = list[Outcome]()
        for request in requests:
            try:
                found.append(self.answer(request, scope, within))
            except Exception as exc:
                found.append(exc)
        return found


#: The ways in which a Gather is run, by the transport that it takes. The last two run its ops at the same time.
SERIAL, THREADS, WAVES = partial(Fake, fan_out=1), partial(Fake, fan_out=8), FakeMany
