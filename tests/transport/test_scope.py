"""Scopes: what a cancellation calls, and what it refuses."""

from __future__ import annotations

import pytest

from lakefs_hl.ops.effects import Cancelled
from lakefs_hl.transport.scope import Scope


def test_a_cancellation_ends_the_wait_that_is_attached() -> None:
    scope, called = Scope(), list[int]()
    scope.attach(lambda: called.append(1))
    scope.cancel()
    scope.cancel()
    assert called == [1]


def test_a_cancelled_scope_calls_nothing_that_was_detached_and_refuses_waits() -> None:
    scope, called = Scope(), list[int]()
    scope.attach(lambda: called.append(1))
    scope.detach()
    scope.cancel()
    assert called == []
    with pytest.raises(Cancelled):
        scope.attach(lambda: called.append(1))
    with pytest.raises(Cancelled):
        scope.check()
    assert not scope.begin()
