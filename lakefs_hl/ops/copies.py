"""Copies and moves of prefixes within a repository, on the server.

Rules of the room: a move deletes nothing before everything is copied, and then only objects whose copy is there and
equal. It can be interrupted anywhere: every object is at its source or at its destination, or at both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from lakefs_hl.ops import objects, refs
from lakefs_hl.ops.effects import Op, gather_each
from lakefs_hl.ops.lookups import look_up
from lakefs_hl.ops.prefixes import check_branch, not_found_error
from lakefs_hl.ops.retry import Session, attempt
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.limits import MAX_PAGE
from lakefs_hl.spec.uri import object_uri

#: Called with the record of each object that was copied.
Copied: TypeAlias = Callable[[models.ObjectStats], None]
#: Called with the path of each object that failed, and with the reason.
Failed: TypeAlias = Callable[[str, errors.LakeFSException], None]

_WRITTEN: Final = (
    "it was written while the prefix was moved, so it was not deleted; what is at its destination may be older, and "
    "moving the prefix again moves it too"
)


def copy_prefix(
    session: Session,
    repository: str,
    branch: str,
    from_ref: str,
    from_prefix: str,
    to_prefix: str,
    limit: int | None,
    copied: Copied,
    failed: Failed,
    *,
    about: str,
) -> Op[None]:
    """Copy all objects of a prefix to a branch of the same repository.

    Args:
        session: The client's session.
        repository: Repository ID.
        branch: Destination branch.
        from_ref: Source reference. An expression is resolved once.
        from_prefix: Source prefix.
        to_prefix: Replaces `from_prefix` at the beginning of each path.
        limit: Maximum number of concurrent requests. None leaves it to the server.
        copied: Called after each copy.
        failed: Called for each object that could not be copied.
        about: What was asked, for messages.

    Raises:
        ObjectNotFoundException: No object has the prefix.
        ValueError: The prefixes overlap on one branch.
        LakeFSException: The branch cannot be written, or none of 1,000 objects could be copied.
    """
    check_overlap(branch, from_ref, from_prefix, to_prefix, about)
    yield from check_branch(session, repository, branch, about)
    from_ref = yield from refs.pin_expression(session, repository, from_ref, about=about)

    def copy(row: models.ObjectStats) -> Op[tuple[models.ObjectStats, Any]]:
        to_path = to_prefix + row.path[len(from_prefix) :]
        step = objects.copy(session, repository, branch, to_path, from_ref, row.path)
        return row, (yield from attempt(step))

    def next_page(after: str) -> Op[models.ObjectPage]:
        return objects.list_page(session, repository, from_ref, after, MAX_PAGE, prefix=from_prefix)

    page = yield from next_page("")
    if not page.results:
        raise not_found_error(about, repository, from_ref, from_prefix)
    while page.results:
        ahead = [next_page(page.pagination.next_offset)] if page.pagination.has_more else []
        outcomes = _Outcomes(len(ahead), copied, failed)
        yield from gather_each([*ahead, *map(copy, page.results)], session.width.within(limit), outcomes.take)
        if not ahead:
            return
        outcomes.check()
        page = outcomes.following


class _Outcomes:
    """Takes the results of the copies of a page, and of the listing ahead, which is the first op if there is one.

    Args:
        ahead: Number of listings, 0 or 1.
        copied: Called for each copy.
        failed: Called for each failure.
    """

    following: models.ObjectPage

    def __init__(self, ahead: int, copied: Copied, failed: Failed) -> None:
        self._ahead = ahead
        self._copied = copied
        self._failed = failed
        self._successes = 0
        self._failure: errors.LakeFSException | None = None

    def take(self, index: int, result: Any) -> None:
        """Take one result."""
        if index < self._ahead:
            self.following = result
            return
        row, outcome = result
        if isinstance(outcome, errors.LakeFSException):
            self._failure = outcome
            self._failed(row.path, outcome)
        else:
            self._successes += 1
            self._copied(row)

    def check(self) -> None:
        """Raise the last failure if no copy succeeded: those of the following pages would fail too."""
        if self._failure is not None and not self._successes:
            self._failure.add_note(f"the copy ended here: {MAX_PAGE:,} objects in a row failed")
            raise self._failure


def check_overlap(branch: str, from_ref: str, from_prefix: str, to_prefix: str, about: str) -> None:
    """Refuse a copy whose source would change while it is read.

    Raises:
        ValueError: One of the prefixes begins with the other, and both are on one branch.
    """
    if from_ref.removesuffix("$") != branch:
        return
    if from_prefix.startswith(to_prefix) or to_prefix.startswith(from_prefix):
        msg = (
            f"{about}: the prefixes overlap, so that the copy would read what it writes; copy from a commit "
            "(from_reference=branch.head()), or to another prefix first"
        )
        raise ValueError(msg)


def delete_copied(
    session: Session,
    repository: str,
    branch: str,
    from_prefix: str,
    to_prefix: str,
    limit: int | None,
    failed: Failed,
) -> Op[None]:
    """Delete the objects of a prefix that have an equal copy under another prefix of the branch.

    Args:
        session: The client's session.
        repository: Repository ID.
        branch: Branch ID.
        from_prefix: Prefix of the objects to delete.
        to_prefix: Prefix of the copies.
        limit: Maximum number of concurrent requests. None leaves it to the server.
        failed: Called for each object that is kept.
    """
    after, more = "", True
    while more:
        page = yield from objects.list_page(session, repository, branch, after, MAX_PAGE, prefix=from_prefix)
        targets = {row.path: to_prefix + row.path[len(from_prefix) :] for row in page.results}
        copies = yield from look_up(session, repository, branch, targets.values(), limit)
        done = list[str]()
        for row in page.results:
            copy = copies.get(targets[row.path])
            if copy is not None and objects.is_copy(copy, row):
                done.append(row.path)
            else:
                failed(row.path, errors.ObjectChangedError(f"{object_uri(repository, branch, row.path)}: {_WRITTEN}"))
        rejected = (yield from objects.delete_batch(session, repository, branch, done)) if done else []
        for error in rejected:
            failed(error.path or "", _not_deleted(error))
        more, after = page.pagination.has_more, page.pagination.next_offset


def _not_deleted(error: models.ObjectError) -> errors.LakeFSException:
    """Return the failure of an object that was copied and could not be deleted."""
    failure = errors.ServerException(f"it was copied and not deleted: {error.message} ({error.status_code})")
    failure.status = error.status_code
    failure.maybe_applied = None if error.status_code == objects.UNKNOWN else True
    return failure
