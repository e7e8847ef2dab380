"""T11: a cancellation at every point of a call: nothing hangs or is left behind, and what is reported is true.

The points are counted, not guessed: the n-th suspension of the call as it begins, the same as it ends, and the moment
after the server has done the n-th request and before anybody hears of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import secrets
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from typing import Any, Literal, TypeAlias

import msgspec
import pytest

import lakefs_hl
import lakefs_hl.aio
from tests.faults.matrix import QUICK
from tests.faults.proxy import Fault, Proxy, Seen, Turn, proxied
from tests.serving import Served
from tests.threads import assert_ended

#: A file of the awaitable face is the blocking one on a thread: that comes back when the server was silent for so long.
POLICY = msgspec.structs.replace(QUICK, timeout=1.0)
#: Seconds after which a cancelled call has come back: tidying up may take five.
BACK = 10.0
OLD, NEW = b"old " * 20_000, b"new " * 20_000
When: TypeAlias = Literal["begins", "ends"]
Scenario: TypeAlias = "Callable[[lakefs_hl.aio.Branch, Told], Coroutine[Any, Any, None]]"


class Told:
    """What a scenario leaves for the check."""

    def __init__(self) -> None:
        self.tx: Any = None
        self.content: bytes | None = None
        self.returned = False


class Steps:
    """Runs a coroutine and counts its suspensions; at the n-th its task is cancelled.

    Args:
        inner: What to run.
        at: Which suspension, from 1; 0 cancels none.
        when: As the suspension begins, or when what it waits for is there and the task has not been told yet.
    """

    def __init__(self, inner: Coroutine[Any, Any, None], at: int, when: When) -> None:
        self.count = 0
        self._inner = inner
        self._at = at
        self._when = when

    def __await__(self) -> Generator[Any, Any, None]:
        answer: BaseException | None = None
        while True:
            try:
                waited = self._inner.send(None) if answer is None else self._inner.throw(answer)
            except StopIteration:
                return
            answer = None
            self.count += 1
            if self.count == self._at:
                self._cancel(waited)
            try:
                yield waited
            except BaseException as exc:
                answer = exc

    def _cancel(self, waited: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._when == "begins" or waited is None:
            task.cancel()
        else:
            waited.add_done_callback(lambda _: task.cancel())


# ---------------------------------------------------------------------------------------------------------- the calls


async def upload(branch: lakefs_hl.aio.Branch, told: Told) -> None:
    await branch.upload(NEW, "a")


async def upload_blocks(branch: lakefs_hl.aio.Branch, told: Told) -> None:
    await branch.upload((NEW[start : start + 20_000] for start in range(0, len(NEW), 20_000)), "a")


async def write(branch: lakefs_hl.aio.Branch, told: Told) -> None:
    async with await branch.open("a", "wb") as file:
        await file.write(NEW[:1000])
        await file.write(NEW[1000:])


async def download(branch: lakefs_hl.aio.Branch, told: Told) -> None:
    told.content = await branch.download("a")


async def read(branch: lakefs_hl.aio.Branch, told: Told) -> None:
    async with await branch.open("a", "rb") as file:
        content = b""
        while block := await file.read(30_000):
            content += block
    told.content = content


async def transaction(branch: lakefs_hl.aio.Branch, told: Told) -> None:
    told.tx = branch.transaction("by the test")
    async with told.tx as tx:
        await tx.upload(NEW, "a")
        await tx.upload(NEW, "b")


async def commit(branch: lakefs_hl.aio.Branch, told: Told) -> None:
    await branch.commit_changes("by the test", allow_empty=True)


SCENARIOS = (upload, upload_blocks, write, download, read, transaction, commit)


def check(scenario: Scenario, branch: lakefs_hl.Branch, told: Told, error: BaseException | None) -> None:
    """Holds what was told against what the lake has."""
    assert error is None or isinstance(error, asyncio.CancelledError | KeyboardInterrupt), error
    assert told.content in (None, OLD), "content that was never an object's"
    content, commits = branch.download("a"), [commit.message for commit in branch.log()].count("by the test")
    assert content in (OLD, NEW), "half an object"
    if scenario in (upload, upload_blocks, write) and error is None:
        assert content == NEW
    if scenario is commit and error is None:
        assert commits == 1
    assert commits <= 2 if scenario is transaction else commits <= 1
    if scenario is transaction and told.tx is not None:
        merged = branch.exists("b")
        assert (content == NEW) == merged, "half a transaction"
        assert list(branch.list_uncommitted()) == []
        notes = " ".join(getattr(error, "__notes__", ()))
        match told.tx.state:
            case "COMMITTED":
                assert merged
            case "ABORTED" | "NEW":
                assert not merged, f"told as aborted: {notes}"
            case state:
                assert state == "UNKNOWN", "an ended transaction is never open"
                assert error is not None


# ----------------------------------------------------------------------------------------------------- where they run


@pytest.fixture(autouse=True)
def _nothing_stays_open() -> Iterator[None]:
    """Fails the test after which a file of ours is collected that nobody closed, and no other one."""
    left: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda told: left.append(f"{told.exc_value} ({told.object})"))
        yield
        gc.collect()
    assert not left, f"{len(left)} files were left open: {left[0]}"


@pytest.fixture(params=["in process", "served"])
def base(request: pytest.FixtureRequest) -> Iterator[lakefs_hl.Branch]:
    """A branch with an object, to branch off from."""
    served = request.param == "served"
    client = request.getfixturevalue("direct") if served else lakefs_hl.Client("mem://")
    repository = lakefs_hl.repository(f"cancel-{secrets.token_hex(4)}", client=client).create()
    main = repository.branch("main")
    main.upload(OLD, "a")
    main.commit_changes("base")
    yield main
    if not served:
        client.close()


def awaitable(branch: lakefs_hl.Branch, client: lakefs_hl.aio.Client) -> lakefs_hl.aio.Branch:
    return lakefs_hl.aio.repository(branch.repository_id, client=client).branch(branch.id)


@contextlib.contextmanager
def no_thread_stays() -> Iterator[None]:
    """Fails if a thread of ours is left when the block ends."""
    before = set(threading.enumerate())
    yield
    assert_ended(before, limit=BACK)


def run(make: Callable[[], Awaitable[Any]]) -> tuple[BaseException | None, float]:
    """Runs what `make` gives on a loop of its own; returns how it ended and after how long."""
    start = time.monotonic()

    async def main() -> None:
        await make()

    try:
        asyncio.run(main())
    except (asyncio.CancelledError, Exception) as exc:
        return exc, time.monotonic() - start
    return None, time.monotonic() - start


@pytest.mark.parametrize("when", ["begins", "ends"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_every_await_can_be_cancelled(scenario: Scenario, when: When, base: lakefs_hl.Branch) -> None:
    repository = lakefs_hl.repository(base.repository_id, client=base._client)
    for at in itertools.count(1):
        branch = repository.branch(f"{scenario.__name__}-{when}-{at}").create("main")
        told, counted = Told(), [0]

        async def whole(at: int = at, branch: Any = branch, told: Told = told, counted: list[int] = counted) -> None:
            from lakefs_hl.aio.default import of

            async with of(base._client) as client:
                steps = Steps(scenario(awaitable(branch, client), told), at, when)
                try:
                    await steps
                finally:
                    counted[0] = steps.count

        with no_thread_stays():
            error, seconds = run(whole)
        assert seconds < BACK, f"cancelled at {at}: back after {seconds:.1f} s"
        try:
            check(scenario, branch, told, error)
        except AssertionError as exc:
            exc.add_note(f"{scenario.__name__}, cancelled as await {at} of {counted[0]} {when}")
            raise
        if counted[0] < at:
            break
    assert at > 1 or base._client._in_process, "a call over a network waits at least once"


# ------------------------------------------------------------------------------------- applied, and nobody was told yet


def losing(proxy: Proxy, number: int, then: Callable[[], object]) -> None:
    """Has the server do the n-th request, then calls `then`, and never answers."""
    passed = itertools.count(1)

    def fault(turn: Turn) -> None:
        turn.forward()
        then()
        turn.stall()

    def plan(seen: Seen) -> tuple[str, Fault] | None:
        return ("applied, and never answered", fault) if next(passed) == number else None

    proxy.plan = plan


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_cancellation_after_the_request_was_applied_is_reported_as_maybe_applied(
    scenario: Scenario, served_lake: Served, direct: lakefs_hl.Client
) -> None:
    repository = lakefs_hl.repository(f"cancel-{secrets.token_hex(4)}", client=direct).create()
    main = repository.branch("main")
    main.upload(OLD, "a")
    main.commit_changes("base")
    for at in itertools.count(1):
        branch, told = repository.branch(f"b{at}").create("main"), Told()
        with no_thread_stays(), proxied(served_lake.url) as proxy:

            async def whole(at: int = at, branch: Any = branch, told: Told = told, proxy: Proxy = proxy) -> None:
                loop, task = asyncio.get_running_loop(), asyncio.current_task()
                assert task is not None
                losing(proxy, at, lambda: loop.call_soon_threadsafe(task.cancel))
                async with lakefs_hl.aio.Client(proxy.url, served_lake.key, served_lake.secret) as client:
                    client._session.policy = POLICY
                    await scenario(awaitable(branch, client), told)

            error, seconds = run(whole)
        assert seconds < BACK, f"request {at}: back after {seconds:.1f} s; {proxy.journal()}"
        try:
            check(scenario, branch, told, error)
        except AssertionError as exc:
            exc.add_note(f"{scenario.__name__}, request {at}: {proxy.journal()}")
            raise
        if len(proxy.seen) < at:
            break
    assert at > 1


def blocking_transaction(branch: lakefs_hl.Branch, told: Told) -> None:
    told.tx = branch.transaction("by the test")
    with told.tx as tx:
        tx.upload(NEW, "a")
        tx.upload(NEW, "b")


def blocking_upload(branch: lakefs_hl.Branch, told: Told) -> None:
    branch.upload(NEW, "a")


def blocking_commit(branch: lakefs_hl.Branch, told: Told) -> None:
    branch.commit_changes("by the test", allow_empty=True)


@pytest.mark.parametrize(
    ("call", "scenario"),
    [(blocking_upload, upload), (blocking_transaction, transaction), (blocking_commit, commit)],
    ids=["upload", "transaction", "commit"],
)
def test_ctrl_c_after_the_request_was_applied_is_reported_as_maybe_applied(
    call: Callable[[lakefs_hl.Branch, Told], None],
    scenario: Scenario,
    served_lake: Served,
    direct: lakefs_hl.Client,
) -> None:
    repository = lakefs_hl.repository(f"cancel-{secrets.token_hex(4)}", client=direct).create()
    main = repository.branch("main")
    main.upload(OLD, "a")
    main.commit_changes("base")
    here = threading.main_thread().ident
    assert here is not None
    for at in itertools.count(1):
        branch, told, error = repository.branch(f"b{at}").create("main"), Told(), None
        start = time.monotonic()
        with no_thread_stays(), proxied(served_lake.url) as proxy:
            losing(proxy, at, lambda: signal.pthread_kill(here, signal.SIGINT))
            with lakefs_hl.Client(proxy.url, served_lake.key, served_lake.secret) as client:
                client._session.policy = POLICY
                try:
                    call(lakefs_hl.repository(repository.id, client=client).branch(branch.id), told)
                except KeyboardInterrupt as exc:
                    error = exc
        assert time.monotonic() - start < BACK, f"request {at}: {proxy.journal()}"
        try:
            check(scenario, branch, told, error)
        except AssertionError as exc:
            exc.add_note(f"{scenario.__name__}, request {at}: {proxy.journal()}")
            raise
        if len(proxy.seen) < at:
            break
    assert at > 1
