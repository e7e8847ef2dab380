"""Expiry of objects: arguments, the report and the call."""

from __future__ import annotations

import time
from typing import Any, Final, NamedTuple

from lakefs_hl._handles import paths
from lakefs_hl._handles.copies import add_progress
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.records import public
from lakefs_hl.ops import expiry as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.objects import UNKNOWN
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import LakeFSException, PartialFailureError
from lakefs_hl.spec.models import ObjectError

#: How often the merge of a transaction that deletes expired objects is tried again.
EXPIRY_RETRIES: Final = 3


class ExpiryReport(NamedTuple):
    """Result of deleting expired objects.

    Attributes:
        planned: Paths of the expired objects, which were deleted unless it was a dry run.
        failed: Those that were not deleted, each with the reason.
        commit_id: ID of the commit that deleted them. None if nothing was committed.
        rules: Number of expired objects by the ID of the rule that they fall under; empty for `expire`.
        dry_run: Whether nothing was deleted.
    """

    planned: list[str]
    failed: tuple[ObjectError, ...] = ()
    commit_id: str | None = None
    rules: dict[str, int] = {}  # noqa: RUF012 - a named tuple has no factories; nothing writes to it
    dry_run: bool = False

    @property
    def requested(self) -> int:
        """Number of expired objects."""
        return len(self.planned)

    @property
    def deleted(self) -> int:
        """Number of objects that were deleted."""
        return 0 if self.dry_run else len(self.planned) - len(self.failed)

    @property
    def errors(self) -> tuple[ObjectError, ...]:
        """Same as `failed`."""
        return self.failed

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, each failure as a dictionary."""
        return self._asdict() | {"failed": [failure.to_dict() for failure in self.failed]}


public(ExpiryReport)


class Expiry:
    """A call that deletes expired objects.

    Args:
        at: Branch or transaction to delete from.
        prefix: Consider only objects with this prefix.
        older_than: Minimum age.
        suffix: Consider only objects whose path ends with this.
        dry_run: Whether to delete nothing.
        commit_message: Message of the commit. None leaves the deletions staged.
        now: Moment that ages are counted from. None means the clock of this machine.

    Attributes:
        message: Message of the commit; None if there is none.
    """

    def __init__(
        self,
        at: Handle,
        prefix: object,
        older_than: object,
        suffix: object,
        dry_run: object,
        commit_message: object,
        now: object,
    ) -> None:
        self._prefix = paths.prefix(prefix, at)
        self._suffix = arguments.optional_text(suffix, "suffix") or ""
        moment = arguments.unix_seconds(now, "now")
        self._before = (time.time() if moment is None else moment) - arguments.age(older_than, "older_than")
        self._dry_run = arguments.flag(dry_run, "dry_run")
        message = arguments.optional_text(commit_message, "commit_message")
        self.message: str | None = None if self._dry_run else message
        self._planned, self._failed = list[str](), list[ObjectError]()

    def run(self, session: Session, at: Handle) -> Op[None]:
        """Delete the objects.

        Raises:
            PartialFailureError: Some were not deleted.
        """
        about = f"deleting expired objects of {at.uri}{self._prefix}"
        try:
            yield from ops.expire(
                session,
                at._repository_id,
                at._id,
                self._prefix,
                self._suffix,
                self._before,
                self._note,
                dry_run=self._dry_run,
                about=about,
            )
        except LakeFSException as exc:
            add_progress(exc, 0 if self._dry_run else len(self._planned) - len(self._failed), "deleted")
            raise
        if self._failed:
            raise self._error(about)

    def _note(self, found: list[str], rejected: list[ObjectError]) -> None:
        self._planned += found
        self._failed += rejected

    def _error(self, about: str) -> PartialFailureError:
        first, report = self._failed[0], self.report()
        error = PartialFailureError(
            f"{about}: {len(report.failed)} of {report.requested} were not deleted; the first is {first.path!r}: "
            f"{first.message} ({first.status_code}); all are in `report.failed`"
        )
        error.report = report
        unknown = any(item.status_code == UNKNOWN for item in report.failed)
        error.maybe_applied = None if unknown else report.deleted > 0
        return error

    def no_commit_error(self, at: Handle) -> ValueError:
        """Build the exception of a message that no commit would have."""
        return ValueError(
            f"commit_message={self.message!r}: {at!r} is committed with all its changes at its end; omit it"
        )

    def report(self, commit_id: str | None = None) -> ExpiryReport:
        """Return the result."""
        return ExpiryReport(self._planned, tuple(self._failed), commit_id, {}, self._dry_run)
