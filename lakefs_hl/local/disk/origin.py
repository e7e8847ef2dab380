"""The tables of a database: made in a new one, and of a version that we know in an old one.

Rules of the room: a look at an existing database waits for nobody who writes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lakefs_hl.local.disk import counter, migration
from lakefs_hl.local.disk.errors import Damaged, ReadOnly
from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.disk.tables import sequence

if TYPE_CHECKING:
    from lakefs_hl.local.disk.database import Database


def make(database: Database) -> None:
    """Makes the file and its tables where they are missing."""
    database.apart(database.create_file)

    def work(writer: Writer) -> None:
        version = writer.execute("PRAGMA user_version").get
        if version == 0:
            migration.make(writer)

    database.run(work)


def check(database: Database) -> None:
    """Looks whether the tables are ours, and brings them to this version.

    Raises:
        UnknownFormat: They are of another version.
        Damaged: There are none.
    """
    note = database._lock.noted()  # before the transactions begin: others may write meanwhile
    with database.read() as reader:
        row = reader.row("PRAGMA user_version")
    if migration.is_due(row[0] if row else 0, database.path):
        with suppress(ReadOnly):  # on a read-only mount it is read as it is
            database.run(migration.bring)
        return
    try:
        with database.read() as reader:
            found = sequence.get(reader, sequence.COMMIT)
            lacks = migration.lacks(reader)
    except Damaged:
        return  # that is found, with all else, by whoever goes over the lake: it must open for that
    counter.compare(found, note, database.path)
    if lacks:
        with suppress(ReadOnly):
            database.run(migration.bring)
