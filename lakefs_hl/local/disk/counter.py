"""How many durable transactions there were, in the database and beside it: so that a log cut short is noticed.

SQLite ends a log at the first frame that does not hold, which is right after a crash and silent after damage: what was
acknowledged behind it is gone, and everything left is in order. So each durable transaction has a number, which is
written into the lock's file once it is on the disk.

Rules of the room: never a number whose transaction has not been synced, or a power loss would look like damage. A note
that cannot be read is no note.
"""

from __future__ import annotations

import struct
from typing import Final

from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.disk.sums import row_sum
from lakefs_hl.local.disk.tables import sequence

_NOTE: Final = struct.Struct(">qq")


def draw(writer: Writer) -> bytes:
    """Counts a transaction; gives the note of it."""
    number = sequence.draw(writer, sequence.COMMIT)
    return _NOTE.pack(number, row_sum("lock", number))


def read(note: bytes) -> int:
    """The number in a note; 0 if there is none that holds."""
    if len(note) != _NOTE.size:
        return 0
    number, found = _NOTE.unpack(note)
    return int(number) if found == row_sum("lock", number) else 0


def compare(found: int, note: bytes, path: str) -> None:
    """Holds the number of a database against a note that was read before it.

    Raises:
        Damaged: Transactions are missing that were acknowledged.
    """
    noted = read(note)
    if found < noted:
        raise Damaged(
            f"{path}: the database is older than it was: it has {found:,} durable transactions, and {noted:,} were "
            "noted. The end of its log was damaged or removed, or an older copy was put in its place. Restore the "
            "whole folder from a copy; or, to go on with what there is, remove the file `lock` beside it"
        )
