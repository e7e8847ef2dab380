"""Glob patterns for paths: what they match, the prefix to list, and how far a listing may skip ahead.

`*` matches any characters but `/`, `?` one of them, `[abc]`, `[a-c]` and `[!abc]` one of a set, and `**` as a whole
segment any number of segments, also none. A set of one character is that character: `[*]` is an asterisk.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

#: Comes after every path of a prefix that is appended to, as far as paths have no such code point.
END: Final = "\U0010ffff"
#: Code points on both sides of the surrogates, which are in no path.
_BEFORE_SURROGATES: Final = 0xD7FF
_AFTER_SURROGATES: Final = 0xE000
_ANYWHERE: Final = "**"
_STAR: Final = None


class _Segment(msgspec.Struct, frozen=True):
    """A part of a pattern between two slashes.

    Attributes:
        head: The literal text that it begins with.
        literal: Whether the head is all of it.
        expression: The regular expression of what it matches.
    """

    head: str
    literal: bool
    expression: str


class Pattern:
    """A pattern for paths.

    Attributes:
        text: The pattern, as it was given.
        head: The literal text that all matches begin with: the prefix to list.
        literal: Whether the pattern has no wildcard: the head is the only path that matches.
        delimiter: "/" if all matches are in one directory, so that its subdirectories need not be listed; else "".
    """

    def __init__(self, text: str) -> None:
        self.text = text
        parts = text.split("/")
        segments = [None if part == _ANYWHERE else _segment(part) for part in parts]
        fixed = 0
        while fixed < len(segments) and (found := segments[fixed]) is not None and found.literal:
            fixed += 1
        whole = [found.head for found in segments[:fixed] if found is not None]
        first = segments[fixed] if fixed < len(segments) else None
        self.literal = fixed == len(segments)
        self.head = "/".join([*whole, "" if first is None else first.head]) if not self.literal else "/".join(whole)
        self.delimiter = "/" if first is not None and fixed == len(segments) - 1 else ""
        self._matches = re.compile(_expression(segments), re.DOTALL).fullmatch
        end = segments.index(None) if None in segments else len(segments)
        self._walk = [found for found in segments[:end] if found is not None]
        self._names = [re.compile(found.expression, re.DOTALL).fullmatch for found in self._walk]
        self._ends = end == len(segments)

    def matches(self, path: str) -> bool:
        """Return whether a path matches."""
        return self._matches(path) is not None

    def skip_to(self, path: str) -> str:
        """Return the key after which a listing goes on that has come to a path: there is no match in between.

        What cannot match is not listed: the rest of a directory whose name does not match or that is too deep.
        """
        names, prefix = path.split("/"), ""
        for at, segment in enumerate(self._walk):
            last = self._ends and at == len(self._walk) - 1
            target = prefix + segment.head + ("/" if segment.literal and not last else "")
            if path < target:
                return max(path, before(target))
            if not path.startswith(target) or (segment.literal and last):
                return max(path, prefix + END) if prefix else path
            if at == len(names) - 1:
                return path
            inside = f"{prefix}{names[at]}/"
            if last or not self._names[at](names[at]):
                return max(path, inside + END)
            prefix = inside
        return path


def before(path: str) -> str:
    """Return a key that a path comes after, with as little as possible in between."""
    code = ord(path[-1])
    if not code:
        return path[:-1]
    return path[:-1] + chr(code - 1 if code != _AFTER_SURROGATES else _BEFORE_SURROGATES) + END


def _segment(text: str) -> _Segment:
    """Parse one segment. Characters and sets have one character each, so the first place where one fits is as good."""
    runs: list[list[str]] = [[]]
    head, plain, at = "", True, 0
    while at < len(text):
        token, at = _token(text, at)
        if token is _STAR:
            plain = False
            if runs[-1] or len(runs) == 1:
                runs.append([])
            continue
        if len(token) != 1:
            plain = False
        if plain:
            head += token
        runs[-1].append(re.escape(token) if len(token) == 1 else token)
    if len(runs) == 1:
        return _Segment(head, plain, "".join(runs[0]))
    if text.strip("*") == "":
        return _Segment("", False, "[^/]+")
    first, *middle, rest = ("".join(run) for run in runs)
    inner = "".join(f"(?>[^/]*?{run})" for run in middle)
    return _Segment(head, False, f"{first}{inner}[^/]*{rest}")


def _token(text: str, at: int) -> tuple[str | None, int]:
    """Return the next character, a longer expression for one character, or None for a star; and where it ends."""
    char = text[at]
    if char == "*":
        return _STAR, at + 1
    if char == "?":
        return "[^/]", at + 1
    if char == "[":
        first = at + 2 if text[at + 1 : at + 2] == "!" else at + 1
        end = text.find("]", first + 1)
        if end >= 0:
            return _set(text[first:end], negated=first == at + 2), end + 1
    return char, at + 1


def _set(members: str, *, negated: bool) -> str:
    if len(members) == 1 and not negated:
        return members
    found, at = "", 0
    while at < len(members):
        low, high = members[at], members[at]
        if members[at + 1 : at + 2] == "-" and at + 2 < len(members):
            high = members[at + 2]
            at += 2
        if low <= high:  # an empty range has no members
            found += re.escape(low) if low == high else f"{re.escape(low)}-{re.escape(high)}"
        at += 1
    if negated:
        return f"[^/{found}]"
    return f"(?!/)[{found}]" if found else "(?!)[^/]"


def _expression(segments: list[_Segment | None]) -> str:
    """Join segments. None stands for any number of them."""
    groups: list[list[str]] = [[]]
    for at, segment in enumerate(segments):
        if segment is not None:
            groups[-1].append(segment.expression)
        elif not at or segments[at - 1] is not None:
            groups.append([])
    if len(groups) == 1:
        return "/".join(groups[0])
    first, *middle, last = groups
    found = "".join(f"{name}/" for name in first)
    for group in middle:
        found += f"(?>(?:.*?/)??{''.join(f'{name}/' for name in group)})"
    return found + (f"(?:.*/)?{'/'.join(last)}" if last else ".*")
