"""Parts of the blobs: each belongs to one of n/t, and a percentage takes about its share."""

from __future__ import annotations

import random

import pytest

from lakefs_hl.local.engine.fsck import Subset


def test_each_blob_belongs_to_one_part(rng: random.Random) -> None:
    parts = [Subset.parse(f"{number}/7") for number in range(1, 8)]
    names = [rng.randbytes(32) for _ in range(700)]
    assert all(sum(part.covers(name) for part in parts) == 1 for name in names)
    assert all(50 < sum(map(part.covers, names)) < 160 for part in parts)
    assert Subset.parse("3/7") == parts[2]
    assert all(map(Subset.parse("1/1").covers, names))


def test_a_percentage_is_another_part_each_time(rng: random.Random) -> None:
    names = [rng.randbytes(32) for _ in range(2000)]
    first, second = ([name for name in names if part.covers(name)] for part in map(Subset.parse, ("10%", "10%")))
    assert 120 < len(first) < 290
    assert first != second
    assert all(map(Subset.parse("100%").covers, names))
    assert 0 < sum(map(Subset.parse("0.5%").covers, names)) < 40


@pytest.mark.parametrize("text", ["", "10", "0%", "101%", "-1%", "0/3", "4/3", "1/0", "a/b", "1/2/3", "10%%", "nan%"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="name a part as n/t"):
        Subset.parse(text)
