"""Calls on references of any kind: commit, log, diff, merge; and on tags."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Final, Literal, TypeAlias

from lakefs_hl._handles import paths
from lakefs_hl._handles.calls import Pages, new_op_id
from lakefs_hl._handles.changes import CHANGES
from lakefs_hl._handles.commits import COMMITS
from lakefs_hl._handles.handle import Handle, optional_reference_name, optional_start, reference_name
from lakefs_hl.ops import objects, tags
from lakefs_hl.ops import refs as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments, models

Strategy: TypeAlias = Literal["dest-wins", "source-wins"]
DiffType: TypeAlias = Literal["three_dot", "two_dot"]
STRATEGIES: Final = ("dest-wins", "source-wins")
DIFF_TYPES: Final = ("three_dot", "two_dot")


def commit(session: Session, at: Handle) -> Op[models.Commit]:
    """Look up the commit of a reference."""
    return ops.commit(session, at._repository_id, at._id)


def log(
    session: Session,
    at: Handle,
    max_amount: object,
    after: object,
    objects: object,
    prefixes: object,
    since: object,
    stop_at: object,
    first_parent: object,
) -> Pages[models.Commit]:
    """List the ancestors of a reference."""
    page = partial(
        ops.log_page,
        session,
        at._repository_id,
        at._id,
        objects=paths.paths(objects, at, "objects"),
        prefixes=paths.paths(prefixes, at, "prefixes"),
        since=None if since is None else arguments.moment(since, "since"),
        stop_at=optional_reference_name(stop_at, "stop_at", at),
        first_parent=arguments.flag(first_parent, "first_parent"),
    )
    after = optional_start(after, "after", at)
    return Pages(page, after, arguments.amount(max_amount), COMMITS)


def diff(
    session: Session,
    at: Handle,
    other_ref: object,
    max_amount: object,
    after: object,
    prefix: object,
    delimiter: object,
    type: object,
    recursive: object,
) -> Pages[models.Diff]:
    """List the differences between two references."""
    page = partial(
        ops.diff_page,
        session,
        at._repository_id,
        at._id,
        reference_name(other_ref, "other_ref", at),
        prefix=paths.prefix(prefix, at),
        delimiter=arguments.delimiter(delimiter, recursive),
        type=arguments.choice(type, "type", DIFF_TYPES),
    )
    return Pages(page, paths.path_or_prefix(after, at, "after"), arguments.amount(max_amount), CHANGES)


def merge(
    session: Session,
    at: Handle,
    destination_branch_id: object,
    message: str | None,
    metadata: Mapping[str, str] | None,
    strategy: Strategy | None,
    squash: bool,
    allow_empty: bool,
    force: bool,
) -> Op[models.Commit]:
    """Merge a reference into a branch, and look up the merge commit."""
    destination = reference_name(destination_branch_id, "destination_branch_id", at)
    creation = models.Merge(
        arguments.optional_text(message, "message"),
        arguments.optional_metadata(metadata),
        arguments.optional_choice(strategy, "strategy", STRATEGIES),
        arguments.flag(force, "force") or None,
        arguments.flag(allow_empty, "allow_empty") or None,
        arguments.flag(squash, "squash") or None,
    )
    return ops.merge_and_get(
        session, at._repository_id, at._id, destination, creation, op_id=new_op_id(), now=time.time()
    )


def tag_exists(session: Session, at: Handle, path: object) -> Op[bool]:
    """Check whether an object at a tag exists; without a path, the tag itself."""
    if path is None:
        return tags.exists(session, at._repository_id, at._id)
    return objects.exists(session, at._repository_id, at._id, paths.path(path, at))


def create_tag(session: Session, at: Handle, source_ref: object, exist_ok: object) -> Op[models.Ref]:
    """Create a tag."""
    source = reference_name(source_ref, "source_ref", at)
    return tags.create(session, at._repository_id, at._id, source, exist_ok=arguments.flag(exist_ok, "exist_ok"))


def delete_tag(session: Session, at: Handle) -> Op[None]:
    """Delete a tag."""
    return tags.delete(session, at._repository_id, at._id)
