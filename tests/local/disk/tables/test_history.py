from __future__ import annotations

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import history


def test_rows_come_and_go(database: Database) -> None:
    with database.write() as writer:
        for name in (b"a1", b"a2", b"b1"):
            history.put(writer, 1, name, b"data")
        assert history.get(writer, 1, b"a1") == b"data"
        assert history.get(writer, 2, b"a1") is None
        assert (history.exists(writer, 1, b"a1"), history.exists(writer, 2, b"a1")) == (True, False)
        assert history.between(writer, 1, b"a", b"az", 9) == [b"a1", b"a2"]
        assert [history.delete_some(writer, 1, 2) for _ in range(2)] == [2, 1]
        assert list(history.scan(writer)) == []


def test_a_changed_row_is_damaged_until_it_is_put_again(database: Database) -> None:
    with database.write() as writer:
        history.put(writer, 1, b"a1", b"data")
        writer.execute("UPDATE history SET data = x'00'")
        with pytest.raises(Damaged, match="the row 1, 6131 of the table history"):
            history.get(writer, 1, b"a1")
        history.put(writer, 1, b"a1", b"data")
        assert history.get(writer, 1, b"a1") == b"data"
