"""Effects: what an op yields, and what it gets back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lakefs_hl.ops import effects
from lakefs_hl.ops.effects import Call, Gather, Now, Once, Op, Send, SendAll, Sleep
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Request

REQUEST = Request(endpoints.GET_BRANCH, ("r", "b"))


def step(op: Op[Any]) -> Any:
    return next(op)


def result(op: Op[Any], value: Any) -> Any:
    with pytest.raises(StopIteration) as ended:
        op.send(value)
    return ended.value.value


@pytest.mark.parametrize(
    ("op", "kind", "fields"),
    [
        (lambda: effects.send(REQUEST), Send, {"request": REQUEST}),
        (lambda: effects.send_all([REQUEST]), SendAll, {"requests": [REQUEST]}),
        (lambda: effects.sleep(2, 1), Sleep, {"upto": 2, "atleast": 1}),
        (lambda: effects.gather([], 3), Gather, {"limit": 3, "on_result": None}),
        (lambda: effects.once("key", None), Once, {"key": "key"}),  # type: ignore[arg-type]
        (effects.now, Now, {}),
        (lambda: effects.call_function(len), Call, {"function": len}),  # type: ignore[arg-type]
    ],
)
def test_an_op_yields_one_effect_and_returns_what_the_driver_sends(
    op: Callable[[], Op[Any]], kind: type, fields: dict[str, Any]
) -> None:
    made = op()
    effect = step(made)
    assert type(effect) is kind
    assert {name: getattr(effect, name) for name in fields} == fields
    assert result(made, 7) == 7


def test_results_are_passed_on_as_they_arrive() -> None:
    seen: list[tuple[int, int]] = []
    op = effects.gather_each([], 2, lambda index, value: seen.append((index, value)))
    effect = step(op)
    effect.on_result(1, 7)
    assert seen == [(1, 7)]
    assert result(op, None) is None


def test_a_cancellation_is_not_caught_as_an_ordinary_error() -> None:
    assert not issubclass(effects.Cancelled, Exception)
