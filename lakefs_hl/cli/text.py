"""Text for a terminal: control characters, sizes and times."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgtpe])(i?))?b?", re.IGNORECASE)


def printable(text: str) -> str:
    """Return a message with control characters escaped."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def escape(name: str) -> str:
    """Return a name on one line, with control characters escaped."""
    return name if name.isprintable() else "".join(char if char.isprintable() else repr(char)[1:-1] for char in name)


def parse_size(text: str) -> int:
    """Return the number of bytes of a size such as `100`, `10k` or `1.5MiB`. `k` is 1,000, and `Ki` is 1,024.

    Raises:
        ValueError: It is not a size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        msg = f"{text!r} is not a size: write 100, 10k, 1.5M or 2GiB"
        raise ValueError(msg)
    power = " kmgtpe".index((found[2] or " ").lower())
    return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


def moment(when: datetime) -> str:
    """Return a time in UTC, such as `2026-01-31T12:00:00Z`."""
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
