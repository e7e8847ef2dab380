"""Reference expressions: `base`, then any of `~N`, `^N`, or one of `@` and `$` alone.

As in lakeFS, an `@` or `$` that is not alone is found out on the way: what comes before it must be there first.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from lakefs_hl.spec.errors import BadRequestException

INVALID: Final = "ref: invalid value: validation error"
_SPLIT: Final = re.compile(r"[~^@$]")
_STEP: Final = re.compile(r"([~^])([^~^@$]*)|([@$])")
_NUMBER: Final = re.compile(r"[0-9]{0,9}", re.ASCII)


class Expression(NamedTuple):
    """An expression, taken apart.

    Attributes:
        base: A branch, tag, commit id or the beginning of one.
        steps: `("~", n)` and `("^", n)` from left to right; `("@", 1)` and `("$", 1)` are invalid where they stand.
        special: "@" for the committed head, "$" for what is staged, else "".
    """

    base: str
    steps: tuple[tuple[str, int], ...] = ()
    special: str = ""


def parse(text: str) -> Expression:
    """Takes an expression apart.

    Raises:
        BadRequestException: It is none.
    """
    found = _SPLIT.search(text)
    if found is None:
        return Expression(text)
    base, rest = text[: found.start()], text[found.start() :]
    if not base:
        raise BadRequestException(INVALID)
    if rest in {"@", "$"}:
        return Expression(base, (), rest)
    steps: list[tuple[str, int]] = []
    at = 0
    while at < len(rest):
        step = _STEP.match(rest, at)
        if step is None:
            raise BadRequestException(INVALID)
        if step[3]:
            if step.end() < len(rest) and rest[step.end()] not in "~^@$":
                raise BadRequestException(INVALID)
            steps.append((step[3], 1))
            at = step.end()
            continue
        if _NUMBER.fullmatch(step[2]) is None:
            raise BadRequestException(f"could not parse modifier {step[0]}: {INVALID}")
        steps.append((step[1], int(step[2]) if step[2] else 1))
        at = step.end()
    return Expression(base, tuple(steps))
