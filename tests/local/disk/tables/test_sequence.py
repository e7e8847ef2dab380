from __future__ import annotations

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import sequence


def test_numbers_only_grow(database: Database) -> None:
    with database.write() as writer:
        assert sequence.get(writer, "a") == 0
        assert [sequence.draw(writer, name) for name in ("a", "a", "b")] == [1, 2, 1]
        assert sequence.get(writer, "a") == 2


def test_a_changed_number_is_damaged_and_nothing_is_drawn_from_it(database: Database) -> None:
    with database.write() as writer:
        sequence.draw(writer, "a")
        writer.execute("UPDATE sequence SET value = 0")
        for look in (sequence.get, sequence.draw):
            with pytest.raises(Damaged, match="the row a of the table sequence"):
                look(writer, "a")
