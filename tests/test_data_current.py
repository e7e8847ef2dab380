"""The recorded data under tests/data is what was recorded, byte for byte, when the originals are at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data import update

ORIGINALS = Path(__file__).resolve().parent.parent.parent / "shared"


def test_recorded_data_is_current() -> None:
    if not (ORIGINALS / "contract" / "golden").is_dir():
        pytest.skip("the originals of tests/data are not beside this checkout (../shared): nothing to compare with")
    pairs = list(update.pairs(ORIGINALS))
    assert len(pairs) > 20
    stale = [str(copy) for original, copy in pairs if not copy.exists() or copy.read_bytes() != original.read_bytes()]
    assert not stale, f"run `python tests/data/update.py {ORIGINALS}`: {stale}"


def test_every_data_file_was_recorded() -> None:
    if not (ORIGINALS / "contract" / "golden").is_dir():
        pytest.skip("the originals of tests/data are not beside this checkout (../shared): nothing to compare with")
    copies = {copy for _, copy in update.pairs(ORIGINALS)}
    assert set((update.HERE / "contract").rglob("*.json")) <= copies


def test_the_recorded_data_is_complete() -> None:
    golden = {path.stem for path in (update.HERE / "contract" / "golden").glob("*.json")}
    assert {"objects", "branches", "commits", "merge", "diff", "walk-1"} <= golden
    assert (update.HERE / "seeds" / "002.md").stat().st_size > 5_000
