"""What the calls of a dataset return."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from lakefs_hl import _html


class _Keyed:
    """Fields by key. It is not a mapping: it has no length and cannot be iterated."""

    __slots__ = ()
    #: Without it, Python would iterate over an object with `__getitem__` by numbers.
    __iter__: ClassVar[None] = None

    def __getitem__(self, key: str) -> Any:
        if key not in self.keys():
            msg = f"{key!r:.80} is not a key of {type(self).__name__}; the keys are {', '.join(self.keys())}"
            raise KeyError(msg)
        return getattr(self, key)

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def keys(self) -> tuple[str, ...]:
        """Return the keys, so that `dict(...)` takes this object."""
        return tuple(each.name for each in fields(self))  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {key: getattr(self, key) for key in self.keys()}


@dataclass(frozen=True, slots=True)
class DatasetInfo(_Keyed):
    """A dataset, as it was when it was looked up.

    Fields are also answered by key: `info["name"]`.

    Attributes:
        id: The dataset at this commit: `lakefs://repository@commit`, and the prefix if it has one. `lakefs.dataset(id)`
            opens it, and it never changes.
        uri: URI: `lakefs://repository/reference/prefix`.
        name: Display name: `display_name` of the metadata, else `name`, else one of these two in `dataset_info`; else
            the last part of the prefix, or the name of the repository.
        metadata: The metadata.
        commit: ID of the last commit. Uncommitted changes are not part of it.
        history_id: The version of the metadata, as `metadata_history` counts. None if it was written by other means
            than a dataset.
        created_at: Time of the creation of the repository: an aware datetime in UTC.
        updated_at: Time of the last commit, likewise.
        versions: Names of the versions, in the order of their numbers, then the others.
        schema: The JSON Schema that the metadata follows. None if there is none.
    """

    id: str
    uri: str
    name: str
    metadata: dict[str, Any]
    commit: str
    history_id: int | None
    created_at: datetime
    updated_at: datetime
    versions: tuple[str, ...] = ()
    schema: Any = None

    def _repr_html_(self) -> str:
        rows = {
            "id": self.id,
            "versions": ", ".join(self.versions),
            "updated": _html.cell(self.updated_at),
            **{str(key): _html.cell(value) for key, value in self.metadata.items()},
        }
        return _html.describe(self.name, self.uri, rows)


@_html.show_record
class MetadataVersion(NamedTuple):
    """A version of the metadata of a dataset.

    Attributes:
        history_id: Its number in the history, from 1. A number never means another version.
        commit: ID of the commit that added it. None if it is not committed.
        reason: Why it was written.
        who: User who committed it. None if it is not committed.
        when: Time of the commit, or of the writing if it is not committed: an aware datetime in UTC.
        metadata: The metadata.
    """

    history_id: int
    commit: str | None
    reason: str
    who: str | None
    when: datetime
    metadata: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return self._asdict()


@_html.show_record
class DatasetVersion(NamedTuple):
    """A version of a dataset: a tag.

    Attributes:
        name: Its name, such as "v1".
        tag: Name of the tag: the name; that of a dataset under a prefix begins with the prefix.
        commit: ID of the commit.
        reason: Why it was made: the message of the commit.
        created_at: Time of the commit: an aware datetime in UTC.
        created_by: User who made it.
        id: The dataset at this version, as `DatasetInfo.id` is. `lakefs.dataset(id)` opens it.
    """

    name: str
    tag: str
    commit: str
    reason: str
    created_at: datetime
    created_by: str
    id: str

    @property
    def job_session_id(self) -> None:
        """Always None: the version exists when `version` returns, so there is no job to ask for."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return self._asdict()


for _record in (DatasetInfo, MetadataVersion, DatasetVersion):
    _record.__module__ = "lakefs_hl.types"


def display_name(metadata: Any, default: str) -> str:
    """Return the display name in metadata; the default if it has none."""
    nested = metadata.get("dataset_info") if isinstance(metadata, dict) else None
    for place in (metadata, nested):
        for key in ("display_name", "name"):
            found = place.get(key) if isinstance(place, dict) else None
            if isinstance(found, str) and found.strip():
                return found
    return default
