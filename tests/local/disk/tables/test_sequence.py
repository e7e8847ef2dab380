from __future__ import annotations

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import sequence
from tests.local.disk.conftest import Open


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


def test_no_number_is_drawn_twice_by_writers_that_remember_the_last_one(open_database: Open) -> None:
    one, other = open_database(), open_database()
    drawn: list[int] = []
    for database in (one, one, other, one, other, other, one):
        with database.write() as writer:
            drawn += [sequence.draw(writer, "a"), sequence.draw(writer, "a")]
        with pytest.raises(ZeroDivisionError), database.write() as writer:  # what is undone was not drawn
            assert sequence.draw(writer, "a") == drawn[-1] + 1
            raise ZeroDivisionError
    assert drawn == list(range(1, 15))


def test_a_remembered_number_hides_no_damage(database: Database) -> None:
    with database.write() as writer:
        sequence.draw(writer, "a")
        sequence.draw(writer, "a")
        writer.execute("UPDATE sequence SET value = 1")
        with pytest.raises(Damaged, match="the row a of the table sequence"):
            sequence.draw(writer, "a")
