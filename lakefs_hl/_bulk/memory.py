"""What transfers keep on this machine: checksums of local files, and journals of interrupted transfers.

Nothing depends on it: without it, files are read again and an interrupted transfer starts anew.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from lakefs_hl._folders.checksums import Checksums
from lakefs_hl._folders.found import Found
from lakefs_hl._folders.journal import Journal, TransferRunningError
from lakefs_hl.ops.presign import MD5
from lakefs_hl.spec import callers
from lakefs_hl.spec.errors import InvalidConfigError

#: Checksums that are written together: so many, of files that were read within so many nanoseconds.
_BATCH: Final = 1000
_SPREAD_NS: Final = 500_000_000


class Memory:
    """What is kept for one transfer; locked, so that the same transfer does not run twice at a time.

    Args:
        client: The client of the transfer.
        source: What is transferred: a URI or an absolute path.
        destination: To where.
        message: Message of the commit.
        options: The options that must be the same for an interrupted transfer to be continued, as values of JSON.
        journal: Whether this transfer changes anything that a later one could continue.

    Attributes:
        resumes: Whether the same transfer was interrupted before.
        kept: ID of the transaction that it has left. None without one.

    Raises:
        OSError: The same transfer is running.
    """

    def __init__(
        self, client: Any, source: str, destination: str, message: str | None, options: dict[str, Any], *, journal: bool
    ) -> None:
        directory = _directory(client)
        self._options = options
        self._learned = list[tuple[Found, str]]()
        self._read_at_ns = 0
        self._journal: Journal | None = None
        self._is_lost = False
        self.resumes = False
        self.kept: str | None = None
        #: ID of a transaction that an interrupted transfer with other options has left.
        self.abandoned: str | None = None
        if journal and directory is not None:
            self._journal = _open(directory, _as_text(source), _as_text(destination), message)
        if self._journal is not None:
            self._look(self._journal)
        self._started = time.time()
        self._checksums = Checksums(directory)

    def _look(self, journal: Journal) -> None:
        entry = journal.read()
        if entry is None:
            return
        if entry.options == self._options:
            self.resumes, self.kept = True, entry.transaction
        else:
            self.abandoned = entry.transaction

    def start_anew(self) -> None:
        """Do not continue what an interrupted transfer has left."""
        self.abandoned = self.abandoned or self.kept
        self.resumes, self.kept = False, None

    def begin(self) -> None:
        """Note that the transfer is under way."""
        self.remember(self.kept)

    def remember(self, transaction: str | None) -> None:
        """Note the ID of its transaction; None once there is none."""
        self.kept = transaction
        if self._journal is None or self._is_lost:
            return
        try:
            self._journal.write(self._started, transaction, **self._options)
        except OSError as exc:  # a full disk, for one
            self._is_lost = True  # it says what an earlier transfer wrote, which is compared with what is there
            _warn(exc)

    def forget(self) -> None:
        """Note that the transfer is complete, or has left nothing."""
        if self._journal is not None:
            self._journal.remove()

    # -- checksums -----------------------------------------------------------------------------------------------------

    def checksums(self, files: Sequence[Found]) -> list[str | None]:
        """Return the MD5 of each file; None where it is not known."""
        return self._checksums.get(files) if files else []

    def learn(self, found: Found, md5: str, read_at_ns: int) -> None:
        """Keep the MD5 of a file as it was when it was read. Another checksum is not kept."""
        if not MD5.fullmatch(md5):
            return
        if self._learned and abs(read_at_ns - self._read_at_ns) > _SPREAD_NS:
            self._flush()  # the earliest counts for all of them
        if not self._learned or read_at_ns < self._read_at_ns:
            self._read_at_ns = read_at_ns
        self._learned.append((found, md5))
        if len(self._learned) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        learned, read_at_ns = self._learned, self._read_at_ns
        self._learned, self._read_at_ns = [], 0
        if learned:
            self._checksums.put(learned, read_at_ns=read_at_ns)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._flush()
        finally:
            self._checksums.close()
            if self._journal is not None:
                self._journal.close()


def _as_text(path: str) -> str:
    """Return a local path as text that UTF-8 can encode: names of files may be any bytes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _open(directory: Any, source: str, destination: str, message: str | None) -> Journal | None:
    """Return the journal of a transfer. None, with a warning, if there can be none.

    Raises:
        TransferRunningError: The same transfer is running.
    """
    try:
        return Journal(directory, source, destination, message)
    except TransferRunningError:
        raise
    except OSError as exc:
        _warn(exc)
        return None


def _warn(exc: OSError) -> None:
    callers.warn(f"this transfer keeps no journal, so that it is not resumed if interrupted: {exc}", RuntimeWarning)


def _directory(client: Any) -> Any:
    """Return the directory of the cache. None, with a warning, if there is none that can be used."""
    try:
        return client.cache_directory
    except InvalidConfigError as exc:
        callers.warn(f"transfers keep no checksums and no journals, so that nothing is resumed: {exc}", RuntimeWarning)
        return None
