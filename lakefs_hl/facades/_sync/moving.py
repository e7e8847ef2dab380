# Generated from lakefs_hl/facades/aio/moving.py by tools/unasync.py: change that, not this.
"""The part of Files that moves and transfers."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from lakefs_hl import exceptions
from lakefs_hl.compression import normalize
from lakefs_hl.facades import arguments, items
from lakefs_hl.facades._sync import stores, threads
from lakefs_hl.facades._sync.lake import LakeStore
from lakefs_hl.facades._sync.reading import FileReads
from lakefs_hl.facades._sync.transfer import transfer
from lakefs_hl.facades.backends import SUFFIXES, missing_error
from lakefs_hl.facades.records import Entry, Outcome, Put
from lakefs_hl.facades.reports import Tally, checked_on_error

if TYPE_CHECKING:
    import lakefs_hl as lakefs
    from lakefs_hl.facades._sync.files import Files
    from lakefs_hl.types import ProgressLike

_URL: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
#: Larger files go through a temporary file, in bytes.
SPOOLED: Final = 16 << 20
#: Concurrent moves.
WIDTH: Final = 16
#: How the names of files in an encoding end.
ENDS: Final = tuple(SUFFIXES.values())
#: Source and destination of a file to move.
Pair: TypeAlias = tuple[str, str]


class FileTransfers(FileReads):
    """The part of `Files` that moves and transfers."""

    __module__ = "lakefs_hl"

    def move(self, src: str, dest: str) -> lakefs.TransferReport:
        """Move a file. One at the destination is replaced.

        In a lake, the server copies. The source is deleted when the destination is complete, and if it is still what
        was copied.

        Args:
            src: The path.
            dest: Destination: a path of these files, or a URL such as `file:///directory/name`.

        Raises:
            FileNotFoundError: There is no such file.
            ObjectChangedError: The source was written meanwhile. It was not deleted: both files exist.
            UnsupportedOperationException: These files or the destination are read-only.

        Examples:
            >>> files = branch.files("data")
            >>> _ = files.put("a.txt", b"hello")
            >>> files.move("a.txt", "b.txt").transferred
            1
            >>> files.exists(["a.txt", "b.txt"])
            {'a.txt': False, 'b.txt': True}
        """
        before, store, path = items.path_of(src, "src"), self._store, items.path_of(dest, "dest")
        if _URL.match(path):
            place, _, path = path.rpartition("/")
            store = stores.store_of(f"{place}/")
        with self._watch(False, "Moving") as display:
            tally = Tally(display)
            for outcome in _move_all(self._store, store, [(before, path)], set()):
                if outcome.error is not None:
                    raise outcome.error
                tally.write(outcome)
            return tally.report()

    def moves(
        self,
        dest: str | Files | lakefs.WriteIOBase,
        paths: threads.Items[str | Pair],
        block_size: int = 64,
        total: int | None = None,
        *,
        on_error: Literal["raise", "return"] = "raise",
        progress: ProgressLike | str | None = None,
    ) -> lakefs.TransferReport:
        """Move files to another place, or within this one.

        Args:
            dest: Other files, a URL, or a branch.
            paths: The paths, or pairs of a path and the path at the destination.
            block_size: Number of files that are moved together.
            total: Number of paths, for the progress of a generator.
            on_error: Whether failures are raised after all files were tried, or only returned.
            progress: Takes events or shows a bar. Defaults to that of these files.

        Returns:
            The number of files and of bytes, and the failures. A file that failed is still at its source.

        Raises:
            PartialFailureError: Some files were not moved; they are in its `report`.

        Examples:
            >>> files = branch.files("data")
            >>> _ = files.puts([("a.txt", b"1"), ("b.txt", b"2")])
            >>> files.moves(branch.files("moved"), ["a.txt", ("b.txt", "c.txt")]).transferred
            2
            >>> [path for path in branch.files().list()]
            ['moved/a.txt', 'moved/c.txt']
        """
        on_error, size = checked_on_error(on_error), arguments.integer(block_size, "block_size", least=1)
        target, several = stores.store_of(dest, argument="dest"), items.several(paths, "paths")
        with self._watch(progress, "Moving", several, total) as display:
            tally, ends = Tally(display), set[str]()
            for block in threads.batches(several, size):
                for outcome in _move_all(self._store, target, [_pair(each) for each in block], ends):
                    tally.write(outcome)
            return tally.result(on_error, f"files of {self.url} were not moved to {target.url}")

    def transfer_to(
        self,
        dest: str | Files | lakefs.WriteIOBase,
        *,
        paths: str | threads.Items[str] | None = None,
        block_size: int = 64,
        reencode: str | bool | None = None,
        update: bool = False,
        progress: ProgressLike | str | None = None,
    ) -> lakefs.TransferReport:
        """Copy files to another place, as `lakefs.transfer` does, which has more options.

        Within a repository the server copies. Encoded files are not decoded on the way.

        Args:
            dest: Other files, a URL or a branch.
            paths: Paths of the files. Defaults to all.
            block_size: Maximum number of files in memory.
            reencode: Encoding that the files get: "gzip", "br" or "zstd"; "" for none. Defaults to the one they have.
            update: Whether to transfer only what is missing at the destination, or different and not newer there.
            progress: Takes events or shows a bar. Defaults to that of these files.

        Returns:
            The number of files and of bytes, and the failures.

        Raises:
            PartialFailureError: Some files failed; they are in its `report`.
            UnsupportedOperationException: The destination is read-only.
            ValueError: The source and the destination overlap.

        Examples:
            >>> files = branch.files("data")
            >>> _ = files.put("a.txt", b"hello")
            >>> files.transfer_to("mem://backup", reencode="gzip").transferred
            1
        """
        target = stores.store_of(dest, argument="dest")
        return self._transfer(self._store, target, paths, block_size, reencode, update, progress)

    def transfer_from(
        self,
        src: str | Files | lakefs.ReadIOBase,
        *,
        paths: str | threads.Items[str] | None = None,
        block_size: int = 64,
        reencode: str | bool | None = None,
        update: bool = False,
        progress: ProgressLike | str | None = None,
    ) -> lakefs.TransferReport:
        """Copy files from another place to this one. `files[:] = other` does the same.

        Args:
            src: Other files, a URL or a reference.
            paths: Paths of the files. Defaults to all.
            block_size: Maximum number of files in memory.
            reencode: Encoding that the files get: "gzip", "br" or "zstd"; "" for none. Defaults to the one they have.
            update: Whether to transfer only what is missing here, or different and not newer here.
            progress: Takes events or shows a bar. Defaults to that of these files.

        Returns:
            The number of files and of bytes, and the failures.

        Raises:
            PartialFailureError: Some files failed; they are in its `report`.
            UnsupportedOperationException: These files are read-only.
            ValueError: The source and the destination overlap.

        Examples:
            >>> _ = lakefs.files("mem://inbox").put("a.txt", b"hello")
            >>> branch.files("data").transfer_from("mem://inbox").transferred
            1
        """
        return self._transfer(
            stores.store_of(src, argument="src"), self._store, paths, block_size, reencode, update, progress
        )

    def _transfer(
        self,
        source: stores.Store,
        target: stores.Store,
        paths: Any,
        block_size: int,
        reencode: str | bool | None,
        update: bool,
        progress: Any,
    ) -> lakefs.TransferReport:
        chosen: Any = self._progress if progress is None else progress
        return transfer(
            source,
            target,
            paths=None if paths is None else _paths_of(paths),
            block_size=block_size,
            reencode=reencode,
            update=update,
            progress=True if isinstance(chosen, str) else chosen,
        )


def _paths_of(paths: Any) -> Iterator[str]:
    """Yield the paths that a transfer is limited to."""
    for path in threads.each([paths] if items.is_single(paths) else items.several(paths, "paths")):
        yield items.path_of(path, "paths", among=True)


def _pair(item: Any) -> Pair:
    if isinstance(item, tuple | list) and len(item) == 2:
        before, after = item
        return items.path_of(before, "paths", among=True), items.path_of(after, "paths", among=True)
    path = items.path_of(item, "paths", among=True)
    return path, path


def _move_all(source: stores.Store, target: stores.Store, pairs: list[Pair], ends: set[str]) -> Iterator[Outcome]:
    """Move files, and yield what became of each, under the path that it had.

    Args:
        source: Where they are.
        target: Where they go.
        pairs: The paths before and after.
        ends: What this call has moved to so far, if it looks like the file of another object in an encoding.
    """
    for store in (source, target):
        if store.read_only:
            msg = f"moving from {source.url} to {target.url}: {store.url} is read-only"
            raise exceptions.UnsupportedOperationException(msg)
    # from a to b and from b to c have an order, and so has what moves to one path
    names = [f"{store.place}{name}" for pair in pairs for store, name in zip((source, target), pair, strict=True)]
    width = 1 if len(set(names)) < len(names) else WIDTH
    if target.has_suffixes:
        ends |= {after for _, after in pairs if after.endswith(ENDS)}
    if isinstance(source, LakeStore) and isinstance(target, LakeStore) and source.reference == target.reference:
        calls = threads.call_many(partial(_move_in_lake, source, target), pairs, width)
    else:
        calls = threads.call_many(partial(_move_one, source, target, ends), pairs, width)
    for outcome in calls:
        yield outcome


def clear(store: stores.Store, outcome: Outcome, ends: set[str]) -> Outcome:
    """Delete what is left of an object in another encoding, unless it is an object that this call has written."""
    if outcome.left is None or outcome.left in ends:
        return outcome
    return outcome._replace(error=[gone.error for gone in store.delete_many([outcome.left])][0])


def _move_in_lake(source: LakeStore, target: LakeStore, pair: Pair) -> Outcome:
    before, after = pair
    return source.move(before, target, after)


def _move_one(source: stores.Store, target: stores.Store, ends: set[str], pair: Pair) -> Outcome:
    """Move a file by copying and deleting it."""
    before, after = pair
    entry = source.stat(before)
    if entry is None:
        return Outcome(before, 0, missing_error(source.url, before, "moving"))
    if f"{source.place}{before}" == f"{target.place}{after}":
        return Outcome(before, entry.size)
    same = type(source) is type(target) and source.place == target.place
    if same and not source.has_suffixes:
        written = source.copy_within(before, after)
    else:
        written = carry(source, target, entry, after, keeps=True)
    written = clear(target, written, ends)
    error = written.error or _delete_source(source, entry)
    return Outcome(before, written.size, error)


def carry(
    source: stores.Store,
    target: stores.Store,
    entry: Entry,
    path: str,
    reencode: str | bool | None = None,
    *,
    keeps: bool = False,
) -> Outcome:
    """Copy a file to another store, with its media type and metadata, and with its encoding unless it gets another."""
    encoding: str | None = entry.encoding or ""
    if reencode is not None and reencode is not False:
        encoding = normalize(reencode) or ""
    elif entry.automatic:  # the store compressed it by itself: the other one decides anew
        encoding = None
    try:
        if entry.size > SPOOLED and encoding == (entry.encoding or ""):
            with tempfile.TemporaryFile(prefix="lakefs-hl-") as file:
                source.save(entry.path, file)
                return target.write(Put(path, file, entry.content_type, encoding, entry.metadata, keeps))
        content = source.read(entry.path)
        if content.data is None or content.entry is None:
            return Outcome(path, 0, content.error)
        data, found = content.data, content.entry.encoding or ""
        if encoding != found:
            data = threads.run(items.reencode, data, found, encoding, entry.path)
    except items.FAILURES as exc:
        return Outcome(path, 0, exc)
    return target.write(Put(path, data, entry.content_type, encoding, entry.metadata, keeps))


def _delete_source(source: stores.Store, entry: Entry) -> Exception | None:
    """Delete a file that was copied, if it is still what was copied. Return why it was not."""
    now = source.stat(entry.path)
    # the time too: what has the same content may have been written again, by this very call under another URL
    if now is not None and (now.etag, now.size, now.modified) != (entry.etag, entry.size, entry.modified):
        return exceptions.ObjectChangedError(
            f"moving {source.url}{entry.path}: it was written while it was copied, so it was not deleted; both exist"
        )
    return [outcome.error for outcome in source.delete_many([entry.path])][0]
