from __future__ import annotations

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import meta


def test_facts_are_set_found_and_dropped(database: Database) -> None:
    with database.write() as writer:
        meta.put(writer, "dead 1", "x")
        meta.put(writer, "dead 2", "y")
        assert (meta.get(writer, "dead 1"), meta.get(writer, "none")) == ("x", None)
        assert (meta.first(writer, "dead "), meta.first(writer, "dead 2"), meta.first(writer, "e")) == (
            "dead 1",
            None,
            None,
        )
        meta.delete(writer, "dead 1")
        assert meta.first(writer, "dead ") == "dead 2"


def test_a_changed_fact_is_damaged(database: Database) -> None:
    with database.write() as writer:
        writer.execute("UPDATE meta SET value = 'x'")
        with pytest.raises(Damaged, match="the row format of the table meta"):
            meta.get(writer, meta.FORMAT)
