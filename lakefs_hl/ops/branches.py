"""Branches: make, look up, list, delete; commit, reset, revert, cherry-pick."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType

import msgspec

from lakefs_hl.ops import logged, objects
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.refs import commit as resolve
from lakefs_hl.ops.refs import pin
from lakefs_hl.ops.retry import Session, ask, call
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import Request


def get(session: Session, repository: str, branch: str) -> Op[models.Ref]:
    """The branch and the commit at its head."""
    return (yield from ask(session, models.Ref, Request(endpoints.GET_BRANCH, (repository, branch))))


def page(
    session: Session, repository: str, after: str, amount: int, *, prefix: str = "", hidden: bool = False
) -> Op[models.RefPage]:
    """One page of branches."""
    query = {"amount": str(amount)}
    if after:
        query["after"] = after
    if prefix:
        query["prefix"] = prefix
    if hidden:
        query["show_hidden"] = "true"
    return (yield from ask(session, models.RefPage, Request(endpoints.LIST_BRANCHES, (repository,), query)))


def create(
    session: Session, repository: str, branch: str, source: str, *, hidden: bool = False, exist_ok: bool = False
) -> Op[str]:
    """Makes a branch at the commit that `source` stands for now; returns that commit's id.

    With `exist_ok` a branch that is there already is left as it is, and its head is returned.
    """
    about = f"creating branch {branch!r} from {source!r} in lakefs://{repository}"
    pinned = yield from pin(session, repository, source, about=about)
    creation = models.BranchCreation(branch, pinned, hidden=hidden or None)
    request = logged.request(endpoints.CREATE_BRANCH, (repository,), creation)
    try:
        yield from call(session, request, about=about)
    except errors.LakeFSException as exc:
        exists = exist_ok and isinstance(exc, errors.ConflictException)
        if exc.maybe_applied is False and not exists:
            raise
        found = yield from _look(session, repository, branch, exc)
        if exists or found.commit_id == pinned:
            return found.commit_id
        exc.args = (
            f"{exc}; a branch of this name is there at {found.commit_id}, perhaps by an earlier try of this call",
        )
        raise
    return pinned


def _look(session: Session, repository: str, branch: str, failed: errors.LakeFSException) -> Op[models.Ref]:
    """The branch that a failed creation may have made; else its failure."""
    try:
        return (yield from get(session, repository, branch))
    except errors.LakeFSException:
        raise failed from failed.__cause__


def delete(session: Session, repository: str, branch: str) -> Op[None]:
    """Deletes a branch and what is staged on it."""
    try:
        yield from call(session, Request(endpoints.DELETE_BRANCH, (repository, branch)))
    except errors.NotFoundException as exc:
        if exc.maybe_applied is False:  # else an earlier try deleted it
            raise


def uncommitted_page(
    session: Session, repository: str, branch: str, after: str, amount: int, *, prefix: str = "", delimiter: str = ""
) -> Op[models.DiffPage]:
    """One page of what is staged on a branch."""
    query = {"amount": str(amount)}
    if after:
        query["after"] = after
    if prefix:
        query["prefix"] = prefix
    if delimiter:
        query["delimiter"] = delimiter
    return (yield from ask(session, models.DiffPage, Request(endpoints.DIFF_BRANCH, (repository, branch), query)))


def reset(session: Session, repository: str, branch: str, path: str | None = None) -> Op[None]:
    """Drops staged changes: all, those under a prefix (`path` ends in "/"), or one object's.

    Never sent twice when its outcome is unknown, except on a transaction's own branch: a second reset would drop what
    somebody staged in between.
    """
    if path is None:
        drop = models.Reset("reset")
    elif path.endswith("/"):
        drop = models.Reset("common_prefix", path)
    elif path:
        drop = models.Reset("object", path)
    else:
        msg = f"reset of {branch!r}: an empty path names nothing; leave it out to drop all staged changes"
        raise ValueError(msg)
    request = logged.request(endpoints.RESET_BRANCH, (repository, branch), drop)
    yield from call(session, request, repeat=branch.startswith("tx-"))


def reset_path(session: Session, repository: str, branch: str, path: str) -> Op[None]:
    """Drops the staged changes of an object, or under a prefix (`path` ends in "/"), that is there.

    lakeFS answers alike for a path that it never saw, so the path is looked for first: among the staged changes, which
    know a deleted one, then in the branch.

    Raises:
        ObjectNotFoundException: There is no such object or prefix, neither staged nor committed.
    """
    staged = yield from uncommitted_page(session, repository, branch, "", 1, prefix=path)
    known = [row.path for row in staged.results] if path else [""]
    if path not in known and not (known and path.endswith("/")):  # the path itself comes before all it is a prefix of
        listed = yield from objects.list_page(session, repository, branch, "", 1, prefix=path)
        known = [row.path for row in listed.results]
    if path not in known and not (known and path.endswith("/")):
        uri = object_uri(repository, branch, path)
        what = "object below this prefix" if path.endswith("/") else "object of this path; a prefix ends with '/'"
        error = errors.ObjectNotFoundException(f"resetting staged changes of {uri}: there is no {what}")
        error.filename = uri
        raise error
    yield from reset(session, repository, branch, path)


def hard_reset(session: Session, repository: str, branch: str, ref: str) -> Op[None]:
    """Moves a branch to the commit that `ref` stands for now."""
    about = f"moving branch {branch!r} of lakefs://{repository} to {ref!r}"
    pinned = yield from pin(session, repository, ref, about=about)
    yield from call(session, Request(endpoints.HARD_RESET_BRANCH, (repository, branch), {"ref": pinned}), about=about)


def commit(
    session: Session, repository: str, branch: str, creation: models.CommitCreation, *, op_id: str, now: float
) -> Op[models.Commit]:
    """Commits what is staged.

    Raises:
        AmbiguousOutcomeError: Nobody knows whether it was committed.
    """
    about = f"committing branch {branch!r} of lakefs://{repository}"
    body = msgspec.structs.replace(creation, metadata=logged.marked(creation.metadata, op_id))
    request = logged.request(endpoints.COMMIT, (repository, branch), body)
    again = not (creation.allow_empty or creation.force)
    trace = logged.Trace(repository, branch, op_id, now, about, again=again)
    return (yield from logged.run(session, request, trace, models.Commit))


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
    """Undoes a commit by a new one, and returns that one: found in the log by its op_id, not taken from the head."""
    about = f"reverting {ref!r} on branch {branch!r} of lakefs://{repository}"
    pinned = yield from pin(session, repository, ref, about=about)
    overrides = models.CommitOverrides(message or f"Revert {ref}", logged.marked(metadata, op_id))
    body = models.Revert(pinned, parent_number, overrides, allow_empty=allow_empty or None)
    request = logged.request(endpoints.REVERT_BRANCH, (repository, branch), body)
    trace = logged.Trace(repository, branch, op_id, now, about, again=not allow_empty)
    done: models.Commit | None = yield from logged.run(session, request, trace, NoneType)
    if done is None:
        done = yield from logged.search(session, trace, 0.0)
    if done is None:
        error = errors.AmbiguousOutcomeError(
            f"{about}: it was done, but the last {logged.LOOK_BACK} commits of the log lack {logged.OP_ID}={op_id}"
        )
        error.maybe_applied, error.op_id = True, op_id
        raise error
    return done


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
    """Applies a commit's changes to a branch; message and metadata are copied."""
    about = f"cherry-picking {ref!r} onto branch {branch!r} of lakefs://{repository}"
    origin = yield from resolve(session, repository, ref, about=about)
    overrides = models.CommitOverrides(metadata=logged.marked(origin.metadata, op_id))
    body = models.CherryPick(origin.id, parent_number, overrides)
    request = logged.request(endpoints.CHERRY_PICK, (repository, branch), body)
    trace = logged.Trace(repository, branch, op_id, now, about, again=False)  # a repetition makes an empty commit
    return (yield from logged.run(session, request, trace, models.Commit))
