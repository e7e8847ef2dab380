from __future__ import annotations

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import repositories


def test_numbers_are_never_given_again(database: Database) -> None:
    with database.write() as writer:
        first = repositories.insert(writer, "a", b"1")
        assert repositories.find(writer, "a") == first
        repositories.delete(writer, first.id)
        second = repositories.insert(writer, "a", b"2")
        assert second.id > first.id
        assert (repositories.exists(writer, first.id), repositories.exists(writer, second.id)) == (False, True)
        assert repositories.find(writer, "b") is None


def test_pages(database: Database) -> None:
    with database.write() as writer:
        for name in ("aa", "ab", "ac", "b"):
            repositories.insert(writer, name, b"")
        found = [repositories.page(writer, *more) for more in (("a", "aa", "", 9), ("", "", "b", 9), ("", "", "", 1))]
        assert [row.name for row in repositories.scan(writer)] == ["aa", "ab", "ac", "b"]
    assert [[row.name for row in page] for page in found] == [["ab", "ac"], ["ab", "b"], ["aa"]]


def test_a_changed_row_is_damaged(database: Database) -> None:
    with database.write() as writer:
        repositories.insert(writer, "a", b"1")
        writer.execute("UPDATE repository SET value = x'00'")
        with pytest.raises(Damaged, match="the row 1, a of the table repository"):
            repositories.find(writer, "a")
