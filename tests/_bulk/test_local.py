"""Local files by their paths."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from lakefs_hl._bulk.local import stat_file
from lakefs_hl._folders.directories import Directories
from tests._bulk.conftest import write


def test_only_regular_files_are_found(tmp_path: Path) -> None:
    write(tmp_path / "d/a", b"12", 5)
    (tmp_path / "link").symlink_to("d/a")
    with closing(Directories(tmp_path)) as files:
        found = stat_file(files, "d/a")
        assert found is not None
        assert (found.path, found.size, found.mtime_ns, found.inode) == (
            "d/a",
            2,
            5_000_000_000,
            os.stat(tmp_path / "d/a").st_ino,  # noqa: PTH116
        )
        assert [stat_file(files, path) for path in ("d", "link", "none", "d/none", "d/a/none")] == [None] * 5
