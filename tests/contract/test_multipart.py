"""The recorded multipart upload, replayed on a lake that is served with `--presign`."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakefs_hl.local.api.presign import Settings
from tests.contract import replay
from tests.local.serve.support import PAIR, serving

RECORDING = replay.DATA / "presign" / "multipart.json"
#: What is the store's own: that of the recording was moto, which calls an empty body HTML.
STORE = ("header.last-modified:", "header.content-type: expected 'text/html'")


@pytest.mark.xdist_group("contract")
def test_the_recording_is_reproduced(tmp_path: Path) -> None:
    with serving(tmp_path, signing=Settings("http", 10 << 20)) as served:
        with replay.over_http(served.url, PAIR.access_key_id, PAIR.secret_access_key) as server:
            outcome = replay.replay(RECORDING, server, {})
    others = [
        line
        for text in outcome.failed
        for line in text.splitlines()[1:]
        if not ("a signed URL" in text and line.strip().startswith(STORE))
    ]
    assert not others, "\n".join(outcome.failed)
    assert (outcome.passed, len(outcome.failed)) == (15, 2)
