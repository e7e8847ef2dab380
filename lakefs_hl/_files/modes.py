"""Modes of `open()`: reading or writing, text or binary, and the options that a mode takes. Opens nothing."""

from __future__ import annotations

from typing import Final, NamedTuple

MODES: Final = "'r', 'rb' to read; 'w', 'wb' to write; 'x', 'xb' to create only"
_HINTS: Final = {
    "a": ": an object cannot be appended to. Read it and write the whole of it with 'w', or write each part as "
    "an object of its own",
    "+": ": an object is read or written, not both. Read it with 'rb' and write it with 'wb'",
}


class Text(NamedTuple):
    """Arguments of the built-in `open` for text."""

    encoding: str | None = None
    errors: str | None = None
    newline: str | None = None


def split_mode(mode: str, *, writable: bool) -> tuple[str, bool]:
    """Return the action ("r", "w" or "x") and whether the file is text.

    Raises:
        ValueError: The mode does not exist, or this kind of reference is read-only.
    """
    letters = sorted(mode) if isinstance(mode, str) else []
    action = "".join(letter for letter in letters if letter not in "bt")
    if (
        action not in ("r", "w", "x")
        or letters.count("b") + letters.count("t") > 1
        or len(set(letters)) != len(letters)
    ):
        hint = next((text for letter, text in _HINTS.items() if letter in letters), "")
        msg = f"mode must be {MODES}; not {mode!r}{hint}"
        raise ValueError(msg)
    if action != "r" and not writable:
        msg = f"mode {mode!r}: only a branch or a transaction can be written; use 'r' or 'rb' here"
        raise ValueError(msg)
    return action, "b" not in letters


def check_text(text: Text, mode: str, *, is_text: bool) -> None:
    """Refuse text options for a binary file.

    Raises:
        ValueError: One was given.
    """
    if not is_text:
        for name, value in text._asdict().items():
            if value is not None:
                msg = f"{name}={value!r} has no meaning for the binary mode {mode!r}"
                raise ValueError(msg)
