"""Progress for callbacks of fsspec: one for the call, which counts objects, and one for each object, in bytes."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsspec.callbacks import Callback

    from lakefs_hl.types import TransferEvent


class Lines:
    """The callback of a call for many objects. Callbacks are not thread-safe, and objects are moved in threads.

    Args:
        callback: The callback of the call.
        count: Number of objects.
    """

    def __init__(self, callback: Callback, count: int) -> None:
        self._callback = callback
        self._lock = threading.Lock()
        callback.set_size(count)

    @contextmanager
    def child(self, source: str, target: str) -> Iterator[Callback]:
        """Provide a callback for one object, and count the object at the end of the block if it was moved."""
        with self._lock:
            child = self._callback.branched(source, target)
        try:
            yield child
        finally:
            with self._lock:
                child.close()
        self.add()

    def add(self) -> None:
        """Count an object."""
        with self._lock:
            self._callback.relative_update()


class Told:
    """Tells a callback about the transfer of one object."""

    def __init__(self, callback: Callback) -> None:
        self._callback = callback
        self._done = 0

    def on_event(self, event: TransferEvent) -> None:
        """Take an event."""
        if event.kind == "fail":
            return
        if event.size is not None:
            self._callback.set_size(event.size)
        done = event.size if event.kind == "complete" and event.size is not None else event.done
        if done > self._done:
            self._callback.relative_update(done - self._done)
            self._done = done
