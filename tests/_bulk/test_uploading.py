"""Uploads of directories beyond what tests/conformance checks."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import socket
import stat
import sys
import time
import weakref
from pathlib import Path
from typing import Any, Literal

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl._bulk.local import look
from lakefs_hl._bulk.upload import file_put
from lakefs_hl._folders.directories import Directories
from lakefs_hl._folders.walk import walk
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.types import TransferEvent
from tests._bulk.conftest import Tap, every_way, files, objects, write
from tests._bulk.interrupts import Interrupt, interrupted_after


@every_way
def test_a_directory_is_uploaded_with_the_times_of_its_files(branch: lakefs_hl.Branch, folder: Path) -> None:
    report = branch.upload_dir(folder, "raw", metadata={"k": "v"})
    assert (report.transferred, report.skipped, report.ok) == (14, 0, True)
    assert report.bytes == sum(map(len, files(folder).values()))
    assert objects(branch, "raw/") == files(folder)
    assert branch.stat_object("raw/top.txt").metadata == {"k": "v", "::lakefs::client-mtime": "1600000000"}
    assert branch.upload_dir(folder / "d0", "raw/d0/").transferred == 4


def test_nothing_changed_costs_a_listing_and_no_reads(
    branch: lakefs_hl.Branch, folder: Path, tap: Tap, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))
    # what was changed within the last two seconds is not recognised by its times
    monkeypatch.setattr("lakefs_hl._folders.checksums._RACY_NS", 0)
    branch.upload_dir(folder, "raw")
    from lakefs_hl._folders import reading

    def refuse(*args: Any) -> Any:
        raise AssertionError("a file was read")

    monkeypatch.setattr(reading, "read", refuse)
    monkeypatch.setattr(reading, "Watched", refuse)
    for update in (True, "checksum"):
        tap.seen.clear()
        report = branch.upload_dir(folder, "raw", update=update)
        assert (report.transferred, report.skipped) == (0, 14)
        assert set(tap.seen) == {"getBranch", "listObjects"}


@every_way
def test_update_sends_what_is_newer_or_missing_and_never_over_newer_data(
    branch: lakefs_hl.Branch, folder: Path
) -> None:
    branch.upload_dir(folder, "raw")
    write(folder / "top.txt", b"newer", 1_700_000_000)
    write(folder / "d0/f00", b"older", 1_500_000_000)
    write(folder / "d0/new", b"new", 1_500_000_000)
    write(folder / "d1/f01", b"content 1", 1_500_000_000)  # equal, and older
    report = branch.upload_dir(folder, "raw", update=True)
    assert (report.transferred, report.skipped) == (2, 13)
    assert [skip.path for skip in report.skips] == ["raw/d0/f00"]
    assert "newer" in report.skips[0].reason
    found = objects(branch, "raw/")
    assert (found["top.txt"], found["d0/new"], found["d0/f00"]) == (b"newer", b"new", b"content 0")
    report = branch.upload_dir(folder, "raw", update="checksum")
    assert (report.transferred, report.skips) == (1, ())
    assert objects(branch, "raw/") == files(folder)


@every_way
def test_delete_comes_last_and_only_if_nothing_failed(branch: lakefs_hl.Branch, folder: Path, tap: Tap) -> None:
    branch.upload_dir(folder, "raw")
    branch.upload(b"", "raw/extra/1")
    branch.upload(b"", "raw/extra/")  # the marker of a directory stays
    branch.upload(b"", "rawer")
    branch.upload(b"", "raw/kept.log")
    (folder / "d2/f02").unlink()
    tap.refuse = lambda request: (
        Response(403) if request.endpoint.operation == "uploadObject" and "top" in str(request.query) else None
    )
    report = branch.upload_dir(folder, "raw", delete=True, exclude=["*.log"], on_error="return")
    assert (report.deleted, report.failed_count) == (0, 1)
    assert branch.exists("raw/d2/f02")
    tap.refuse = lambda request: None
    tap.seen.clear()
    write(folder / "top.txt", b"changed")
    report = branch.upload_dir(folder, "raw", delete=True, exclude=["*.log"])
    assert report.deleted == 2
    assert tap.seen.index("deleteObjects") > max(at for at, name in enumerate(tap.seen) if name == "uploadObject")
    assert objects(branch, "raw/").keys() == files(folder).keys() | {"kept.log", "extra/"}
    assert branch.exists("rawer")


@every_way
def test_a_retry_is_the_same_call_with_what_failed(branch: lakefs_hl.Branch, folder: Path, tap: Tap) -> None:
    tap.refuse = lambda request: (
        Response(403) if request.endpoint.operation == "uploadObject" and "d1" in str(request.query) else None
    )
    with pytest.raises(exceptions.PartialFailureError, match=r"4 of 14 files of .* only=report.failed") as caught:
        branch.upload_dir(folder, "raw")
    report = caught.value.report
    assert {failure.path for failure in report.failed} == {f"raw/d1/f{number:02}" for number in (1, 4, 7, 10)}
    assert {failure.local_path for failure in report.failed} >= {str(folder / "d1/f01")}
    tap.refuse = lambda request: None
    tap.seen.clear()
    again = branch.upload_dir(folder, "raw", only=report.failed)
    assert (again.transferred, tap.seen.count("uploadObject")) == (4, 4)
    assert objects(branch, "raw/") == files(folder)
    assert branch.upload_dir(folder, "raw", only=["raw/d1/"]).transferred == 4, "a directory that could not be read"
    assert branch.sync_from(folder, "raw", only=report.failed, resume=False).skipped == 4
    with pytest.raises(ValueError, match=r"under 'raw/', such as 'raw/top\.txt'"):
        branch.upload_dir(folder, "raw", only=["top.txt"])


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are any bytes")
def test_a_directory_whose_name_is_no_text_is_taken(branch: lakefs_hl.Branch, tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"d\xe9")
    write(root / "a", b"1")
    assert branch.upload_dir(root, "raw").transferred == 1
    assert branch.download_dir("raw", root, update=True).skipped == 1


@pytest.mark.skipif(os.name != "posix", reason="links, FIFOs and sockets")
def test_what_is_no_regular_file_is_skipped_with_a_reason(branch: lakefs_hl.Branch, folder: Path) -> None:
    (folder / "link").symlink_to("top.txt")
    (folder / "away").symlink_to("/etc")
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s")) if len(str(folder)) < 90 else os.mkfifo(folder / "s")
        branch.upload(b"kept", "link")
        report = branch.upload_dir(folder, delete=True)
    reasons = {skip.path: skip.reason for skip in report.skips}
    assert reasons.keys() == {"link", "away", "fifo", "s"}
    assert "symbolic link" in reasons["link"]
    assert "FIFO" in reasons["fifo"]
    assert branch.download("link") == b"kept", "what stands for a link is not deleted"
    report = branch.upload_dir(folder, follow_symlinks=True)
    assert branch.download("link") == b"top"
    assert {skip.path for skip in report.skips} == {"away", "fifo", "s"}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser reads everything")
def test_an_unreadable_directory_is_a_failure_and_nothing_is_deleted(branch: lakefs_hl.Branch, folder: Path) -> None:
    branch.upload(b"", "extra")
    (folder / "d1").chmod(0)
    report = branch.upload_dir(folder, delete=True, on_error="return")
    (folder / "d1").chmod(stat.S_IRWXU)
    assert [failure.path for failure in report.failed] == ["d1/"]
    assert report.deleted == 0


def test_nothing_that_is_there_is_deleted_although_it_is_not_uploaded(
    branch: lakefs_hl.Branch, folder: Path, tmp_path: Path
) -> None:
    """A link keeps what is under its name, chosen or not; so does a file that came after its directory was read."""
    away = tmp_path / "away"
    write(away / "x.csv", b"")
    (folder / "away").symlink_to(away)
    (folder / "link").symlink_to(away / "x.csv")
    kept = ["away/x.csv", "link", "zz/late"]
    options: dict[str, Any] = {"include": ["*.csv", "link", "late", "f*"], "update": "checksum", "delete": True}

    def create(event: TransferEvent) -> None:
        write(folder / "zz/late", b"")

    for only in (None, [f"raw/{path}" for path in (*kept, "gone/f1")]):
        for path in (*kept, "gone/f1", "gone/.../f2", "gone/" + "f" * 300):
            branch.upload(b"before", f"raw/{path}")
        branch.upload_dir(folder, "raw", only=only, progress=create, **options)
        found = objects(branch, "raw/")
        assert set(kept) <= found.keys()
        assert "gone/f1" not in found
        (folder / "zz/late").unlink(missing_ok=True)


def test_a_retry_finds_files_behind_links(branch: lakefs_hl.Branch, folder: Path) -> None:
    (folder / "d0/link").symlink_to("f00")
    (folder / "zlink").symlink_to("d0")
    only = ["raw/d0/link", "raw/zlink/f03"]
    report = branch.upload_dir(folder, "raw", follow_symlinks=True, only=only)
    assert report.transferred == 2
    assert objects(branch, "raw/") == {"d0/link": b"content 0", "zlink/f03": b"content 3"}
    report = branch.upload_dir(folder, "raw", only=only)
    assert [skip.path for skip in report.skips] == only
    plan = branch.upload_dir(folder, "new", follow_symlinks=True, dry_run=True)
    assert plan.apply().transferred == plan.count("upload") == 20


def test_what_cannot_be_looked_at_is_a_failure_of_its_own_and_not_deleted(
    branch: lakefs_hl.Branch, folder: Path, mocker: MockerFixture
) -> None:
    branch.upload_many([("raw/locked/a", b""), ("raw/gone", b"")])

    def refuse(source: Any, path: str) -> Any:
        if path.startswith("locked/"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return look(source, path)

    mocker.patch("lakefs_hl._bulk.upload.look", side_effect=refuse)
    assert branch.upload_dir(folder, "raw", delete=True).deleted == 1
    assert branch.exists("raw/locked/a")
    report = branch.upload_dir(folder, "raw", delete=True, only=["raw/locked/a", "raw/top.txt"], on_error="return")
    assert [failure.path for failure in report.failed] == ["raw/locked/a"]
    assert (report.transferred, report.deleted) == (1, 0)


def test_no_path_of_only_leaves_the_directory(branch: lakefs_hl.Branch, folder: Path) -> None:
    write(folder.parent / "secret", b"secret")
    for path in ("../secret", "d0/../../secret", "/etc/hostname", "d0//f00", "./top.txt", "a\0b"):
        assert branch.upload_dir(folder, "raw", only=[f"raw/{path}"]).transferred == 0
    assert objects(branch) == {}


@every_way
def test_an_object_has_the_time_of_the_content_that_was_sent(branch: lakefs_hl.Branch, folder: Path) -> None:
    def change(event: TransferEvent) -> None:
        if event.kind == "start" and event.path in ("large.bin", "top.txt"):
            write(
                folder / event.path, os.urandom((1 << 20) + 1) if event.path == "large.bin" else b"new", 1_700_000_000
            )

    branch.upload_dir(folder, "raw", metadata={"a": "b"}, progress=change)
    for path in ("large.bin", "top.txt"):
        metadata = branch.stat_object(f"raw/{path}").metadata
        assert metadata == {"a": "b", "::lakefs::client-mtime": "1700000000"}
        assert branch.download(f"raw/{path}") == (folder / path).read_bytes()


@every_way
def test_a_file_that_grows_is_sent_as_one_version(branch: lakefs_hl.Branch, folder: Path) -> None:
    large = folder / "large.bin"

    def grow(event: TransferEvent) -> None:
        if event.kind == "start" and event.path == "large.bin":
            write(large, large.read_bytes() + b"more", time.time())

    report = branch.upload_dir(folder, on_error="return", progress=grow)
    assert report.ok
    assert branch.download("large.bin") == large.read_bytes()


def test_globs_ignore_files_and_filters_choose(branch: lakefs_hl.Branch, folder: Path) -> None:
    write(folder / ".lakefsignore", b"d1/\n*.bin\n")
    asked = list[str]()

    def not_d2(path: str) -> bool:
        asked.append(path)
        return path != "d2/"

    branch.upload_dir(folder, exclude="top.*", ignore_file_names={".lakefsignore"}, filter=not_d2)
    assert objects(branch).keys() == {".lakefsignore", "d0/f00", "d0/f03", "d0/f06", "d0/f09"}
    assert "d2/" in asked
    assert not any(path.startswith("d2/f") for path in asked), "a directory that is left out is not entered"
    branch.upload_dir(folder, "some", include=["**/f0[3-5]"])
    assert objects(branch, "some/").keys() == {"d0/f03", "d1/f04", "d2/f05"}


def test_an_asynchronous_filter_needs_the_other_colour(branch: lakefs_hl.Branch, folder: Path) -> None:
    async def everything(path: str) -> bool:
        return True

    with pytest.raises(TypeError, match=r"filter is asynchronous.*lakefs_hl.aio"):
        branch.upload_dir(folder, filter=everything)


# -- one commit, resume ------------------------------------------------------------------------------------------------


def interrupt(tap: Tap, after: int) -> None:
    """Raise instead of an upload, after a number of them."""
    count = [0]

    def refuse(request: Any) -> None:
        if request.endpoint.operation == "uploadObject":
            count[0] += 1
            if count[0] > after:
                raise Interrupt

    tap.refuse = refuse


def test_an_interrupted_commit_goes_on_where_it_was(branch: lakefs_hl.Branch, folder: Path, tap: Tap) -> None:
    interrupt(tap, 5)
    with pytest.raises(Interrupt) as caught:
        branch.upload_dir(folder, "raw", commit_message="all of it")
    assert "branch 'tx-main-" in caught.value.__notes__[0]
    assert not list(branch.list_objects(recursive=True))
    (folder / "d0/f03").unlink()  # was uploaded, and is no longer there
    (folder / "link").symlink_to("top.txt")
    write(folder / "d0/f00", b"changed", time.time())
    tap.refuse = lambda request: None
    tap.seen.clear()
    report = branch.upload_dir(folder, "raw", commit_message="all of it")
    assert report.commit_id == branch.get_commit().id
    assert [skip.path for skip in report.skips] == ["raw/link"], "reported once"
    assert tap.seen.count("uploadObject") == 14 - 5 - 1 + 1 + 1
    (folder / "link").unlink()
    assert "createBranch" not in tap.seen
    assert objects(branch, "raw/") == files(folder)
    assert list(lakefs_hl.repository("example", client=branch._client).transactions()) == []
    tap.seen.clear()
    assert branch.upload_dir(folder, "raw", commit_message="all of it").transferred == 13
    assert "createBranch" in tap.seen, "success has removed the journal"


@every_way
def test_an_interrupted_commit_compares_with_what_others_committed_since(
    branch: lakefs_hl.Branch, folder: Path, tap: Tap
) -> None:
    """Its branch does not have that: what equals the old object there would be left out."""
    branch.upload_dir(folder, "raw", commit_message="Before")
    for path in ("d0/f00", "d0/f03"):
        write(folder / path, b"changed", time.time())
    interrupt(tap, after=1)
    with pytest.raises(Interrupt):
        branch.sync_from(folder, "raw", commit_message="Again")
    tap.refuse = lambda request: None
    branch.upload_many([("raw/top.txt", b"of others"), ("elsewhere", b"")], commit_message="Others")
    branch.sync_from(folder, "raw", commit_message="Again")
    assert objects(branch, "raw/") == files(folder)
    assert branch.exists("elsewhere")
    repository = lakefs_hl.repository("example", client=branch._client)
    assert [found.id for found in repository.list_branches(hidden=True)] == ["main"]


@every_way
def test_a_file_that_is_older_again_is_not_committed_as_it_was_meanwhile(
    branch: lakefs_hl.Branch, folder: Path, tap: Tap
) -> None:
    """What the interrupted call has sent is not what others have written, so it is no newer data to keep."""
    branch.upload(b"newer, of others", "raw/d0/f06")
    branch.commit_changes("Others")
    branch.upload_dir(folder, "raw", update=True, commit_message="Before")
    for path in ("d0/f00", "d0/f03", "d0/f06", "d0/new", "top.txt"):
        write(folder / path, b"edited", time.time() + 1000)
    interrupt(tap, after=4)
    with pytest.raises(Interrupt):
        branch.upload_dir(folder, "raw", update=True, commit_message="Again")
    tap.refuse = lambda request: None
    for number in (0, 3, 6):
        write(folder / f"d0/f0{number}", f"content {number}".encode())
    write(folder / "d0/new", b"older")
    report = branch.upload_dir(folder, "raw", update=True, commit_message="Again")
    assert [skip.path for skip in report.skips] == ["raw/d0/f06"]
    assert objects(branch, "raw/") == {**files(folder), "d0/f06": b"newer, of others"}


def test_resume_false_and_other_options_start_anew(branch: lakefs_hl.Branch, folder: Path, tap: Tap) -> None:
    kept = lakefs_hl.repository("example", client=branch._client).transactions
    for options in ({"resume": False}, {"exclude": "top.txt"}):
        for path in files(folder):
            write(folder / path, f"{options} {path}".encode())
        interrupt(tap, 5)
        with pytest.raises(Interrupt):
            branch.upload_dir(folder, "raw", commit_message="all of it")
        (left,) = kept()
        tap.refuse = lambda request: None
        tap.seen.clear()
        report = branch.upload_dir(folder, "raw", commit_message="all of it", **options)
        assert tap.seen.count("uploadObject") == report.transferred == (14 if "resume" in options else 13)
        assert list(kept()) == [], f"{left} was deleted"


def test_an_interrupted_upload_without_a_commit_goes_on_too(branch: lakefs_hl.Branch, folder: Path, tap: Tap) -> None:
    interrupt(tap, 5)
    with pytest.raises(Interrupt):
        branch.upload_dir(folder, "raw")
    tap.refuse = lambda request: None
    tap.seen.clear()
    report = branch.upload_dir(folder, "raw")
    assert (report.transferred, report.skipped, tap.seen.count("uploadObject")) == (9, 5, 9)
    assert branch.upload_dir(folder, "raw").transferred == 14


@every_way
@pytest.mark.parametrize("message", [None, "all of it"])
def test_what_was_acknowledged_before_an_interrupt_is_not_sent_again(
    branch: lakefs_hl.Branch, folder: Path, tap: Tap, message: str | None
) -> None:
    done, stop = interrupted_after(5)
    with pytest.raises(Interrupt):
        branch.upload_dir(folder, "raw", commit_message=message, progress=stop)
    sent = set[str]()

    def note(request: Request) -> None:
        if request.endpoint.operation == "uploadObject":
            sent.add(str(request.query["path"]).removeprefix("raw/"))

    tap.refuse = note
    report = branch.upload_dir(folder, "raw", commit_message=message)
    assert (report.transferred, report.transferred + report.skipped) == (len(sent), 14)
    assert sent.isdisjoint(done)
    assert objects(branch, "raw/") == files(folder)


@every_way
def test_a_failed_file_keeps_the_transaction_for_the_same_call(
    branch: lakefs_hl.Branch, folder: Path, tap: Tap
) -> None:
    tap.refuse = lambda request: (
        Response(403) if request.endpoint.operation == "uploadObject" and "d1" in str(request.query) else None
    )
    with pytest.raises(exceptions.PartialFailureError, match="the same call goes on from there") as caught:
        branch.upload_dir(folder, commit_message="all")
    assert caught.value.report.commit_id is None
    assert list(branch.list_objects(recursive=True)) == []
    tap.refuse = lambda request: None
    tap.seen.clear()
    assert branch.upload_dir(folder, commit_message="all").commit_id is not None
    assert tap.seen.count("uploadObject") == 4
    assert objects(branch) == files(folder)


@every_way
def test_nothing_changed_makes_no_commit(branch: lakefs_hl.Branch, folder: Path) -> None:
    first = branch.upload_dir(folder, commit_message="one", commit_metadata={"by": "me"})
    assert branch.get_commit().metadata()["by"] == "me"
    again = branch.upload_dir(folder, update=True, commit_message="two")
    assert (again.commit_id, again.skipped) == (None, 14)
    assert branch.get_commit().id == first.commit_id
    with pytest.raises(ValueError, match="there is no commit_message"):
        branch.upload_dir(folder, commit_metadata={"by": "me"})


def test_a_dirty_branch_is_refused_before_anything_is_sent(branch: lakefs_hl.Branch, folder: Path, tap: Tap) -> None:
    branch.upload(b"", "staged")
    tap.seen.clear()
    with pytest.raises(exceptions.TransactionStartError, match="uncommitted changes"):
        branch.upload_dir(folder, commit_message="all")
    assert "uploadObject" not in tap.seen


# -- plans -------------------------------------------------------------------------------------------------------------


@every_way
def test_a_plan_does_nothing_and_apply_does_what_it_says(branch: lakefs_hl.Branch, folder: Path, tap: Tap) -> None:
    branch.upload_dir(folder, "raw")
    branch.upload(b"", "raw/extra")
    write(folder / "top.txt", b"new", time.time())
    write(folder / "d0/f00", b"new", time.time())
    tap.seen.clear()
    plan = branch.upload_dir(folder, "raw", update="checksum", delete=True, dry_run=True)
    assert set(tap.seen) == {"listObjects"}
    assert [(action.kind, action.path) for action in plan.actions if action.kind != "skip"] == [
        ("upload", "raw/d0/f00"),
        ("delete", "raw/extra"),
        ("upload", "raw/top.txt"),
    ]
    assert plan.count("skip") == 12
    write(folder / "d0/f00", b"newer", time.time() + 5)
    write(folder / "later", b"not planned", time.time())
    with pytest.raises(exceptions.PartialFailureError, match="the local file has changed since the plan was made"):
        plan.apply()
    assert branch.download("raw/top.txt") == b"new"
    assert branch.exists("raw/extra"), "no deletion after a failure"
    assert not branch.exists("raw/later")
    report = branch.upload_dir(folder, "raw", update="checksum", delete=True, dry_run=True).apply()
    assert (report.transferred, report.deleted) == (2, 1)
    assert objects(branch, "raw/") == files(folder)


@every_way
def test_a_plan_replaces_no_object_that_came_since(branch: lakefs_hl.Branch, folder: Path) -> None:
    plan = branch.sync_from(folder, "raw", dry_run=True)
    branch.upload(b"of others", "raw/top.txt")
    branch.upload((folder / "d0/f00").read_bytes(), "raw/d0/f00")
    report = plan.apply(on_error="return")
    assert [failure.path for failure in report.failed] == ["raw/top.txt"]
    assert "the object has changed since the plan was made" in report.failed[0].message
    assert (report.transferred, report.skipped) == (12, 1)
    assert branch.download("raw/top.txt") == b"of others"


@every_way
def test_an_interrupted_plan_is_applied_by_the_same_call(branch: lakefs_hl.Branch, folder: Path, tap: Tap) -> None:
    updates: tuple[bool | Literal["checksum"], ...] = (False, True, "checksum")
    for number, update in enumerate(updates):
        plan = branch.upload_dir(folder, f"raw{number}", update=update, dry_run=True)
        interrupt(tap, after=5)
        with pytest.raises(Interrupt):
            plan.apply()
        tap.refuse = lambda request: None
        report = plan.apply()
        assert report.transferred + report.skipped == 14
        assert objects(branch, f"raw{number}/") == files(folder)


def test_a_plan_of_another_lake_is_refused(branch: lakefs_hl.Branch, folder: Path, tmp_path: Path) -> None:
    plan = branch.upload_dir(folder, dry_run=True, commit_message="from a plan")
    plan.save(tmp_path / "plan")
    with lakefs_hl.Client("mem://") as other:
        with pytest.raises(ValueError, match="and the client is connected to"):
            lakefs_hl.Plan.load(tmp_path / "plan", client=other).apply()
    assert lakefs_hl.Plan.load(tmp_path / "plan", client=branch._client).apply().commit_id == branch.get_commit().id


@every_way
def test_events_are_relative_to_the_directory(branch: lakefs_hl.Branch, folder: Path) -> None:
    events = list[TransferEvent]()
    branch.upload_dir(folder, "raw", progress=events.append)
    assert {event.path for event in events if event.kind == "complete"} == files(folder).keys()
    said = [(event.kind, event.path) for event in events]
    for name in ("d0/", "d1/", "d2/"):
        inside = [at for at, (_, path) in enumerate(said) if path.startswith(name) and path != name]
        assert said.index(("enter", name)) < min(inside)
        assert said.index(("leave", name)) > max(inside)
    events.clear()
    branch.upload_dir(folder, "raw", update=True, progress=events.append)
    assert {event.kind for event in events} <= {"start", "skip", "enter", "leave"}


def test_the_same_transfer_does_not_run_twice_at_a_time(branch: lakefs_hl.Branch, folder: Path) -> None:
    seen = list[str]()

    def again(event: TransferEvent) -> None:
        if not seen:
            with pytest.raises(OSError, match="is running") as caught:
                branch.upload_dir(folder, progress=False)
            seen.append(str(caught.value))

    branch.upload_dir(folder, progress=again)
    assert len(seen) == 1


def test_without_a_cache_everything_is_read_again(
    branch: lakefs_hl.Branch, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(RuntimeWarning, match="transfers keep no checksums and no journals"):
        assert branch.upload_dir(folder).transferred == 14
    with pytest.warns(RuntimeWarning, match="keep no checksums"):
        assert branch.upload_dir(folder, update=True).skipped == 14


def test_a_file_that_was_sent_is_gone_with_its_last_use(branch: lakefs_hl.Branch, folder: Path) -> None:
    source = Directories(folder)
    try:
        (found, *_) = walk(source)
        put = file_put(branch, "main", "k", source, found, {"a": "1"})
        assert put.file.open() == (folder / found.path).read_bytes()
        assert put.metadata == {"a": "1", "::lakefs::client-mtime": str(found.mtime_ns // 10**9)}
        watched = weakref.ref(source)
        gc.disable()
        try:
            source.close()
            del source, put
            assert watched() is None, "it waits for the collector"
        finally:
            gc.enable()
    finally:
        gc.collect()


# -- the lake itself ---------------------------------------------------------------------------------------------------


def test_a_lake_below_the_directory_is_neither_read_nor_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project with its lake in `./lake` is what the guide begins with. Deleting there would destroy the lake."""
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))
    here = tmp_path / "project"
    write(here / "a.txt", b"a")
    with lakefs_hl.Client(f"local:{here / 'lake'}") as client:
        branch = lakefs_hl.repository("example", client=client).create().branch("main")
        (here / "link").symlink_to("lake/objects")
        (here / "zlink").symlink_to("lake")
        branch.upload(b"x" * 100_000, "raw/large")
        branch.upload(b"no database", "raw/lake/lake.db")
        for only in (None, ["raw/a.txt", "raw/lake/lake.db", "raw/lake/lock", "raw/zlink/lock"]):
            report = branch.upload_dir(here, "raw", only=only, update=True, delete=True, follow_symlinks=True)
            assert "the directory of a lake that this process has open" in report.skips[0].reason
            assert objects(branch, "raw/").keys() == {"a.txt", "lake/lake.db"}
        branch.upload(b"b", "raw/b.txt")
        report = branch.sync_to("raw", here, delete=True, on_error="return")
        assert [failure.path for failure in report.failed] == ["raw/lake/lake.db"]
        branch.delete_objects(["raw/a.txt", "raw/lake/lake.db"])
        assert branch.sync_to("raw", here, delete=True, dry_run=True).count("delete") == 1
        assert branch.sync_to("raw", here, delete=True).deleted == 1
        assert (here / "b.txt").exists()
        for path in (here / "lake", here / "lake/objects"):
            with pytest.raises(ValueError, match="is the directory of the lake"):
                branch.upload_dir(path, "raw")
            with pytest.raises(ValueError, match="is the directory of the lake"):
                branch.download_dir("raw", path)
            with pytest.raises(ValueError, match="is the directory of the lake"):
                branch.upload_file(path / "lock", "raw/")
            with pytest.raises(ValueError, match="is the directory of the lake"):
                branch.download_file("raw/b.txt", path / "lock")
        branch.upload(b"x" * 100_000, "raw/large")
    with lakefs_hl.Client(f"local:{here / 'lake'}") as client:
        assert lakefs_hl.repository("example", client=client).branch("main").download("raw/large") == b"x" * 100_000


def test_other_lakes_of_this_process_are_not_read_nor_written_either(
    branch: lakefs_hl.Branch, folder: Path, tmp_path: Path
) -> None:
    """Closing a file of a database drops the locks that this process has on it."""
    lake = folder / "d1" / "lake"
    with lakefs_hl.Client(f"local:{lake}") as client:
        other = lakefs_hl.repository("other", client=client).create().branch("main")
        other.upload(b"1", "a")
        report = branch.upload_dir(folder, "raw")
        assert [skip.path for skip in report.skips] == ["raw/d1/lake"]
        assert not any(path.startswith("d1/lake/") for path in objects(branch, "raw/"))
        assert report.transferred == len(objects(branch, "raw/"))
        with pytest.raises(ValueError, match="is the directory of the lake local:"):
            branch.upload_dir(lake, "raw")
        with pytest.raises(ValueError, match="is the directory of the lake local:"):
            branch.upload_file(lake / "lake.db", "raw/")
        branch.upload(b"no database", "down/d1/lake/lake.db")
        report = branch.sync_to("down", folder, delete=True, on_error="return")
        assert [failure.path for failure in report.failed] == ["down/d1/lake/lake.db"]
        assert other.download("a") == b"1"
    with lakefs_hl.Client(f"local:{lake}") as client:
        assert lakefs_hl.repository("other", client=client).branch("main").download("a") == b"1"


def test_a_lake_that_is_gone_hinders_no_transfer(branch: lakefs_hl.Branch, folder: Path) -> None:
    with lakefs_hl.Client(f"local:{folder / 'lake'}") as client:
        lakefs_hl.repository("other", client=client).create()
        shutil.rmtree(folder / "lake")
        assert branch.upload_dir(folder, "raw").skipped == 0


@every_way
def test_a_planned_deletion_that_was_done_is_skipped(branch: lakefs_hl.Branch, folder: Path) -> None:
    branch.upload_many([(f"raw/old{number}", b"1") for number in range(3)])
    plan = branch.sync_from(folder, "raw", delete=True, dry_run=True)
    assert plan.count("delete") == 3
    branch.delete_objects(["raw/old1"])
    report = plan.apply()
    assert (report.ok, report.deleted, report.skipped) == (True, 2, 1)
    assert plan.apply().ok
    assert objects(branch, "raw/") == files(folder)


@every_way
def test_a_planned_deletion_of_what_must_stay_now_fails(branch: lakefs_hl.Branch, folder: Path) -> None:
    branch.upload(b"1", "raw/old")
    plan = branch.sync_from(folder, "raw", delete=True, dry_run=True)
    (folder / "old").symlink_to("top.txt")
    report = plan.apply(on_error="return")
    assert [failure.path for failure in report.failed] == ["raw/old"]
    assert branch.exists("raw/old")
