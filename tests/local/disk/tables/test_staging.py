from __future__ import annotations

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import staging


def test_a_staged_row_is_sealed() -> None:
    for value in (None, b"entry"):
        stored = staging.seal(7, b"a", value)
        assert staging.unseal(7, b"a", stored) == value
        for at in range(8 * len(stored)):
            flipped = bytearray(stored)
            flipped[at // 8] ^= 1 << at % 8
            with pytest.raises(Damaged, match="the staged change of 'a' is not what was written"):
                staging.unseal(7, b"a", bytes(flipped))
        for token, key in ((8, b"a"), (7, b"b")):
            with pytest.raises(Damaged):
                staging.unseal(token, key, stored)
    with pytest.raises(Damaged):
        staging.unseal(7, b"a", None)


def test_of_several_tokens_the_newest_wins(database: Database) -> None:
    with database.write() as writer:
        for token, path, value in [(1, b"a", b"1"), (1, b"b", b"1"), (1, b"c", b"1"), (2, b"b", b"2"), (3, b"c", None)]:
            staging.put(writer, token, path, value)
    with database.read() as reader:
        assert list(staging.between(reader, [1], b"", b"\xff")) == [(b"a", b"1"), (b"b", b"1"), (b"c", b"1")]
        assert list(staging.between(reader, [3, 2, 1], b"b", b"\xff")) == [(b"b", b"2"), (b"c", None)]
        assert [staging.find(reader, [3, 2, 1], path) for path in (b"a", b"b", b"c", b"d")] == [
            (b"1",),
            (b"2",),
            (None,),
            None,
        ]
        assert (staging.highest(reader), staging.count(reader, [3, 2, 1], 9), staging.count(reader, [1], 2)) == (
            3,
            5,
            2,
        )
        assert (staging.has_more(reader, 1, 2), staging.has_more(reader, 1, 3)) == (True, False)


def test_rows_go_by_range_and_some_at_a_time(database: Database) -> None:
    with database.write() as writer:
        for token in (1, 2):
            for path in (b"a", b"b", b"c", b"d"):
                staging.put(writer, token, path, b"v")
        staging.delete_between(writer, [1, 2], b"b", b"c")
        staging.delete(writer, 1, b"a")
        assert [path for path, _ in staging.between(writer, [1], b"", b"\xff")] == [b"c", b"d"]
        assert [staging.delete_some(writer, 2, 2) for _ in range(2)] == [2, 1]
        staging.delete_all(writer, 1)
        assert list(staging.scan(writer)) == []
