"""A thread that does what the main thread must not: Python delivers signals there, between any two lines.

Rules of the room: whoever asks may be interrupted at any line, once or often, and is then missed by nobody: what was
asked is done or not done, never half. So the asker touches nothing that is shared but by single calls into C, and all
that must be given back belongs to the deputy. The thread is made when it is needed, ends when it has been idle, and is
never alive over a fork. It is started below `threading`, whose `Thread.start` an interrupt leaves half done.
"""

from __future__ import annotations

import _thread
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, cast

from lakefs_hl.local.disk.errors import NoThread
from lakefs_hl.local.disk.queues import Empty, SimpleQueue

T = TypeVar("T")

#: How long a deputy waits for something to do before it ends, seconds.
IDLE: Final = 10.0
#: How long an asker waits for what it was interrupted in, before it does something else, seconds: longer than a write
#: waits for others (30 s) and its sync takes on a busy disk. It has an end because what is asked might wait for
#: something that an interrupted asker holds, such as the lock of a log handler.
SETTLES: Final = 60.0
#: How long a signal of an asker may go unseen at most, seconds.
LOOKS: Final = 0.2


def needed() -> bool:
    """Whether the calling thread is the one that signals interrupt."""
    return threading.get_ident() == threading.main_thread().ident


class _Errand(Generic[T]):
    """One thing to do, and how it went.

    It is done by whoever gets hold of it first: it may have been given to two deputies, or be taken back.
    """

    __slots__ = ("_holder", "done", "error", "finished", "result", "wake", "withdrawn", "work")

    def __init__(self, work: Callable[[], T]) -> None:
        self.work: Callable[[], T] | None = work
        self._holder: dict[None, int] = {}
        self.wake = _thread.allocate_lock()
        self.wake.acquire()
        self.done = self.finished = self.withdrawn = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Does it, unless another has begun."""
        work, self.work = self.work, None
        if work is None or not self.hold():
            return
        try:
            self.result = work()
            self.done = True
        except BaseException as error:  # noqa: BLE001 - raised where it was asked for
            self.error = error
        finally:
            del work
            self.finished = True
            self.wake.release()

    def hold(self) -> bool:
        """Whether it is the calling thread's to do, or to leave undone: the first who asks; one call into C."""
        me = threading.get_ident()
        return self._holder.setdefault(None, me) == me

    def settle(self, timeout: float) -> None:
        """Takes it back if nobody has begun, else waits until it is over; may be interrupted and called again.

        Its asker may still be waiting, if this is a signal handler's doing: it is woken either way.
        """
        if self.hold():
            self.withdrawn = True
        deadline = time.monotonic() + timeout
        while not (self.finished or self.withdrawn) and (left := deadline - time.monotonic()) > 0:
            self.wake.acquire(timeout=min(left, LOOKS))
        if self.wake.locked() and (self.finished or self.withdrawn):
            self.wake.release()

    def outcome(self) -> T:
        """What the work returned, or its error raised; to be asked for once."""
        error, self.error = self.error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # its traceback names this frame
        if not self.done:
            raise RuntimeError("nothing came of what was asked")
        return cast("T", self.result)


class _Hand:
    """One thread and what it has been given.

    Attributes:
        gone: It takes nothing more. Set before it looks into its inbox for the last time: who put something there and
            finds this set gives it to another too.
        ended: A lock that is free when the thread is about to end.
    """

    __slots__ = ("ended", "gone", "ident", "inbox", "number")

    def __init__(self) -> None:
        self.inbox: SimpleQueue[_Errand[object] | None] = SimpleQueue()
        self.gone = False
        self.ended = _thread.allocate_lock()
        self.ended.acquire()
        self.ident = self.number = 0

    def serve(self, hands: set[_Hand]) -> None:
        """Does what comes, until nothing does."""
        self.ident, self.number = threading.get_ident(), threading.get_native_id()
        hands.add(self)
        try:
            while (errand := self._next()) is not None:
                errand.run()
                del errand  # what it kept alive is not kept while waiting
        finally:
            self.gone = True
            while (left := self._left()) is not None:
                left.run()
                del left
            hands.discard(self)
            self.ended.release()

    def _next(self) -> _Errand[object] | None:
        try:
            return self.inbox.get(timeout=IDLE)
        except Empty:
            return None

    def _left(self) -> _Errand[object] | None:
        while not self.inbox.empty():
            errand = self.inbox.get()
            if errand is not None:
                return errand
        return None


class Deputy:
    """Does things on a thread of its own, one after the other."""

    def __init__(self) -> None:
        self._hand: _Hand | None = None
        self.asked: _Errand[Any] | None = None  # also after an interrupt
        self._hands: set[_Hand] = set()  # an interrupt may leave more than one

    def ask(self, work: Callable[[], T]) -> T:
        """Runs `work` on another thread and waits for it.

        Raises:
            NoThread: None can be started; nothing has been done.
        """
        while True:
            self.settle()
            self.asked = errand = _Errand(work)
            hand = self._hand
            if hand is None or hand.gone:
                hand = self._hire()
            hand.inbox.put(cast("_Errand[object]", errand))
            while hand.gone:
                hand = self._hire()
                hand.inbox.put(cast("_Errand[object]", errand))
            # In pieces: a signal that comes just before the lock is waited for does not end that wait.
            while not errand.wake.acquire(timeout=LOOKS):
                pass
            self.asked = None
            if not errand.withdrawn:
                del work
                return errand.outcome()

    def settle(self) -> None:
        """Before the asker does something else: what it was interrupted in is over then, or never begins.

        Else it would look, see that a write was not made, and then it would be made. Only the main thread calls this.
        """
        errand = self.asked
        if errand is not None:
            errand.settle(SETTLES)
            self.asked = None

    def _hire(self) -> _Hand:
        hand = _Hand()
        try:
            _thread.start_new_thread(hand.serve, (self._hands,))
        except RuntimeError as error:
            raise NoThread(f"no thread can be started for writing: {error}; nothing was written") from error
        self._hand = hand
        return hand

    def mine(self) -> bool:
        """Whether the calling thread is the deputy's."""
        me = threading.get_ident()
        return any(hand.ident == me for hand in tuple(self._hands))

    def retire(self, timeout: float) -> bool:
        """Ends the threads when they have done what they were given; False if one takes too long."""
        deadline = time.monotonic() + timeout
        me = threading.get_ident()
        for hand in {*tuple(self._hands), *([self._hand] if self._hand else [])}:
            hand.inbox.put(None)
            if hand.ident == me:
                continue
            if not hand.ended.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
                return False
            hand.ended.release()
            # A fork counts the threads that the system knows, and warns: it has not forgotten this one yet.
            while os.path.exists(f"/proc/self/task/{hand.number}") and time.monotonic() < deadline:
                os.sched_yield()
        self._hand = None
        self.asked = None  # it is over, and its error may refer to readers that an interrupt left nobody to give back
        return True
