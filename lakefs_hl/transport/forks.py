"""Fork safety: a child process leaves the parent's locks, sockets and threads alone, and makes its own.

Objects that hold such things register once; the hook runs in the child before any code of the user.
"""

from __future__ import annotations

import os
from itertools import count
from typing import Protocol
from weakref import WeakValueDictionary


class Forked(Protocol):
    """An object that must be renewed in a child process."""

    def _after_fork(self) -> None:
        """Drop what belongs to the parent, without closing or locking any of it."""


_numbers = count()
#: By number, so that objects that compare equal are all renewed.
_watched: WeakValueDictionary[int, Forked] = WeakValueDictionary()
#: What a child must never finalise: closing it could wait for a lock that another thread held at the fork.
_inherited: list[object] = []


def watch(thing: Forked) -> None:
    """Renew an object in every child process, for as long as it lives."""
    _watched[next(_numbers)] = thing


def keep(thing: object) -> None:
    """Keep an object of the parent from being finalised in this child."""
    _inherited.append(thing)


def leak(thing: object) -> None:
    """Keep an object of the parent from being finalised even at the exit of this child.

    Modules, and what they refer to, are finalised then. libcurl would take leave of a TLS peer that is the parent's.
    """
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _renew() -> None:
    for thing in list(_watched.values()):
        thing._after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_renew)
