"""Pull requests: create, look up, list, update, close, merge.

Rules of the room: lakeFS does not notice a repeated creation or merge, and neither takes metadata that could carry an
op_id. So both are sent once. After a lost response the pull requests themselves are looked up. If they do not show the
outcome, `AmbiguousOutcomeError` is raised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from lakefs_hl.ops import logged, refs, removal
from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.requests import json_request
from lakefs_hl.ops.retry import Session, ask, read_back, with_key
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.wire import Request

#: Which pull requests to list; "closed" includes merged ones.
Filter: TypeAlias = Literal["open", "closed", "all"]
#: What a pull request can be set to; only merging it makes it "merged".
Status: TypeAlias = Literal["open", "closed"]
MERGED: Final = "merged"
#: The newest pull requests among which a lost one is looked for.
NEWEST: Final = 100
_SETTLE: Final = 'merging the branches themselves with strategy="source-wins" or "dest-wins" settles it'


def get(session: Session, repository: str, id: str) -> Op[models.PullRequest]:
    """Return the record of a pull request."""
    return (yield from ask(session, models.PullRequest, Request(endpoints.GET_PULL_REQUEST, (repository, id))))


def page(
    session: Session, repository: str, after: str, amount: int, *, prefix: str = "", status: Filter = "all"
) -> Op[models.PullRequestPage]:
    """Return one page of pull requests, newest first, without their descriptions."""
    query = {"amount": str(amount)}
    if after:
        query["after"] = after
    if prefix:
        query["prefix"] = prefix
    if status != "all":
        query["status"] = status
    return (
        yield from ask(session, models.PullRequestPage, Request(endpoints.LIST_PULL_REQUESTS, (repository,), query))
    )


def create(
    session: Session, repository: str, source: str, destination: str, title: str, *, description: str = ""
) -> Op[str]:
    """Create a pull request.

    If the response is lost, the newest pull requests are compared with those before: a single new one with this title
    and these branches is the one that was created.

    Args:
        session: The client's.
        repository: Repository ID.
        source: Branch to merge.
        destination: Branch to merge into.
        title: The title.
        description: The description.

    Returns:
        ID of the pull request.

    Raises:
        NotFoundException: There is no such repository or branch.
        BadRequestException: The two branches are the same.
        AmbiguousOutcomeError: Outcome unknown.
    """
    about = _describe(repository, source, destination, title)
    creation = models.PullRequestCreation(title, source, destination, description or None)
    request = with_key(session, json_request(endpoints.CREATE_PULL_REQUEST, (repository,), creation))
    before = yield from removal.look_up_before(session, _alike(session, repository, creation))
    try:
        made = yield from ask(session, models.PullRequestCreated, request, about=about)
    except errors.LakeFSException as exc:
        if exc.maybe_applied is False or not session.remote:
            raise
        unknown = _unknown_outcome(about, f"list the pull requests of lakefs://{repository}", exc)
        if before is None:
            raise unknown from unknown.__cause__
        earlier = before

        def look() -> Op[str]:
            new = (yield from _alike(session, repository, creation)) - earlier
            return new.pop() if len(new) == 1 else ""

        return (yield from _settle(session, look, unknown))
    return made.id


def create_and_get(
    session: Session, repository: str, source: str, destination: str, title: str, *, description: str = ""
) -> Op[models.PullRequest]:
    """Create a pull request as `create` does, and look it up by a second request.

    Raises:
        NotFoundException: There is no such repository or branch.
        BadRequestException: The two branches are the same.
        AmbiguousOutcomeError: Outcome unknown; or, if `maybe_applied` is True, it was created, and its record could not
            be looked up. Its ID is `result_id`.
    """
    made = yield from create(session, repository, source, destination, title, description=description)
    about = _describe(repository, source, destination, title)
    return (yield from read_back(get(session, repository, made), about, made))


def _describe(repository: str, source: str, destination: str, title: str) -> str:
    return f"creating pull request {title!r} from {source!r} into {destination!r} in lakefs://{repository}"


def _alike(session: Session, repository: str, wanted: models.PullRequestCreation) -> Op[set[str]]:
    """Return the IDs of those among the newest pull requests that have the title and the branches of a new one.

    Pull requests of every status are listed, so that closing one does not bring an older one in.
    """
    newest = yield from page(session, repository, "", NEWEST)
    return {
        each.id
        for each in newest.results
        if (each.title, each.source_branch, each.destination_branch)
        == (wanted.title, wanted.source_branch, wanted.destination_branch)
    }


def update(
    session: Session,
    repository: str,
    id: str,
    *,
    title: str | None = None,
    description: str | None = None,
    status: Status | None = None,
) -> Op[None]:
    """Change the title, the description or the status of a pull request; None leaves a field as it is.

    If the response is lost, it is sent again only if these fields are as they were.

    Raises:
        ValueError: Nothing to change was given, or a status other than "open" and "closed".
        BadRequestException: The status of a merged pull request was to be changed. lakeFS itself would do it.
        AmbiguousOutcomeError: Outcome unknown, and another client has changed these fields.
    """
    fields = {"title": title, "description": description, "status": status}
    wanted = {name: value for name, value in fields.items() if value is not None}
    about = endpoints.UPDATE_PULL_REQUEST.describe(repository, id)
    if not wanted:
        msg = f"{about}: give a title, a description or a status"
        raise ValueError(msg)
    if status not in (None, "open", "closed"):
        msg = f"{about}: status must be 'open' or 'closed', not {status!r}; merge() merges a pull request"
        raise ValueError(msg)
    if status is None:
        before = yield from removal.look_up_before(session, get(session, repository, id))
    else:
        before = yield from get(session, repository, id)
        if before.status == MERGED:
            error = errors.BadRequestException(f"{about}: it is merged, as commit {before.merged_commit_id}")
            error.kind = ErrorKind.PULL_REQUEST_NOT_OPEN
            raise error

    def look() -> Op[removal.Verdict]:
        now = yield from get(session, repository, id)
        if all((getattr(now, name) or "") == value for name, value in wanted.items()):
            return removal.Verdict.APPLIED
        same = before is not None and all(getattr(now, name) == getattr(before, name) for name in wanted)
        return removal.Verdict.UNCHANGED if same else removal.Verdict.CHANGED

    request = json_request(
        endpoints.UPDATE_PULL_REQUEST, (repository, id), models.PullRequestUpdate(title, description, status)
    )
    yield from removal.run(session, request, look, about=about)


def close(session: Session, repository: str, id: str) -> Op[None]:
    """Close a pull request without merging it.

    Raises:
        BadRequestException: It is merged.
    """
    yield from update(session, repository, id, status="closed")


def merge(session: Session, repository: str, id: str) -> Op[str]:
    """Merge an open pull request.

    lakeFS chooses the message, and offers no strategy, squash or metadata here. If the response is lost, the request is
    not sent again, except to a server that honours idempotency keys: the status of the pull request is looked at.

    Returns:
        ID of the merge commit.

    Raises:
        MergeConflict: Both sides changed the same paths; they are on the error.
        BadRequestException: It is not open, has no changes, or the destination has uncommitted changes.
        AmbiguousOutcomeError: Outcome unknown.
    """
    about = endpoints.MERGE_PULL_REQUEST.describe(repository, id)
    request = with_key(session, Request(endpoints.MERGE_PULL_REQUEST, (repository, id)))
    try:
        done = yield from ask(session, models.MergeResult, request, about=about)
    except errors.ConflictException as exc:
        yield from _explain(session, repository, id, about, exc)
        raise
    except errors.LakeFSException as exc:
        if exc.maybe_applied is False or not session.remote:
            raise
        # lakeFS merges first and then writes the status, so "open" does not mean that it was not merged
        check = f"check whether the status of pull request {id} is 'merged', and the log of its destination branch"
        unknown = _unknown_outcome(about, check, exc)

        def look() -> Op[str]:
            now = yield from get(session, repository, id)
            return now.merged_commit_id or "" if now.status == MERGED else ""

        return (yield from _settle(session, look, unknown))
    return done.reference


def merge_and_get(session: Session, repository: str, id: str) -> Op[models.Commit]:
    """Merge a pull request as `merge` does, and look up the merge commit by a second request.

    Raises:
        MergeConflict: Both sides changed the same paths; they are on the error.
        BadRequestException: It is not open, has no changes, or the destination has uncommitted changes.
        AmbiguousOutcomeError: Outcome unknown; or, if `maybe_applied` is True, it was merged, and the merge commit
            could not be looked up. Its ID is `result_id`.
    """
    made = yield from merge(session, repository, id)
    return (
        yield from read_back(
            refs.commit(session, repository, made), endpoints.MERGE_PULL_REQUEST.describe(repository, id), made
        )
    )


def _explain(session: Session, repository: str, id: str, about: str, refused: errors.ConflictException) -> Op[None]:
    """Raise the conflict of a merge with the paths that both sides changed."""
    try:
        found = yield from get(session, repository, id)
    except errors.LakeFSException as exc:
        refused.add_note(f"the branches of the pull request could not be looked up: {exc}")
        return
    yield from refs.explain(session, repository, found.source_branch, found.destination_branch, about, refused, _SETTLE)


def _unknown_outcome(about: str, check: str, failed: errors.LakeFSException) -> errors.AmbiguousOutcomeError:
    """Build the error of a request whose outcome is unknown; `check` says what the caller has to check."""
    return removal.unknown_outcome(about, failed, list(failed.attempts), f"; {check} before retrying")


def _settle(session: Session, look: Callable[[], Op[str]], unknown: errors.AmbiguousOutcomeError) -> Op[str]:
    """Look for the result of a request whose response was lost, for as long as the policy says: it may land late.

    Args:
        session: The client's.
        look: Returns the ID of the result; "" if it does not exist.
        unknown: The error to raise if it is not found.

    Raises:
        AmbiguousOutcomeError: It was not found in time, or a look-up failed.
    """
    window, waited, step = session.policy.search_final, 0.0, logged.FIRST_PAUSE_SECONDS
    found = ""
    try:
        while not (found := (yield from look())) and waited < window:
            waited += yield from sleep(0.0, min(step, window - waited))
            step = min(logged.LAST_PAUSE_SECONDS, step * 2)
    except errors.LakeFSException as exc:
        unknown.add_note(f"looking whether it was done failed too: {exc}")
    if not found:
        raise unknown from unknown.__cause__
    return found
