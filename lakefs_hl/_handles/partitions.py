"""Partitions of the objects of a commit: their fields, and the call that makes them."""

from __future__ import annotations

from typing import Any, Final

from lakefs_hl import _html as html
from lakefs_hl._handles import amounts, paths
from lakefs_hl._handles.handle import Handle
from lakefs_hl.ops import partitions as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments

MEASURES: Final = ("bytes", "objects")


class PartitionFields:
    """The fields of a partition. It is immutable, hashable, comparable and picklable.

    Args:
        reference: The commit.
        prefix: Prefix of all partitions.
        index: Number of the partition, from 0.
        found: Its range: see `ops.partitions.Range`.
    """

    __slots__ = ("_index", "_prefix", "_range", "_reference")

    def __init__(self, reference: Any, prefix: str, index: int, found: tuple[str, str, int, int]) -> None:
        self._reference = reference
        self._prefix = prefix
        self._index = index
        self._range = ops.Range(*found)

    @property
    def index(self) -> int:
        """Number of the partition, from 0, in the order of the paths."""
        return self._index

    @property
    def prefix(self) -> str:
        """Prefix that was split. All partitions have the same."""
        return self._prefix

    @property
    def after(self) -> str:
        """Path of the last object of the partition before this one. "" if this is the first one."""
        return self._range.after

    @property
    def last(self) -> str:
        """Path of the last object of this partition."""
        return self._range.last

    @property
    def object_count(self) -> int:
        """Number of objects, at least 1."""
        return self._range.object_count

    @property
    def total_bytes(self) -> int:
        """The sum of the sizes of the objects in bytes."""
        return self._range.total_bytes

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, and the ID of the commit. Sends no request."""
        names = ("index", "prefix", "after", "last", "object_count", "total_bytes")
        return {"commit_id": self._reference.id} | {name: getattr(self, name) for name in names}

    def _key(self) -> tuple[Any, ...]:
        return self._reference, self._prefix, self._index, self._range

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, PartitionFields) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._reference, self._prefix, self._index, tuple(self._range))

    def __repr__(self) -> str:
        where = f"{self._reference.uri}{self._prefix}"
        return f"<Partition {self._index} of {where}: {self._amount()}, to {self.last!r:.80}>"

    def _repr_html_(self) -> str:
        rows = {"index": str(self._index), "after": self.after, "last": self.last, "amount": self._amount()}
        return html.describe("Partition", f"{self._reference.uri}{self._prefix}", rows)

    def _amount(self) -> str:
        return f"{amounts.count_text(self.object_count, 'object')}, {amounts.size_text(self.total_bytes)}"


class Split:
    """A split whose arguments are checked.

    Args:
        at: The reference.
        n: Maximum number of partitions.
        by: What is to be about the same in all of them.
        prefix: The prefix.
    """

    def __init__(self, at: Handle, n: object, by: object, prefix: object) -> None:
        self._most = arguments.integer(n, "n", least=1)
        self._by: ops.Measure = arguments.choice(by, "by", MEASURES)
        self.prefix: str = paths.prefix(prefix, at)

    def op(self, session: Session, commit: Handle) -> Op[list[ops.Range]]:
        """Split the objects of a commit."""
        return ops.split(session, commit._repository_id, commit._id, self._most, self.prefix, self._by)
