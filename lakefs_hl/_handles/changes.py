"""Changes: the differences between two versions."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple, cast

from lakefs_hl._handles.listings import INTEGER, OBJECT, Columns
from lakefs_hl._handles.records import public
from lakefs_hl.spec import models

#: Fields of the rows of `diff` and `list_uncommitted`.
CHANGES: Final = Columns("changes", {"type": OBJECT, "path": OBJECT, "path_type": OBJECT, "size_bytes": INTEGER})


class Change(NamedTuple):
    """One difference between two versions.

    Attributes:
        type: What happened to the path.
        path: Path of the object, or the prefix.
        path_type: Whether it is one object or a prefix of several.
        size_bytes: Size after the change, in bytes; of a removed object, the size before it. None where the server does
            not report it.
    """

    type: Literal["added", "removed", "changed", "conflict", "prefix_changed"]
    path: str
    path_type: Literal["common_prefix", "object"]
    size_bytes: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return self._asdict()

    @classmethod
    def _of(cls, record: models.Diff) -> Change:
        return cls(cast("Any", record.type), record.path, cast("Any", record.path_type), record.size_bytes)

    @classmethod
    def _of_staging(cls, record: models.Diff) -> Change:
        """Return an uncommitted change. lakeFS reports 0 bytes for a removed object there, which is not its size."""
        change = cls._of(record)
        return change._replace(size_bytes=None) if change.type == "removed" else change


public(Change)
