"""What a fork means for open databases: they are closed for the moment of it, on both sides.

Rules of the room: the hooks run on the thread that forks, where an interrupt is swallowed and the rest of a hook
is left out. So what is given back afterwards is found by looking, not by remembering.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

from lakefs_hl.local.disk import deputy

if TYPE_CHECKING:
    from lakefs_hl.local.disk.database import Database

#: How long a fork waits for other threads' reads and writes, seconds.
FORK_WAITS: Final = 10.0


_open: weakref.WeakSet[Database] = weakref.WeakSet()
#: Guards `_open`; held from before a fork until after it, by the thread that is named.
_registry = threading.Lock()
_forker = 0
_forking: list[Database] = []
_torn_folders: set[str] = set()


def watch(one: Database) -> None:
    """From now on it is told of forks, as long as somebody has it."""
    with _registry:
        _open.add(one)


def _quieten(one: Database) -> bool:
    """Closes every connection, once whoever uses one is done with it; `_go_on` must follow in the parent.

    Returns:
        Whether that went well; else no child may use the lake.
    """
    one.quiet = False
    deadline = time.monotonic() + FORK_WAITS
    quiet = not one.local.reading() and not one._turn.mine()
    # On another thread than the main one the deputy may go on: it is not in the child, and has not the turn.
    if quiet and deputy.needed():
        quiet = one._deputy.retire(FORK_WAITS)
    one.turn_for_fork = quiet
    quiet = quiet and one._turn.acquire(deadline - time.monotonic())
    quiet = quiet and one.readers.shut(max(deadline - time.monotonic(), 1.0)) and one.log.turn.acquire(FORK_WAITS)
    if quiet:
        one.close_writing()
        one.quiet = True
    return quiet


def _go_on(one: Database) -> None:
    """As before: connections are opened again when they are needed."""
    one.readers.reopen()
    if one.turn_for_fork:
        for turn in (one.log.turn, one._turn):
            if turn.mine():
                turn.release()
    one.turn_for_fork = False


def _before_fork() -> None:
    global _forker  # noqa: PLW0603 - one fork at a time
    _registry.acquire()
    _forker = threading.get_ident()
    _forking.extend(_open)
    _torn_folders.update(one.folder for one in _forking if not _quieten(one))


def _after_fork_in_parent() -> None:
    global _forker  # noqa: PLW0603
    if _forker != threading.get_ident():
        return  # interrupted before it began
    for one in _forking:
        _go_on(one)
    _forking.clear()
    _torn_folders.clear()
    _forker = 0
    _registry.release()


def _after_fork_in_child() -> None:
    global _registry, _forker  # noqa: PLW0603 - the child's own, whoever held the parent's
    _registry = threading.Lock()
    _forker = 0
    for one in list(_open):
        one.after_fork(torn=one.folder in _torn_folders)
        one.turn_for_fork = False  # the parent's: here it would be given back at the next fork, whoever holds it then
    _forking.clear()
    _torn_folders.clear()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
