"""The table of pull requests: rows come back as they were written, or are named as damaged."""

from __future__ import annotations

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import pulls


def test_rows_are_found_listed_and_deleted(database: Database) -> None:
    with database.read() as reader:
        assert pulls.get(reader, 1, "a") is None
        assert pulls.smallest(reader, 1) is None
        assert not pulls.starting_at(reader, 1, "", 9)
        assert not pulls.scan(reader)
    with database.write() as writer:
        assert pulls.delete_some(writer, 1, 9) == 0
        for repository, name in ((1, "b"), (1, "a"), (1, "c"), (2, "d")):
            pulls.put(writer, repository, name, name.encode())
        pulls.put(writer, 1, "b", b"again")
    with database.read() as reader:
        assert pulls.get(reader, 1, "b") == b"again"
        assert pulls.get(reader, 2, "b") is None
        assert pulls.smallest(reader, 1) == "a"
        assert pulls.starting_at(reader, 1, "b", 1) == [("b", b"again")]
        assert pulls.starting_at(reader, 1, "b\0", 9) == [("c", b"c")]
        assert [row[:2] for row in pulls.scan(reader)] == [(1, "a"), (1, "b"), (1, "c"), (2, "d")]
    with database.write() as writer:
        assert [pulls.delete_some(writer, 1, 2) for _ in range(3)] == [2, 1, 0]
        assert [row[:2] for row in pulls.scan(writer)] == [(2, "d")]


@pytest.mark.parametrize(
    "change", ["value = x'00'", "sum = sum + 1", "id = 'b'", "repository = 2"], ids=["value", "sum", "id", "repository"]
)
def test_a_changed_row_is_damage(database: Database, change: str) -> None:
    with database.write() as writer:
        pulls.put(writer, 1, "a", b"value")
        writer.execute(f"UPDATE pull_request SET {change}")
    with database.read() as reader:
        ((repository, name, _),) = pulls.scan(reader)
        with pytest.raises(Damaged, match=f"{name} of the table pull_request is not what was written"):
            pulls.get(reader, repository, name)
        with pytest.raises(Damaged, match="is not what was written"):
            pulls.starting_at(reader, repository, "", 9)
