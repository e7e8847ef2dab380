from __future__ import annotations

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import uploads


def test_an_address_has_one_value_the_last_one(database: Database) -> None:
    with database.write() as writer:
        assert uploads.find(writer, "a") is None
        uploads.put(writer, "a", 5, b"1")
        uploads.put(writer, "b", 6, b"2")
        uploads.put(writer, "a", 7, b"3")
    with database.read() as reader:
        assert (uploads.find(reader, "a"), uploads.find(reader, "b")) == (b"3", b"2")
        assert uploads.scan(reader) == [("b", b"2"), ("a", b"3")]


def test_the_oldest_go_first_and_a_few_at_a_time(database: Database) -> None:
    with database.write() as writer:
        assert not uploads.has_before(writer, 9)
        for second in range(6):
            uploads.put(writer, str(second), second, b"")
        uploads.put(writer, "0", 6, b"again")
        assert uploads.has_before(writer, 1)
        assert not uploads.has_before(writer, 0)
        assert uploads.delete_before(writer, 4, 2) == 2
        assert [row[0] for row in uploads.scan(writer)] == ["3", "4", "5", "0"]
        assert uploads.delete_before(writer, 3, 9) == 1
        assert [row[0] for row in uploads.scan(writer)] == ["4", "5", "0"]


@pytest.mark.parametrize("change", ["value = x'00'", "made = made + 1", "sum = sum + 1", "address = 'b'"])
def test_a_changed_row_is_damage(database: Database, change: str) -> None:
    with database.write() as writer:
        uploads.put(writer, "a", 5, b"1")
        writer.execute(f"UPDATE upload SET {change}")
        ((address, _),) = uploads.scan(writer)
        with pytest.raises(Damaged, match=f"the row {address} of the table upload is not what was written"):
            uploads.find(writer, address)
