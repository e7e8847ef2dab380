from __future__ import annotations

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import branches
from lakefs_hl.local.disk.tables.branches import Row


def test_rows_are_what_was_put(database: Database) -> None:
    row = Row(1, "main", b"h" * 32, 7, (3, 5), True, 2, b"more")
    assert row.tokens == [7, 5, 3]
    with database.write() as writer:
        branches.put(writer, row)
        branches.put(writer, Row(1, "other", b"h", 8))
        branches.put(writer, Row(2, "main", b"h", 9))
        assert branches.find(writer, 1, "main") == row
        assert branches.find(writer, 1, "none") is None
        moved = row._replace(head=b"i" * 32, sealed=(), resets=3)
        branches.put(writer, moved)
        assert branches.find(writer, 1, "main") == moved
        assert branches.of_repository(writer, 1) == [moved, Row(1, "other", b"h", 8)]
        branches.delete(writer, 1, "main")
        branches.delete_all(writer, 2)
        assert [one[:2] for one in branches.scan(writer)] == [(1, "other")]


def test_pages(database: Database) -> None:
    with database.write() as writer:
        for name in ("a", "b1", "b2", "b3", "c"):
            branches.put(writer, Row(1, name, b"h", 1, hidden=name == "b2"))
        found = [
            branches.page(writer, 1, *more) for more in (("b", "", 9, False), ("b", "b1", 9, True), ("", "a", 2, True))
        ]
    assert [[row.name for row in page] for page in found] == [["b1", "b3"], ["b2", "b3"], ["b1", "b2"]]


@pytest.mark.parametrize(
    "change", ["head = x'00'", "token = 8", "sealed = x'9107'", "hidden = 1", "resets = 1", "value = x'00'", "sum = 0"]
)
def test_a_changed_row_is_damaged(database: Database, change: str) -> None:
    with database.write() as writer:
        branches.put(writer, Row(1, "main", b"h", 7))
        assert branches.find(writer, 1, "main") is not None
        writer.execute(f"UPDATE branch SET {change}")
        with pytest.raises(Damaged, match="the row 1, main of the table branch"):
            branches.find(writer, 1, "main")
        with pytest.raises(Damaged):
            branches.page(writer, 1, "", "", 9, True)
