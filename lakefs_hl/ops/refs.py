"""References: resolve, log, diff, merge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from lakefs_hl.ops import logged
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.requests import json_request, page_query
from lakefs_hl.ops.retry import Session, ask, read_back
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.limits import MAX_PAGE
from lakefs_hl.spec.wire import Request

T = TypeVar("T")
COMMIT_ID: Final = re.compile(r"[0-9a-f]{64}")
_BRANCH: Final = re.compile(r"[-\w]+", re.ASCII)
#: Most conflicting paths that a `MergeConflict` lists.
MAX_CONFLICTS: Final = 1000
_ADVICE: Final = 'Pass strategy="source-wins" or "dest-wins"'


def commit(session: Session, repository: str, ref: str, *, about: str = "") -> Op[models.Commit]:
    """Return the commit that a branch, tag, commit ID or ref expression resolves to."""
    request = Request(endpoints.GET_COMMIT, (repository, ref))
    return (yield from ask(session, models.Commit, request, about=about))


def head(session: Session, repository: str, ref: str, *, about: str = "") -> Op[models.Commit]:
    """Return the last commit of a branch, tag or ref expression: the first one of its log, in one request.

    Staged changes of a branch are not part of it.

    Raises:
        NotFoundException: There is no such reference, or it has no commit.
    """
    request = Request(endpoints.LOG_COMMITS, (repository, ref), {"amount": "1"})
    page = yield from ask(session, models.CommitPage, request, about=about)
    if not page.results:  # lakeFS gives every branch a first commit
        error = errors.NotFoundException(f"{about or request.describe()}: the log is empty: {ref!r} has no commit")
        error.kind = ErrorKind.REFERENCE_NOT_FOUND
        raise error
    return page.results[0]


def pin(session: Session, repository: str, ref: str, *, about: str = "") -> Op[str]:
    """Return the ID of the commit that a reference resolves to now. A full commit ID needs no request."""
    if COMMIT_ID.fullmatch(ref):
        return ref
    found = yield from commit(session, repository, ref, about=about)
    return found.id


def pin_expression(session: Session, repository: str, ref: str, *, about: str = "") -> Op[str]:
    """Return the commit of an expression such as `main~2` or `main@`. Any other reference is returned as it is."""
    if any(mark in ref for mark in "~^@"):
        return (yield from pin(session, repository, ref, about=about))
    return ref


def write_to(session: Session, repository: str, branch: str, about: str, op: Op[T]) -> Op[T]:
    """Run a write to a branch. If `branch` is a commit, a tag or an expression, raise an exception that says so.

    Raises:
        BadRequestException: `branch` is a commit, a tag or an expression, which are immutable.
    """
    try:
        return (yield from op)
    except (errors.NotFoundException, errors.BadRequestException) as exc:
        yield from check_writable(session, repository, branch, about, exc)
        raise


def check_writable(
    session: Session, repository: str, ref: str, about: str, rejected: errors.ServerException
) -> Op[None]:
    """Raise if a write found no branch because its reference is a tag, a commit or an expression.

    Raises:
        BadRequestException: The reference is immutable.
    """
    expression = rejected.kind is ErrorKind.INVALID_ARGUMENT and not _BRANCH.fullmatch(ref)
    if rejected.kind is not ErrorKind.BRANCH_NOT_FOUND and not expression:
        return
    try:
        found = yield from commit(session, repository, ref)
    except errors.LakeFSException:
        return
    reason = "" if found.id == ref else f"{ref!r} is not a branch but resolves to commit {found.id}; "
    error = errors.BadRequestException(f"{about}: {reason}commits are immutable: write to a branch and commit it")
    error.__dict__.update(rejected.__dict__)
    error.kind = ErrorKind.IMMUTABLE_REFERENCE
    raise error from None


def log_page(
    session: Session,
    repository: str,
    ref: str,
    after: str,
    amount: int,
    *,
    objects: Sequence[str] = (),
    prefixes: Sequence[str] = (),
    since: str | datetime | None = None,
    stop_at: str | None = None,
    first_parent: bool = False,
) -> Op[models.CommitPage]:
    """Return one page of the log, newest commit first.

    Args:
        session: The client's session.
        repository: Repository ID.
        ref: Reference to start from.
        after: Commit ID to continue after; "" starts at `ref`.
        amount: Maximum number of commits.
        objects: Return only commits that changed one of these paths.
        prefixes: Return only commits that changed an object under one of these prefixes.
        since: Return only commits created at or after this time (RFC 3339, or a datetime with a time zone).
        stop_at: Last commit to return.
        first_parent: Whether to follow first parents only.
    """
    query: dict[str, str | tuple[str, ...]] = {**page_query(after, amount)}
    if objects:
        query["objects"] = tuple(objects)
    if prefixes:
        query["prefixes"] = tuple(prefixes)
    if since is not None:
        query["since"] = since.isoformat() if isinstance(since, datetime) else since
    if stop_at:
        query["stop_at"] = stop_at
    if first_parent:
        query["first_parent"] = "true"
    return (yield from ask(session, models.CommitPage, Request(endpoints.LOG_COMMITS, (repository, ref), query)))


def diff_page(
    session: Session,
    repository: str,
    left: str,
    right: str,
    after: str,
    amount: int,
    *,
    prefix: str = "",
    delimiter: str = "",
    type: str = "three_dot",
) -> Op[models.DiffPage]:
    """Return one page of a diff.

    Type "three_dot" has the changes that merging `right` into `left` would apply, "two_dot" all differences.
    """
    query = {**page_query(after, amount, prefix=prefix, delimiter=delimiter), "type": type}
    return (yield from ask(session, models.DiffPage, Request(endpoints.DIFF_REFS, (repository, left, right), query)))


def merge_base(session: Session, repository: str, source: str, destination: str) -> Op[models.MergeBase]:
    """Return the merge base of two references."""
    request = Request(endpoints.FIND_MERGE_BASE, (repository, source, destination))
    return (yield from ask(session, models.MergeBase, request))


def merge(
    session: Session,
    repository: str,
    source: str,
    branch: str,
    merge: models.Merge,
    *,
    op_id: str,
    now: float,
    since: str = "",
) -> Op[str]:
    """Merge the commit that `source` resolves to now into a branch.

    Args:
        session: The client's session.
        repository: Repository ID.
        source: Source reference.
        branch: Destination branch.
        merge: Message, metadata and options of the merge.
        op_id: ID that the merge commit carries in its metadata.
        now: Current time in Unix seconds.
        since: A commit that the branch already has, if one is known. It saves a look-up of the head.

    Returns:
        The ID of the merge commit.

    Raises:
        MergeConflict: Both sides changed the same paths, which are in `conflicts`.
        AmbiguousOutcomeError: The outcome is unknown.
    """
    made = yield from _merge(session, repository, source, branch, merge, op_id=op_id, now=now, since=since)
    return made.id if isinstance(made, models.Commit) else made.reference


def merge_and_get(
    session: Session, repository: str, source: str, branch: str, merge: models.Merge, *, op_id: str, now: float
) -> Op[models.Commit]:
    """Merge as `merge` does, and look up the merge commit in a second request.

    Raises:
        MergeConflict: Both sides changed the same paths, which are in `conflicts`.
        AmbiguousOutcomeError: The outcome is unknown; or, if `maybe_applied` is True, the merge was applied, and the
            merge commit could not be looked up. Its ID is `result_id`.
    """
    made = yield from _merge(session, repository, source, branch, merge, op_id=op_id, now=now)
    if isinstance(made, models.Commit):
        return made
    about = endpoints.MERGE_INTO_BRANCH.describe(repository, source, branch)
    return (yield from read_back(commit(session, repository, made.reference), about, made.reference))


def _merge(
    session: Session,
    repository: str,
    source: str,
    branch: str,
    merge: models.Merge,
    *,
    op_id: str,
    now: float,
    since: str = "",
) -> Op[models.Commit | models.MergeResult]:
    """Merge. The result is a commit if the response was lost and the log has it."""
    about = endpoints.MERGE_INTO_BRANCH.describe(repository, source, branch)
    pinned = yield from pin(session, repository, source, about=about)
    body = msgspec.structs.replace(
        merge,
        message=merge.message or f"Merge '{source}' into '{branch}'",
        metadata=logged.with_op_id(merge.metadata, op_id),
    )
    request = json_request(endpoints.MERGE_INTO_BRANCH, (repository, pinned, branch), body)
    is_safe = not (merge.squash_merge or merge.allow_empty or merge.force)
    trace = logged.Trace(repository, branch, op_id, now, about, is_safe=is_safe, since=since)
    try:
        merging = logged.run(session, request, trace, models.MergeResult)
        return (yield from write_to(session, repository, branch, about, merging))
    except errors.ConflictException as exc:
        yield from explain(session, repository, pinned, branch, about, exc, _ADVICE)
        raise


def explain(
    session: Session,
    repository: str,
    source: str,
    branch: str,
    about: str,
    rejected: errors.ConflictException,
    advice: str,
) -> Op[None]:
    """Raise the conflict of a merge with its conflicting paths, as far as they can be listed.

    Raises:
        MergeConflict: Always.
    """
    paths = list[str]()
    after, more = "", True
    try:
        while more and len(paths) < MAX_CONFLICTS:
            page = yield from diff_page(session, repository, branch, source, after, MAX_PAGE)
            paths += [row.path for row in page.results if row.type == "conflict"]
            after, more = page.pagination.next_offset, page.pagination.has_more
    except errors.LakeFSException as exc:
        rejected.add_note(f"the conflicting paths could not be listed: {exc}")
    paths = sorted(paths)[:MAX_CONFLICTS]
    shown = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
    error = errors.MergeConflict(
        f"{about}: both sides changed {shown or 'the same paths'}; nothing was merged. "
        f"{advice}, or change one side and merge again"
    )
    error.__dict__.update(rejected.__dict__)
    error.conflicts = tuple(paths)
    raise error from None
