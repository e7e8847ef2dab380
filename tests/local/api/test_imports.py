"""Imports: where from."""

from __future__ import annotations

import json
from pathlib import Path

from lakefs_hl.local.api import App
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Request
from tests.local.api.support import WHO


def test_imports_below_a_root(app: App, tmp_path: Path) -> None:
    inside, outside = tmp_path / "data", tmp_path / "other"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "f.txt").write_bytes(b"x")
    (inside / "link").symlink_to(outside)
    for roots, source, status in (
        ((), inside, 403),
        ((inside,), inside, 202),
        ((inside,), outside, 403),
        ((inside,), inside / "link", 403),
        ((inside,), inside / ".." / "other", 403),
        (None, outside, 202),
    ):
        location = {"type": "common_prefix", "path": f"local://{source}/", "destination": "d/"}
        body = json.dumps({"paths": [location], "commit": {"message": "m"}}).encode()
        response = App(app.engine, import_roots=roots)(
            Request(endpoints.IMPORT_START, ("repo", "main"), body=body), WHO
        )
        assert response.status == status, (roots, source, response.body)
