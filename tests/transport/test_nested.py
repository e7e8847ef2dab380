"""Exchanges that are made inside of another one, as by a callback for progress."""

from __future__ import annotations

from pathlib import Path

import pytest

import lakefs_hl
from tests import serving


@pytest.mark.parametrize("arguments", [(), ("--presign",)], ids=["server", "links"])
def test_a_callback_for_progress_makes_requests(arguments: tuple[str, ...], tmp_path: Path) -> None:
    content = bytes(range(256)) * 40_000
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "big").write_bytes(content)
    found: list[bool] = []
    with serving.running(tmp_path / "lake", arguments=arguments) as served:
        with lakefs_hl.Client(served.url, served.key, served.secret) as client:
            branch = lakefs_hl.repository("example", client=client).create().branch("main")
            branch.upload(b"1", "a")

            def look(*_: object) -> None:
                found.append(branch.exists("a"))

            assert branch.upload_dir(tmp_path / "source", "in/", progress=look).ok
            assert branch.download_dir("in/", tmp_path / "out", progress=look).ok
    assert len(found) > 4
    assert all(found)
    assert (tmp_path / "out" / "big").read_bytes() == content
