"""T9: whatever eight workers do to one branch at once, there is one order of it that explains all that was seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local.engine.histories import Done, check, checksum, numbered, prepare, together

WORKERS, OPERATIONS = 8, 40


@pytest.mark.parametrize("seed", range(3))
def test_eight_threads(tmp_path: Path, seed: int) -> None:
    engine = prepare(tmp_path / "lake")
    with numbered(small=1):
        done = together(engine, seed, WORKERS, OPERATIONS)
    counts = check(engine, done)
    assert min(counts["large commit"], counts["put"], counts["delete"], counts["reset path"]) > 0, counts
    engine.close()


def observed(done: list[Done]) -> Done:
    """A write whose value somebody has read: what is overwritten unseen could be a lie, and nobody would know."""
    seen = {value for one in done if one.kind.startswith("read") for value in one.result.values()}
    return next(one for one in done if one.kind == "put" and one.numbers and checksum(one.value) in seen)


def test_a_lie_is_found(tmp_path: Path) -> None:
    """The checker is no use if a history that cannot be passes."""
    engine = prepare(tmp_path / "lake")
    with numbered(small=1):
        done = together(engine, 7, 4, OPERATIONS)
    check(engine, done)
    put = observed(done)
    value, put.value = put.value, "never written"
    with pytest.raises(AssertionError):
        check(engine, done)
    put.value = value
    read = next(one for one in done if one.kind == "read")
    read.result = {**read.result, "k/0": "0" * 32}
    with pytest.raises(AssertionError, match="nobody could see that"):
        check(engine, done)
    engine.close()
