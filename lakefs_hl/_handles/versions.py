"""Versions of objects: the calls that list them and bring one back."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, Protocol, runtime_checkable

from lakefs_hl._handles import paths
from lakefs_hl._handles.calls import Pages
from lakefs_hl._handles.handle import Handle, reference_name
from lakefs_hl._handles.listings import INTEGER, OBJECT, TIME, Columns
from lakefs_hl.ops import versions as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments
from lakefs_hl.spec.models import ObjectStats

#: Fields of the rows of `history`.
VERSIONS: Final = Columns(
    "versions",
    {
        "commit_id": OBJECT,
        "message": OBJECT,
        "committer": OBJECT,
        "creation_date": TIME,
        "is_deleted": "bool",
        "size_bytes": INTEGER,
        "content_type": OBJECT,
        "checksum": OBJECT,
        "metadata": OBJECT,
    },
)


@runtime_checkable
class Version(Protocol):
    """A version of either colour."""

    @property
    def commit(self) -> Any: ...
    @property
    def info(self) -> Any: ...


def as_dict(version: Version) -> dict[str, Any]:
    """Return the fields of a version as plain values. Those of the object are None if the commit deleted it."""
    commit, info = version.commit, version.info
    found = {"commit_id": commit.id, "is_deleted": info is None}
    found |= {name: getattr(commit, name) for name in ("message", "committer", "creation_date")}
    fields = ("size_bytes", "content_type", "checksum", "metadata")
    found |= {name: None if info is None else getattr(info, name) for name in fields}
    return {name: found[name] for name in VERSIONS.types}


def history(session: Session, at: Handle, path: object, max_amount: object) -> Pages[ops.Version]:
    """List the versions of an object."""
    page = partial(ops.page, session, at._repository_id, at._id, paths.object_path(path, at))
    return Pages(page, "", arguments.amount(max_amount), VERSIONS)


def restore(session: Session, at: Handle, path: object, version: object) -> Op[ObjectStats]:
    """Stage a version of an object."""
    found = paths.object_path(path, at)
    if not isinstance(version, Version) or isinstance(version, str | Handle):
        return ops.restore(session, at._repository_id, at._id, found, reference_name(version, "version", at))
    commit = reference_name(version.commit, "version", at)
    if version.info is None:
        raise ops.missing_error(at._repository_id, at._id, found, commit)
    if version.info.path != found:
        msg = f"version is one of {version.info.path!r}, not of {found!r}; copy_object(version.commit, …) copies it"
        raise ValueError(msg)
    return ops.restore(session, at._repository_id, at._id, found, commit)
