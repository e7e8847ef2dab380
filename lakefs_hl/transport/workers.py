"""Threads of a driver, started on demand; where none can be started, the calling thread does the work.

Rules of the room: whatever several calls share is built on `threading.RLock` and `SimpleQueue`, which are C code. A
Ctrl-C is raised between any two steps of Python code on the main thread. In the `__enter__` of a `Condition` it leaves
the lock taken for ever, and with it everything that is built on one: semaphores, events, `Queue`, `Future` and
`ThreadPoolExecutor`. An `RLock`, because a signal handler or a finalizer may make a call while its thread holds it.
"""

from __future__ import annotations

import _thread
import contextvars
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from lakefs_hl.transport import forks, greenlets
from lakefs_hl.transport.deadlines import UNWINDING_SECONDS

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

T = TypeVar("T")
#: Messages at the interpreter's exit: of asyncio's pool, of its module if it was not loaded before, and of Python 3.12.
_NO_THREADS: Final = ("cannot schedule new futures", "can't register atexit", "can't create new thread at interpreter")


class Workers:
    """A pool of at most `width` threads. They end when it is closed or collected.

    Args:
        width: Maximum number of threads.
        name: Prefix of their names.
    """

    def __init__(self, width: int, name: str) -> None:
        self._width, self._name = width, name
        self._lock = threading.RLock()
        self._team: _Team | None = None

    def __del__(self) -> None:
        if self._team is not None:
            self._team.jobs.put(None)

    def post(self, work: Callable[..., None], *args: Any) -> None:
        """Start work on a thread. What it returns is dropped, so it must pass its result or error on itself.

        Raises:
            RuntimeError: The system refuses a first thread. The work was not started.
        """
        # in the context of the caller, which has its span and its own log fields
        job = partial(contextvars.copy_context().run, work, *args)
        while not sys.is_finalizing():  # threads neither start nor go on then
            team = self._team
            if team is not None and team.put(job):
                return
            if not self._replace(team):
                break
        job()

    def submit(self, work: Callable[..., T], *args: Any) -> Future[T]:
        """Start work on a thread and return its future. For event loops only: a future is built on a `Condition`.

        Raises:
            RuntimeError: The system refuses a first thread. The work was not started.
        """
        from concurrent.futures import Future  # blocking clients need none

        future: Future[T] = Future()
        self.post(_fulfil, future, Spent(partial(work, *args)))
        return future

    def close(self) -> None:
        """End idle threads; a later `post` or `submit` starts new ones."""
        team = self._team
        if team is not None:
            team.end()

    def after_fork(self) -> None:
        """Forget the threads in a child process: they are the parent's."""
        if self._team is not None:
            forks.keep(self._team)
        self._lock = threading.RLock()
        self._team = None

    def _replace(self, ended: _Team | None) -> bool:
        """Start a team in place of one that has ended; return False if no thread can be started any more."""
        with self._lock:
            if self._team is not ended:
                return True
            team = _Team(self._width, self._name)
            try:
                team.begin()
            except BaseException as exc:
                team.end()  # an interrupt may come when the thread has been started
                if isinstance(exc, RuntimeError) and str(exc).startswith(_NO_THREADS):
                    return False
                raise
            self._team = team
            return True


class _Team:
    """Threads that take jobs from one queue, until it is closed.

    A thread that takes a job and leaves no idle one behind starts the next: so callers only queue their jobs.

    Attributes:
        jobs: Each a function that raises nothing; None ends the thread that takes it.
    """

    def __init__(self, width: int, name: str) -> None:
        self.jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._width, self._name = width, name
        self._lock = threading.RLock()
        self._closed = False
        self._threads = self._idle = 0

    def begin(self) -> None:
        """Start the first thread."""
        self._threads = self._idle = 1
        launch(_Worker(self, f"{self._name}_0"))

    def put(self, job: Callable[[], None]) -> bool:
        """Queue a job; return False if the team was closed: no thread would take it."""
        with self._lock:
            if self._closed:
                return False
            self.jobs.put(job)
            return True

    def end(self) -> None:
        """Take no more jobs; the threads end once those that are queued are done."""
        with self._lock:
            self._closed = True
            self.jobs.put(None)

    def count_busy(self) -> None:
        """Note that a thread took a job; start another one if none is idle."""
        with self._lock:
            self._idle -= 1
            if self._idle or self._threads >= self._width:
                return
            number = self._threads
            self._threads += 1
            self._idle += 1
        try:
            worker = _Worker(self, f"{self._name}_{number}")
            greenlets.spawn(worker) if greenlets.COOPERATIVE else worker.start()
        except Exception:  # noqa: BLE001 - the caller must do its job in any case, and the next one tries again
            with self._lock:
                self._threads -= 1
                self._idle -= 1

    def count_idle(self) -> None:
        """Note that a thread has done its job."""
        with self._lock:
            self._idle += 1


class _Worker(threading.Thread):
    """A thread of a team. A daemon, as it may be idle at the interpreter's exit: `end_all` waits for it instead."""

    def __init__(self, team: _Team, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.team = team

    def run(self) -> None:
        """Do jobs until the team is closed."""
        team = self.team
        while (job := team.jobs.get()) is not None:
            team.count_busy()
            try:
                job()
            except BaseException:  # noqa: BLE001 - such as no memory to pass a result on: reported, and the thread lives
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), self)))
            del job  # it would be kept alive until the next one
            team.count_idle()
        team.jobs.put(None)  # for the next thread


def launch(thread: threading.Thread) -> None:
    """Start a thread from another one: `Thread.start` waits on an `Event`, where an interrupt may stop the new thread.

    Raises:
        RuntimeError: No thread can be started.
    """
    if greenlets.COOPERATIVE:
        greenlets.spawn(thread)
    else:
        _thread.start_new_thread(_launch, (thread,))


def _launch(thread: threading.Thread) -> None:
    try:
        thread.start()
    except (RuntimeError, MemoryError):  # there was room for one thread, but not for two
        thread.run()


def end_all() -> None:
    """End all threads of this process at the interpreter's exit, and wait for a while until their work is done.

    Later calls, of older `atexit` handlers, start new ones where Python allows it.
    """
    workers = [one for one in threading.enumerate() if isinstance(one, _Worker) and one.is_alive()]
    for worker in workers:
        worker.team.end()
    until = time.monotonic() + 2 * UNWINDING_SECONDS
    for worker in workers:
        worker.join(max(0.0, until - time.monotonic()))


def start(work: Callable[..., T], *args: Any) -> asyncio.Future[T]:
    """Start work on a thread of the running loop, as `asyncio.to_thread` does, and return its future."""
    import asyncio  # blocking clients load this module too, and need no asyncio
    from concurrent.futures import Future

    call = Spent(partial(contextvars.copy_context().run, work, *args))
    try:
        return asyncio.get_running_loop().run_in_executor(None, call)
    except RuntimeError as exc:
        if not str(exc).startswith(_NO_THREADS):
            raise
        future: Future[T] = Future()
        _fulfil(future, call)
        return asyncio.wrap_future(future)


class Spent(Generic[T]):
    """A call that is made once, and refers to nothing any more when it returns.

    A thread that fulfils a future lets go of its work a moment after the caller who waits for the future goes on. Until
    then it would keep alive what the work refers to, such as a file that the caller drops, and finalize it.
    """

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = [work]

    def __call__(self) -> T:
        """Make the call."""
        return self._work.pop()()


def _fulfil(future: Future[T], work: Callable[[], T]) -> None:
    """Do the work of a future, unless it was cancelled before."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as exc:  # noqa: BLE001 - raised by the result
        future.set_exception(exc)
        del future  # the traceback refers to this frame, and the future to the traceback
    else:
        future.set_result(result)
