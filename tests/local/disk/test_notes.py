from __future__ import annotations

import json

import pytest

from lakefs_hl.local.disk import notes
from lakefs_hl.local.disk.errors import Damaged, UnknownFormat


def test_notes_are_read_as_written() -> None:
    noted = notes.make("2026-01-01T00:00:00+00:00", {"seed": 2**63 - 1})
    assert notes.read(notes.write(noted), "here") == noted
    assert notes.is_same(noted, {**noted, "format": 1})
    assert not notes.is_same(noted, {**noted, "tree": {"seed": 1}})


def test_every_flipped_bit_is_told_or_changes_nothing() -> None:
    noted = notes.make("2026-01-01T00:00:00+00:00", {"seed": 12345, "leaf_bits": 5})
    text = notes.write(noted).encode()
    for at in range(8 * len(text)):
        flipped = bytearray(text)
        flipped[at // 8] ^= 1 << at % 8
        try:
            found = notes.read(bytes(flipped), "here")
        except (Damaged, UnknownFormat):
            continue
        assert found == noted, flipped


@pytest.mark.parametrize("version", [0, 3, "2", True, None, 1.5])
def test_other_versions_are_refused(version: object) -> None:
    with pytest.raises(UnknownFormat, match="here: lake of format"):
        notes.read(json.dumps({"format": version}), "here")


def test_the_first_format_has_no_checksum() -> None:
    noted = {"format": 1, "created": "x", "tree": {}}
    assert notes.read(json.dumps(noted), "here") == noted
