"""Transfers of many objects: the report, its failures, results of downloads, and the events of progress."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple, TypeAlias

from lakefs_hl import _html as html
from lakefs_hl._handles.amounts import count_text, duration_text, size_text
from lakefs_hl._handles.records import public
from lakefs_hl.spec.errors import LakeFSException, PartialFailureError, ServerException
from lakefs_hl.spec.kinds import ErrorKind

#: Number of failures that a report names. All of them are counted.
MAX_FAILURES: Final = 10_000
#: Number of failures that a notebook shows.
SHOWN: Final = 20

EventKind: TypeAlias = Literal["start", "progress", "complete", "skip", "fail", "enter", "leave", "delete"]


class TransferEvent(NamedTuple):
    """What happened to one object or directory of a transfer. Passed to `on_event` of a `progress` object.

    Attributes:
        kind: `start`, `progress`, `complete`, `skip`, `fail` or `delete` of an object. `enter` or `leave` of a local
            directory.
        path: Path of the object, or of the directory with a slash at its end.
        done: Bytes of the object that were transferred so far.
        size: Size of the object in bytes. None if it is unknown.
        error: Why it failed (`fail`), else None.
    """

    kind: EventKind
    path: str
    done: int = 0
    size: int | None = None
    error: Exception | None = None


class TransferFailure(NamedTuple):
    """An object that was not transferred or deleted.

    Attributes:
        path: Path of the object.
        message: Why it failed.
        kind: What the server's error means. `OTHER` if the failure was not an error of the server.
        local_path: The local file, if there is one.
    """

    path: str
    message: str
    kind: ErrorKind = ErrorKind.OTHER
    local_path: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {**self._asdict(), "kind": str(self.kind)}

    @classmethod
    def _of(cls, path: str, error: BaseException, local_path: str | None = None) -> TransferFailure:
        words = str(error)
        if not isinstance(error, LakeFSException | OSError):
            words = f"{type(error).__name__}: {words}" if words else type(error).__name__
        kind = error.kind if isinstance(error, ServerException) else ErrorKind.OTHER
        return cls(path, words, kind, local_path)


class TransferSkip(NamedTuple):
    """An object or a file that was left as it is for another reason than equal content.

    Attributes:
        path: Path of the object, or of the local file if no object can have it.
        reason: Why it was left, such as a newer destination.
    """

    path: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return self._asdict()


class TransferReport(NamedTuple):
    """Result of a transfer of many objects.

    To try the failed ones again, repeat the call with `only=report.failed`.

    Attributes:
        transferred: Number of objects that were transferred.
        skipped: Number of objects that were left as they are, such as equal ones with `update=True`.
        deleted: Number of objects or files that were deleted at the destination.
        failed_count: Number of objects that failed.
        bytes: Number of bytes that were transferred.
        seconds: Duration in seconds.
        failed: The failures, at most the first 10,000.
        commit_id: ID of the commit that `commit_message` made. None without one.
        skips: What was skipped for another reason than equal content, such as a newer destination or a link: at most
            the first 10,000.
    """

    transferred: int = 0
    skipped: int = 0
    deleted: int = 0
    failed_count: int = 0
    bytes: int = 0
    seconds: float = 0.0
    failed: tuple[TransferFailure, ...] = ()
    commit_id: str | None = None
    skips: tuple[TransferSkip, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failed_count

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, each failure as a dictionary."""
        return {
            **self._asdict(),
            "failed": [failure.to_dict() for failure in self.failed],
            "skips": [skip.to_dict() for skip in self.skips],
        }

    def __repr__(self) -> str:
        parts = [f"{self.transferred:,} transferred ({self._amounts()})"]
        for number, word in ((self.skipped, "skipped"), (self.deleted, "deleted"), (self.failed_count, "failed")):
            if number:
                parts.append(f"{number:,} {word}")
        if self.failed:
            first = self.failed[0]
            parts.append(f"the first failure is {first.path!r}: {_shorten(first.message)}")
        if self.commit_id is not None:
            parts.append(f"commit {self.commit_id[:16]}")
        return f"<TransferReport: {', '.join(parts)}>"

    def _amounts(self) -> str:
        text = f"{size_text(self.bytes)} in {duration_text(self.seconds)}"
        return f"{text}, {size_text(self.bytes / self.seconds)}/s" if self.bytes and self.seconds > 0 else text

    def _repr_html_(self) -> str:
        rows = {
            "transferred": f"{self.transferred:,} ({self._amounts()})",
            "skipped": f"{self.skipped:,}" if self.skipped else "",
            "deleted": f"{self.deleted:,}" if self.deleted else "",
            "failed": f"{self.failed_count:,}" if self.failed_count else "",
            "commit": self.commit_id or "",
        }
        state = "complete" if self.ok else f"{count_text(self.failed_count, 'failure')}"
        text = html.listing("TransferReport", state, (), ()) + html.table(rows)
        return text + self._failures_html() + self._skips_html()

    def _skips_html(self) -> str:
        if not self.skips:
            return ""
        shown = self.skips[:SHOWN]
        note = "all" if len(shown) == len(self.skips) else f"the first {len(shown):,} of {len(self.skips):,}"
        return html.listing("Skipped, although not equal", note, ["path", "reason"], shown)

    def _failures_html(self) -> str:
        if not self.failed:
            return ""
        shown = self.failed[:SHOWN]
        note = "all" if len(shown) == self.failed_count else f"the first {len(shown):,} of {self.failed_count:,}"
        columns = ["path", "message", "kind"]
        cells = [[failure.path, failure.message, str(failure.kind)] for failure in shown]
        if any(failure.local_path for failure in shown):
            columns.append("local_path")
            cells = [[*cell, failure.local_path or ""] for cell, failure in zip(cells, shown, strict=True)]
        return html.listing("Failures", note, columns, cells)

    def _or_raise(self, on_error: str, what: str, advice: str = "", *, maybe_applied: bool | None) -> TransferReport:
        """Return the report. With `on_error="raise"`, raise it if anything failed.

        Args:
            on_error: "raise" or "return".
            what: Which objects failed, and how: "objects of lakefs://example/main/ were not downloaded".
            advice: What to do, such as "the same call with `only=report.failed` tries them again".
            maybe_applied: Whether anything was changed. None if that is unknown.
        """
        if self.ok or on_error == "return":
            return self
        first = self.failed[0]
        among = self.transferred + self.skipped + self.deleted + self.failed_count
        error = PartialFailureError(
            f"{self.failed_count:,} of {among:,} {what}; the first is {first.path!r}: {first.message}; "
            f"the failures are in `report.failed`{f'; {advice}' if advice else ''}"
        )
        error.report, error.maybe_applied = self, maybe_applied
        raise error


class GetResult(NamedTuple):
    """One object of a download of many.

    Attributes:
        path: The path, as it was asked for.
        content: The content. None if it could not be read.
        byte_range: First byte and the end (exclusive, None for the end of the object) of the range that was asked for.
            None for the whole object.
        error: Why it could not be read, else None.
    """

    path: str
    content: bytes | None
    byte_range: tuple[int, int | None] | None = None
    error: Exception | None = None

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return tuple(self)[key]
        name = _RESULT_KEYS.get(key)
        if name is None:
            msg = f"{key!r:.80} is not a key of GetResult; the keys are {', '.join(_RESULT_KEYS)}"
            raise KeyError(msg)
        return getattr(self, name)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return self._asdict()


#: Field of each key of a result: the names are their own, and those of the items of other clients are aliases.
_RESULT_KEYS: Final = {name: name for name in GetResult._fields} | {"key": "path", "data": "content"}

public(TransferEvent, "lakefs_hl.types")
public(TransferFailure, "lakefs_hl.types")
public(TransferSkip, "lakefs_hl.types")
public(TransferReport)
public(GetResult)


class Tally:
    """Counts the outcomes of a transfer while it runs, on the thread that runs it. Bounded memory."""

    __slots__ = ("bytes", "deleted", "failed", "failed_count", "skipped", "skips", "transferred", "unknown")

    def __init__(self) -> None:
        self.transferred = self.skipped = self.deleted = self.failed_count = self.bytes = 0
        self.failed = list[TransferFailure]()
        self.skips = list[TransferSkip]()
        #: Whether it is unknown if the request of a failed object was applied.
        self.unknown = False

    def transfer(self, size: int) -> None:
        """Count an object that was transferred."""
        self.transferred += 1
        self.bytes += size

    def skip(self, path: str = "", reason: str = "") -> None:
        """Count an object that was left as it is. Of those with a reason the first 10,000 are kept."""
        self.skipped += 1
        if reason and len(self.skips) < MAX_FAILURES:
            self.skips.append(TransferSkip(path, reason))

    def delete(self, count: int = 1) -> None:
        """Count deleted objects."""
        self.deleted += count

    def fail(self, path: str, error: BaseException, local_path: str | None = None) -> None:
        """Count an object that failed. The first 10,000 are kept."""
        self.failed_count += 1
        if isinstance(error, LakeFSException) and error.maybe_applied is None:
            self.unknown = True
        if len(self.failed) < MAX_FAILURES:
            self.failed.append(TransferFailure._of(path, error, local_path))

    @property
    def maybe_applied(self) -> bool | None:
        """Whether anything was changed at the destination. None if that is unknown."""
        return None if self.unknown else bool(self.transferred or self.deleted)

    def report(self, seconds: float, commit_id: str | None = None) -> TransferReport:
        """Return the report of what was counted so far."""
        return TransferReport(
            self.transferred,
            self.skipped,
            self.deleted,
            self.failed_count,
            self.bytes,
            seconds,
            tuple(self.failed),
            commit_id,
            tuple(self.skips),
        )


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:99]}…"
