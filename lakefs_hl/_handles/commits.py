"""Commits: their fields."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from lakefs_hl import _html as html
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.listings import OBJECT, TIME, Columns
from lakefs_hl.spec import arguments, models
from lakefs_hl.spec.headers import COMMIT_OP_ID

#: Fields of the rows of `log`.
COMMITS: Final = Columns(
    "commits",
    {
        "id": OBJECT,
        "message": OBJECT,
        "committer": OBJECT,
        "creation_date": TIME,
        "parents": OBJECT,
        "meta_range_id": OBJECT,
        "metadata": OBJECT,
    },
)


class CommitFields(Handle):
    """The fields of a commit, loaded."""

    _record: models.Commit

    @staticmethod
    def _check_record(record: object) -> models.Commit:
        if isinstance(record, models.Commit):
            return record
        kind = type(record).__name__
        msg = f"record must be the record of a commit, not {kind}: {record!r:.80}; get_commit() returns a Commit"
        raise TypeError(msg)

    def _kind(self) -> object:
        return self._package, "commit"

    @property
    def message(self) -> str:
        """Commit message."""
        return self._record.message

    @property
    def committer(self) -> str:
        """User who made the commit."""
        return self._record.committer

    @property
    def creation_date(self) -> datetime:
        """Time of the commit: an aware datetime in UTC, in whole seconds."""
        return arguments.from_unix_seconds(self._record.creation_date)

    @property
    def parents(self) -> list[str]:
        """IDs of the parents. A merge commit has two, the first commit has none."""
        return list(self._record.parents)

    @property
    def meta_range_id(self) -> str:
        """ID that lakeFS gives to the whole content. Equal IDs mean equal content."""
        return self._record.meta_range_id

    @property
    def op_id(self) -> str | None:
        """ID of the call that made the commit, if this package did. It is stored in the commit's metadata."""
        return self._record.metadata.get(COMMIT_OP_ID)

    def _own_metadata(self) -> dict[str, str]:
        """Return the metadata without the keys that this package adds."""
        return {key: value for key, value in self._record.metadata.items() if key != COMMIT_OP_ID}

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, with `creation_date` as an aware datetime. Sends no request."""
        found = {name: getattr(self, name) for name in COMMITS.types if name != "metadata"}
        return found | {"metadata": self._own_metadata()}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._repository_id, self._record, self._given)

    def __repr__(self) -> str:
        first = self.message.partition("\n")[0]
        shown = first if len(first) <= 60 else first[:59] + "…"
        when = f"{self.creation_date:%Y-%m-%d %H:%M}"
        return f"<Commit {self.id[:12]} {shown!r} by {self.committer or 'unknown'} at {when}>"

    def _repr_html_(self) -> str:
        rows = {
            "message": self.message,
            "committer": self.committer,
            "date": f"{self.creation_date:%Y-%m-%d %H:%M:%S} UTC",
            "parents": "\n".join(self.parents),
            **{f"metadata {key}": value for key, value in self._own_metadata().items()},
        }
        return html.describe("Commit", self.uri, rows)
