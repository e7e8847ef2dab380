"""Faults of the mark `lakefs(faults=...)`: which requests break, how, and how often."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from lakefs_hl.spec import routes
from lakefs_hl.spec.wire import Endpoint

_METHODS: Final = ("GET", "HEAD", "PUT", "POST", "DELETE")
_DROPS: Final = ("request", "response")
EXAMPLE: Final = '{"operation": "uploadObject", "status": 503, "times": 2}'


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault, as the mark has it.

    Attributes:
        operation: Operation of lakeFS's API whose requests break, such as "uploadObject". None means any.
        method: HTTP method of these requests. None means any.
        status: Status of the response, in place of a response of the server. The request is not applied.
        retry_after: Header `Retry-After` of that response, in seconds.
        drop: Close the connection: "request" before the server gets the request, "response" after it was applied.
        delay: Wait before the request goes on, in seconds.
        times: How many requests break. None means all.
        skip: How many matching requests pass before.
    """

    operation: str | None = None
    method: str | None = None
    status: int | None = None
    retry_after: int | None = None
    drop: str | None = None
    delay: float = 0.0
    times: int | None = 1
    skip: int = 0

    @property
    def wrong(self) -> str:
        """What is wrong with the values. "" if nothing is."""
        names = sorted(routes.operations())
        if self.operation is not None and self.operation not in names:
            near = difflib.get_close_matches(self.operation, names, 1)
            return f"operation={self.operation!r} is not in lakeFS's API" + (f"; is it {near[0]!r}?" if near else "")
        if self.method is not None and self.method not in _METHODS:
            return f"method={self.method!r}: must be one of {', '.join(_METHODS)}"
        if self.drop is not None and self.drop not in _DROPS:
            return f'drop={self.drop!r}: must be "request" or "response"'
        if self.status is not None and not 400 <= self.status <= 599:
            return f"status={self.status}: must be an error status, from 400 to 599"
        if self.status is not None and self.drop is not None:
            return "status= and drop= exclude each other: a connection that is closed has no response"
        if self.status is None and self.drop is None and self.delay <= 0:
            return "it breaks nothing: give status=, drop= or delay="
        if self.retry_after is not None and self.status is None:
            return "retry_after= is a header of the response that status= makes"
        if self.times is not None and self.times < 1:
            return f"times={self.times}: must be at least 1, or None for all requests"
        if self.skip < 0 or self.delay < 0:
            return "skip= and delay= must not be negative"
        return ""

    def matches(self, row: Endpoint | None, method: str) -> bool:
        """Return whether a request of this operation and method breaks."""
        if self.method not in (None, method):
            return False
        return self.operation is None or (row is not None and row.operation == self.operation)


def parse(given: object) -> list[Fault]:
    """Return the faults of a mark: one as a mapping, or several in a list.

    Raises:
        ValueError: A fault has an unknown key or an impossible value.
    """
    many: list[Any] | tuple[Any, ...] = given if isinstance(given, list | tuple) else [given]
    found = []
    for one in many:
        try:
            fault = msgspec.convert(one, Fault)
        except msgspec.ValidationError as exc:
            msg = f"the mark lakefs(faults=...) has {one!r}: {exc}; a fault is a dictionary such as {EXAMPLE}"
            raise ValueError(msg) from None
        if fault.wrong:
            msg = f"the mark lakefs(faults=...) has {one!r}: {fault.wrong}"
            raise ValueError(msg)
        found.append(fault)
    return found


class Faults:
    """The faults of one test, and how often each has broken a request. Thread-safe.

    Args:
        faults: The first one that matches a request breaks it.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._lock = threading.Lock()
        self._faults = list(faults)
        self._seen = [0] * len(self._faults)

    def next(self, row: Endpoint | None, method: str) -> Fault | None:
        """Return the fault of a request, and count it. None lets the request pass."""
        with self._lock:
            for index, fault in enumerate(self._faults):
                seen = self._seen[index]
                if fault.matches(row, method) and (fault.times is None or seen < fault.skip + fault.times):
                    self._seen[index] = seen + 1
                    if seen >= fault.skip:
                        return fault
        return None

    @property
    def unused(self) -> list[Fault]:
        """The faults that have broken no request."""
        with self._lock:
            return [fault for fault, seen in zip(self._faults, self._seen, strict=True) if seen <= fault.skip]
