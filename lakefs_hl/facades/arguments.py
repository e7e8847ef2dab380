"""Arguments of facades: checked where they enter, and of exact types from there on.

Subclasses of `str`, `int` and `bool`, and scalars of NumPy, are as good as plain values. Anything else is a `TypeError`
that names the parameter.
"""

from __future__ import annotations

import operator
import os
import re
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from typing import Any, Final

_URL: Final = re.compile("[A-Za-z][A-Za-z0-9+.-]+://")


def _error(argument: str, wanted: str, value: Any) -> TypeError:
    return TypeError(f"{argument} must be {wanted}, not {type(value).__name__}: {value!r:.80}")


def text(value: Any, argument: str) -> str:
    """Return a text of the exact type.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(value, str):
        raise _error(argument, "a string", value)
    return str.__str__(value)


def choice(value: Any, argument: str, choices: tuple[str, ...]) -> str:
    """Return a text that is one of the choices.

    Raises:
        TypeError: It is no text.
        ValueError: It is another text.
    """
    found = text(value, argument)
    if found not in choices:
        *others, last = map(repr, choices)
        msg = f"{argument} must be {', '.join(others)} or {last}, not {found!r:.80}"
        raise ValueError(msg)
    return found


def flag(value: Any, argument: str) -> bool:
    """Return True or False.

    Raises:
        TypeError: It is neither.
    """
    if value is True or value is False:
        return bool(value)
    if getattr(getattr(value, "dtype", None), "kind", None) == "b" and not getattr(value, "shape", None):
        return bool(value)
    found = _index(value)
    if found not in (0, 1):
        raise _error(argument, "True or False", value)
    return bool(found)


def integer(value: Any, argument: str, *, least: int) -> int:
    """Return an integer of the exact type.

    Raises:
        TypeError: It is none.
        ValueError: It is smaller.
    """
    found = _index(value)
    if found is None:
        raise _error(argument, "an integer", value)
    if found < least:
        msg = f"{argument} must be at least {least}, not {found}"
        raise ValueError(msg)
    return found


def _index(value: Any) -> int | None:
    try:
        return operator.index(value)
    except TypeError:
        return None


def encoding_name(value: Any, argument: str) -> str | bool | None:
    """Return the name of an encoding, True, False or None.

    Raises:
        TypeError: It is none of these.
    """
    if value is None or value is True or value is False:
        return bool(value) if value is not None else None
    return text(value, argument)


def local_path(value: Any, argument: str) -> str:
    """Return the path of a local file.

    Raises:
        TypeError: It is none.
        ValueError: It is a URL.
    """
    found = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(found, str):
        raise _error(argument, "the path of a local file", value)
    if _URL.match(found):  # else a directory named "file:" would be made
        msg = f"{argument} must be a local path, and {found!r:.80} is a URL: give the path alone, as in '/data/a.csv'"
        raise ValueError(msg)
    return str.__str__(found)


class Options(dict[str, Any]):
    """Options, which may be secrets: the `repr` has only names, so that no traceback with variables shows more."""

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: …' for name in self)}}}"

    def __rich_repr__(self) -> Iterator[tuple[str, str]]:  # Rich shows what is in a dictionary, whatever its `repr` is
        yield from dict.fromkeys(self, "…").items()


def options(value: Any, argument: str) -> Options | None:
    """Return a dictionary whose `repr` has no values: they may be secrets. None stays None.

    Raises:
        TypeError: It is neither.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        msg = f"{argument} must be a dictionary with names of options, not {type(value).__name__}"
        raise TypeError(msg)
    return Options(value)


def instance(value: Any, argument: str, kind: type) -> Any:
    """Return an object of a class. None stays None. The message does not show the value, which may be a secret.

    Raises:
        TypeError: It is neither.
    """
    if value is not None and not isinstance(value, kind):
        given = f"{type(value).__module__}.{type(value).__qualname__}"
        msg = f"{argument} must be a {kind.__module__}.{kind.__qualname__} or None, not {given}"
        raise TypeError(msg)
    return value


def series(value: Any, argument: str) -> Any:
    """Return an iterable of items. A single text becomes one of them. None stays None.

    Raises:
        TypeError: It is no iterable of items.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return [str.__str__(value)]
    single = isinstance(value, bytes | bytearray | memoryview | Mapping) or hasattr(value, "__dataframe__")
    if single or not isinstance(value, Iterable | AsyncIterable) or getattr(value, "shape", None) == ():
        raise _error(argument, "an iterable of items", value)
    return value
