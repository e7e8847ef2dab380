r"""Patterns for local paths: the lines of ignore files, in the format of .gitignore, and globs as arguments.

A line is matched as git matches it (`wildmatch.c` and `dir.c` of git, which `git check-ignore` runs), with one
difference: `?` and a set match one character, and in git one byte. The package `pathspec` is not used, because it
differs from git in sets (`[!a]` matches a slash, `[[:alpha:]]` and `[\\]]` are read wrongly, `[z-a]` is an error of
`re`) and in what a pattern for a directory means for files in a directory that is included again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

#: Stands for any characters of one name; for any number of directories; for a slash, plain and escaped.
_STAR: Final = "*"
_DEEP: Final = "**"
_SLASH: Final = "/"
_ESCAPED_SLASH: Final = "\\/"
_SLASHES: Final = frozenset({_SLASH, _ESCAPED_SLASH})
_MARKS: Final = _SLASHES | {_STAR, _DEEP}
_SPECIAL: Final = frozenset("*?[\\")
_CLASSES: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": " \\t\\n\\r",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


class _Never(Exception):
    """The pattern matches nothing, such as one with a set that is not closed."""


class _Pattern(NamedTuple):
    """A pattern that was read.

    Attributes:
        expression: What it matches, below the directory of its file.
        directories: Whether it matches directories only.
        negative: Whether it includes again what an earlier pattern ignores.
        holders: What the directories match that may hold a match. None if any directory may.
    """

    expression: str
    directories: bool
    negative: bool = False
    holders: str | None = None


class Rules:
    """Patterns of which the last that matches decides.

    Args:
        patterns: The patterns in order.
    """

    __slots__ = ("_directories", "_files", "_holders")

    def __init__(self, patterns: Iterable[_Pattern]) -> None:
        last_first = list(patterns)[::-1]
        self._directories = _Alternatives(last_first)
        self._files = _Alternatives([pattern for pattern in last_first if not pattern.directories])
        holders = [pattern.holders for pattern in last_first]
        self._holders = None
        if None not in holders:
            self._holders = re.compile("|".join(f"(?:{one})" for one in holders) or "(?!)", re.DOTALL).fullmatch

    def __bool__(self) -> bool:
        return len(self._directories.verdicts) > 1

    def verdict(self, path: str) -> bool | None:
        """Return what the last pattern that matches a path says: whether it is matched. None if there is none.

        Args:
            path: A path below the directory of the rules. That of a directory ends with a slash. Patterns that match a
                directory of the path are not looked for.
        """
        if path[-1] == "/":
            return self._directories.verdict(path[:-1])
        return self._files.verdict(path)

    def may_be_in(self, directory: str) -> bool:
        """Return whether a path below a directory, which ends with a slash, may match."""
        return self._holders is None or self._holders(directory) is not None


class _Alternatives:
    """Patterns as one expression, whose first alternative that matches is the last pattern that does."""

    __slots__ = ("_match", "verdicts")

    def __init__(self, last_first: list[_Pattern]) -> None:
        self.verdicts = [True, *(not pattern.negative for pattern in last_first)]
        parts = [f"({pattern.expression})" for pattern in last_first]
        self._match = re.compile("|".join(parts) or "(?!)", re.DOTALL).fullmatch

    def verdict(self, path: str) -> bool | None:
        found = self._match(path)
        return None if found is None else self.verdicts[found.lastindex or 0]


def read_ignore_file(content: bytes) -> Rules:
    """Return the rules of an ignore file. Lines that mean nothing match nothing, as in git."""
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    return Rules(_read_lines(text))


def _read_lines(text: str) -> Iterator[_Pattern]:
    for line in text.split("\n"):
        body = line.removesuffix("\r").partition("\0")[0]
        if body and not body.startswith("#"):
            body = _strip_spaces(body)
            negative = body.startswith("!")
            try:
                yield _read(body[negative:], escapes=True)._replace(negative=negative)
            except _Never:
                continue


def _strip_spaces(line: str) -> str:
    """Remove spaces at the end, up to one after a backslash."""
    end, at = 0, 0
    while at < len(line):
        step = 2 if line[at] == "\\" else 1
        if line[at] != " ":
            end = at + step
        at += step
    return line[:end]


def read_globs(patterns: Iterable[str], argument: str) -> Rules:
    """Return the rules of globs that were given as an argument.

    They are read like lines of an ignore file, but `!`, `#`, spaces and backslashes are characters like others.

    Args:
        patterns: The globs.
        argument: Name of the parameter, for the message.

    Raises:
        ValueError: A glob matches nothing.
    """
    found = list[_Pattern]()
    for pattern in patterns:
        try:
            found.append(_read(pattern, escapes=False))
        except _Never as exc:
            raise ValueError(f"{argument}: the pattern {pattern!r} {exc}") from None
    return Rules(found)


def _read(pattern: str, *, escapes: bool) -> _Pattern:
    """Read one pattern.

    Raises:
        _Never: It matches nothing.
    """
    body = pattern.removesuffix("/")
    directories = body != pattern
    by_name = "/" not in body
    tokens = list(_tokens(body.removeprefix("/"), escapes=escapes, by_name=by_name))
    if not tokens:
        raise _Never("is empty; leave it out, or write '**' for everything")
    if not escapes and (_SLASH, _SLASH) in pairwise([_SLASH, *tokens, _SLASH]):
        raise _Never("has an empty name between two slashes or at an end")
    expression = _join(tokens)
    if by_name:
        return _Pattern(f"(?:.*/)?{expression}", directories)
    return _Pattern(expression, directories, holders=None if escapes else _holders(tokens))


# -- tokens: a mark, or the expression of one character ----------------------------------------------------------------


def _tokens(text: str, *, escapes: bool, by_name: bool) -> Iterator[str]:
    """Yield the tokens of a pattern.

    Args:
        text: The pattern.
        escapes: Whether a backslash makes the next character a literal.
        by_name: Whether it is matched with names only, so that two stars are like one.
    """
    at, special = 0, False
    while at < len(text):
        char, begins = text[at], at
        at += 1
        if char == "*":
            while text[at : at + 1] == "*":
                at += 1
            # git matches the literal head of a pattern by itself: a `**` that comes right after it begins the rest.
            whole = (not special and escapes) or begins == 0 or text[begins - 1] == "/"
            ends = at == len(text) or text[at] == "/" or (escapes and text.startswith("\\/", at))
            yield _DEEP if at - begins > 1 and whole and ends and not by_name else _STAR
        elif char == "?":
            yield "[^/]"
        elif char == "[":
            expression, at = _set(text, at, escapes=escapes)
            yield expression
        elif char == "\\" and escapes:
            if at == len(text):
                raise _Never("ends with a backslash")
            yield _ESCAPED_SLASH if text[at] == "/" else re.escape(text[at])
            at += 1
        else:
            yield _SLASH if char == "/" else re.escape(char)
        special = special or char in _SPECIAL


def _set(text: str, at: int, *, escapes: bool) -> tuple[str, int]:
    """Read a set, from after its opening bracket. Return the expression of one character, and where the set ends.

    Raises:
        _Never: It is not closed, or names a class that does not exist.
    """
    negated = text[at : at + 1] in ("!", "^")
    at += negated
    members, low, first = "", "", True
    while first or text[at : at + 1] != "]":
        first = False
        plain = text[at : at + 1]  # a backslash, if the member is escaped
        char, at = _member(text, at, escapes=escapes)
        if plain == "-" and low and text[at : at + 1] not in ("", "]"):
            high, at = _member(text, at, escapes=escapes)
            members += f"{re.escape(low)}-{re.escape(high)}" if low <= high else ""
            low = ""
        elif plain == "[" and text[at : at + 1] == ":":
            named, at, low = _class(text, at)
            members += named
        else:
            members += re.escape(char)
            low = char
    if negated:
        return f"[^/{members}]", at + 1
    return f"(?!/)[{members}]" if members else "(?!)", at + 1


def _member(text: str, at: int, *, escapes: bool) -> tuple[str, int]:
    """Return a member of a set, and where it ends."""
    if escapes and text[at : at + 1] == "\\":
        at += 1
    if at >= len(text):
        raise _Never("has an opening bracket that is not closed; write '[[]' for a bracket")
    return text[at], at + 1


def _class(text: str, at: int) -> tuple[str, int, str]:
    """Read a class such as `[:alpha:]`, from its first colon. Return its members, where it ends, and a new range's low.

    What does not end with a colon is no class: its opening bracket is a member, and the rest is read by itself.
    """
    end = text.find("]", at + 1)
    if end < 0:
        raise _Never("has an opening bracket that is not closed; write '[[]' for a bracket")
    if end == at + 1 or text[end - 1] != ":":
        return "\\[", at, "["
    name = text[at + 1 : end - 1]
    if name not in _CLASSES:
        raise _Never(f"names the class {name!r}, which does not exist; there are {', '.join(_CLASSES)}")
    return _CLASSES[name], end + 1, ""


# -- expressions -------------------------------------------------------------------------------------------------------
#
# A star is followed by a run of single characters. Where another star comes after the run in the same name, its first
# place is as good as any, so that it is never looked for again (an atomic group). The same holds for whole names
# between two `**`. Without that a long name and ten stars take hours to match.


def _join(tokens: list[str]) -> str:
    """Return the expression of a pattern."""
    parts = list[list[str]]([[]])
    for token in tokens:
        if token == _DEEP:
            parts.append([])
        parts[-1].append(token)
    first, *rest = parts
    found = _names(first)
    for number, part in enumerate(rest, start=1):
        after = part[1:2]
        if after == [_SLASH]:
            names = _names(part[2:])
            is_last = number == len(rest)
            found += f"(?:.*/)?{names}" if is_last else f"(?>(?:.*?/)??{names})"
        elif after:
            found += f".*{_names(part[1:])}"
        else:
            found += ".*"
    return found


def _names(tokens: list[str]) -> str:
    """Return the expression of tokens without `**`."""
    found, run, is_open = "", "", False
    for token in (*tokens, _SLASH):
        if token not in _MARKS:
            run += token
            continue
        if is_open:
            found += f"(?>[^/]*?{run})" if token == _STAR else f"[^/]*{run}"
        else:
            found += run
        run, is_open = "", token == _STAR
        if token in _SLASHES:
            found += "/"
    return found.removesuffix("/")


def _holders(tokens: list[str]) -> str:
    """Return what the directories match that may hold a match: its first names, as many as the directory has."""
    names, rest = list[list[str]]([[]]), ""
    for token in tokens:
        if token == _DEEP:
            rest = ".*"
            break
        if token == _SLASH:
            names.append([])
        else:
            names[-1].append(token)
    for name in reversed(names[:-1]):
        rest = f"(?:{_names(name)}/{rest})?"
    return rest
