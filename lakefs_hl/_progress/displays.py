"""Where progress is shown: a bar of tqdm, or one line of text."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, Protocol, TextIO

from lakefs_hl._progress.meter import Meter

#: Seconds between two lines where lines are not rewritten, such as in the log of a build.
LOG_SECONDS: Final = 10.0
#: Width of a terminal of unknown width.
_COLUMNS: Final = 80


class Display(Protocol):
    """Shows a meter. Any call may raise; nothing is called after that."""

    def show(self, meter: Meter, now: float) -> None:
        """Show the counts. Called at most ten times per second."""

    def close(self, meter: Meter, now: float) -> None:
        """Show the last counts and leave them on the screen."""


class Bar:
    """A bar of tqdm, or of a class like it. It is made when it is first shown, since by then the totals are known.

    Args:
        make: Makes the bar, from the keyword arguments of `tqdm.tqdm`.
        title: What is done, such as "Uploading".
    """

    def __init__(self, make: Callable[..., Any], title: str) -> None:
        self._make = make
        self._title = title
        self._bar: Any = None
        self._by_bytes = False
        self._shown = 0

    def show(self, meter: Meter, now: float) -> None:
        if self._bar is None:
            self._by_bytes = meter.by_bytes()
            unit = {"unit": "B", "unit_scale": True} if self._by_bytes else {"unit": " objects"}
            self._bar = self._make(total=self._total(meter), desc=self._title, **unit)
            if hasattr(self._bar, "start_t") and hasattr(self._bar, "last_print_t"):
                # The bar was made after the transfer began: its rate would be that of all objects in no time.
                self._bar.start_t = self._bar.last_print_t = self._bar.start_t - (now - meter.started)
        bar = self._bar
        done, total = (meter.bytes if self._by_bytes else meter.objects), self._total(meter)
        if total is not None and total != bar.total:
            bar.total = total
        if hasattr(bar, "set_postfix_str"):
            bar.set_postfix_str(meter.note(now, by_bytes=self._by_bytes), refresh=False)
        more, self._shown = done - self._shown, done
        bar.update(more)

    def close(self, meter: Meter, now: float) -> None:
        self.show(meter, now)
        self._bar.close()

    def _total(self, meter: Meter) -> int | None:
        """Return the total, which is never below what was done: tqdm would show no bar."""
        done, total = (meter.bytes, meter.total_bytes) if self._by_bytes else (meter.objects, meter.total_objects)
        return None if total is None else max(total, done)


class OpenBar:
    """A bar that the caller made and closes: it counts bytes if its unit is B, else objects."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._by_bytes = str(getattr(bar, "unit", "")).strip() == "B"
        self._shown = 0

    def show(self, meter: Meter, now: float) -> None:
        done = meter.bytes if self._by_bytes else meter.objects
        more, self._shown = done - self._shown, done
        self._bar.update(more)

    def close(self, meter: Meter, now: float) -> None:
        self.show(meter, now)
        if hasattr(self._bar, "refresh"):
            self._bar.refresh()


class Line:
    """One line of text: rewritten on a terminal, else a line now and then.

    Args:
        stream: Where to write.
        title: What is done, such as "Uploading".
        rewrite: Whether the line can be rewritten.
    """

    def __init__(self, stream: TextIO, title: str, *, rewrite: bool) -> None:
        self._stream = stream
        self._title = title
        self._rewrite = rewrite
        self._width = 0
        self._due = 0.0

    def show(self, meter: Meter, now: float) -> None:
        if self._rewrite:
            self._write(meter.line(self._title, now, ended=False), "")
        elif now >= self._due:
            if self._due:  # a short transfer is one line, its last
                self._write(meter.line(self._title, now, ended=False), "\n")
            self._due = now + LOG_SECONDS

    def close(self, meter: Meter, now: float) -> None:
        self._write(meter.line(self._title, now, ended=True), "\n")

    def _write(self, text: str, end: str) -> None:
        if self._rewrite:
            if not end:
                text = text[: self._columns() - 1]  # a longer line would wrap, and could not be rewritten
            padding = " " * (self._width - len(text))
            self._width = len(text)
            text = f"\r{text}{padding}"
        self._stream.write(text + end)
        self._stream.flush()

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or _COLUMNS
        except (OSError, ValueError, AttributeError):  # not a terminal after all, or none with a descriptor
            return _COLUMNS
