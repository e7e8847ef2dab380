"""MD5 beside a transfer: blocks are hashed on a thread while the next ones move.

hashlib releases the interpreter's lock for blocks of more than 2 KiB. So a large transfer takes as long as the slower
of moving and hashing, not as long as both. Where there can be no thread (the system refuses one, gevent has replaced
them, the interpreter ends, each core hashes already), the calling thread hashes: same calls, same results.

`background` returns what is used like an object of hashlib, by one thread for one transfer, and `close` ends it:

    hashed = background(hashlib.md5(usedforsecurity=False), size)
    try:
        for block in blocks:
            hashed.update(block)  # returns before the block is hashed
            send(block)
        md5 = hashed.hexdigest()  # waits until all blocks are hashed
    finally:
        close(hashed)

A block must stay as it is until `DEPTH` further ones were given, or until `hexdigest`, `settle` or `close` returns. So
bytes can be given as they are, and buffers that are filled again take turns: `DEPTH + 1` of them.

Rules of the room: no lock, because a Ctrl-C is raised between any two steps of the calling thread; `SimpleQueue` is C
code. The thread refers to its queues and the hash only, so that it ends however its owner ends.
"""

from __future__ import annotations

import _thread
import os
import sys
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from lakefs_hl.transport import greenlets

if TYPE_CHECKING:
    from lakefs_hl.spec import wire

#: Blocks that may wait to be hashed.
DEPTH: Final = 3
#: Threads of the process that hash at a time: more than it has cores gain nothing.
MOST: Final = os.cpu_count() or 1
#: Content of at most so many bytes is hashed by the calling thread: starting another one takes as long.
SMALL: Final = 2 << 20


Hash: TypeAlias = "wire.Hash | BackgroundHash"


def background(hashed: Hash, size: int | None) -> Hash:
    """Return what hashes on another thread. The hash itself, if the content is small or there can be no thread.

    Args:
        hashed: The hash, which may have content already. It is updated.
        size: Number of bytes that follow. None if it is unknown.
    """
    if isinstance(hashed, BackgroundHash) or (size is not None and size <= SMALL):
        return hashed
    if len(_running) >= MOST or greenlets.is_patched() or sys.is_finalizing():
        return hashed
    return BackgroundHash(hashed)


def settle(hashed: Hash) -> wire.Hash:
    """Return the hash itself, once all bytes are hashed.

    Raises:
        RuntimeError: The process was forked meanwhile, and this is the child.
    """
    return hashed.settle() if isinstance(hashed, BackgroundHash) else hashed


def close(hashed: Hash | None) -> None:
    """End the thread of a hash, if it has one, without hashing what is left. No block is referred to afterwards."""
    if isinstance(hashed, BackgroundHash):
        hashed.close()


class _Mark:
    """A place between the blocks of a hash."""


class BackgroundHash:
    """A hash that is updated on a thread of its own, which the first block starts.

    Args:
        hashed: The hash that is updated. Nothing else may use it before `close`.
    """

    __slots__ = ("_done", "_hashed", "_inline", "_jobs", "_pending", "_pid", "_stop", "_thread")

    def __init__(self, hashed: wire.Hash) -> None:
        self._hashed = hashed
        self._jobs: SimpleQueue[Any] = SimpleQueue()
        #: An item for each block that was hashed: None, or why it could not be. A mark when it was reached, and False
        #: at the end of the thread.
        self._done: SimpleQueue[BaseException | _Mark | bool | None] = SimpleQueue()
        self._stop: list[bool] = []
        self._pending = 0
        self._inline = False
        self._pid = os.getpid()
        self._thread: int | None = None

    def __del__(self) -> None:
        # an interrupt may come just before `close` did the same
        self._jobs.put(None)

    def update(self, block: Any, /) -> None:
        """Hash the next bytes, which must not change before `DEPTH` further blocks were given.

        Raises:
            RuntimeError: The process was forked meanwhile, and this is the child.
        """
        if self._thread is None and not self._inline:
            self._start()
        if self._inline:
            self._hashed.update(block)
            return
        self._pending += 1
        self._jobs.put(block)
        if self._pending > DEPTH:
            self._take()

    def hexdigest(self) -> str:
        """Return the hash of all bytes as hexadecimal digits, once they are hashed.

        Raises:
            RuntimeError: The process was forked meanwhile, and this is the child.
        """
        return self.settle().hexdigest()

    def settle(self) -> wire.Hash:
        """Wait until all bytes are hashed, and return the hash.

        What says so is a mark, and not the count: an interrupt may have come before a block that is done was counted.
        """
        if self._pending:
            mark = _Mark()
            self._jobs.put(mark)
            while self._next() is not mark:
                pass
            self._pending = 0
        return self._hashed

    def close(self) -> None:
        """End the thread. Blocks that are not hashed are dropped, and none is referred to any more."""
        self._stop.append(True)
        self._jobs.put(None)
        thread, self._thread, self._inline = self._thread, None, True
        if thread is None or self._pid != os.getpid():
            return
        while self._done.get() is not False:
            pass

    def _start(self) -> None:
        try:
            self._thread = _thread.start_new_thread(_work, (self._hashed, self._jobs, self._done, self._stop))
        except RuntimeError:  # no more threads, or none at the interpreter's exit
            self._inline = True

    def _take(self) -> None:
        """Wait until one more block is hashed."""
        self._next()
        self._pending -= 1

    def _next(self) -> _Mark | bool | None:
        """Wait for what the thread says next."""
        if self._pid != os.getpid():
            msg = "the process was forked within a transfer, which only the parent can complete"
            raise RuntimeError(msg)
        said = self._done.get()
        if isinstance(said, BaseException):
            raise said
        return said


def _work(
    hashed: wire.Hash,
    jobs: SimpleQueue[Any],
    done: SimpleQueue[BaseException | _Mark | bool | None],
    stop: list[bool],
) -> None:
    """Hash blocks until there is None."""
    me = object()
    try:
        _running.add(me)
        while (block := jobs.get()) is not None:
            if isinstance(block, _Mark):
                done.put(block)
                continue
            error: BaseException | None = None
            try:
                if not stop:
                    hashed.update(block)
            except BaseException as exc:  # noqa: BLE001 - raised by the thread that transfers
                error = exc.with_traceback(None)  # which refers to the block
            block = None
            done.put(error)
            error = None
    finally:
        _running.discard(me)
        done.put(False)


#: The threads that hash. A child process has none of them.
_running: set[object] = set()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_running.clear)
