"""Sizes, durations and numbers as people read them."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ("kB", "MB", "GB", "TB", "PB", "EB")


def size_text(size: float) -> str:
    """Return a number of bytes with a decimal unit, such as "1.2 MB"."""
    if size < 1000:
        return f"{size:.0f} B"
    for unit in _UNITS:
        size /= 1000
        if size < 999.5 or unit == _UNITS[-1]:
            break
    return f"{size:.{2 if size < 9.995 else 1 if size < 99.95 else 0}f} {unit}"


def duration_text(seconds: float) -> str:
    """Return a duration with its unit, such as "0.24 s" or "3 min 5 s"."""
    if isinstance(seconds, int) and seconds < 60:
        return f"{seconds} s"
    if seconds < 59.95:
        return f"{seconds:.{2 if seconds < 9.995 else 1}f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def count_text(number: int, noun: str) -> str:
    """Return a number with its noun: "1 object", "1,200 objects"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
