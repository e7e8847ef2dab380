"""The queue between threads. `tests/facades/test_green.py` runs a lake under gevent."""

from __future__ import annotations

import queue

from lakefs_hl.local.disk import queues


def test_without_gevent_it_is_that_of_python() -> None:
    assert queues.SimpleQueue is queue.SimpleQueue
    assert queues.Empty is queue.Empty
