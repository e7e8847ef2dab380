"""Imports: the server registers objects of a store on a branch, in the background, as one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from lakefs_hl.ops import logged, refs
from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.requests import json_request
from lakefs_hl.ops.retry import Session, ask, call
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.wire import Request

#: Prefix of the ID of an import whose response was lost but whose commit was found. The commit's ID follows.
DONE: Final = "commit:"
#: How long the server may not know an import that was started.
START_GRACE_SECONDS: Final = 10.0
#: An import without progress for so long has stopped.
STALL_SECONDS: Final = 300.0
#: The first pause between two polls. It doubles up to the requested interval.
FIRST_PAUSE_SECONDS: Final = 0.05
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
    """Start an import and return its ID. It is not retried if it may have been started.

    The destination of a prefix always ends with a slash: lakeFS replaces existing objects by raw prefix, so
    that `some/path` would also replace `some/pathological`.

    Raises:
        BadRequestException: The branch has uncommitted changes, with which an import fails after all its work.
    """
    about = endpoints.IMPORT_START.describe(repository, branch)
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
    commit = models.CommitCreation(message, logged.with_op_id(metadata, op_id))
    body = models.ImportCreation([_with_slash(location) for location in locations], commit)
    request = json_request(endpoints.IMPORT_START, (repository, branch), body)
    trace = logged.Trace(repository, branch, op_id, now, about, is_safe=False)
    done = yield from logged.run(session, request, trace, models.ImportStarted)
    return DONE + done.id if isinstance(done, models.Commit) else done.id


def _with_slash(location: models.ImportLocation) -> models.ImportLocation:
    bare = location.type == "common_prefix" and location.destination and not location.destination.endswith("/")
    return msgspec.structs.replace(location, destination=location.destination + "/") if bare else location


def status(session: Session, repository: str, branch: str, id: str) -> Op[models.ImportStatus]:
    """Return the progress of an import."""
    if id.startswith(DONE):
        commit = yield from refs.commit(session, repository, id.removeprefix(DONE))
        return models.ImportStatus(completed=True, update_time="", commit=commit, metarange_id=commit.meta_range_id)
    request = Request(endpoints.IMPORT_STATUS, (repository, branch), {"id": id})
    return (yield from ask(session, models.ImportStatus, request))


def wait(session: Session, repository: str, branch: str, id: str, poll_interval: float) -> Op[models.ImportStatus]:
    """Poll every `poll_interval` seconds, at first more often, until the import has ended.

    Raises:
        ImportFailedException: The import failed or was cancelled. The message says why.
        DeadlineExceeded: It has reported no progress for five minutes. It may still be running.
    """
    about = endpoints.IMPORT_START.describe(repository, branch)
    waited, last, stale, pause = 0.0, "", 0.0, FIRST_PAUSE_SECONDS
    while True:
        try:
            now = yield from status(session, repository, branch, id)
        except errors.NotFoundException:
            if last or waited >= START_GRACE_SECONDS:
                raise
        else:
            if now.error is not None:
                raise _import_error(f"{about}: import {id}", now.error.message)
            if now.completed:
                return now
            stale, last = (stale if now.update_time == last else 0.0), now.update_time
        if stale >= STALL_SECONDS:
            error = errors.DeadlineExceeded(
                f"{about}: import {id} has reported no progress for {stale:.0f} s (last at {last}) and may still be "
                "running: wait again, or cancel it"
            )
            error.maybe_applied = None
            raise error
        slept = yield from sleep(0.0, max(min(poll_interval, pause), 0.01))
        waited, stale, pause = waited + slept, stale + slept, 2 * pause


def _import_error(about: str, reason: str) -> errors.ImportFailedException:
    """Build the exception of an import that ended without a commit."""
    error = errors.ImportFailedException(f"{about} failed: {reason or 'no reason was given'}; the branch is unchanged")
    error.server_message = reason
    if reason == _CANCELLED:
        error.kind = ErrorKind.IMPORT_CANCELLED
    return error


def cancel(session: Session, repository: str, branch: str, id: str) -> Op[None]:
    """Cancel an import.

    Raises:
        ConflictException: The import had already ended, unless an earlier attempt of this call has cancelled it.
    """
    if id.startswith(DONE):
        about = endpoints.IMPORT_CANCEL.describe(repository, branch)
        msg = f"{about}: import {id} has ended and cannot be cancelled"
        raise errors.ConflictException(msg)
    try:
        yield from call(session, Request(endpoints.IMPORT_CANCEL, (repository, branch), {"id": id}))
    except errors.ConflictException as exc:
        if exc.maybe_applied is False:  # else an earlier attempt has cancelled it
            exc.args = (f"{exc}; import {id} has ended, and its commit is kept",)
            raise
