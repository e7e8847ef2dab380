# Generated from lakefs_hl/aio/prefixes.py by tools/unasync.py: change that, not this.
"""What lies under a prefix: patterns, usage, chunks, many look-ups; and how to remove, copy and move it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from lakefs_hl._handles import prefixes as calls
from lakefs_hl._handles.copies import Copying, remove
from lakefs_hl._handles.handle import Handle
from lakefs_hl._sync import lazy
from lakefs_hl._sync.streams import ObjectStream

if TYPE_CHECKING:
    from lakefs_hl._handles.deletions import DeleteReport
    from lakefs_hl._handles.objects import ObjectOrPrefix, ObjectPath, Prefix
    from lakefs_hl._handles.prefixes import Usage, UsageGroup
    from lakefs_hl._handles.transfers import TransferReport
    from lakefs_hl._sync.client import Client
    from lakefs_hl._sync.listing import Listing
    from lakefs_hl._sync.objects import ObjectInfo
    from lakefs_hl.spec.models import ObjectStats
    from lakefs_hl.types import ProgressLike


class PrefixReads(Handle):
    """The part of the read operations that is about prefixes and many objects."""

    __module__ = "lakefs_hl"

    @property
    def _client(self) -> Client:
        raise NotImplementedError  # a reference has a client

    def _object(self, record: ObjectStats) -> ObjectInfo:
        raise NotImplementedError  # a reference wraps records

    def glob(self, pattern: str, *, max_amount: int | None = None) -> Listing[ObjectInfo]:
        r"""Iterate over the objects whose path matches a pattern, in byte order, lazily.

        Only paths that begin with the literal head of the pattern are listed, and directories that cannot match are
        skipped.

        Args:
            pattern: A pattern for the whole path. `*` matches any characters but `/`, `?` one of them, `[abc]`,
                `[a-c]` and `[!abc]` one of a set, and `**` as a whole segment any number of directories, also none.
                `[*]` is an asterisk, `[?]` a question mark and `[[]` a bracket. Case matters. A dot at the
                beginning of a name is not special.
            max_amount: Maximum number of objects. Defaults to all.

        Raises:
            NotFoundException: The repository or the reference does not exist (raised by the first step of the
                iteration).
            ValueError: The pattern is empty, or `max_amount` is negative.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = branch.upload(b"1,2", "2026/01/a.csv")
            >>> [found.path for found in branch.glob("2026/**/*.csv").to_list()]
            ['2026/01/a.csv']
        """
        return self._client._list(self._object, calls.glob, self, pattern, max_amount)

    def is_dir(self, path: ObjectOrPrefix) -> bool:
        """Return whether there are objects under a path, with or without a slash at its end. "" is a directory.

        Raises:
            NotFoundException: The repository or the reference does not exist.
        """
        return self._client._run(calls.is_dir, self, path)

    def is_file(self, path: ObjectOrPrefix) -> bool:
        """Return whether a path is that of an object.

        Raises:
            NotFoundException: The repository or the reference does not exist.
        """
        return self._client._run(calls.is_file, self, path)

    @overload
    def usage(self, prefix: Prefix = "", *, by: None = None) -> Usage: ...
    @overload
    def usage(self, prefix: Prefix = "", *, by: UsageGroup) -> dict[str, Usage]: ...
    def usage(self, prefix: Prefix = "", *, by: UsageGroup | None = None) -> Usage | dict[str, Usage]:
        r"""Return the number of objects under a prefix and the sum of their sizes. It lists all of them.

        It is the size that a download has. A store may keep the same content once for many objects and versions.

        Args:
            prefix: Count only objects with this prefix. Defaults to all.
            by: "directory" for the usage of each directory directly under the prefix, by its path with a slash at its
                end; objects that are in none of them count for the directory of the prefix. "extension" for the usage
                by the last suffix of the paths, in lower case, such as ".csv".

        Returns:
            The usage; or with `by` a dictionary of them, ordered by name.

        Raises:
            NotFoundException: The repository or the reference does not exist.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = branch.upload(b"1,2", "data/a.csv")
            >>> branch.usage("data/")
            Usage(total_bytes=3, object_count=1)
        """
        return self._client._run(calls.usage, self, prefix, by)

    def iter_usage(self, prefix: Prefix = "", every: int = 1000) -> Listing[Usage]:
        """Iterate over partial results of `usage`, of which the last one is its result.

        Args:
            prefix: Count only objects with this prefix. Defaults to all.
            every: Number of objects between two results.

        Raises:
            NotFoundException: The repository or the reference does not exist (raised by the first step of the
                iteration).
            ValueError: `every` is less than 1.
        """
        return self._client._list(calls.row_of, calls.iter_usage, self, prefix, every)

    def stream(
        self,
        path: ObjectPath,
        start: int = 0,
        *,
        end: int | None = None,
        chunk_size: int = 1 << 20,
        verify: bool = True,
        pre_signed: bool | None = None,
    ) -> ObjectStream:
        r"""Iterate over the content of an object in chunks of bytes, lazily.

        All chunks are of one version of the object. An interrupted response is resumed where it stopped. While you
        read a chunk, the next ones are fetched. To end early, leave the `with` block or call `close()`.

        Args:
            path: Path of the object.
            start: Offset of the first byte. Negative values count from the end, as in a slice.
            end: Offset after the last byte. Defaults to the end of the object.
            chunk_size: Size of a chunk in bytes. Only the last one may be smaller.
            verify: Whether to compare a whole object with its checksum, as `download` does. The last chunks are
                returned only if it matches.
            pre_signed: Whether to read from the object store by a pre-signed URL. Defaults to what the server supports.

        Raises:
            ObjectNotFoundException: The object does not exist. This and the errors below are raised while you iterate.
            NotFoundException: The reference does not exist.
            ObjectChangedError: The object was replaced while it was read.
            IntegrityError: The content did not match its checksum.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = branch.upload(b"a,b\n", "data/t.csv")
            >>> with branch.stream("data/t.csv", chunk_size=2) as chunks:
            ...     [chunk for chunk in chunks]
            [b'a,', b'b\n']
        """
        client = self._client
        pages = calls.stream(client._session, self, path, start, end, chunk_size, verify, pre_signed)
        return ObjectStream(client._driver, pages)

    def stat_many(self, paths: lazy.ReadPaths, *, max_workers: int | None = None) -> list[ObjectInfo | None]:
        """Look up many objects, concurrently. Where many paths of one directory are asked for, it is listed.

        Args:
            paths: Paths of objects, given as for `stat_object`.
            max_workers: Maximum number of concurrent requests. Defaults to what the server takes.

        Returns:
            The objects in the order of their paths. None for one that does not exist.

        Raises:
            NotFoundException: The repository or the reference does not exist.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = branch.upload(b"1,2", "data/a.csv")
            >>> [info and info.size_bytes for info in branch.stat_many(["data/a.csv", "data/b.csv"])]
            [3, None]
        """
        records = lazy.look_up_all(self._client, self, paths, calls.workers(max_workers))
        return [None if record is None else self._object(record) for record in records]


class PrefixWrites(PrefixReads):
    """The part of the write operations that is about prefixes."""

    __module__ = "lakefs_hl"

    def remove(
        self, path: ObjectOrPrefix, *, recursive: bool = False, progress: ProgressLike | None = None
    ) -> DeleteReport:
        """Delete an object, or with `recursive` everything under a path.

        Args:
            path: Path of an object, or of a directory of the lake, with or without a slash at its end. Not empty.
            recursive: Whether to delete all objects under the path too, 1,000 per request.
            progress: What to tell each deleted object: an object with `on_event`, a callable, a class like `tqdm.tqdm`.
                True shows a bar, False none. Defaults to a bar if a terminal or a notebook watches.

        Returns:
            The number of objects, and those that failed: none, because failures are raised.

        Raises:
            ObjectNotFoundException: No object has the path, and none is under it.
            IsADirectoryError: There are objects under the path, none has it, and `recursive` is False.
            PartialFailureError: Some objects were not deleted; they are in its `report`.
            NotFoundException: The branch or the repository does not exist.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = branch.upload(b"1,2", "tmp/a.csv")
            >>> branch.remove("tmp", recursive=True).requested
            1
        """
        with lazy.watch(progress, "Removing", self.uri) as watcher:
            return self._client._run(remove, self, path, recursive, watcher)

    def copy_prefix(
        self,
        from_prefix: Prefix,
        to_prefix: Prefix,
        *,
        from_reference: str | Handle | None = None,
        max_workers: int | None = None,
        on_error: Literal["raise", "return"] = "raise",
        progress: ProgressLike | None = None,
    ) -> TransferReport:
        """Copy all objects of a prefix to this branch, on the server. Objects at the destination are replaced.

        Args:
            from_prefix: Source prefix. It need not end with `/`: "data" is also the prefix of "database/t.csv".
            to_prefix: Destination prefix, which takes the place of `from_prefix` at the beginning of each path.
            from_reference: Source reference of this repository, by name or as a handle. Defaults to this branch, with
                its uncommitted changes.
            max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
            on_error: Whether failures are raised after all objects were tried, or only returned.
            progress: As for `remove`.

        Returns:
            The number of objects and bytes, and the objects that failed.

        Raises:
            ObjectNotFoundException: No object has the source prefix.
            PartialFailureError: Some objects failed; they are in its `report`.
            NotFoundException: The branch, the source reference or the repository does not exist.
            ValueError: The prefixes overlap on this branch.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = branch.upload(b"1,2", "data/a.csv")
            >>> branch.copy_prefix("data/", "backup/").transferred
            1
        """
        copying = Copying(self, from_prefix, to_prefix, from_reference, max_workers, on_error, moves=False)
        with lazy.watch(progress, "Copying", copying.source, copying.target) as watcher:
            return self._client._run(copying.run, watcher)

    def move_prefix(
        self,
        from_prefix: Prefix,
        to_prefix: Prefix,
        *,
        max_workers: int | None = None,
        on_error: Literal["raise", "return"] = "raise",
        progress: ProgressLike | None = None,
    ) -> TransferReport:
        """Move all objects of a prefix within this branch, on the server. Objects at the destination are replaced.

        lakeFS has no move: all objects are copied, and if no copy failed, those sources are deleted that are still what
        was copied. An interrupted call has lost nothing: the same call again moves the rest. What another client writes
        to a source at the moment of its deletion is lost.

        Args:
            from_prefix: Source prefix, as for `copy_prefix`.
            to_prefix: Destination prefix, which takes the place of `from_prefix` at the beginning of each path.
            max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
            on_error: Whether failures are raised after all objects were tried, or only returned.
            progress: As for `remove`.

        Returns:
            The number of objects and bytes that were copied, and the objects that failed: those that were not copied,
            or not deleted because they were written meanwhile.

        Raises:
            ObjectNotFoundException: No object has the source prefix.
            PartialFailureError: Some objects failed; they are in its `report`.
            NotFoundException: The branch or the repository does not exist.
            ValueError: The prefixes overlap.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = branch.upload(b"1,2", "inbox/a.csv")
            >>> branch.move_prefix("inbox/", "archive/").transferred
            1
        """
        moving = Copying(self, from_prefix, to_prefix, None, max_workers, on_error, moves=True)
        with lazy.watch(progress, "Moving", moving.source, moving.target) as watcher:
            return self._client._run(moving.run, watcher)
