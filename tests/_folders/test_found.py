from __future__ import annotations

import os
from pathlib import Path

from lakefs_hl._folders.found import Found, from_stat


def test_a_record_has_what_stat_says(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"123")
    os.utime(file, ns=(5, 1_700_000_000_123_456_700))
    seen = os.stat(file)
    found = from_stat("x/a", seen)
    assert found == Found("x/a", 3, 1_700_000_000_123_456_700, seen.st_ino, seen.st_dev, seen.st_ctime_ns)
