"""Branches: create, look up, list, delete, commit, reset, revert, cherry-pick."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from lakefs_hl.ops import ephemeral, logged, objects, refs, removal
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.refs import commit as resolve
from lakefs_hl.ops.refs import pin
from lakefs_hl.ops.requests import json_request, page_query
from lakefs_hl.ops.retry import Session, ask, call
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import Request

#: What to do if there is nothing to commit: return the head, raise, or make an empty commit.
OnEmpty: TypeAlias = Literal["skip", "error", "commit"]


def get(session: Session, repository: str, branch: str) -> Op[models.Ref]:
    """Return a branch and the commit at its head."""
    return (yield from ask(session, models.Ref, Request(endpoints.GET_BRANCH, (repository, branch))))


def exists(session: Session, repository: str, branch: str) -> Op[bool]:
    """Return whether the branch exists, in one request.

    Raises:
        NotFoundException: There is no such repository.
    """
    try:
        yield from get(session, repository, branch)
    except errors.NotFoundException as exc:
        if exc.kind is ErrorKind.REPOSITORY_NOT_FOUND:
            raise
        return False
    return True


def page(
    session: Session, repository: str, after: str, amount: int, *, prefix: str = "", hidden: bool = False
) -> Op[models.RefPage]:
    """Return one page of branches."""
    query = page_query(after, amount, prefix=prefix)
    if hidden:
        query["show_hidden"] = "true"
    return (yield from ask(session, models.RefPage, Request(endpoints.LIST_BRANCHES, (repository,), query)))


def create(
    session: Session, repository: str, branch: str, source: str, *, hidden: bool = False, exist_ok: bool = False
) -> Op[str]:
    """Create a branch at the commit that `source` resolves to now.

    Args:
        session: The client's session.
        repository: Repository ID.
        branch: Branch ID.
        source: Reference to start from.
        hidden: Whether listings omit the branch.
        exist_ok: Whether an existing branch is left as it is instead of being an error.

    Returns:
        The ID of the commit at the branch's head.
    """
    about = endpoints.CREATE_BRANCH.describe(repository, name=branch, source=source)
    pinned = yield from pin(session, repository, source, about=about)
    creation = models.BranchCreation(branch, pinned, hidden=hidden or None)
    request = json_request(endpoints.CREATE_BRANCH, (repository,), creation)
    try:
        yield from call(session, request, about=about)
    except errors.LakeFSException as exc:
        exists = exist_ok and isinstance(exc, errors.ConflictException)
        if exc.maybe_applied is False and not exists:
            raise
        found = yield from _look(session, repository, branch, exc)
        if exists or found.commit_id == pinned:
            return found.commit_id
        exc.args = (f"{exc}; a branch of this name exists at {found.commit_id}, perhaps created by an earlier attempt",)
        raise
    return pinned


def _look(session: Session, repository: str, branch: str, failed: errors.LakeFSException) -> Op[models.Ref]:
    """Return the branch that a failed creation may have made. If there is none, raise the failure."""
    try:
        return (yield from get(session, repository, branch))
    except errors.LakeFSException:
        raise failed from failed.__cause__


def delete(session: Session, repository: str, branch: str) -> Op[None]:
    """Delete a branch and its uncommitted changes.

    If the response is lost and the branch still exists, the request is retried only if the branch is at the same commit
    without uncommitted changes, so that a recreated branch loses nothing. A transaction's own branch is always retried.
    """
    own = is_ephemeral(branch)
    before = None if own else (yield from removal.look_up_before(session, get(session, repository, branch)))

    def look() -> Op[removal.Verdict]:
        try:
            now = yield from get(session, repository, branch)
        except errors.NotFoundException:
            return removal.Verdict.APPLIED
        if own:
            return removal.Verdict.UNCHANGED
        if before is None or now.commit_id != before.commit_id:
            return removal.Verdict.CHANGED
        staged = yield from uncommitted_page(session, repository, branch, "", 1)
        return removal.Verdict.CHANGED if staged.results else removal.Verdict.UNCHANGED

    yield from removal.run(session, Request(endpoints.DELETE_BRANCH, (repository, branch)), look)


def is_ephemeral(branch: str) -> bool:
    """Return whether a branch is a transaction's own by its name, which no other client creates again."""
    return ephemeral.parse(branch) is not None


def uncommitted_page(
    session: Session, repository: str, branch: str, after: str, amount: int, *, prefix: str = "", delimiter: str = ""
) -> Op[models.DiffPage]:
    """Return one page of a branch's uncommitted changes."""
    query = page_query(after, amount, prefix=prefix, delimiter=delimiter)
    return (yield from ask(session, models.DiffPage, Request(endpoints.DIFF_BRANCH, (repository, branch), query)))


def reset(session: Session, repository: str, branch: str, path: str | None = None) -> Op[None]:
    """Discard uncommitted changes: all of them, those under a prefix (`path` ends with "/"), or those of one object.

    If the response is lost and there are uncommitted changes, the request is not retried, except on a transaction's own
    branch: a second reset could discard changes that were made in between.

    Raises:
        ValueError: `path` is empty.
    """
    if path is None:
        changes = models.Reset("reset")
    elif path.endswith("/"):
        changes = models.Reset("common_prefix", path)
    elif path:
        changes = models.Reset("object", path)
    else:
        about = endpoints.RESET_BRANCH.describe(repository, branch, path="")
        msg = f"{about}: path must not be empty; omit it to discard all uncommitted changes"
        raise ValueError(msg)
    request = json_request(endpoints.RESET_BRANCH, (repository, branch), changes)
    exact = path is not None and not path.endswith("/")

    def look() -> Op[removal.Verdict]:
        staged = yield from uncommitted_page(session, repository, branch, "", 1, prefix=path or "")
        if not staged.results or (exact and staged.results[0].path != path):
            return removal.Verdict.APPLIED
        return removal.Verdict.UNCHANGED if is_ephemeral(branch) else removal.Verdict.CHANGED

    about = endpoints.RESET_BRANCH.describe(repository, branch, path=path or "")
    yield from refs.write_to(session, repository, branch, about, removal.run(session, request, look, about=about))


def reset_path(session: Session, repository: str, branch: str, path: str) -> Op[None]:
    """Discard the uncommitted changes of an existing object, or under an existing prefix (`path` ends with "/").

    lakeFS does not report a path that does not exist, so the path is looked up first: among the uncommitted changes,
    which include deleted objects, then on the branch.

    Raises:
        ObjectNotFoundException: The object or prefix exists neither uncommitted nor committed.
    """
    about = endpoints.RESET_BRANCH.describe(repository, branch, path=path)
    look = uncommitted_page(session, repository, branch, "", 1, prefix=path)
    staged = yield from refs.write_to(session, repository, branch, about, look)
    known = [row.path for row in staged.results] if path else [""]
    if path not in known and not (known and path.endswith("/")):  # a path is listed before longer ones
        listed = yield from objects.list_page(session, repository, branch, "", 1, prefix=path)
        known = [row.path for row in listed.results]
    if path not in known and not (known and path.endswith("/")):
        is_prefix = path.endswith("/")
        reason = "no object has this prefix" if is_prefix else "no object has this path; a prefix ends with '/'"
        error = errors.ObjectNotFoundException(f"{about}: {reason}")
        error.errno, error.filename = errno.ENOENT, object_uri(repository, branch, path)
        error.kind = ErrorKind.OBJECT_NOT_FOUND
        raise error
    yield from reset(session, repository, branch, path)


def hard_reset(session: Session, repository: str, branch: str, ref: str) -> Op[None]:
    """Move a branch to the commit that `ref` resolves to now.

    If the response is lost, the request is retried only if the branch has not moved. Commits that others have added
    since are kept.
    """
    about = endpoints.HARD_RESET_BRANCH.describe(repository, branch, target=ref)
    pinned = yield from pin(session, repository, ref, about=about)
    before = yield from removal.look_up_before(session, get(session, repository, branch))

    def look() -> Op[removal.Verdict]:
        now = yield from get(session, repository, branch)
        if now.commit_id == pinned:
            return removal.Verdict.APPLIED
        if before is None:
            return removal.Verdict.CHANGED
        if now.commit_id == before.commit_id:
            return removal.Verdict.UNCHANGED
        # others have added commits: to the new head, or to the one before
        met = yield from logged.first_of(session, repository, branch, (pinned, before.commit_id))
        return removal.Verdict.APPLIED if met == pinned else removal.Verdict.CHANGED

    request = Request(endpoints.HARD_RESET_BRANCH, (repository, branch), {"ref": pinned})
    moved = removal.run(session, request, look, about=about)
    yield from refs.write_to(session, repository, branch, about, moved)


def commit(
    session: Session,
    repository: str,
    branch: str,
    creation: models.CommitCreation,
    *,
    op_id: str,
    now: float,
    since: str = "",
    on_empty: OnEmpty = "error",
    source_metarange: str = "",
) -> Op[models.Commit]:
    """Commit all uncommitted changes of a branch.

    Args:
        session: The client's session.
        repository: Repository ID.
        branch: Branch ID.
        creation: Message, metadata and options of the commit.
        op_id: ID that the commit carries in its metadata.
        now: Current time in Unix seconds.
        since: A commit that the branch already has, if one is known. It saves a look-up of the head.
        on_empty: What to do if there are no changes.
        source_metarange: ID of a whole content, which the new commit has instead of the changes. The branch must have
            no uncommitted changes.

    Returns:
        The new commit; the head of the branch if there were no changes and `on_empty` is "skip".

    Raises:
        ValueError: `on_empty` is "skip", and `creation` allows an empty commit.
        BadRequestException: There are no changes, and `on_empty` is "error".
        AmbiguousOutcomeError: The outcome is unknown.
    """
    about = endpoints.COMMIT.describe(repository, branch)
    if on_empty == "skip" and creation.allow_empty:
        msg = f"{about}: on_empty='skip' and allow_empty=True contradict each other"
        raise ValueError(msg)
    if on_empty == "commit":
        creation = msgspec.structs.replace(creation, allow_empty=True)
    body = msgspec.structs.replace(creation, metadata=logged.with_op_id(creation.metadata, op_id))
    query = {"source_metarange": source_metarange} if source_metarange else {}
    request = json_request(endpoints.COMMIT, (repository, branch), body, query=query)
    is_safe = not (creation.allow_empty or creation.force or source_metarange)
    trace = logged.Trace(repository, branch, op_id, now, about, is_safe=is_safe, since=since)
    committed = logged.run(session, request, trace, models.Commit)
    try:
        return (yield from refs.write_to(session, repository, branch, about, committed))
    except errors.BadRequestException as exc:
        # after a lost response "no changes" may mean that an earlier try was applied: that is not for us to skip
        if on_empty != "skip" or exc.kind is not ErrorKind.NO_CHANGES or exc.maybe_applied is not False:
            raise
    return (yield from refs.head(session, repository, branch, about=about))


def revert(
    session: Session,
    repository: str,
    branch: str,
    ref: str,
    parent_number: int,
    *,
    allow_empty: bool = False,
    message: str | None = None,
    metadata: Mapping[str, str] | None = None,
    op_id: str,
    now: float,
) -> Op[models.Commit]:
    """Revert a commit by a new commit, and return that one. It is found in the log by its op_id, not by the head."""
    about = endpoints.REVERT_BRANCH.describe(repository, branch, target=ref)
    pinned = yield from pin(session, repository, ref, about=about)
    overrides = models.CommitOverrides(message or f"Revert {ref}", logged.with_op_id(metadata, op_id))
    body = models.Revert(pinned, parent_number, overrides, allow_empty=allow_empty or None)
    request = json_request(endpoints.REVERT_BRANCH, (repository, branch), body)
    trace = logged.Trace(repository, branch, op_id, now, about, is_safe=not allow_empty)
    reverted = logged.run(session, request, trace, models.Commit)
    return (yield from refs.write_to(session, repository, branch, about, reverted))


def cherry_pick(
    session: Session,
    repository: str,
    branch: str,
    ref: str,
    parent_number: int | None = None,
    *,
    op_id: str,
    now: float,
) -> Op[models.Commit]:
    """Apply a commit's changes to a branch, with its message and metadata, and return the new commit."""
    about = endpoints.CHERRY_PICK.describe(repository, branch, target=ref)
    origin = yield from resolve(session, repository, ref, about=about)
    overrides = models.CommitOverrides(metadata=logged.with_op_id(origin.metadata, op_id))
    body = models.CherryPick(origin.id, parent_number, overrides)
    request = json_request(endpoints.CHERRY_PICK, (repository, branch), body)
    trace = logged.Trace(repository, branch, op_id, now, about, is_safe=False)  # a retry would create an empty commit
    picked = logged.run(session, request, trace, models.Commit)
    return (yield from refs.write_to(session, repository, branch, about, picked))
