"""A Gather whose requests go out as waves: what goes together, what each op gets, and how all of them end."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from lakefs_hl.ops.effects import Cancelled, Gather, Op, gather, gather_each, send, sleep
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import FileSlice, Request, Response, TransportError
from lakefs_hl.transport.base import Outcome
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.scope import Scope
from lakefs_hl.transport.waves import BYTES, FILES, MOST, Waves, Weight, width_of
from tests.transport.fakes import STAT, FakeMany, done
from tests.transport.test_interrupts import interrupt_everywhere

NEVER = 60.0


def asking(index: int, times: int = 1) -> Op[int]:
    for _ in range(times):
        yield from send(STAT)
    return index


def uploading(body: bytes | FileSlice) -> Op[int]:
    response = yield from send(Request(endpoints.UPLOAD_OBJECT, ("r", "main"), {"path": "k"}, body=body))
    return response.status


def test_all_ops_send_together() -> None:
    transport = FakeMany()
    assert Blocking(transport).run(gather(map(asking, range(MOST + 3)), MOST)) == list(range(MOST + 3))
    assert transport.waves == [MOST, 3]


def test_a_slot_is_used_again_as_soon_as_an_op_has_ended() -> None:
    transport = FakeMany()
    ops = [asking(0, times=3), *(asking(index) for index in range(1, 7))]
    assert Blocking(transport).run(gather(ops, 3)) == list(range(7))
    assert transport.waves == [3, 3, 3]


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_a_number_is_respected(limit: int) -> None:
    transport = FakeMany()
    Blocking(transport).run(gather(map(asking, range(20)), limit))
    assert max(transport.waves, default=1) <= limit


def test_a_limit_that_is_no_number_means_a_full_wave() -> None:
    assert [width_of(limit) for limit in (object(), 0, 5, 10 * MOST)] == [MOST, 1, 5, MOST]


def test_a_wave_carries_no_more_than_fits_in_memory() -> None:
    transport, body = FakeMany(), bytes(BYTES // 4)
    Blocking(transport).run(gather((uploading(body) for _ in range(10)), MOST))
    assert transport.waves == [4, 4, 2]


def test_a_wave_has_no_more_open_files_than_a_process_may() -> None:
    transport = FakeMany()
    with tempfile.TemporaryFile() as file:
        part = FileSlice(file.fileno(), 0, 1 << 40)
        Blocking(transport).run(gather((uploading(part) for _ in range(FILES + 1)), MOST))
    assert transport.waves == [FILES, 1]
    weight = Weight()
    for _ in range(FILES):
        assert not weight.is_full
        weight.add(Request(endpoints.GET_OBJECT, sink=part))
    assert weight.is_full


def test_each_op_gets_its_own_response_or_error() -> None:
    numbers = itertools.count()

    def answer(request: Request, scope: Scope | None, within: float | None) -> Response:
        number = next(numbers)
        if number % 3 == 2:
            raise TransportError("wait", f"lost {number}")
        return Response(200 + number)

    def op() -> Op[Any]:
        try:
            return (yield from send(STAT)).status
        except TransportError as exc:
            return str(exc)

    found = Blocking(FakeMany(answer)).run(gather((op() for _ in range(6)), 6))
    assert found == [200, 201, "lost 2", 203, 204, "lost 5"]


def test_a_pause_of_one_op_holds_up_no_other() -> None:
    transport, begun = FakeMany(), time.monotonic()

    def pausing() -> Op[str]:
        yield from sleep(0.0, 0.05)
        yield from send(STAT)
        return "paused"

    found = list[Any]()
    ops: list[Op[Any]] = [pausing(), *(asking(index, times=5) for index in range(3)), pausing()]
    Blocking(transport).run(gather_each(ops, 8, lambda index, result: found.append(result)))
    assert found == [0, 1, 2, "paused", "paused"]
    assert time.monotonic() - begun < NEVER


def test_an_expired_deadline_is_thrown_into_each_op() -> None:
    seen, transport = list[str](), FakeMany()

    def op() -> Op[None]:
        try:
            yield from send(STAT)
        except TransportError as exc:
            seen.append(str(exc))

    effect = Gather((op() for _ in range(3)), 3, None)
    Waves(effect, transport.send_many, Blocking(transport), None, time.monotonic() - 1).run()
    assert len(seen) == 3
    assert transport.waves == []


def test_a_cancelled_scope_ends_a_pause_and_all_ops() -> None:
    scope, ended, transport = Scope(), list[int](), FakeMany()

    def waits(index: int) -> Op[None]:
        try:
            yield from send(STAT)
            if index == 2:
                scope.cancel()
            yield from sleep(0.0, NEVER)
        finally:
            ended.append(index)

    effect = Gather(map(waits, range(3)), 3, None)
    with pytest.raises(Cancelled):
        Blocking(transport).gather(effect, scope, float("inf"))
    assert sorted(ended) == [0, 1, 2]


class InterruptedFake(FakeMany):
    """One whose wave is interrupted."""

    def send_many(
        self, requests: Sequence[Request], scope: Scope | None = None, within: float | None = None
    ) -> list[Outcome]:
        raise KeyboardInterrupt


def test_an_interrupted_wave_ends_all_ops_which_may_still_send() -> None:
    sent, unwound = list[Request](), list[type[BaseException]]()

    def answer(request: Request, scope: Scope | None, within: float | None) -> Response:
        sent.append(request)
        return done(request, scope, within)

    def op() -> Op[None]:
        try:
            yield from send(STAT)
        except BaseException as exc:
            unwound.append(type(exc))
            yield from send(STAT)
            raise

    with pytest.raises(KeyboardInterrupt):
        Blocking(InterruptedFake(answer)).run(gather((op() for _ in range(4)), 4))
    assert unwound == [Cancelled] * 4
    assert len(sent) == 4


def test_a_second_interrupt_ends_the_rest_at_once() -> None:
    ended = list[int]()

    def answer(request: Request, scope: Scope | None, within: float | None) -> Response:
        raise KeyboardInterrupt

    def op(index: int) -> Op[None]:
        try:
            yield from send(STAT)
        except Cancelled:
            yield from send(STAT)
            raise
        finally:
            ended.append(index)

    with pytest.raises(KeyboardInterrupt):
        Blocking(InterruptedFake(answer)).run(gather(map(op, range(4)), 4))
    assert sorted(ended) == [0, 1, 2, 3]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment_leaves_no_op_alive() -> None:
    live, driver = set[int](), Blocking(FakeMany())

    def op(index: int) -> Op[int]:
        try:
            live.add(index)
            yield from send(STAT)
            yield from sleep(0.0, 0.0)
            yield from send(STAT)
        finally:
            live.discard(index)
        return index

    def check() -> None:
        assert not live
        assert driver.run(gather(map(op, range(3)), 3)) == [0, 1, 2]

    assert interrupt_everywhere(lambda: driver.run(gather(map(op, range(3)), 2)), check) > 50


def test_ops_are_not_made_before_there_is_room_for_them() -> None:
    made = [0]

    class EnoughError(Exception):
        pass

    def stream() -> Iterator[Op[int]]:
        for index in itertools.count():
            made[0] += 1
            yield asking(index)

    def enough(index: int, result: int) -> None:
        if index == 40:
            raise EnoughError

    with pytest.raises(EnoughError):
        Blocking(FakeMany()).run(gather_each(stream(), 16, enough))
    assert made[0] <= 48
