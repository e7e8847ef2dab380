"""Text for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return a message with control characters escaped."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)
