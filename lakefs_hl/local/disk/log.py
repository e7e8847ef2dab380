"""The database's log: how long it is, and writing it back before it is too long.

Rules of the room: written back on a connection of its own, with no lock of ours held, by whoever has just written.
"""

from __future__ import annotations

from collections.abc import Callable

import apsw

from lakefs_hl.local.disk import fs
from lakefs_hl.local.disk.errors import DiskError
from lakefs_hl.local.disk.lock import Turn
from lakefs_hl.local.disk.rows import sync_failed
from lakefs_hl.local.disk.trust import Trust


class Log:
    """The log of one database.

    Args:
        connect: Opens a connection for writing.
        trust: Is told of syncs that fail.

    Attributes:
        pages: How long it was when this process wrote last.
        tidier: The connection that writes it back, once it was needed.
        turn: Who writes it back holds this.
    """

    def __init__(self, connect: Callable[[], apsw.Connection], trust: Trust) -> None:
        self._connect = connect
        self._trust = trust
        self.pages = 0
        self.due: int | None = None  # not before it has that many pages
        self.tidier: apsw.Connection | None = None
        self.turn: Turn = Turn()

    def __enter__(self) -> None:
        """Keeps others from writing it back."""
        self.turn.acquire(float("inf"))

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Lets them."""
        self.turn.release()

    def note(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        """SQLite tells the length after each commit."""
        if pages < self.pages:
            self.due = None  # it began anew
        self.pages = pages
        return 0

    def tidy(self, long: int, huge: int) -> None:
        """Writes a log back into the database if it is due.

        Args:
            long: Pages from which that is so.
            huge: Pages from which readers wait at the door, because they kept it growing.
        """
        pages = self.pages
        if pages < (long if self.due is None else self.due) or not self.turn.acquire(0.0):
            return
        try:
            if self._trust.failed:
                return
            self.due = pages + long  # should readers keep it growing: not at every write
            fs.reach("db.checkpoint")
            if self.tidier is None:
                self.tidier = self._connect()
                self.tidier.set_busy_timeout(100)
            mode = apsw.SQLITE_CHECKPOINT_RESTART if pages >= huge else apsw.SQLITE_CHECKPOINT_PASSIVE
            self.tidier.wal_checkpoint(None, mode)
            fs.reach("db.checkpointed")
        except DiskError:
            return
        except (apsw.Error, OSError) as error:
            # Someone else is at it, or something is scarce: the log stays valid as it is. A sync is another matter.
            if sync_failed(error) or isinstance(error, OSError):
                self._trust.fail(f"writing the log back into {self._trust.path} failed: {error}")
        finally:
            self.turn.release()
