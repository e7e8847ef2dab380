"""Local paths as arguments."""

from __future__ import annotations

import os
import re
from typing import Final

_URL: Final = re.compile("[A-Za-z][A-Za-z0-9+.-]+://")


def local_path(value: object, argument: str) -> str:
    """Return the path of a local file or directory.

    Raises:
        TypeError: It is neither text nor a path object of this machine.
        ValueError: It is empty, a URL, or no file can have it.
    """
    if not isinstance(value, str | os.PathLike):
        msg = f"{argument} must be a local path, not {type(value).__name__}: {value!r:.80}"
        raise TypeError(msg)
    found = os.fspath(value)
    if not isinstance(found, str):
        msg = (
            f"{argument} must be a local path of text, and {value!r:.80} is one of bytes: os.fsdecode(path) is its text"
        )
        raise TypeError(msg)
    if not found:
        msg = f"{argument} must not be empty; '.' is the current directory"
        raise ValueError(msg)
    if "\0" in found:
        msg = f"{argument} must not contain a NUL character, and is {found!r:.80}"
        raise ValueError(msg)
    if _URL.match(found):  # else a directory named "file:" would be made
        msg = f"{argument} must be a local path, and {found!r:.80} is a URL: give the path alone, as in '/data/a.csv'"
        raise ValueError(msg)
    return str.__str__(found)
