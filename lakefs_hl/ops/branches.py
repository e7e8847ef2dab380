"""Branches: make, look up, list, delete; commit, reset, revert, cherry-pick."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from lakefs_hl.ops import ephemeral, logged, objects, refs, removal
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.refs import commit as resolve
from lakefs_hl.ops.refs import pin
from lakefs_hl.ops.retry import Session, ask, call
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import Request

#: What to do if there is nothing to commit: return the head, raise, or make an empty commit.
OnEmpty: TypeAlias = Literal["skip", "error", "commit"]


def get(session: Session, repository: str, branch: str) -> Op[models.Ref]:
    """The branch and the commit at its head."""
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
    """Deletes a branch and what is staged on it.

    When the answer is lost and the branch is there: sent again if it is at the same commit with nothing staged, so that
    nothing is lost if somebody made it anew; a transaction's own branch always.
    """
    own = is_ephemeral(branch)
    before = None if own else (yield from removal.note(session, get(session, repository, branch)))

    def look() -> Op[removal.Verdict]:
        try:
            now = yield from get(session, repository, branch)
        except errors.NotFoundException:
            return removal.Verdict.DONE
        if own:
            return removal.Verdict.SAME
        if before is None or now.commit_id != before.commit_id:
            return removal.Verdict.CHANGED
        staged = yield from uncommitted_page(session, repository, branch, "", 1)
        return removal.Verdict.CHANGED if staged.results else removal.Verdict.SAME

    yield from removal.run(session, Request(endpoints.DELETE_BRANCH, (repository, branch)), look)


def is_ephemeral(branch: str) -> bool:
    """Whether a branch is a transaction's own by its name, which nobody else makes again."""
    return ephemeral.parse(branch) is not None


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

    When the answer is lost and something is staged there, it is not sent again, except on a transaction's own branch: a
    second reset would drop what somebody staged in between.
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
    exact = path is not None and not path.endswith("/")

    def look() -> Op[removal.Verdict]:
        staged = yield from uncommitted_page(session, repository, branch, "", 1, prefix=path or "")
        if not staged.results or (exact and staged.results[0].path != path):
            return removal.Verdict.DONE
        return removal.Verdict.SAME if is_ephemeral(branch) else removal.Verdict.CHANGED

    about = f"resetting staged changes of {object_uri(repository, branch, path or '')}"
    yield from refs.write_to(session, repository, branch, about, removal.run(session, request, look))


def reset_path(session: Session, repository: str, branch: str, path: str) -> Op[None]:
    """Drops the staged changes of an object, or under a prefix (`path` ends in "/"), that is there.

    lakeFS answers alike for a path that it never saw, so the path is looked for first: among the staged changes, which
    know a deleted one, then in the branch.

    Raises:
        ObjectNotFoundException: There is no such object or prefix, neither staged nor committed.
    """
    about = f"resetting staged changes of {object_uri(repository, branch, path)}"
    look = uncommitted_page(session, repository, branch, "", 1, prefix=path)
    staged = yield from refs.write_to(session, repository, branch, about, look)
    known = [row.path for row in staged.results] if path else [""]
    if path not in known and not (known and path.endswith("/")):  # the path itself comes before all it is a prefix of
        listed = yield from objects.list_page(session, repository, branch, "", 1, prefix=path)
        known = [row.path for row in listed.results]
    if path not in known and not (known and path.endswith("/")):
        what = "object below this prefix" if path.endswith("/") else "object of this path; a prefix ends with '/'"
        error = errors.ObjectNotFoundException(f"{about}: there is no {what}")
        error.errno, error.filename = errno.ENOENT, object_uri(repository, branch, path)
        error.kind = ErrorKind.OBJECT_NOT_FOUND
        raise error
    yield from reset(session, repository, branch, path)


def hard_reset(session: Session, repository: str, branch: str, ref: str) -> Op[None]:
    """Moves a branch to the commit that `ref` stands for now.

    When the answer is lost: sent again only if the branch is still at the commit where it was. Commits that others have
    put on it since stay.
    """
    about = f"moving branch {branch!r} of lakefs://{repository} to {ref!r}"
    pinned = yield from pin(session, repository, ref, about=about)
    before = yield from removal.note(session, get(session, repository, branch))

    def look() -> Op[removal.Verdict]:
        now = yield from get(session, repository, branch)
        if now.commit_id == pinned:
            return removal.Verdict.DONE
        if before is None:
            return removal.Verdict.CHANGED
        if now.commit_id == before.commit_id:
            return removal.Verdict.SAME
        # others went on: from the commit that was asked for, or from the one before
        met = yield from logged.first_of(session, repository, branch, (pinned, before.commit_id))
        return removal.Verdict.DONE if met == pinned else removal.Verdict.CHANGED

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
) -> Op[models.Commit]:
    """Commit all staged changes.

    Args:
        session: The client's.
        repository: Repository ID.
        branch: Branch ID.
        creation: Message, metadata and options of the commit.
        op_id: Kept in the commit's metadata, so that it is found if the response is lost.
        now: Unix time in seconds, for messages.
        since: A commit that the branch has already, if one is known: it spares a look at the head.
        on_empty: What to do if there are no changes.

    Returns:
        The new commit; the head of the branch if there were no changes and `on_empty` is "skip".

    Raises:
        ValueError: `on_empty` is "skip", and `creation` allows an empty commit.
        BadRequestException: There are no changes, and `on_empty` is "error".
        AmbiguousOutcomeError: Outcome unknown.
    """
    about = f"committing branch {branch!r} of lakefs://{repository}"
    if on_empty == "skip" and creation.allow_empty:
        msg = f"{about}: on_empty='skip' and allow_empty=True contradict each other"
        raise ValueError(msg)
    if on_empty == "commit":
        creation = msgspec.structs.replace(creation, allow_empty=True)
    body = msgspec.structs.replace(creation, metadata=logged.marked(creation.metadata, op_id))
    request = logged.request(endpoints.COMMIT, (repository, branch), body)
    again = not (creation.allow_empty or creation.force)
    trace = logged.Trace(repository, branch, op_id, now, about, again=again, since=since)
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
    """Undoes a commit by a new one, and returns that one: found in the log by its op_id, not taken from the head."""
    about = f"reverting {ref!r} on branch {branch!r} of lakefs://{repository}"
    pinned = yield from pin(session, repository, ref, about=about)
    overrides = models.CommitOverrides(message or f"Revert {ref}", logged.marked(metadata, op_id))
    body = models.Revert(pinned, parent_number, overrides, allow_empty=allow_empty or None)
    request = logged.request(endpoints.REVERT_BRANCH, (repository, branch), body)
    trace = logged.Trace(repository, branch, op_id, now, about, again=not allow_empty)
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
    """Applies a commit's changes to a branch; message and metadata are copied."""
    about = f"cherry-picking {ref!r} onto branch {branch!r} of lakefs://{repository}"
    origin = yield from resolve(session, repository, ref, about=about)
    overrides = models.CommitOverrides(metadata=logged.marked(origin.metadata, op_id))
    body = models.CherryPick(origin.id, parent_number, overrides)
    request = logged.request(endpoints.CHERRY_PICK, (repository, branch), body)
    trace = logged.Trace(repository, branch, op_id, now, about, again=False)  # a repetition makes an empty commit
    picked = logged.run(session, request, trace, models.Commit)
    return (yield from refs.write_to(session, repository, branch, about, picked))
