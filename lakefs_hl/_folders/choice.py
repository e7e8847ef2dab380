"""What of a directory is chosen: globs, ignore files and filters of the caller, for local and for remote paths.

A directory that is not chosen is not entered, so that nothing in it can be chosen again: as in git.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeAlias

from lakefs_hl._folders import patterns
from lakefs_hl._folders.patterns import Rules
from lakefs_hl.spec import arguments

#: Takes a relative path; that of a directory ends with a slash. False leaves it out.
Filter: TypeAlias = Callable[[str], "bool | Awaitable[bool]"]
#: Returns the content of a file by its relative path. None if there is none.
Read: TypeAlias = Callable[[str], "bytes | None"]
#: Waits for an awaitable and returns its result.
CallAsync: TypeAlias = Callable[[Awaitable[Any]], Any]

_NOTHING: Final = Rules(())


class Choice:
    """Which files are chosen, and which directories are entered.

    Args:
        include: Globs of the files to choose. Defaults to all. One without a slash matches names in any directory, as
            in an ignore file; one that matches a directory matches everything in it.
        exclude: Globs of files and directories to leave out.
        ignore_file_names: Names of files in the format of .gitignore, which hold for the directory that they are in.
        filter: Called with each path that is left, directories before what is in them. False leaves it out.
        call_async: Waits for what an asynchronous filter returns.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: A glob can match nothing, or the name of an ignore file is not a name.
    """

    def __init__(
        self,
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
        ignore_file_names: Iterable[str] = frozenset(),
        filter: Filter | None = None,
        call_async: CallAsync | None = None,
    ) -> None:
        self._include = None if include is None else _globs(include, "include")
        self._exclude = _NOTHING if exclude is None else _globs(exclude, "exclude")
        self._ignore_file_names = sorted(arguments.texts(ignore_file_names, "ignore_file_names"))
        for name in self._ignore_file_names:
            if "/" in name or name in ("", ".", ".."):
                msg = f"ignore_file_names has names of files without a directory, and {name!r} is none"
                raise ValueError(msg)
        given: object = filter
        if given is not None and not callable(given):
            msg = f"filter must be a callable that takes a path, not {type(filter).__name__}: {filter!r:.80}"
            raise TypeError(msg)
        self._filter = filter
        self._call_async = call_async

    @property
    def takes_all(self) -> bool:
        """Whether everything is chosen."""
        return self._include is None and not self._exclude and not self._ignore_file_names and self._filter is None

    def top(self, read: Read) -> Level:
        """Return the level of the root.

        Args:
            read: Reads an ignore file.
        """
        return Level(self, "", (), included=self._include is None, read=read)

    def _passes(self, path: str) -> bool:
        """Ask the filter."""
        if self._filter is None:
            return True
        verdict = self._filter(path)
        if inspect.isawaitable(verdict):
            if self._call_async is None:
                if inspect.iscoroutine(verdict):
                    verdict.close()  # else the interpreter warns of a coroutine that was never awaited
                msg = f"filter is asynchronous, and this call is not: {self._filter!r:.80}; use lakefs_hl.aio"
                raise TypeError(msg)
            verdict = self._call_async(verdict)
        return bool(verdict)


class Level:
    """One directory that is entered, with the rules that hold in it.

    Attributes:
        prefix: Its path with a slash at the end. Empty for the root.
    """

    __slots__ = ("_choice", "_included", "_read", "_rules", "prefix")

    def __init__(
        self, choice: Choice, prefix: str, rules: tuple[tuple[int, Rules], ...], *, included: bool, read: Read
    ) -> None:
        self._choice = choice
        self.prefix = prefix
        self._included = included
        self._read = read
        for name in choice._ignore_file_names:
            content = read(prefix + name)
            if content is not None and (found := patterns.read_ignore_file(content)):
                rules = (*rules, (len(prefix), found))
        self._rules = rules

    def enter(self, name: str) -> Level | None:
        """Return the level of a directory in this one. None if it is not entered."""
        choice, path = self._choice, f"{self.prefix}{name}/"
        included = self._included
        if not included and choice._include is not None:
            included = bool(choice._include.verdict(path))
            if not included and not choice._include.may_be_in(path):
                return None
        if choice._exclude.verdict(path) or self._ignores(path) or not choice._passes(path):
            return None
        return Level(choice, path, self._rules, included=included, read=self._read)

    def takes(self, name: str) -> bool:
        """Return whether a file in this directory is chosen."""
        choice, path = self._choice, self.prefix + name
        if not self._included and choice._include is not None and not choice._include.verdict(path):
            return False
        return not choice._exclude.verdict(path) and not self._ignores(path) and choice._passes(path)

    def _ignores(self, path: str) -> bool:
        """Return whether ignore files leave a path out. The deepest one that has a pattern for it decides."""
        for start, rules in reversed(self._rules):
            verdict = rules.verdict(path[start:])
            if verdict is not None:
                return verdict
        return False


class Paths:
    """Decisions on paths that come without directories, as in a listing. Each directory is decided on once in a row.

    Args:
        choice: What is chosen.
        read: Reads an ignore file. Defaults to none, so that ignore files do not count.
    """

    def __init__(self, choice: Choice, read: Read = lambda _: None) -> None:
        self._takes_all = choice.takes_all
        self._levels: list[tuple[str, Level | None]] = [("", choice.top(read))]

    def takes(self, path: str) -> bool:
        """Return whether a file is chosen. Fastest if paths come in order."""
        if self._takes_all:
            return True
        levels = self._levels
        while not path.startswith(levels[-1][0]):
            levels.pop()
        prefix, level = levels[-1]
        *directories, name = path[len(prefix) :].split("/")
        for directory in directories:
            if level is None:
                break
            prefix, level = f"{prefix}{directory}/", level.enter(directory)
            levels.append((prefix, level))
        return level is not None and level.takes(name)


def _globs(values: object, argument: str) -> Rules:
    return patterns.read_globs(arguments.texts(values, argument), argument)
