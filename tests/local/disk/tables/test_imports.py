from __future__ import annotations

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import imports


def test_rows_come_and_go(database: Database) -> None:
    with database.write() as writer:
        for name in ("a", "b", "c"):
            imports.put(writer, 1, name, b"1")
        imports.put(writer, 1, "b", b"2")
        assert (imports.get(writer, 1, "b"), imports.get(writer, 2, "b")) == (b"2", None)
        assert imports.of_repository(writer, 1) == [("a", b"1"), ("b", b"2"), ("c", b"1")]
        imports.delete(writer, 1, ["a"])
        assert [imports.delete_some(writer, 1, 1) for _ in range(3)] == [1, 1, 0]
        assert imports.scan(writer) == []


def test_a_changed_row_is_damaged(database: Database) -> None:
    with database.write() as writer:
        imports.put(writer, 1, "a", b"1")
        writer.execute("UPDATE import SET value = x'00'")
        with pytest.raises(Damaged, match="the row 1, a of the table import"):
            imports.get(writer, 1, "a")
        with pytest.raises(Damaged):
            imports.of_repository(writer, 1)
