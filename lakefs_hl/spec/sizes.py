"""Numbers of bytes, as integers or as texts with a unit."""

from __future__ import annotations

import re
from typing import Final

from lakefs_hl.spec import arguments

#: A number of bytes with or without a unit: decimal as in "500MB", binary as in "20GiB".
_SIZE: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?) *(?:([kmgtp])(i)?)?b?", re.IGNORECASE)
_PREFIXES: Final = "kmgtp"


def byte_count(value: object, name: str) -> int:
    """Return a number of bytes, given as an integer or as a text such as "20 GiB" or "500MB".

    Raises:
        TypeError: It is neither.
        ValueError: It is negative, or no size.
    """
    if isinstance(value, str):
        return _byte_count_of(value, name)
    try:
        found = arguments.integer(value, name)
    except TypeError as exc:
        msg = str(exc).replace("an integer", "an integer or a text such as '20GiB'", 1)
        raise TypeError(msg) from None
    if found < 0:
        msg = f"{name}={found}: must be an integer >= 0"
        raise ValueError(msg)
    return found


def _byte_count_of(text: str, name: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        msg = f"{name}={text!r:.80}: must be a number of bytes, or one with a unit, such as 20GiB"
        raise ValueError(msg)
    number, prefix, binary = found.groups()
    power = _PREFIXES.index(prefix.lower()) + 1 if prefix else 0
    return int(float(number) * (1024 if binary else 1000) ** power)
