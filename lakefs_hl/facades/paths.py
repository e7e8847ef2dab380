"""Paths of objects in stores, and their URLs."""

from __future__ import annotations

from collections.abc import Iterable


def as_prefix(prefix: object) -> str:
    """Return a prefix with a slash at its end; "" stays "".

    Raises:
        TypeError: It is not a text.
    """
    if not isinstance(prefix, str):
        msg = f"prefix must be a text, not {type(prefix).__name__}: {prefix!r:.80}"
        raise TypeError(msg)
    return prefix if not prefix or prefix.endswith("/") else f"{prefix}/"


def check_path(path: object, argument: str = "path") -> str:
    """Return the path of an object.

    Raises:
        TypeError: It is not a text.
        ValueError: It is empty, begins or ends with a slash.
    """
    if not isinstance(path, str):
        msg = f"{argument} must be a text, not {type(path).__name__}: {path!r:.80}"
        raise TypeError(msg)
    path = str.__str__(path)
    if not path or path.startswith("/") or path.endswith("/"):
        msg = f"{argument} must be that of an object, relative to the store, no slash at either end, not {path!r:.80}"
        raise ValueError(msg)
    return path


def has_duplicates(paths: Iterable[str]) -> bool:
    """Return whether a path occurs twice."""
    seen = list(paths)
    return len(set(seen)) < len(seen)
