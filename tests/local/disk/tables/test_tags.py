from __future__ import annotations

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import tags
from lakefs_hl.local.disk.tables.tags import Row


def test_rows_come_and_go(database: Database) -> None:
    with database.write() as writer:
        for name in ("v1", "v2", "w"):
            tags.insert(writer, Row(1, name, b"h"))
        assert tags.find(writer, 1, "v1") == Row(1, "v1", b"h")
        assert tags.find(writer, 2, "v1") is None
        assert [row.name for row in tags.page(writer, 1, "v", "v1", 9)] == ["v2"]
        assert [tags.delete(writer, 1, "v1") for _ in range(2)] == [True, False]
        assert [tags.delete_some(writer, 1, 1) for _ in range(3)] == [1, 1, 0]
        assert tags.scan(writer) == []


def test_a_changed_row_is_damaged(database: Database) -> None:
    with database.write() as writer:
        tags.insert(writer, Row(1, "v1", b"h"))
        writer.execute("UPDATE tag SET head = x'00'")
        with pytest.raises(Damaged, match="the row 1, v1 of the table tag"):
            tags.find(writer, 1, "v1")
