"""Calls on branches."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Final, cast

from lakefs_hl._handles import paths
from lakefs_hl._handles.calls import Pages, new_op_id
from lakefs_hl._handles.changes import CHANGES
from lakefs_hl._handles.handle import Handle, reference_name
from lakefs_hl.ops import branches as ops
from lakefs_hl.ops import objects, refs
from lakefs_hl.ops.branches import OnEmpty
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments, models

#: What to do if there are no changes.
ON_EMPTY: Final = ("skip", "error", "commit")
#: The default of `on_empty`, told from an "error" that a caller gave.
ERROR: Final = cast("OnEmpty", arguments.Default("error"))


def create(session: Session, at: Handle, source_reference_id: object, exist_ok: object, hidden: object) -> Op[str]:
    """Create a branch. Returns the ID of its commit."""
    return ops.create(
        session,
        at._repository_id,
        at._id,
        reference_name(source_reference_id, "source_reference_id", at),
        hidden=arguments.flag(hidden, "hidden"),
        exist_ok=arguments.flag(exist_ok, "exist_ok"),
    )


def exists(session: Session, at: Handle, path: object) -> Op[bool]:
    """Check whether an object of a branch exists; without a path, the branch itself."""
    if path is None:
        return ops.exists(session, at._repository_id, at._id)
    return objects.exists(session, at._repository_id, at._id, paths.path(path, at))


def head(session: Session, at: Handle) -> Op[models.Commit]:
    """Look up the last commit of a branch."""
    return refs.head(session, at._repository_id, at._id)


def commit(
    session: Session,
    at: Handle,
    message: object,
    metadata: Mapping[str, str] | None,
    allow_empty: object,
    on_empty: object,
    date: object,
    force: object,
) -> Op[models.Commit]:
    """Commit all staged changes."""
    allowed, otherwise = arguments.flag(allow_empty, "allow_empty"), arguments.choice(on_empty, "on_empty", ON_EMPTY)
    if allowed and on_empty is not ERROR and otherwise != "commit":
        msg = f"allow_empty=True and on_empty={otherwise!r} contradict each other: give one of them"
        raise ValueError(msg)
    creation = models.CommitCreation(
        arguments.text(message, "message"),
        arguments.optional_metadata(metadata),
        arguments.unix_seconds(date, "date"),
        allowed or None,
        arguments.flag(force, "force") or None,
    )
    return ops.commit(
        session, at._repository_id, at._id, creation, op_id=new_op_id(), now=time.time(), on_empty=otherwise
    )


def uncommitted(
    session: Session, at: Handle, max_amount: object, after: object, prefix: object, delimiter: object
) -> Pages[models.Diff]:
    """List uncommitted changes."""
    page = partial(
        ops.uncommitted_page,
        session,
        at._repository_id,
        at._id,
        prefix=paths.prefix(prefix, at),
        delimiter=arguments.text(delimiter, "delimiter"),
    )
    return Pages(page, paths.path_or_prefix(after, at, "after"), arguments.amount(max_amount), CHANGES)


def reset(session: Session, at: Handle, path: object) -> Op[None]:
    """Drop staged changes, all or those of a path."""
    if path is None:
        return ops.reset(session, at._repository_id, at._id)
    return ops.reset_path(session, at._repository_id, at._id, paths.path_or_prefix(path, at))


def hard_reset(session: Session, at: Handle, reference_id: object) -> Op[None]:
    """Move a branch to another commit."""
    return ops.hard_reset(session, at._repository_id, at._id, reference_name(reference_id, "reference_id", at))


def revert(
    session: Session,
    at: Handle,
    reference_id: object,
    parent_number: object,
    allow_empty: object,
    message: object,
    metadata: Mapping[str, str] | None,
) -> Op[models.Commit]:
    """Revert a commit by a new one."""
    return ops.revert(
        session,
        at._repository_id,
        at._id,
        reference_name(reference_id, "reference_id", at),
        arguments.integer(parent_number, "parent_number", least=0),
        allow_empty=arguments.flag(allow_empty, "allow_empty"),
        message=arguments.optional_text(message, "message"),
        metadata=arguments.optional_metadata(metadata),
        op_id=new_op_id(),
        now=time.time(),
    )


def cherry_pick(session: Session, at: Handle, reference_id: object, parent_number: object) -> Op[models.Commit]:
    """Apply the changes of one commit as a new one."""
    return ops.cherry_pick(
        session,
        at._repository_id,
        at._id,
        reference_name(reference_id, "reference_id", at),
        arguments.optional_integer(parent_number, "parent_number", least=0),
        op_id=new_op_id(),
        now=time.time(),
    )


def delete(session: Session, at: Handle) -> Op[None]:
    """Delete a branch."""
    return ops.delete(session, at._repository_id, at._id)
