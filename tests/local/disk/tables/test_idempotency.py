from __future__ import annotations

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import idempotency


def test_a_key_has_one_row(database: Database) -> None:
    with database.write() as writer:
        assert idempotency.insert(writer, "me", "a", 5, b"1")
        assert not idempotency.insert(writer, "me", "a", 6, b"2")
        assert idempotency.insert(writer, "you", "a", 7, b"3")
        assert (idempotency.find(writer, "me", "a"), idempotency.find(writer, "me", "b")) == ((5, b"1"), None)
        idempotency.delete(writer, "me", "a")
        assert idempotency.scan(writer) == [("you", "a", b"3")]


def test_the_oldest_go_first_and_a_few_at_a_time(database: Database) -> None:
    with database.write() as writer:
        for second in range(6):
            idempotency.insert(writer, "me", str(second), second, b"")
        idempotency.delete_before(writer, 4, 2)
        assert [row[1] for row in idempotency.scan(writer)] == ["2", "3", "4", "5"]
        idempotency.delete_before(writer, 3, 9)
        assert [row[1] for row in idempotency.scan(writer)] == ["4", "5"]


def test_a_changed_row_is_damaged(database: Database) -> None:
    with database.write() as writer:
        idempotency.insert(writer, "me", "a", 5, b"1")
        writer.execute("UPDATE idempotency SET made = 6")
        with pytest.raises(Damaged, match="the row me, a of the table idempotency"):
            idempotency.find(writer, "me", "a")
