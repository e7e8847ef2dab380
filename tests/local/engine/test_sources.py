"""What an import reads, and what it leaves alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lakefs_hl.local.engine import sources
from lakefs_hl.spec import models


def keys(location: models.ImportLocation) -> list[bytes]:
    return [key for key, _ in sources.entries(location)]


def test_a_pipe_is_refused_by_name_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe: is no regular file"):
        keys(models.ImportLocation("object", f"local://{tmp_path}/pipe", "x"))
    (tmp_path / "file").write_bytes(b"x")
    assert keys(models.ImportLocation("common_prefix", f"local://{tmp_path}/", "to")) == [b"to/file"]
