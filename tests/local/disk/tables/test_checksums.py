from __future__ import annotations

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import checksums
from lakefs_hl.local.disk.tables.checksums import Row

ROW = Row(b"m" * 16, b"x" * 16)


def test_a_hash_has_the_checksums_that_were_set_last(database: Database) -> None:
    with database.write() as writer:
        assert checksums.find(writer, b"a") is None
        checksums.put(writer, b"a", Row(b"1", b"2"))
        checksums.put(writer, b"a", ROW)
    with database.read() as reader:
        assert checksums.find(reader, b"a") == ROW
        assert checksums.find(reader, b"b") is None


@pytest.mark.parametrize("change", ["md5 = x'00'", "xxh3 = x'00'", "sum = sum + 1", "hash = x'62'"])
def test_a_changed_row_is_damage_until_it_is_set_anew(database: Database, change: str) -> None:
    with database.write() as writer:
        checksums.put(writer, b"a", ROW)
        writer.execute(f"UPDATE checksum SET {change}")
        name = writer.execute("SELECT hash FROM checksum").get
        with pytest.raises(Damaged, match=f"the row {name.hex()} of the table checksum is not what was written"):
            checksums.find(writer, name)
        checksums.put(writer, name, ROW)
        assert checksums.find(writer, name) == ROW
