"""Searches: `find`, and with it `glob` and `du`, in as few listings as there can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lakefs_hl
from lakefs_hl.filesystem import infos, trees
from lakefs_hl.filesystem.listings import Key, Rows
from lakefs_hl.filesystem.lookups import Lookups, under
from lakefs_hl.filesystem.names import Name, split, translated

if TYPE_CHECKING:
    from collections.abc import Iterable


class Searches(Lookups):
    """The part of the file system that searches directories."""

    def find(
        self, path: str, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **kwargs: Any
    ) -> Any:
        """List all objects under a name, in one listing where the depth is not limited.

        An object and a directory may have one name. The object is what is returned then.

        Args:
            path: Name of a directory, a reference, a repository or an object.
            maxdepth: Maximum number of levels of directories.
            withdirs: Whether to include directories, also the one that is searched.
            detail: Whether to return a dictionary with `info` of each instead of a list of names.
            **kwargs: Passed to `ls`.
        """
        name = split(path)
        if maxdepth is not None and maxdepth < 1:
            raise ValueError(f"maxdepth must be at least 1, not {maxdepth}")
        try:
            if not name.reference:
                out = self._find_by_walk(name.text, maxdepth, withdirs=withdirs, **kwargs)
            elif maxdepth is None:
                out = self._find_flat(path, name, withdirs=withdirs)
            else:
                out = self._find_levels(path, name, maxdepth, withdirs=withdirs, refresh=bool(kwargs.get("refresh")))
        except FileNotFoundError:
            out = {}
        if not out and maxdepth is None and name.path and not name.has_slash and self.isfile(path):
            out = {name.text: self.info(path)}
        found = dict(sorted(out.items()))
        return found if detail else list(found)

    def du(
        self, path: str, total: bool = True, maxdepth: int | None = None, withdirs: bool = False, **kwargs: Any
    ) -> Any:
        """Return the size of all objects under a name in bytes, or with `total=False` the size of each by its name."""
        found = self.find(path, maxdepth=maxdepth, withdirs=withdirs, detail=True, **kwargs)
        sizes = {name: info["size"] for name, info in found.items()}
        return sum(sizes.values()) if total else sizes

    def _find_by_walk(
        self, path: str, maxdepth: int | None, *, withdirs: bool, **kwargs: Any
    ) -> dict[str, dict[str, Any]]:
        dirs, files = dict[str, dict[str, Any]](), dict[str, dict[str, Any]]()
        if withdirs and path and self.isdir(path):
            dirs[path] = self.info(path)
        for _, below, here in self.walk(path, maxdepth, detail=True, **kwargs):
            files.update((row["name"], row) for row in here.values())
            if withdirs:
                dirs.update((row["name"], row) for row in below.values())
        return {**dirs, **files}

    def _find_flat(self, path: str, name: Name, *, withdirs: bool) -> dict[str, dict[str, Any]]:
        dirs, files = dict[str, dict[str, Any]](), dict[str, dict[str, Any]]()
        seen, entry = {name.text}, None
        with translated:
            for entry in self.reference(path).list_objects(prefix=name.prefix, recursive=True):
                row = infos.of_entry(name.root, entry)
                if withdirs:
                    dirs.update(_directories(row["name"], seen, name.text))
                if not row["name"].endswith("/"):  # an object that marks a directory
                    self._note(name, row)
                    files[row["name"]] = row
        if withdirs and entry is not None:
            dirs[name.text] = infos.of_directory(name.text)
        return {**dirs, **files}

    def _find_levels(
        self, path: str, name: Name, maxdepth: int, *, withdirs: bool, refresh: bool
    ) -> dict[str, dict[str, Any]]:
        """Return what is at most so many levels below a directory, by name."""
        with translated:
            tree = self._tree(path, name, refresh=refresh) if maxdepth > 1 else None
            if tree is None:
                rows = trees.walk(
                    lambda at: self._list_directory(at, split(at), refresh=refresh and at == path), path, maxdepth
                )
            else:
                rows = trees.walk(lambda at: tree.get(at, []), name.text, maxdepth)
            found = list(rows)
        kept = {row["name"]: row for row in found if withdirs and row["type"] != "file"}
        kept.update((row["name"], row) for row in found if row["type"] == "file")
        if withdirs and (found or tree is not None or not name.path) and name.text not in kept:
            kept[name.text] = infos.of_directory(name.text)
        return kept

    def _tree(self, path: str, name: Name, *, refresh: bool) -> dict[str, Rows] | None:
        """Return all directories below one from one page of a listing. None if that is not all, or they are kept."""
        at, kept = self.reference(path), self._here()
        version = self._version(name, at)
        is_kept = version is not None or kept.keeps_branches
        if is_kept and not refresh and kept.get(Key(name.repository, version or name.reference, name.path)) is not None:
            return None
        if version and version != name.reference:
            at = lakefs_hl.Reference(name.repository, version, self._given)
        entries = at.list_objects(trees.PAGE, prefix=name.prefix, recursive=True).to_list()
        if not entries or len(entries) == trees.PAGE or any("//" in f"/{entry.path}" for entry in entries):
            return None  # directories without a name are not walked through
        tree = trees.of_listing([infos.of_entry("", entry) for entry in entries], name.path)
        for directory, rows in tree.items() if is_kept else ():
            kept.put(Key(name.repository, version or name.reference, directory), rows)
        found = {Name(*name[:2], directory).text: under(name, rows) for directory, rows in tree.items()}
        for row in (row for rows in found.values() for row in rows):
            self._note(name, row)
        return found


def _directories(name: str, seen: set[str], root: str) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield the directories above a name, below the root, that were not seen."""
    parent = name.rpartition("/")[0]
    while len(parent) > len(root) and parent not in seen:
        seen.add(parent)
        yield parent, infos.of_directory(parent)
        parent = parent.rpartition("/")[0]
