"""Blame: the call that lists objects with the commits that changed them last."""

from __future__ import annotations

from typing import Any, Final

from lakefs_hl._handles import paths
from lakefs_hl._handles.calls import Pages
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.listings import INTEGER, OBJECT, TIME, Columns
from lakefs_hl._handles.paths import Item
from lakefs_hl.ops import blame as ops
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments

#: Fields of the rows of `blame`.
BLAME: Final = Columns(
    "objects",
    {
        "path": OBJECT,
        "commit_id": OBJECT,
        "message": OBJECT,
        "committer": OBJECT,
        "creation_date": TIME,
        "size_bytes": INTEGER,
    },
)


def as_dict(path: str, commit: Any, info: Any) -> dict[str, Any]:
    """Return the fields of an entry as plain values. Those of the commit are None if there is none."""
    fields = ("message", "committer", "creation_date")
    found = {"path": path, "commit_id": None if commit is None else commit.id}
    found |= {name: None if commit is None else getattr(commit, name) for name in fields}
    return found | {"size_bytes": info.size_bytes}


def listing(session: Session, at: Handle, path: object, max_amount: object) -> Pages[ops.Blamed]:
    """List objects with the commits that changed them last."""
    where = paths.path_or_prefix(path, at)
    is_prefix = not where or where.endswith("/") or (isinstance(path, Item) and path.is_dir())
    blame = ops.Blame(session, at._repository_id, at._id, where, is_prefix=is_prefix)
    return Pages(blame.page, "", arguments.amount(max_amount), BLAME)
