from __future__ import annotations

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import settings


def test_values_are_set_and_dropped(database: Database) -> None:
    with database.write() as writer:
        settings.put(writer, 1, "a", b"1")
        settings.put(writer, 1, "a", b"2")
        settings.put(writer, 2, "a", b"3")
        assert [settings.get(writer, number, "a") for number in (1, 2, 3)] == [b"2", b"3", None]
        settings.put(writer, 1, "a", None)
        settings.delete_all(writer, 2)
        assert [settings.get(writer, number, "a") for number in (1, 2)] == [None, None]


def test_a_changed_row_is_damaged(database: Database) -> None:
    with database.write() as writer:
        settings.put(writer, 1, "a", b"1")
        writer.execute("UPDATE setting SET value = x'00'")
        with pytest.raises(Damaged, match="the row 1, a of the table setting"):
            settings.get(writer, 1, "a")
