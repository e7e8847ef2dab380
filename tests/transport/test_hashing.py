"""MD5 on a thread beside a transfer: the same digits as inline, and no thread is left, whatever happens."""

from __future__ import annotations

import _thread
import gc
import hashlib
import io
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import FileSlice, Request, TransportError
from lakefs_hl.transport import greenlets, hashing
from lakefs_hl.transport.body import BLOCK, Buffers
from lakefs_hl.transport.hashing import DEPTH, SMALL, BackgroundHash, background, close
from lakefs_hl.transport.http import Http
from tests.transport.peers import Peer, answer, answering, peer
from tests.transport.test_interrupts import SECONDS, interrupt_everywhere

CONTENT = os.urandom(1 << 16) * ((SMALL + 3 * BLOCK) >> 16) + b"end"
MD5 = hashlib.md5(CONTENT).hexdigest()
DATA = Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"})

# An interrupt in a finalizer is only reported.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def wait_for_threads(count: int) -> None:
    """Wait until no more threads run than before: one that was told to end needs a moment."""
    until = time.monotonic() + SECONDS
    while _thread._count() > count:
        assert time.monotonic() < until, "a thread is left"
        os.sched_yield()


def hash_in_turns() -> str:
    """Hash the content through buffers that are filled again."""
    hashed, buffers, at = background(hashlib.md5(), len(CONTENT)), Buffers(len(CONTENT), DEPTH + 1), 0
    try:
        while at < len(CONTENT):
            block = buffers.current(len(CONTENT) - at)
            block[:] = CONTENT[at : at + len(block)]
            hashed.update(block)
            buffers.turn()
            at += len(block)
        return hashed.hexdigest()
    finally:
        close(hashed)


@pytest.mark.parametrize("how", ["thread", "no thread", "gevent", "interpreter exit", "busy"])
def test_content_is_hashed_with_and_without_a_thread(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, started = _thread._count(), list[int]()
    start = _thread.start_new_thread

    def starting(work: Callable[..., object], args: tuple[Any, ...]) -> int:
        if how == "no thread":
            raise RuntimeError("can't start new thread")
        started.append(1)
        return start(work, args)

    monkeypatch.setattr(_thread, "start_new_thread", starting)
    if how == "gevent":
        monkeypatch.setattr(greenlets, "is_patched", lambda: True)
    if how == "busy":
        monkeypatch.setattr(hashing, "MOST", 0)
    if how == "interpreter exit":
        monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    assert hash_in_turns() == MD5
    assert len(started) == (1 if how == "thread" else 0)
    wait_for_threads(threads)


def test_a_hash_goes_on_from_what_it_has_and_little_is_hashed_here() -> None:
    first = hashlib.md5(CONTENT[:100])
    assert background(first, SMALL) is first
    hashed = background(first, None)
    hashed.update(CONTENT[100:])
    assert hashing.settle(hashed) is first
    close(hashed)
    assert first.hexdigest() == MD5


def test_what_cannot_be_hashed_is_raised_and_the_thread_ends() -> None:
    threads = _thread._count()
    hashed = background(hashlib.md5(), None)
    hashed.update("text")
    with pytest.raises(TypeError, match="Strings must be encoded"):
        hashed.hexdigest()
    close(hashed)
    wait_for_threads(threads)
    lost = BackgroundHash(hashlib.md5())
    lost.update(b"x")
    del lost  # as by an interrupt before `close`
    wait_for_threads(threads)


def test_nothing_is_hashed_or_referred_to_after_close() -> None:
    began, go, blocks = threading.Event(), threading.Event(), [bytearray(10) for _ in range(DEPTH)]

    class Slow:
        def update(self, block: memoryview) -> None:
            began.set()
            go.wait(SECONDS)

    hashed = BackgroundHash(Slow())  # type: ignore[arg-type]
    for block in blocks:
        hashed.update(memoryview(block))
    assert began.wait(SECONDS)
    threading.Timer(0, go.set).start()
    close(hashed)
    for block in blocks:
        block.append(0)  # a buffer that is referred to cannot grow
    close(hashed)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_process_says_that_it_has_no_such_thread() -> None:
    hashed = background(hashlib.md5(), None)
    hashed.update(CONTENT)
    child = os.fork()
    if not child:
        try:
            hashed.hexdigest()
        except RuntimeError:
            close(hashed)
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert hashed.hexdigest() == MD5
    close(hashed)


# ------------------------------------------------------------------------------------------------------------ transfers


@pytest.mark.parametrize("into", ["file", "memory", "whole"])
def test_a_download_is_hashed_on_from_what_came_before(into: str, tmp_path: Any) -> None:
    before, threads = hashlib.md5(b"before"), _thread._count()
    with answering(answer(CONTENT)) as server, open(tmp_path / "file", "w+b") as file:
        transport, memory = Http(server.url), bytearray(len(CONTENT))
        sinks: dict[str, memoryview | FileSlice | None] = {
            "file": FileSlice(file.fileno(), 6, len(CONTENT)),
            "memory": memoryview(memory),
            "whole": None,
        }
        sink = sinks[into]
        request = Request(DATA.endpoint, DATA.params, DATA.query, sink=sink, digest=before)
        for _ in range(2):  # on a new connection, and on one that is open
            response = transport.send(request)
            assert response.md5 == hashlib.md5(b"before" + CONTENT).hexdigest()
            assert response.hashed is not None
            assert response.hashed.hexdigest() == response.md5
        file.seek(6)
        assert {"file": file.read(), "memory": bytes(memory), "whole": response.body}[into] == CONTENT
        transport.close()
    assert before.hexdigest() == hashlib.md5(b"before").hexdigest()
    wait_for_threads(threads + 1)  # the server's


@pytest.mark.parametrize("digest", [False, True])
def test_content_in_memory_is_received_where_it_stays(digest: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = list[bytes]()

    class Content(io.BytesIO):
        def getvalue(self) -> bytes:
            kept.extend([super().getvalue(), super().getvalue()])
            return kept[-1]

    monkeypatch.setattr("lakefs_hl.transport.body.io.BytesIO", Content)
    with answering(answer(CONTENT)) as server:
        transport = Http(server.url)
        for _ in range(2):
            response = transport.send(Request(DATA.endpoint, DATA.params, DATA.query, digest=digest))
            assert response.body == CONTENT
            assert kept[-1] is kept[-2] is response.body  # a copy would be another one each time
        transport.close()


def test_an_interrupted_download_tells_the_hash_of_what_was_received() -> None:
    def cut(server: Peer, conn: Any, number: int) -> None:
        server.read(conn)
        conn.sendall(answer(CONTENT)[:-1000])

    with peer(cut) as server:
        transport, memory = Http(server.url), memoryview(bytearray(len(CONTENT)))
        with pytest.raises(TransportError) as caught:
            transport.send(Request(DATA.endpoint, DATA.params, DATA.query, sink=memory, digest=True))
        error = caught.value
        assert BLOCK <= error.received < len(CONTENT)
        assert error.hashed is not None
        assert error.hashed.hexdigest() == hashlib.md5(CONTENT[: error.received]).hexdigest()
        transport.close()


@pytest.mark.parametrize("into", ["file", "memory"])
def test_an_interrupted_download_leaves_no_thread_and_no_view(into: str, tmp_path: Any) -> None:
    content = CONTENT[: SMALL + BLOCK]
    with answering(answer(content)) as server, open(tmp_path / "file", "w+b") as file:
        transport, memory = Http(server.url), bytearray(len(content))
        sinks = list[memoryview]()

        def call() -> None:
            sinks.append(memoryview(memory))
            sink = FileSlice(file.fileno(), 0, len(content)) if into == "file" else sinks[-1]
            transport.send(Request(DATA.endpoint, DATA.params, DATA.query, sink=sink, digest=True))

        call()
        threads = _thread._count()

        def check() -> None:
            wait_for_threads(threads + 2)  # that of this check, and one of the server that sees the end later
            assert not transport._lane(transport._endpoint).pool.slots.users

        assert interrupt_everywhere(call, check) > 40
        sinks.clear()
        memory.append(0)  # a buffer that is referred to cannot grow
        transport.close()
        gc.collect()
        wait_for_threads(threads)


def test_an_interrupt_before_a_block_was_counted_does_not_make_the_hash_wait_for_ever() -> None:
    class Alarm(TimeoutError):
        """What a handler of SIGALRM raises, which is a failure as that of a network."""

    class Interrupted:
        def __init__(self) -> None:
            self.queue = hashed._done

        def get(self) -> Any:
            said = self.queue.get()
            hashed._done = self.queue
            raise Alarm(said)

    hashed = BackgroundHash(hashlib.md5())
    blocks = [CONTENT[start : start + BLOCK] for start in range(0, (DEPTH + 1) * BLOCK, BLOCK)]
    try:
        for block in blocks[:-1]:
            hashed.update(block)
        hashed._done = Interrupted()  # type: ignore[assignment]
        with pytest.raises(Alarm):
            hashed.update(blocks[-1])
        assert hashed.hexdigest() == hashlib.md5(b"".join(blocks)).hexdigest()
        assert hashed.hexdigest() == hashlib.md5(b"".join(blocks)).hexdigest()
    finally:
        hashed.close()
