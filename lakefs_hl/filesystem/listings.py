"""Listings that are kept: those of a commit for good, by its ID; those of a branch only if the options ask for it."""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import suppress
from typing import Any, Final, NamedTuple

from lakefs_hl.filesystem.names import COMMIT_ID

#: Entries of listings that are kept at most. The listings that were used least recently go first.
MOST_ENTRIES: Final = 200_000
#: Objects that are known at most.
MOST_KNOWN: Final = 4096

Rows = list[dict[str, Any]]


class Key(NamedTuple):
    """What a kept listing is of.

    Attributes:
        repository: Name of the repository.
        version: ID of a commit; of a branch its name, which has no 64 digits.
        path: Path of the directory.
    """

    repository: str
    version: str
    path: str


class Listings:
    """Listings of directories that were read, with names relative to their reference.

    Args:
        enabled: Whether anything is kept. None keeps listings of commits only.
        expiry_seconds: How long a listing of a branch is valid. None is for ever, until the next own write.
        most: Listings that are kept at most. None limits their entries only.
    """

    def __init__(self, enabled: bool | None, expiry_seconds: float | None, most: int | None = None) -> None:
        self.keeps_commits = enabled is not False
        self.keeps_branches = bool(enabled) or (enabled is None and expiry_seconds is not None)
        self._expiry = expiry_seconds
        self._most = most
        self._kept: OrderedDict[Key, tuple[float, Rows]] = OrderedDict()
        self._entries = 0
        #: Commit IDs of tags, by repository and tag; references that are no tags; and those that are branches.
        self.tags = dict[tuple[str, str], str]()
        self.others = set[tuple[str, str]]()
        self.branches = set[tuple[str, str]]()

    def get(self, key: Key) -> Rows | None:
        """Return a listing that is kept and valid, else None."""
        found = self._kept.get(key)
        if found is None:
            return None
        stored, rows = found
        if (
            self._expiry is not None
            and not COMMIT_ID.fullmatch(key.version)
            and time.monotonic() - stored > self._expiry
        ):
            self._drop(key)
            return None
        try:
            self._kept.move_to_end(key)
        except KeyError:  # another thread dropped it
            return rows
        return rows

    def put(self, key: Key, rows: Rows) -> None:
        """Keep a listing."""
        self._drop(key)
        self._kept[key] = (time.monotonic(), rows)
        self._entries += len(rows) + 1
        most = self._most
        while len(self._kept) > 1 and (self._entries > MOST_ENTRIES or (most is not None and len(self._kept) > most)):
            self._drop(next(iter(self._kept)))

    def forget(self, repository: str, reference: str, path: str) -> None:
        """Drop the listings of a branch that a write to a path, or under it, changes. "" is all of the branch."""
        for key in list(self._kept):
            if (key.repository, key.version) == (repository, reference) and _touches(key.path, path):
                self._drop(key)

    def clear(self) -> None:
        """Drop everything."""
        self._kept.clear()
        self._entries = 0
        self.tags.clear()
        self.others.clear()
        self.branches.clear()

    def _drop(self, key: Key) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._entries -= len(found[1]) + 1


def _touches(directory: str, path: str) -> bool:
    """Return whether a directory is above a path, the path itself, or below it."""
    return (
        not directory
        or not path
        or path == directory
        or path.startswith(f"{directory}/")
        or directory.startswith(f"{path}/")
    )


class Known:
    """Objects and directories of commits that were looked up lately. What is known of them is so for good."""

    def __init__(self) -> None:
        self._rows: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def put(self, reference: str, row: dict[str, Any]) -> None:
        """Note an object or a directory, if it is one of a commit.

        Args:
            reference: The reference that it was looked up at.
            row: What `info` has of it.
        """
        if COMMIT_ID.fullmatch(reference):
            keep(self._rows, row["name"], row)

    def row(self, name: str) -> dict[str, Any] | None:
        """Return what is known for good of an object or a directory of a commit."""
        found = self._rows.get(name)
        return None if found is None else dict(found)

    def clear(self) -> None:
        """Forget everything."""
        self._rows.clear()


def keep(rows: OrderedDict[str, Any], name: str, value: Any) -> None:
    """Keep what is known of an object; what was kept first goes first. Needs no lock: each step is atomic."""
    rows.pop(name, None)
    rows[name] = value
    with suppress(KeyError):  # other threads removed the rest
        while len(rows) > MOST_KNOWN:
            rows.popitem(last=False)
