"""The schedule of retries: number of attempts and waiting times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lakefs_hl import _html
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import InvalidConfigError


@_html.show_record
@dataclass(frozen=True, kw_only=True)
class Retry:
    """Number of attempts and waiting times, for `Client(retries=Retry(...))`.

    Before each retry the client waits a random time between 0 and the backoff window ("full jitter"). The window grows
    by `backoff_growth` with each retry, up to `backoff_max`. What is retried, and what is not because it would not be
    safe, does not depend on these values; a call also ends at its deadline.

    Attributes:
        attempts: Maximum number of attempts, the first one included. A commit, a merge and a revert make at most three.
        backoff_start: Backoff window before the first retry, in seconds.
        backoff_busy: The same after a response of an overloaded server (429, 503), in seconds.
        backoff_growth: Factor by which the window grows with each retry. At least 1.
        backoff_max: Largest window, in seconds.
        retry_after_max: Longest `Retry-After` of a server to wait for, in seconds. A longer one ends the call.
        overwrites: Whether a write is retried that may overwrite what another writer has written since the first
            attempt.
        CLOUDFILES: The schedule of the library CloudFiles: seven attempts, a window that grows from 0.5 s and never
            exceeds 60 s. For object stores that throttle for minutes.

    Raises:
        TypeError: A value is not a number.
        InvalidConfigError: A value is out of range.

    Examples:
        >>> from lakefs_hl.types import Retry
        >>> client = lakefs.Client("mem://", retries=Retry(attempts=8, backoff_max=5))
        >>> branch.with_options(retries=Retry.CLOUDFILES).exists("a.csv")
        False
    """

    attempts: int = 5
    backoff_start: float = 0.1
    backoff_busy: float = 1.0
    backoff_growth: float = 2.0
    backoff_max: float = 20.0
    retry_after_max: float = 60.0
    overwrites: bool = True

    CLOUDFILES: ClassVar[Retry]

    def __post_init__(self) -> None:
        values: dict[str, Any] = vars(self)  # written to directly, because the class is frozen
        values["attempts"] = _at_least(1, "attempts", _integer(self.attempts, "attempts"))
        for name, least in (
            ("backoff_start", 0),
            ("backoff_busy", 0),
            ("backoff_growth", 1),
            ("backoff_max", 0),
            ("retry_after_max", 0),
        ):
            values[name] = _at_least(least, name, arguments.number(values[name], name))
        values["overwrites"] = arguments.flag(self.overwrites, "overwrites")


def _integer(value: object, name: str) -> int:
    try:
        return arguments.integer(value, name)
    except ValueError as exc:
        raise InvalidConfigError(str(exc)) from None


def _at_least(least: int, name: str, value: float) -> float:
    if not least <= value < float("inf"):
        raise InvalidConfigError(f"{name}={value!r}: must be a number >= {least}")
    return value


Retry.CLOUDFILES = Retry(attempts=7, backoff_start=0.5, backoff_busy=0.5, backoff_growth=2.0, backoff_max=60.0)
