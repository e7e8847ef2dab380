"""The tables of a database: made in a new one, and of a version that we know in an old one.

Rules of the room: a look at an existing database waits for nobody who writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakefs_hl.local.disk import migration
from lakefs_hl.local.disk.rows import Writer

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
    with database.read() as reader:
        row = reader.row("PRAGMA user_version")
    version = row[0] if row else 0
    if migration.is_due(version, database.path):
        database.run(migration.bring)
