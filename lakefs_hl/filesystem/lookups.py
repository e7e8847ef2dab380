"""Look-ups and listings: `info`, `ls`, `find` and what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import lakefs_hl
from lakefs_hl.exceptions import NotFoundException
from lakefs_hl.filesystem import infos
from lakefs_hl.filesystem.callers import opens_next
from lakefs_hl.filesystem.listings import MOST_KNOWN, Key, Known, Listings, Rows
from lakefs_hl.filesystem.names import COMMIT_ID, EXPRESSION, Name, not_found, split, translated
from lakefs_hl.filesystem.walks import Walks, is_absence

if TYPE_CHECKING:
    from datetime import datetime

    from lakefs_hl import Reference
    from lakefs_hl.filesystem.hints import Hints, Version

#: Names that a branch has and a tag does not, as far as listings are concerned: a tag of these names is not kept.
_BRANCHES: Final = frozenset({"main", "master"})


class Lookups(Walks):
    """The part of the file system that says what there is."""

    _listings: Listings
    _known: Known
    _hints: Hints
    _listings_of: Any
    _given: Any

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """Return what is known of an object, a directory, a reference or a repository.

        Raises:
            FileNotFoundError: It does not exist.
        """
        name = split(path)
        if not name.repository:
            return infos.of_directory("")
        if name.path:
            return self._info_of_path(path, name)
        with translated:
            if name.reference:
                self.reference(path).get_commit()
            elif not self._repository_exists(name):
                raise not_found(name, "does not exist")
        return infos.of_directory(name.text)

    def _repository_exists(self, name: Name) -> bool:
        try:
            return lakefs_hl.Repository(name.repository, self._given).exists()
        except ValueError as error:
            if not is_absence(error):
                raise
            return False

    def _info_of_path(self, path: str, name: Name) -> dict[str, Any]:
        known = self._known_info(name)
        if known is not None:
            return known
        at = self.reference(path)
        with translated:
            if name.has_slash:
                if at.is_dir(name.prefix):
                    return infos.of_directory(name.text)
                raise not_found(name, "is not a directory: no object is under it")
            found = (self._known.row(name.text) if self._listings.keeps_commits else None) or self._look(at, name)
            if found is None:
                raise not_found(name, "does not exist")
            self._note(name, found)
            return found

    def _look(self, at: Reference, name: Name) -> dict[str, Any] | None:
        """Look up an object or a directory. None if there is neither.

        An object is first in a listing of the paths that begin with its own, and what is in a directory of the same
        name follows. A look-up takes one request for an object and three for a directory; a listing one for either, or
        two, and more work of the server. The name decides which comes first.
        """
        if "." in name.path.rpartition("/")[2]:
            try:
                return infos.of_object(name.root, at.stat(name.key))
            except FileNotFoundError:
                return infos.of_directory(name.text) if at.is_dir(name.prefix) else None
        first = next(iter(at.list_objects(1, prefix=name.key, recursive=True)), None)
        if first is None:
            return None
        if first.path == name.path:
            return infos.of_entry(name.root, first)
        if first.path.startswith(f"{name.path}/") or at.is_dir(name.prefix):
            return infos.of_directory(name.text)
        return None

    def _known_info(self, name: Name) -> dict[str, Any] | None:
        """Return what a kept listing of the directory has. None if there is none, or it does not say."""
        kept = self._here()
        version = kept.tags.get((name.repository, name.reference), name.reference)
        parent, _, last = name.path.rpartition("/")
        rows = kept.get(Key(name.repository, version, parent)) if last and not name.has_slash else None
        found = [row for row in rows or () if row["name"] == name.path and row["type"] == "file"]
        return {**found[0], "name": name.text} if found else None

    def _note(self, name: Name, row: dict[str, Any]) -> None:
        """Note what was looked up under a name: a hint for `open`, and for good if it is of a commit."""
        self._known.put(name.reference, row)
        if row["type"] == "file":
            self._hints.put(row)

    def isfile(self, path: str) -> bool:
        """Return whether a name is that of an object.

        Before pyarrow opens an object it asks this. If the object was listed, opening it is enough to find out.
        """
        if opens_next() and self._hints.size(self._strip_protocol(path)) is not None:
            return True
        return super().isfile(path)

    def checksum(self, path: str) -> str:
        """Return the ETag of an object, without its quotes: its MD5 if it was written in one part.

        Raises:
            FileNotFoundError: It does not exist.
            IsADirectoryError: It is a directory.
        """
        return str(self._object_info(path)["checksum"])

    def ukey(self, path: str) -> str:
        """Return what changes when the content of an object changes: its checksum, or the type of a directory."""
        found = self.info(path)
        return str(found.get("checksum") or found["type"])

    def size(self, path: str) -> int:
        """Return the size of an object in bytes.

        While this file system has the object open, it is the size of the version that is read, if a response had that
        in the last seconds: DuckDB asks for the size of a file that it has open like this.

        Raises:
            FileNotFoundError: It does not exist.
        """
        version = self._open_version(path)
        return int(self.info(path)["size"] if version is None else version.size)

    def _open_version(self, path: str) -> Version | None:
        """Return the version that a file of this instance reads, and note that the caller uses what it has."""
        self._here()
        version = self._hints.open_now(self._strip_protocol(path))
        if version is not None:
            version.is_told = True
        return version

    def created(self, path: str) -> datetime:
        """Return when an object was written, as an aware datetime. Objects do not change, so it is also `modified`."""
        return self.modified(path)

    def modified(self, path: str) -> datetime:
        """Return when an object was written, as an aware datetime in whole seconds. Open objects are as for `size`."""
        version = self._open_version(path)
        if version is not None and version.modified is not None:
            return version.modified
        found: datetime = self._object_info(path)["modified"]
        return found

    def _object_info(self, path: str) -> dict[str, Any]:
        found = self.info(path)
        if found["type"] != "file":
            raise IsADirectoryError(f"{split(path).uri} is a directory, not an object")
        return found

    def sign(self, path: str, expiration: int | None = None, **kwargs: Any) -> str:
        """Return a URL that anyone can read an object by.

        Args:
            path: Name of the object.
            expiration: How long the URL is valid, in seconds. Defaults to what the server decides.
            **kwargs: Other options of `Reference.presign`.

        Raises:
            NotImplementedError: The lake's store signs no URLs, such as that of an embedded lake in process.
        """
        name = split(path)
        if expiration is not None:
            kwargs["expires_in_seconds"] = expiration
        with translated:
            return str(self.reference(path).presign(name.key, **kwargs).url)

    # -- listings ------------------------------------------------------------------------------------------------------

    def ls(self, path: str, detail: bool = True, refresh: bool = False, **kwargs: Any) -> list[Any]:
        """List a directory: its objects and directories; the branches and tags of a repository; or all repositories.

        Args:
            path: Name of it. "" is the file system, with the repositories.
            detail: Whether to return dictionaries, as of `info`, instead of names.
            refresh: Whether to list anew what was kept.
            **kwargs: `recursive`, as lakefs-spec has it: list what is below the directory too, as
                `find(withdirs=True)`. All others are ignored.

        Raises:
            FileNotFoundError: It does not exist.
        """
        name = split(path)
        if kwargs.get("recursive"):
            below = self.find(path, withdirs=True, detail=True)
            below = {key: row for key, row in below.items() if key != name.text or row["type"] == "file"}
            return list(below.values() if detail else below)
        with translated:
            if name.reference:
                rows = self._list_directory(path, name, refresh=refresh)
            elif name.repository:
                rows = [infos.of_directory(f"{name.repository}/{each}") for each in self._list_references(name)]
            else:
                found = lakefs_hl.repositories(client=self._given)
                rows = [infos.of_directory(repository.id) for repository in found]
        return rows if detail else [row["name"] for row in rows]

    def _list_references(self, name: Name) -> list[str]:
        if not self._repository_exists(name):
            raise not_found(name, "does not exist")
        repository = lakefs_hl.Repository(name.repository, self._given)
        return sorted({*(each.id for each in repository.branches()), *(each.id for each in repository.tags())})

    def _list_directory(self, path: str, name: Name, *, refresh: bool) -> Rows:
        at, kept = self.reference(path), self._here()
        if refresh:
            kept.forget(name.repository, name.reference, name.path)
        version = self._version(name, at)
        key = Key(name.repository, version or name.reference, name.path)
        rows = None if refresh or not (version or kept.keeps_branches) else kept.get(key)
        if rows is None:
            if version and version != name.reference:  # a tag could move meanwhile
                at = lakefs_hl.Reference(name.repository, version, self._given)
            listed = [infos.of_entry("", entry) for entry in at.list_objects(prefix=name.prefix)]
            rows = [row for row in listed if row["name"] != name.prefix]  # an object that marks the directory
            rows.sort(key=lambda row: str(row["name"]))  # lakeFS has "d.txt" before "d/"
            if not listed and name.path:
                if name.has_slash:
                    raise not_found(name, "is not a directory: no object is under it")
                return [infos.of_object(name.root, at.stat(name.key))]
            if kept.keeps_branches or version:
                kept.put(key, rows)
        found = under(name, rows)
        for row in found[:MOST_KNOWN]:
            self._note(name, row)
        return found

    def _version(self, name: Name, at: Reference) -> str | None:
        """Return the ID of the commit that a reference always stands for. None if listings of it are not kept."""
        kept, key = self._here(), (name.repository, name.reference)
        if not kept.keeps_commits:
            return None
        if COMMIT_ID.fullmatch(name.reference):
            return name.reference
        if name.reference in _BRANCHES or EXPRESSION & set(name.reference):
            return None
        if key in kept.tags:
            return kept.tags[key]
        if key in kept.others or key in kept.branches:
            return None
        tag = lakefs_hl.Tag(name.repository, name.reference, self._given)
        try:
            found = tag.get_commit().id if tag.exists() else None
        except NotFoundException:
            found = None
        if found is None:
            kept.others.add(key)
        else:
            kept.tags[key] = found
        return found

    def _here(self) -> Listings:
        """Return the listings that are kept of the lake of the client of now."""
        if self._given is None:
            now = vars(lakefs_hl).get("DefaultClient")
            if now is not self._listings_of:
                self._listings.clear()
                self._known.clear()
                self._hints.clear()
                self._listings_of = now
        return self._listings

    def invalidate_cache(self, path: str | None = None) -> None:
        """Drop listings that were kept: those at, above and under a name, or all of them."""
        super().invalidate_cache(path)
        self._known.clear()
        self._hints.clear()
        if path is None:
            self._listings.clear()
        else:
            name = split(path)
            self._listings.forget(name.repository, name.reference, name.path)


def under(name: Name, rows: Rows) -> Rows:
    """Return rows with the reference of a name in front of theirs."""
    return [{**row, "name": name.root + row["name"]} for row in rows]
