"""After a fork the child leaves the parent's locks, sockets and threads alone and makes its own.

Whoever holds such things registers once; the hook runs in the child before any code of the user does.
"""

from __future__ import annotations

import os
from itertools import count
from typing import Protocol
from weakref import WeakValueDictionary


class Forked(Protocol):
    """Something that must be renewed in a child process."""

    def _after_fork(self) -> None:
        """Drops what belongs to the parent, without closing or locking any of it."""


_numbers = count()
#: By number: things that compare equal are renewed each.
_watched: WeakValueDictionary[int, Forked] = WeakValueDictionary()
#: What a child must never finalise: closing it could wait for a lock that a thread of the parent held at the fork.
_inherited: list[object] = []


def watch(thing: Forked) -> None:
    """Renews `thing` in every child process, for as long as it lives."""
    _watched[next(_numbers)] = thing


def keep(thing: object) -> None:
    """Keeps what the parent owns from being finalised in this child."""
    _inherited.append(thing)


def _renew() -> None:
    for thing in list(_watched.values()):
        thing._after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_renew)
