"""What became of many files: counted while a call runs, and reported."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from lakefs_hl import TransferReport, exceptions, types
from lakefs_hl.facades import arguments
from lakefs_hl.facades.records import Outcome

if TYPE_CHECKING:
    from lakefs_hl._progress import Progress

#: Number of failures and of reasons that a report names. All of them are counted.
NAMED: Final = 10_000


class Tally:
    """Counts what became of files, and tells a progress. Bounded memory.

    Args:
        progress: The progress.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._began = time.monotonic()
        self._failed = list[types.TransferFailure]()
        self._skips = list[types.TransferSkip]()
        self._failed_count = self._written = self._skipped = self._deleted = self._bytes = 0
        self._unknown = False

    def write(self, outcome: Outcome) -> None:
        """Count a file that was written, or was not."""
        if outcome.error is not None:
            self.fail(outcome.path, outcome.error)
            return
        self._written += 1
        self._bytes += outcome.size
        self._progress.complete(outcome.path, outcome.size)

    def skip(self, path: str, reason: str = "") -> None:
        """Count a file that was left as it is. Those with a reason are named."""
        self._skipped += 1
        if reason and len(self._skips) < NAMED:
            self._skips.append(types.TransferSkip(path, reason))
        self._progress.skip(path)

    def delete(self, outcome: Outcome) -> None:
        """Count a file that was deleted, or was not."""
        if outcome.error is not None:
            self.fail(outcome.path, outcome.error)
            return
        self._deleted += 1
        self._progress.delete(outcome.path)

    def fail(self, path: str, error: Exception) -> None:
        """Count a failure."""
        self._count_failure(path, error)
        self._progress.fail(path, error)

    def add_others(self, done: int, failures: list[tuple[str, str]]) -> None:
        """Count what other processes have done for the same job, so that the report is of all of it.

        Args:
            done: Number of files that any process has written or left as they are.
            failures: Path and message of the files that failed in any process.
        """
        own = {failure.path for failure in self._failed}
        others = [(path, message) for path, message in failures if path not in own]
        for path, message in others[: max(0, len(failures) - self._failed_count)]:
            self._count_failure(path, OSError(message))
        self._skipped += max(0, done - self._written - self._skipped)

    def _count_failure(self, path: str, error: Exception) -> None:
        self._failed_count += 1
        if getattr(error, "maybe_applied", False) is None:
            self._unknown = True
        if len(self._failed) < NAMED:
            kind = error.kind if isinstance(error, exceptions.ServerException) else types.ErrorKind.OTHER
            self._failed.append(types.TransferFailure(path, message_of(error), kind))

    def report(self) -> TransferReport:
        """Return the report of what was counted so far."""
        return TransferReport(
            transferred=self._written,
            skipped=self._skipped,
            deleted=self._deleted,
            failed_count=self._failed_count,
            bytes=self._bytes,
            seconds=time.monotonic() - self._began,
            failed=tuple(self._failed),
            skips=tuple(self._skips),
        )

    def result(self, on_error: str, what: str, advice: str = "") -> TransferReport:
        """Return the report. With `on_error="raise"`, raise it if anything failed.

        Args:
            on_error: "raise" or "return".
            what: What failed, such as "files were not written to lakefs://example/main/".
            advice: What to do, after "the failures are in `report.failed`".
        """
        report = self.report()
        if report.ok or on_error == "return":
            return report
        first = report.failed[0]
        among = report.transferred + report.skipped + report.deleted + report.failed_count
        error = exceptions.PartialFailureError(
            f"{report.failed_count:,} of {among:,} {what}; the first is {first.path!r}: {first.message}; "
            f"the failures are in `report.failed`{advice}"
        )
        error.report = report
        error.maybe_applied = None if self._unknown else bool(report.transferred or report.deleted)
        raise error


def message_of(error: Exception) -> str:
    """Return what a report says of a failure."""
    words = str(error)
    if isinstance(error, exceptions.LakeFSException | OSError):
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def checked_on_error(on_error: object) -> Any:
    """Return what to do with failures.

    Raises:
        TypeError: It is no text.
        ValueError: It is neither "raise" nor "return".
    """
    return arguments.choice(on_error, "on_error", ("raise", "return"))
