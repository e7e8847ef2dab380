"""Imports: objects of a store registered on a branch by the server, in the background, as one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from lakefs_hl.ops import logged, refs
from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.retry import Session, ask, call
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.wire import Request

#: An import whose start was lost but whose commit was found has this and the commit's id for an id.
DONE: Final = "commit:"
#: A started import may be unknown to the server for so long, seconds.
EARLY: Final = 10.0
#: An import that reports nothing new for so long has stopped, seconds.
STALL: Final = 300.0
#: The first pause between two questions, seconds; it doubles up to the one that was asked for.
FIRST: Final = 0.05
_CANCELLED: Final = "import error: Canceled"


def start(
    session: Session,
    repository: str,
    branch: str,
    locations: Sequence[models.ImportLocation],
    message: str,
    metadata: Mapping[str, str] | None,
    *,
    op_id: str,
    now: float,
) -> Op[str]:
    """Starts an import and returns its id; never a second time when it may have been started.

    The destination of a prefix always ends in a slash: lakeFS replaces what is there by raw prefix, and `some/path`
    would take `some/pathological` along.

    Raises:
        BadRequestException: The branch has uncommitted changes, with which an import fails after all its work.
    """
    about = f"importing into branch {branch!r} of lakefs://{repository}"
    look = Request(endpoints.DIFF_BRANCH, (repository, branch), {"amount": "1"})
    asked = ask(session, models.DiffPage, look, about=about)
    staged = yield from refs.write_to(session, repository, branch, about, asked)
    if staged.results:
        error = errors.BadRequestException(
            f"{about}: the branch has uncommitted changes ({staged.results[0].path!r} is one): "
            "commit or reset them first"
        )
        error.kind = ErrorKind.DIRTY_BRANCH
        raise error
    commit = models.CommitCreation(message, logged.marked(metadata, op_id))
    body = models.ImportCreation([_closed(location) for location in locations], commit)
    request = logged.request(endpoints.IMPORT_START, (repository, branch), body)
    trace = logged.Trace(repository, branch, op_id, now, about, again=False)
    done = yield from logged.run(session, request, trace, models.ImportStarted)
    return DONE + done.id if isinstance(done, models.Commit) else done.id


def _closed(location: models.ImportLocation) -> models.ImportLocation:
    bare = location.type == "common_prefix" and location.destination and not location.destination.endswith("/")
    return msgspec.structs.replace(location, destination=location.destination + "/") if bare else location


def status(session: Session, repository: str, branch: str, id: str) -> Op[models.ImportStatus]:
    """How far an import is."""
    if id.startswith(DONE):
        commit = yield from refs.commit(session, repository, id.removeprefix(DONE))
        return models.ImportStatus(completed=True, update_time="", commit=commit, metarange_id=commit.meta_range_id)
    request = Request(endpoints.IMPORT_STATUS, (repository, branch), {"id": id})
    return (yield from ask(session, models.ImportStatus, request))


def wait(session: Session, repository: str, branch: str, id: str, poll_interval: float) -> Op[models.ImportStatus]:
    """Asks every `poll_interval` seconds, at first more often, until the import is over.

    Raises:
        ImportFailedException: The import failed or was cancelled; the message says why.
        DeadlineExceeded: It reports nothing new for five minutes; it may go on all the same.
    """
    about = f"import {id} into branch {branch!r} of lakefs://{repository}"
    waited, last, stale, pause = 0.0, "", 0.0, FIRST
    while True:
        try:
            now = yield from status(session, repository, branch, id)
        except errors.NotFoundException:
            if last or waited >= EARLY:
                raise
        else:
            if now.error is not None:
                raise _failed(about, now.error.message)
            if now.completed:
                return now
            stale, last = (stale if now.update_time == last else 0.0), now.update_time
        if stale >= STALL:
            error = errors.DeadlineExceeded(
                f"{about} has reported nothing new for {stale:.0f} s (last at {last}); it may go on: "
                "wait again, or cancel it"
            )
            error.maybe_applied = None
            raise error
        slept = yield from sleep(0.0, max(min(poll_interval, pause), 0.01))
        waited, stale, pause = waited + slept, stale + slept, 2 * pause


def _failed(about: str, said: str) -> errors.ImportFailedException:
    """Builds the error of an import that ended without a commit."""
    error = errors.ImportFailedException(f"{about} failed: {said or 'no reason was given'}; the branch is unchanged")
    error.server_message = said
    if said == _CANCELLED:
        error.kind = ErrorKind.IMPORT_CANCELLED
    return error


def cancel(session: Session, repository: str, branch: str, id: str) -> Op[None]:
    """Cancels an import; one that is over answers ConflictException unless this very call ended it."""
    if id.startswith(DONE):
        msg = f"import {id} into branch {branch!r} of lakefs://{repository} is over: there is nothing to cancel"
        raise errors.ConflictException(msg)
    try:
        yield from call(session, Request(endpoints.IMPORT_CANCEL, (repository, branch), {"id": id}))
    except errors.ConflictException as exc:
        if exc.maybe_applied is False:  # else an earlier try cancelled it
            exc.args = (f"{exc}; import {id} is over, what it made stays",)
            raise
