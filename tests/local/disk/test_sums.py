from __future__ import annotations

import random

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.schema import KEYS, SUMMED
from lakefs_hl.local.disk.sums import check_table, row_sum
from lakefs_hl.local.disk.tables import tags


def test_rows_that_differ_in_any_way_have_different_sums() -> None:
    rows = [
        ("tag", 1, "a", b"b"),
        ("tag", 1, "ab", b""),
        ("tag", 1, "", b"ab"),
        ("tag", 1, b"a", b"b"),
        ("tag", "1", "a", b"b"),
        ("tag", 1, "a", "b"),
        ("tag", 1, "a", None),
        ("tag", 1, "a"),
        ("tab", 1, "a", b"b"),
    ]
    assert len({row_sum(*row) for row in rows}) == len(rows)  # type: ignore[arg-type]
    assert all(0 <= row_sum(*row) < 1 << 63 for row in rows)  # type: ignore[arg-type]


def test_the_sum_is_format() -> None:
    assert row_sum("tag", 1, "v1", b"\x00\xff") == 7272280434206272291


def test_columns_are_those_of_the_tables_in_their_order(database: Database) -> None:
    with database.read() as reader:
        for table, columns in SUMMED.items():
            there = [row[1] for row in reader.rows(f"PRAGMA table_info({table})")]
            assert there[-1] == "sum"
            assert [name for name in there[:-1] if table != "idempotency" or name != "id"] == list(columns)
            assert set(KEYS[table]) <= set(columns)


def test_every_flipped_bit_of_a_row_is_told(database: Database, rng: random.Random) -> None:
    with database.write() as writer:
        for index in range(200):
            tags.insert(writer, tags.Row(1, f"v{index}", rng.randbytes(32)))
        changed = rng.sample(range(200), 20)
        for index in changed:
            row = tags.find(writer, 1, f"v{index}")
            assert row is not None
            head = bytearray(row.head)
            head[rng.randrange(32)] ^= 1 << rng.randrange(8)
            writer.execute("UPDATE tag SET head = ? WHERE name = ?", (bytes(head), row.name))
        told = sorted(str(error) for error in check_table(writer, "tag"))
    assert [line.split(" of the table")[0] for line in told] == sorted(f"the row 1, v{index}" for index in changed)


def test_a_row_of_another_table_is_not_taken(database: Database) -> None:
    with database.write() as writer:
        writer.execute(
            "INSERT INTO tag(repository, name, head, sum) VALUES(1, 'a', x'00', ?)", (row_sum("branch", 1, "a", b"\0"),)
        )
        with pytest.raises(Damaged):
            tags.find(writer, 1, "a")
