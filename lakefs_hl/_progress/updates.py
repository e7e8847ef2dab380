"""Progress that is shown: the counts of a transfer, and a display that is updated at most ten times per second."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Final

from lakefs_hl._progress.displays import Display
from lakefs_hl._progress.events import Progress, add, warn_of
from lakefs_hl._progress.meter import Meter

#: Least time between two updates of a display, in seconds.
INTERVAL: Final = 0.1


class DisplayProgress(Progress):
    """Progress that is shown.

    Args:
        display: Where it is shown.
        name: What the caller passed, for the warning if the display raises. Empty for a display of our own, which
            ends without one: it raises if the terminal is gone.
    """

    __slots__ = ("_display", "_due", "_lock", "_meter", "_name", "_partial")

    silent = False

    def __init__(self, display: Display, name: str = "") -> None:
        self._display: Display | None = display
        self._name = name
        self._lock = threading.RLock()
        now = monotonic()
        self._meter = Meter(now)
        self._due = now + INTERVAL
        #: Bytes so far of the objects that are under way and have advanced.
        self._partial = dict[str, int]()

    def expect(self, objects: int | None = None, size: int | None = None) -> None:
        with self._lock:
            meter = self._meter
            meter.total_objects, meter.total_bytes = add(meter.total_objects, objects), add(meter.total_bytes, size)

    def advance(self, path: str, done: int, size: int | None = None) -> None:
        with self._lock:
            self._meter.bytes += done - self._partial.get(path, 0)
            self._partial[path] = done
            self._show()

    def complete(self, path: str, size: int = 0) -> None:
        with self._lock:
            meter = self._meter
            meter.objects += 1
            meter.bytes += size - self._partial.pop(path, 0) if self._partial else size
            if monotonic() >= self._due:
                self._show()

    def skip(self, path: str, size: int | None = None) -> None:
        with self._lock:
            meter = self._meter
            meter.objects += 1
            meter.skipped += 1
            if size is not None and meter.total_bytes is not None:
                meter.total_bytes = max(meter.total_bytes - size, 0)  # they are not transferred
            self._show()

    def fail(self, path: str, error: Exception) -> None:
        with self._lock:
            meter = self._meter
            meter.objects += 1
            meter.failed += 1
            meter.bytes -= self._partial.pop(path, 0)
            self._show()

    def delete(self, path: str) -> None:
        with self._lock:
            self._meter.objects += 1
            self._show()

    def close(self) -> None:
        with self._lock:
            if self._meter.is_empty():
                self._display = None  # nothing happened: the transfer was refused, say
            self._show(last=True)
            self._display = None

    def _show(self, *, last: bool = False) -> None:
        now = monotonic()
        if (now < self._due and not last) or self._display is None:
            return
        self._due = now + INTERVAL
        self._meter.look(now)
        try:
            if last:
                self._display.close(self._meter, now)
            else:
                self._display.show(self._meter, now)
        except Exception as error:  # noqa: BLE001 - a terminal that is gone, or a bar of the caller's class
            self._display = None
            if self._name:
                warn_of(self._name, error)
