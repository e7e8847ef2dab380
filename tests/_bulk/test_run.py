"""The counts and the events of a transfer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl._bulk.caller import Abandoned, Here
from lakefs_hl._bulk.run import TOLD, Run, max_workers_of
from lakefs_hl._progress import progress_of
from lakefs_hl.types import TransferEvent
from tests._bulk.conftest import write


def test_it_counts_and_tells_paths_without_the_prefix() -> None:
    events = list[TransferEvent]()
    run = Run(Here(), progress_of(events.append), cut=4)
    before = run.began
    run.start("raw/a", 3)
    run.complete("raw/a", 3)
    run.skip("raw/b", 1, "newer")
    run.fail("raw/c", OSError("why"), "/c")
    run.delete("raw/d")
    report = run.report("commit")
    assert (before, run.began) == (False, True)
    assert (report.transferred, report.skipped, report.failed_count, report.deleted, report.bytes) == (1, 1, 1, 1, 3)
    assert (report.commit_id, report.skips[0].path, report.failed[0].local_path) == ("commit", "raw/b", "/c")
    assert [(event.kind, event.path) for event in events] == [
        ("start", "a"),
        ("complete", "a"),
        ("skip", "b"),
        ("fail", "c"),
        ("delete", "d"),
    ]


def test_it_ends_when_the_caller_no_longer_waits() -> None:
    class Gone(Here):
        def check(self) -> None:
            raise Abandoned

    run = Run(Gone(), progress_of(False))
    with pytest.raises(Abandoned):
        run.start("a")


def test_workers_are_a_number_above_zero() -> None:
    assert [max_workers_of(value) for value in (None, 1, 7)] == [None, 1, 7]
    with pytest.raises(ValueError, match="max_workers"):
        max_workers_of(0)


# -- large files -------------------------------------------------------------------------------------------------------

SIZE = 9 * TOLD + 7


def _progress_of(call: Callable[..., Any]) -> list[int]:
    events = list[TransferEvent]()
    call(progress=events.append)
    ours = [event for event in events if event.path == "large.bin"]
    assert [ours[0].kind, ours[-1].kind] == ["start", "complete"]
    moved = [event for event in ours if event.kind == "progress"]
    assert {event.size for event in moved} <= {SIZE}
    return [event.done for event in moved]


@pytest.mark.parametrize("lake", ["mem://", "local:"])
def test_large_files_report_their_bytes(lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))
    write(tmp_path / "in/large.bin", os.urandom(SIZE))
    write(tmp_path / "in/small", b"1")
    with lakefs_hl.Client(lake if lake == "mem://" else f"local:{tmp_path / 'lake'}") as client:
        branch = lakefs_hl.repository("example", client=client).create().branch("main")
        calls = (
            lambda **given: branch.upload_dir(tmp_path / "in", "raw", **given),
            lambda **given: branch.upload_file(tmp_path / "in/large.bin", **given),
            lambda **given: branch.download_dir("raw", tmp_path / "out", **given),
            lambda **given: branch.download_file("large.bin", tmp_path / "large.bin", **given),
        )
        for call in calls:
            done = _progress_of(call)
            assert done, "at least one event before the end"
            assert done == sorted(done)
            assert done[0] >= TOLD
            assert done[-1] <= SIZE
