"""One commit: every way it can end, and how the same call goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.aio.default import of
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.types import TransferEvent
from tests._bulk.conftest import Tap, every_way, files, objects
from tests._bulk.interrupts import Interrupt


def kept(branch: lakefs_hl.Branch) -> list[str]:
    return [each.state for each in lakefs_hl.repository("example", client=branch._client).transactions()]


@every_way
def test_a_refused_merge_is_made_by_the_same_call(branch: lakefs_hl.Branch, folder: Path, tap: Tap) -> None:
    def meddle(event: TransferEvent) -> None:
        if event.kind == "complete" and not branch.exists("staged by others"):
            branch.upload(b"", "staged by others")

    with pytest.raises(exceptions.TransactionMergeError, match="uncommitted changes"):
        branch.upload_dir(folder, "raw", commit_message="all of it", progress=meddle)
    assert kept(branch) == ["committed"]
    with pytest.raises(exceptions.TransactionMergeError):
        branch.upload_dir(folder, "raw", commit_message="all of it")
    branch.reset()
    tap.seen.clear()
    report = branch.upload_dir(folder, "raw", commit_message="all of it")
    assert "uploadObject" not in tap.seen
    assert report.commit_id == branch.get_commit().id
    assert objects(branch, "raw/") == files(folder)
    assert kept(branch) == []


@every_way
def test_a_transaction_that_was_discarded_starts_anew(branch: lakefs_hl.Branch, folder: Path, tap: Tap) -> None:
    tap.refuse = lambda request: (
        Response(403) if request.endpoint.operation == "uploadObject" and "d1" in str(request.query) else None
    )
    with pytest.raises(exceptions.PartialFailureError):
        branch.upload_dir(folder, commit_message="all of it")
    (left,) = lakefs_hl.repository("example", client=branch._client).transactions()
    left.discard()
    tap.refuse = lambda request: None
    assert branch.upload_dir(folder, commit_message="all of it").transferred == 14
    assert objects(branch) == files(folder)


@pytest.mark.parametrize("operation", ["createBranch", "commit", "mergeIntoBranch", "deleteBranch"])
@every_way
def test_an_interrupt_at_any_step_leaves_all_or_nothing(
    branch: lakefs_hl.Branch, folder: Path, tap: Tap, operation: str
) -> None:
    reached = list[str]()

    def refuse(request: Request) -> None:
        if request.endpoint.operation == operation and not reached:
            reached.append(operation)
            raise Interrupt

    tap.refuse = refuse
    with pytest.raises(Interrupt):
        branch.upload_dir(folder, "raw", commit_message="all of it")
    found = objects(branch, "raw/")
    assert found in ({}, files(folder))
    report = branch.upload_dir(folder, "raw", commit_message="all of it", update=True)
    assert report.ok
    assert objects(branch, "raw/") == files(folder)
    assert sum(commit.message == "all of it" for commit in branch.log(first_parent=True)) == 1


@every_way
def test_a_cancelled_upload_goes_on_in_the_same_call(branch: lakefs_hl.Branch, folder: Path, tap: Tap) -> None:
    here = aio.Branch("example", "main", of(branch._client))

    async def main() -> Any:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def stop(event: TransferEvent) -> None:
            if event.kind == "complete" and event.path.startswith("d1"):
                loop.call_soon_threadsafe(task.cancel)
                stopped.wait(30)

        import threading

        stopped = threading.Event()
        loop.call_later(0.2, stopped.set)
        with pytest.raises(asyncio.CancelledError) as caught:
            await here.upload_dir(folder, "raw", commit_message="all of it", progress=stop)
        assert "lakefs://example/main is unchanged" in caught.value.__notes__[0]
        task.uncancel()
        return await here.upload_dir(folder, "raw", commit_message="all of it")

    report = asyncio.run(main())
    assert report.ok
    assert objects(branch, "raw/") == files(folder)
    assert kept(branch) == []
