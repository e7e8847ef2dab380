"""Directories from a flat listing, and walks through directories."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from lakefs_hl.filesystem import infos

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lakefs_hl.filesystem.listings import Rows

#: Entries of a page of a listing.
PAGE: Final = 1000


def of_listing(rows: Rows, top: str) -> dict[str, Rows]:
    """Return what each directory has, from all objects under one.

    Args:
        rows: The objects, with names relative to the reference. Names with a slash at their end mark directories.
        top: Path of the directory. "" is the reference.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {top: {}}
    for row in rows:
        at = row["name"]
        parent = at.rpartition("/")[0]
        while parent not in found and len(parent) > len(top):
            found[parent] = {}
            parent = parent.rpartition("/")[0]
        if not at.endswith("/"):
            found[at.rpartition("/")[0]][at] = row
    for directory in list(found):
        if directory != top:
            found[directory.rpartition("/")[0]][f"{directory}/"] = infos.of_directory(directory)
    return {directory: sorted(inside.values(), key=lambda row: str(row["name"])) for directory, inside in found.items()}


def walk(listing: Callable[[str], Rows], top: str, depth: int) -> Iterator[dict[str, Any]]:
    """Yield what is at most so many levels below a directory.

    Args:
        listing: Returns what a directory has, by its name.
        top: Name of the directory.
        depth: The number of levels.
    """
    for row in listing(top):
        yield row
        if row["type"] == "directory" and depth > 1 and row["name"] != top:  # a directory without a name is its own
            with suppress(FileNotFoundError):  # it was removed meanwhile
                yield from walk(listing, row["name"], depth - 1)
