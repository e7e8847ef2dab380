"""Whether what the disk says can be relied on: not after a failed sync, until what was to be synced is verified.

Rules of the room: only a failed sync makes a lake read-only, since the system forgets what it could not write, and a
second sync says that all is well. What is merely scarce (room, memory, descriptors) is told and forgotten.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Final

import apsw

from lakefs_hl.local.disk import frames
from lakefs_hl.local.disk.errors import DiskError, ReadOnly, scarcity
from lakefs_hl.local.disk.rows import Writer, sync_failed, translate

#: How long a lake is read-only after a failed sync, until the next write verifies it, seconds.
RESUMES: Final = 5.0


class Trust:
    """Whether a database is to be written to.

    Args:
        path: The database.

    Attributes:
        path: The database.
        failed: Why not; None if it is.
    """

    failed: str | None

    def __init__(self, path: str) -> None:
        self.path = path
        self._since = 0.0
        self.failed = None

    def fail(self, reason: str) -> None:
        """A sync has failed: this must not be papered over by a second one."""
        self._since = time.monotonic()
        self.failed = self.failed or reason

    def must_hold(self) -> None:
        """Refuses what could not be kept.

        Raises:
            ReadOnly: A sync has failed, and not long ago.
        """
        if self.failed and time.monotonic() - self._since < RESUMES:
            raise ReadOnly(
                f"{self.path}: the lake is read-only since {self.failed}. What was acknowledged before is safe; "
                f"check the disk. The next write after {RESUMES:g} s verifies the lake, and it goes on"
            )

    def note(self, error: apsw.Error | OSError, number: int = 0) -> DiskError:
        """An error while writing, as ours; a failed sync ends writing."""
        if isinstance(error, OSError):
            scarce = scarcity(error.errno, f"{self.path}: {error}; nothing of this write was kept")
            if scarce is not None:
                return scarce
        if isinstance(error, OSError) or sync_failed(error):
            self.fail(f"writing {self.path} failed: {error}")
            return ReadOnly(f"{self.path}: {error}; the lake is read-only for now, and this write may be lost")
        return translate(error, self.path, number)

    def renew(self, writer: Writer) -> None:
        """Verifies the log: writes it anew and reads it back from the disk. The lock between processes is held.

        Raises:
            ReadOnly: It cannot be relied on yet.
        """
        path = f"{self.path}-wal"
        try:
            # In pages; ours do not add to it now, since the lock between processes is held.
            expected = writer._connection.wal_checkpoint(None, apsw.SQLITE_CHECKPOINT_NOOP)[0]
            writer.execute("BEGIN IMMEDIATE")  # nor does another program
            try:
                if expected > 0:
                    frames.rewrite(path)
                    found = frames.whole(path)
                    if found < expected:
                        raise OSError(f"{path}: {found} of {expected} pages of the log were found on the disk")
            finally:
                writer.execute("ROLLBACK")
            with suppress(apsw.BusyError):  # another process is at it
                writer._connection.wal_checkpoint(None, apsw.SQLITE_CHECKPOINT_PASSIVE)
        except (apsw.Error, OSError) as error:
            self._since = time.monotonic()
            raise ReadOnly(f"{self.path}: the lake stays read-only since {self.failed}: {error}") from error
        self.failed = None
