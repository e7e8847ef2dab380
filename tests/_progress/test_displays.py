"""Where progress is shown: bars and a line of text."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import pytest

from lakefs_hl._progress.displays import LOG_SECONDS, Bar, Line, OpenBar
from lakefs_hl._progress.meter import LARGE, Meter


@contextmanager
def terminal(columns: int = 100) -> Iterator[tuple[TextIO, Any]]:
    """A terminal: a stream to it, and a function that returns what was written to it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with open(theirs, "w", encoding="utf-8") as stream:

        def read() -> str:
            stream.write("\0")  # marks the end: what was written arrives in pieces
            stream.flush()
            found = b""
            while not found.endswith(b"\0"):
                found += os.read(ours, 1 << 16)
            return found[:-1].decode()

        try:
            yield stream, read
        finally:
            os.close(ours)


class Recorder:
    """A bar that notes what it is told."""

    made: list[Recorder]

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.total, self.n, self.unit, self.notes, self.closed = options.get("total"), 0, "", list[str](), 0
        type(self).made.append(self)

    def update(self, more: int) -> None:
        self.n += more

    def set_postfix_str(self, text: str, *, refresh: bool) -> None:
        assert not refresh
        self.notes.append(text)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def no_bars() -> None:
    Recorder.made = []


def meter(objects: int, size: int, total_objects: int | None = None, total_bytes: int | None = None) -> Meter:
    made = Meter(100.0)
    made.objects, made.bytes, made.total_objects, made.total_bytes = objects, size, total_objects, total_bytes
    return made


def test_a_bar_counts_objects() -> None:
    bar = Bar(Recorder, "Uploading")
    assert Recorder.made == []
    bar.show(meter(2, 50, 10, 500), 101.0)
    bar.show(meter(5, 90, 12, 500), 102.0)
    bar.close(meter(15, 90, 12, 500), 103.0)
    (made,) = Recorder.made
    assert made.options == {"total": 10, "desc": "Uploading", "unit": " objects"}
    assert (made.total, made.n, made.closed) == (15, 15, 1)  # never more than its total, which tqdm would not show
    assert made.notes == ["50 B, 50 B/s", "90 B, 45 B/s", "90 B, 30 B/s"]


def test_a_bar_of_large_objects_counts_bytes() -> None:
    bar = Bar(Recorder, "Downloading")
    bar.close(meter(1, 3 * LARGE, 2, 4 * LARGE), 101.0)
    (made,) = Recorder.made
    assert made.options == {"total": 4 * LARGE, "desc": "Downloading", "unit": "B", "unit_scale": True}
    assert (made.n, made.notes) == (3 * LARGE, ["1/2 objects"])


def test_a_bar_without_a_total() -> None:
    bar = Bar(Recorder, "Uploading")
    bar.show(meter(2, 0), 101.0)
    assert Recorder.made[0].options["total"] is None


def test_the_open_bar_of_the_caller_counts_its_unit_and_stays_open() -> None:
    bar = Recorder()
    OpenBar(bar).close(meter(2, 50), 101.0)
    bar.unit = "B"
    OpenBar(bar).close(meter(2, 50), 101.0)
    assert (bar.n, bar.closed) == (52, 0)


def test_the_real_bar_of_tqdm_on_a_terminal() -> None:
    tqdm = pytest.importorskip("tqdm", reason="tqdm is in the extra progress").tqdm
    with terminal() as (stream, read):
        bar = Bar(lambda **options: tqdm(file=stream, mininterval=0, miniters=0, **options), "Uploading")
        bar.show(meter(250, 5_000_000, 1_000, 20_000_000), 101.0)
        bar.close(meter(1_000, 20_000_000, 1_000, 20_000_000), 104.0)
        shown = read()
    frames = shown.split("\r")
    assert any(re.search(r"Uploading:  25%\|.+\| 250/1000 \[00:0\d<00:0\d, .*objects/s, 5.00 MB, 5", f) for f in frames)
    rates = [float(rate) for rate in re.findall(r"([\d.]+) objects/s", shown)]
    assert rates[0] < 300  # the bar began with the transfer, not when it was shown first
    assert shown.endswith("\r\n")


def test_a_line_is_rewritten_on_a_terminal() -> None:
    with terminal(columns=60) as (stream, read):
        line = Line(stream, "Uploading", rewrite=True)
        line.show(meter(123_456_789, 123_456_789, 9_999_999_999, 10**12), 101.0)
        line.show(meter(2, 0), 101.0)
        line.close(meter(3, 10**9, 3, 10**9), 101.0)
        shown = read()
    wide, short, last = shown.split("\r", 1)[1].split("\r", 2)
    assert len(wide) == 59  # cut: a wrapped line could not be rewritten
    assert short == f"{'Uploading: 2 objects (0/s)':59}"  # nothing of the longer line is left
    assert last.startswith("Uploading: 100% 3/3 objects (3/s), 1.00 GB/1.00 GB (1.00 GB/s), in 1.00 s")
    assert last.endswith("\r\n")


def test_a_stream_without_a_width_has_80_columns() -> None:
    stream = io.StringIO()
    Line(stream, "Uploading" * 20, rewrite=True).show(meter(1, 0), 101.0)
    assert len(stream.getvalue()) == 80


def test_lines_of_a_log_are_rare() -> None:
    stream = io.StringIO()
    line = Line(stream, "Uploading", rewrite=False)
    for now in (100.1, 100.2, 101.0):
        line.show(meter(1, 0), now)
    assert stream.getvalue() == ""
    for now in (100.1 + LOG_SECONDS, 101.0 + LOG_SECONDS):
        line.show(meter(2, 0), now)
    line.close(meter(3, 0), 102.0 + LOG_SECONDS)
    assert stream.getvalue().splitlines() == [
        "Uploading: 2 objects (0/s)",
        "Uploading: 3 objects (0/s), in 12.0 s",
    ]
