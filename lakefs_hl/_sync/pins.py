# Generated from lakefs_hl/aio/pins.py by tools/unasync.py: change that, not this.
"""Pinned work: one version for many readers, and its objects split between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.objects import listing, wrap
from lakefs_hl._handles.partitions import PartitionFields, Split
from lakefs_hl._sync.objects import ObjectInfo

if TYPE_CHECKING:
    from lakefs_hl._handles.objects import Prefix
    from lakefs_hl._sync.client import Client
    from lakefs_hl._sync.listing import Listing
    from lakefs_hl._sync.refs import Commit


class Partition(PartitionFields):
    """A part of the objects of a commit, as `Reference.partition` returns it: those of a range of paths.

    It is small and picklable. Send each one to a worker, in another process or on another machine.

    Examples:
        >>> for name in ("a.csv", "b.csv", "c.csv"):
        ...     _ = branch.upload(b"1,2", name)
        >>> _ = branch.commit_changes("three tables")
        >>> parts = branch.partition(2)
        >>> [[info.path for info in part.objects().to_list()] for part in parts]
        [['a.csv', 'b.csv'], ['c.csv']]
    """

    __module__ = "lakefs_hl"
    __slots__ = ()
    _reference: Commit

    @property
    def reference(self) -> Commit:
        """The commit. Reads from it are those of one version."""
        return self._reference

    def objects(self) -> Listing[ObjectInfo]:
        """Iterate over the objects of this partition, ordered by path, lazily."""
        at = self._reference
        after = wrap(ObjectInfo, at, self.after) if self.after else ""
        return at._client._list(
            at._object, listing, at, self.object_count, after, self.prefix, delimiter="", recursive=True
        )


class PinReads(Handle):
    """The part of a reference that pins its commit."""

    __module__ = "lakefs_hl"

    @property
    def _client(self) -> Client:
        raise NotImplementedError  # a reference has a client

    def get_commit(self) -> Commit:
        """Return the commit."""
        raise NotImplementedError  # a reference has one

    def pin(self) -> Commit:
        """Return the commit that the reference points to now, for readers that need one version. Sends one request.

        Uncommitted changes of a branch are not part of it: commit them first. What is committed later is not part of it
        either. The commit is a small picklable handle: all processes that it is sent to read the same objects.
        Pinning a commit again returns the same commit, without a request.

        Raises:
            NotFoundException: The repository or the reference does not exist.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> version = branch.pin()
            >>> _ = branch.upload(b"1,2", "late.csv")
            >>> version.exists("late.csv")
            False
        """
        return self.get_commit()

    def partition(self, n: int, *, by: Literal["bytes", "objects"] = "bytes", prefix: Prefix = "") -> list[Partition]:
        """Split the objects of the commit that the reference points to now, for `n` workers.

        The objects are listed once. Each of them is in exactly one partition: a range of paths, in the order of the
        paths. The same commit is always split in the same way. Uncommitted changes of a branch are not part of it.

        Args:
            n: Maximum number of partitions. No partition is empty: there are fewer if there are fewer objects, and none
                without objects.
            by: What is to be about the same in all partitions: the sum of the sizes ("bytes", where an object counts
                one byte more than it has, so that empty objects are spread too), or the number of objects ("objects").
                A partition has whole objects, so one that is larger than a share is one partition.
            prefix: Consider only objects with this prefix.

        Returns:
            The partitions.

        Raises:
            NotFoundException: The repository or the reference does not exist.
            ValueError: `n` is less than 1.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> for name in ("a.csv", "b.csv", "c.csv"):
            ...     _ = branch.upload(b"1,2", name)
            >>> _ = branch.commit_changes("three tables")
            >>> [(part.object_count, part.total_bytes) for part in branch.partition(2)]
            [(2, 6), (1, 3)]
        """
        split = Split(self, n, by, prefix)
        commit = self.get_commit()
        found = self._client._run(split.op, commit)
        return [Partition(commit, split.prefix, index, each) for index, each in enumerate(found)]
