"""The tables and what the rest of the room is told of them: one page, of one mind."""

from __future__ import annotations

import pytest

from lakefs_hl.local.disk import schema
from lakefs_hl.local.disk.database import Database

#: Named by a hash of what they hold, or with a checksum within the value.
UNSUMMED = {"node", "blob", "staging"}


def columns(database: Database, table: str) -> list[str]:
    with database.read() as reader:
        return [row[1] for row in reader.rows(f"PRAGMA table_info('{table}')")]


def test_a_new_lake_is_of_this_version(database: Database) -> None:
    with database.read() as reader:
        assert reader.row("PRAGMA user_version") == (schema.VERSION,)
        assert reader.row("PRAGMA application_id") == (int.from_bytes(b"lkhl", "big"),)


def test_sqlite_keeps_each_statement_as_it_is(database: Database) -> None:
    with database.read() as reader:
        made = dict(reader.rows("SELECT name, sql FROM sqlite_schema WHERE type = 'table'"))
    assert made == schema.STATEMENTS
    assert schema.DDL.count("CREATE TABLE") == len(made)


def test_every_table_is_summed_or_named_by_its_content() -> None:
    assert set(schema.STATEMENTS) == UNSUMMED | set(schema.SUMMED)
    assert not UNSUMMED & set(schema.SUMMED)
    assert set(schema.KEYS) == set(schema.SUMMED)


@pytest.mark.parametrize("table", schema.SUMMED)
def test_a_checksum_is_over_all_of_the_row(database: Database, table: str) -> None:
    numbered = ["id"] if table == "idempotency" else []  # only says which is the oldest
    assert columns(database, table) == [*numbered, *schema.SUMMED[table], "sum"]
    assert set(schema.KEYS[table]) <= set(schema.SUMMED[table])


@pytest.mark.parametrize("table", schema.KEYS)
def test_keys_name_a_row(database: Database, table: str) -> None:
    with database.read() as reader:
        unique = [
            {one[2] for one in reader.rows(f"PRAGMA index_info('{row[1]}')")}
            for row in reader.rows(f"PRAGMA index_list('{table}')")
            if row[2]
        ]
        unique += [{row[1] for row in reader.rows(f"PRAGMA table_info('{table}')") if row[5]}]
    assert any(one and one <= set(schema.KEYS[table]) for one in unique)


def test_what_was_added_is_there_and_counted() -> None:
    assert set(schema.ADDED) <= set(schema.STATEMENTS)
    assert max(schema.ADDED.values()) == schema.MINOR
