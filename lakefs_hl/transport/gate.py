"""The maximum number of exchanges of a whole process, whichever clients make them.

Rules of the room: an exchange that is made inside of another one, as by a callback for progress, needs no place of its
own: waiting for one could wait for itself.
"""

from __future__ import annotations

import time
from typing import Final

from lakefs_hl.transport import forks
from lakefs_hl.transport.deadlines import deadline_error
from lakefs_hl.transport.greenlets import Local
from lakefs_hl.transport.scope import Scope
from lakefs_hl.transport.sockets import Slots

#: How often a thread that waits checks whether it was cancelled.
_CHECK_SECONDS: Final = 0.1


class Gate:
    """Lets in so many exchanges at a time. Thread-safe and fork-safe: a child process begins with none of them.

    Args:
        most: Maximum number of exchanges.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._after_fork()
        forks.watch(self)

    def _after_fork(self) -> None:
        self._slots = Slots(self._most)
        self._inside = Local()

    def enter(self, user: object, scope: Scope | None, within: float) -> float:
        """Wait for a place. Call `leave` afterwards, whatever happens.

        Args:
            user: Stands for the exchange.
            scope: Lets another thread end the wait.
            within: Time limit of the exchange in seconds.

        Returns:
            The seconds that are left.

        Raises:
            TransportError: The time is over.
            Cancelled: `scope` was cancelled.
        """
        if getattr(self._inside, "user", None) is not None:
            return within
        slots = self._slots
        if not slots.take(user):
            until = time.monotonic() + within
            while not slots.wait(user, min(_CHECK_SECONDS, until - time.monotonic())):
                if scope is not None:
                    scope.check()
                if time.monotonic() >= until:
                    raise deadline_error()
            within = until - time.monotonic()
        self._inside.user = user
        return within

    def leave(self, user: object) -> None:
        """Give the place back, if this exchange has one. It may not have got one."""
        if getattr(self._inside, "user", None) is user:
            self._inside.user = None
        slots = self._slots
        slots.users.discard(user)  # C code: an interrupt comes after it at the earliest
        slots.notify()


_gates: dict[int, Gate] = {}


def gate_of(most: int) -> Gate:
    """Return the gate of this process for a maximum: one for all clients that have it."""
    return _gates.setdefault(most, _gates.get(most) or Gate(most))
