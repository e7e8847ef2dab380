"""References: what they resolve to, their history, differences, merges."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from lakefs_hl.ops import logged
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.failure import doing
from lakefs_hl.ops.paging import PAGE
from lakefs_hl.ops.retry import Session, ask, read_back
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.wire import Request

T = TypeVar("T")
COMMIT_ID: Final = re.compile(r"[0-9a-f]{64}")
_BRANCH: Final = re.compile(r"[-\w]+", re.ASCII)
#: A merge names at most so many of the paths that collide.
CONFLICTS: Final = 1000
_SETTLE: Final = 'strategy="source-wins" or "dest-wins" settles it'


def commit(session: Session, repository: str, ref: str, *, about: str = "") -> Op[models.Commit]:
    """The commit that a branch, tag, id or expression stands for."""
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
        error = errors.NotFoundException(f"{about or doing(request)}: the log is empty: {ref!r} has no commit")
        error.kind = ErrorKind.REFERENCE_NOT_FOUND
        raise error
    return page.results[0]


def pin(session: Session, repository: str, ref: str, *, about: str = "") -> Op[str]:
    """The commit id that a reference stands for now; a full id is not asked for."""
    if COMMIT_ID.fullmatch(ref):
        return ref
    found = yield from commit(session, repository, ref, about=about)
    return found.id


def write_to(session: Session, repository: str, branch: str, about: str, op: Op[T]) -> Op[T]:
    """Run a write to a branch. If `branch` is a commit, a tag or an expression, the error says so.

    Raises:
        BadRequestException: It is one, and no write changes it.
    """
    try:
        return (yield from op)
    except (errors.NotFoundException, errors.BadRequestException) as exc:
        yield from check_writable(session, repository, branch, about, exc)
        raise


def check_writable(
    session: Session, repository: str, ref: str, about: str, refused: errors.ServerException
) -> Op[None]:
    """Raise if a write met no branch because its reference is a tag, a commit or an expression.

    Raises:
        BadRequestException: It is one, and no write changes it.
    """
    expression = refused.kind is ErrorKind.INVALID_ARGUMENT and not _BRANCH.fullmatch(ref)
    if refused.kind is not ErrorKind.BRANCH_NOT_FOUND and not expression:
        return
    try:
        found = yield from commit(session, repository, ref)
    except errors.LakeFSException:
        return
    what = (
        "commits are" if found.id == ref else f"{ref!r} is not a branch but stands for commit {found.id}; commits are"
    )
    error = errors.BadRequestException(f"{about}: {what} immutable: write to a branch and commit it")
    error.__dict__.update(refused.__dict__)
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
    """One page of the log, newest first.

    Args:
        session: The client's.
        repository: Repository id.
        ref: Where to start.
        after: A commit id to go on after; "" to begin.
        amount: At most so many commits.
        objects: Only commits that changed one of these paths.
        prefixes: Only commits that changed something under one of these.
        since: Only commits made at or after this time (RFC 3339, or a datetime with a time zone).
        stop_at: The last commit to return.
        first_parent: Follow first parents only.
    """
    query: dict[str, str | tuple[str, ...]] = {"amount": str(amount)}
    if after:
        query["after"] = after
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
    """One page of what merging `right` into `left` would bring (three_dot), or of what tells them apart (two_dot)."""
    query = {"amount": str(amount), "type": type}
    if after:
        query["after"] = after
    if prefix:
        query["prefix"] = prefix
    if delimiter:
        query["delimiter"] = delimiter
    return (yield from ask(session, models.DiffPage, Request(endpoints.DIFF_REFS, (repository, left, right), query)))


def merge_base(session: Session, repository: str, source: str, destination: str) -> Op[models.MergeBase]:
    """The commit at which two references part."""
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
    """Merge the commit that `source` stands for now into a branch.

    `since` is a commit that the branch has already, if one is known: it spares a look at the head.

    Returns:
        ID of the merge commit.

    Raises:
        MergeConflict: Both sides changed the same paths; they are on the error.
        AmbiguousOutcomeError: Outcome unknown.
    """
    made = yield from _merge(session, repository, source, branch, merge, op_id=op_id, now=now, since=since)
    return made.id if isinstance(made, models.Commit) else made.reference


def merge_and_get(
    session: Session, repository: str, source: str, branch: str, merge: models.Merge, *, op_id: str, now: float
) -> Op[models.Commit]:
    """Merge as `merge` does, and look up the merge commit by a second request.

    Raises:
        MergeConflict: Both sides changed the same paths; they are on the error.
        AmbiguousOutcomeError: Outcome unknown; or, if `maybe_applied` is True, it was merged, and the merge commit
            could not be looked up. Its ID is `result_id`.
    """
    made = yield from _merge(session, repository, source, branch, merge, op_id=op_id, now=now)
    if isinstance(made, models.Commit):
        return made
    about = _merging(repository, source, branch)
    return (yield from read_back(commit(session, repository, made.reference), about, made.reference))


def _merging(repository: str, source: str, branch: str) -> str:
    return f"merging {source!r} into branch {branch!r} of lakefs://{repository}"


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
    """Merge; the result is a commit if the response was lost and the log has it."""
    about = _merging(repository, source, branch)
    pinned = yield from pin(session, repository, source, about=about)
    body = msgspec.structs.replace(
        merge,
        message=merge.message or f"Merge '{source}' into '{branch}'",
        metadata=logged.marked(merge.metadata, op_id),
    )
    request = logged.request(endpoints.MERGE_INTO_BRANCH, (repository, pinned, branch), body)
    noticed = not (merge.squash_merge or merge.allow_empty or merge.force)
    trace = logged.Trace(repository, branch, op_id, now, about, again=noticed, since=since)
    try:
        merging = logged.run(session, request, trace, models.MergeResult)
        return (yield from write_to(session, repository, branch, about, merging))
    except errors.ConflictException as exc:
        yield from explain(session, repository, pinned, branch, about, exc, _SETTLE)
        raise


def explain(
    session: Session,
    repository: str,
    source: str,
    branch: str,
    about: str,
    refused: errors.ConflictException,
    advice: str,
) -> Op[None]:
    """Raise the conflict of a merge with the paths that both sides changed, as many as can be found.

    Raises:
        MergeConflict: Always.
    """
    paths = list[str]()
    after, more = "", True
    try:
        while more and len(paths) < CONFLICTS:
            page = yield from diff_page(session, repository, branch, source, after, PAGE)
            paths += [row.path for row in page.results if row.type == "conflict"]
            after, more = page.pagination.next_offset, page.pagination.has_more
    except errors.LakeFSException as exc:
        refused.add_note(f"the paths that collide could not be looked up: {exc}")
    paths = sorted(paths)[:CONFLICTS]
    shown = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
    error = errors.MergeConflict(
        f"{about}: both sides changed {shown or 'the same paths'}; nothing was merged. "
        f"{advice}, or change one side and merge again"
    )
    error.__dict__.update(refused.__dict__)
    error.conflicts = tuple(paths)
    raise error from None
