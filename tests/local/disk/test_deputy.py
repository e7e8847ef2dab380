from __future__ import annotations

import _thread
import contextlib
import gc
import inspect
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from types import FrameType

import pytest

from lakefs_hl.local.disk import deputy as deputy_module
from lakefs_hl.local.disk.database import Database, Writer
from lakefs_hl.local.disk.deputy import Deputy
from lakefs_hl.local.disk.errors import NoThread
from tests.local.disk.conftest import Open

PUT = "INSERT INTO staging(token, path, value) VALUES(1, ?, 'v')"
#: A guard against hanging, not a measure.
SECONDS = 30.0


def putting(path: bytes) -> Callable[[Writer], bytes]:
    def work(writer: Writer) -> bytes:
        writer.execute(PUT, (path,))
        return path

    return work


def paths(database: Database) -> set[bytes]:
    with database.read() as reader:
        return {row[0] for row in reader.execute("SELECT path FROM staging")}


def write_elsewhere(database: Database, path: bytes) -> None:
    """Writes on another thread, which must not hang."""
    told: list[object] = []

    def run() -> None:
        try:
            told.append(database.submit(putting(path)))
        except BaseException as error:
            told.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert told == [path]


def test_the_main_thread_has_it_done_and_gets_what_came_of_it() -> None:
    deputy = Deputy()
    assert deputy.ask(threading.get_ident) != threading.get_ident()
    with pytest.raises(KeyError, match="mine"):
        deputy.ask(lambda: {"yours": 1}["mine"])
    first = deputy.ask(threading.get_ident)
    assert deputy.ask(threading.get_ident) == first
    assert deputy.retire(SECONDS)
    assert not deputy._hands


def test_an_idle_deputy_ends_and_another_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deputy_module, "IDLE", 0.01)
    deputy = Deputy()
    assert deputy.ask(lambda: 1) == 1
    hand = deputy._hand
    assert hand is not None
    assert hand.ended.acquire(timeout=SECONDS)
    assert deputy.ask(lambda: 2) == 2
    assert deputy._hand is not hand
    assert deputy.retire(SECONDS)


def test_a_deputy_that_always_leaves_does_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deputy_module, "IDLE", 0.0)
    deputy = Deputy()
    done: list[int] = []
    for index in range(300):
        deputy.ask(lambda index=index: done.append(index))  # type: ignore[misc]
    assert done == list(range(300))
    assert deputy.retire(SECONDS)


def test_what_was_asked_is_not_kept_alive() -> None:
    class Kept:
        pass

    deputy = Deputy()
    one, other = Kept(), Kept()
    gone = [weakref.ref(one), weakref.ref(other)]

    def fail(kept: Kept) -> None:
        raise KeyError(kept)

    gc.disable()
    try:
        deputy.ask(lambda kept=one: repr(kept))  # type: ignore[misc]
        with contextlib.suppress(KeyError):
            deputy.ask(lambda kept=other: fail(kept))  # type: ignore[misc]
        del one, other
        deputy.ask(lambda: None)  # the thread has let go of the one before
        assert [ref() for ref in gone] == [None, None]
    finally:
        gc.enable()
    assert deputy.retire(SECONDS)


def test_no_thread_is_an_error_that_leaves_nothing_behind(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert database._deputy.retire(SECONDS)

    def refuse(*args: object) -> int:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", refuse)
        with pytest.raises(NoThread, match="can't start new thread"):
            database.submit(putting(b"a"))
        with pytest.raises(NoThread, match="can't start new thread"):
            database.run(putting(b"b"))
        assert paths(database) == set()
    assert database.submit(putting(b"c")) == b"c"
    assert paths(database) == {b"c"}


def test_a_thread_is_made_by_the_first_write_only(open_database: Open) -> None:
    open_database().close()
    database = open_database()
    assert paths(database) == set()
    assert not database._deputy._hands
    database.run(putting(b"a"))
    assert len(database._deputy._hands) == 1
    pid = os.fork()  # warns, as an error here, if a thread is left
    if pid == 0:
        os._exit(len(database._deputy._hands))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


class Interrupts:
    """Raises KeyboardInterrupt at given moments of the main thread.

    A signal is handled when a function of Python begins and when one in C returns: these are the events of a profiler.
    """

    def __init__(self, moments: tuple[int, ...]) -> None:
        self.moments = moments
        self.count = 0
        self.raised = 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "c_return" or (event == "call" and not frame.f_code.co_flags & inspect.CO_GENERATOR):
            self.count += 1
            if self.count in self.moments:
                self.raised += 1
                sys.setprofile(self)  # raising ends the profiling
                raise KeyboardInterrupt


def interrupt(call: Callable[[], object], *moments: int) -> int:
    """Makes a call, interrupted at these moments; gives how often it was."""
    interrupts = Interrupts(moments)
    try:
        sys.setprofile(interrupts)
        call()
    except KeyboardInterrupt:
        assert interrupts.raised
    finally:
        sys.setprofile(None)
    return interrupts.raised


@pytest.mark.parametrize("how", ["submit", "run", "read"])
@pytest.mark.parametrize("again", [0, 3], ids=["once", "twice"])
def test_an_interrupt_at_any_moment_harms_nobody(open_database: Open, how: str, again: int) -> None:
    database = open_database(sync=False)
    database.run(putting(b"first"))
    ran: list[bytes] = []

    def call(path: bytes) -> None:
        if how == "read":
            paths(database)
        else:
            (database.submit if how == "submit" else database.run)(putting(path))
            ran.append(path)

    moment = 0
    while True:
        moment += 1
        path = b"%d" % moment
        times = interrupt(lambda path=path: call(path), moment, moment + again)  # type: ignore[misc]
        assert not database.local.reading(), moment
        assert not database.readers.lent(), moment
        assert not database._turn.mine(), moment
        if moment % 10 == 0 or not times:
            write_elsewhere(database, b"other %d" % moment)
        if not times:
            break
    assert moment > 20
    assert not database.writing
    found = paths(database)
    assert {*ran, b"first"} <= found
    assert found - {b"first"} <= {b"%d" % number for number in range(moment + 1)} | {
        b"other %d" % number for number in range(moment + 1)
    }


def test_a_read_sees_what_the_write_before_it_was_interrupted_in(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks whether an interrupted write was made is told the truth."""
    main, begun, go = threading.main_thread().ident, threading.Event(), threading.Event()
    assert main is not None

    def work(writer: Writer) -> bytes:
        begun.set()
        assert go.wait(SECONDS)
        return putting(b"late")(writer)

    def interrupt() -> None:
        assert begun.wait(SECONDS)
        signal.pthread_kill(main, signal.SIGINT)

    shooter = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):
        shooter.start()
        database.run(work)
    shooter.join()
    settle = deputy_module._Errand.settle

    def settled(errand: deputy_module._Errand[object], timeout: float) -> None:
        go.set()  # not before somebody waits for it
        settle(errand, timeout)

    monkeypatch.setattr(deputy_module._Errand, "settle", settled)
    assert paths(database) == {b"late"}


def test_a_reader_that_an_interrupted_write_refers_to_comes_back_with_the_deputy(database: Database) -> None:
    """Before a fork nobody is out: the error of a write that nobody waits for any more keeps no reader."""
    main, begun, go = threading.main_thread().ident, threading.Event(), threading.Event()
    assert main is not None

    def write() -> None:
        reading = database.read()
        reader = reading.__enter__()

        def work(_writer: Writer) -> None:
            begun.set()
            assert go.wait(SECONDS)
            raise KeyError(reader)

        database.run(work)  # interrupted, and once more before the block of the read could end

    def interrupt() -> None:
        assert begun.wait(SECONDS)
        signal.pthread_kill(main, signal.SIGINT)

    shooter = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):
        shooter.start()
        write()
    shooter.join()
    go.set()
    assert database._deputy.retire(SECONDS)
    gc.collect()
    assert not database.readers.lent()


def test_what_nobody_has_begun_is_taken_back_before_anything_else_is_done() -> None:
    deputy, done = Deputy(), list[int]()
    deputy.asked = errand = deputy_module._Errand(lambda: done.append(1))  # interrupted before it was given to anybody
    assert deputy.ask(lambda: 2) == 2
    late = threading.Thread(target=errand.run)
    late.start()
    late.join()
    assert errand.withdrawn
    assert not done
    assert deputy.asked is None


def test_a_signal_handler_may_write_while_its_thread_waits_for_a_write(database: Database) -> None:
    main, begun, go = threading.main_thread().ident, threading.Event(), threading.Event()
    assert main is not None

    def work(writer: Writer) -> bytes:
        begun.set()
        assert go.wait(SECONDS)
        return putting(b"outer")(writer)

    def handle(*_: object) -> None:
        go.set()
        database.run(putting(b"inner"))
        assert paths(database) == {b"inner", b"outer"}

    def interrupt() -> None:
        assert begun.wait(SECONDS)
        signal.pthread_kill(main, signal.SIGINT)

    before = signal.signal(signal.SIGINT, handle)
    shooter = threading.Thread(target=interrupt)
    try:
        shooter.start()
        assert database.run(work) == b"outer"
    finally:
        signal.signal(signal.SIGINT, before)
        shooter.join()
    assert paths(database) == {b"inner", b"outer"}
