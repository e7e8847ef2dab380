"""A home directory of its own for each test, without an AWS role."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakefs_hl.config import chain
from tests.config.samples import FILE, Write


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(chain, "_has_boto3", lambda: False)
    return tmp_path


@pytest.fixture
def write(home: Path) -> Write:
    """Return a function that writes lakectl's file, or that of a profile."""

    def written(content: str | bytes = FILE, name: str = ".lakectl.yaml") -> Path:
        path = home / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o600)
        return path

    return written
