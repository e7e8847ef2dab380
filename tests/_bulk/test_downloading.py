"""Downloads of prefixes beyond what tests/conformance checks: T13's client half, parts, versions, deletes, plans."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl._bulk.download import IN_MEMORY, Spool, Wanted, can_continue
from lakefs_hl._folders import names
from lakefs_hl._folders.found import Found
from lakefs_hl.spec.wire import Request, Response, TransportError
from tests._bulk.conftest import Tap, every_way, files, objects, write
from tests._bulk.interrupts import Interrupt, interrupted_after
from tests._folders.hostile import HOSTILE
from tests._folders.swapping import swap


@pytest.fixture
def filled(branch: lakefs_hl.Branch, folder: Path) -> lakefs_hl.Branch:
    """A branch with the files of the directory under `raw/`."""
    branch.upload_dir(folder, "raw")
    return branch


@every_way
def test_a_prefix_becomes_files_with_their_times(filled: lakefs_hl.Branch, folder: Path, tmp_path: Path) -> None:
    report = filled.download_dir("raw", tmp_path / "out")
    assert (report.transferred, report.bytes) == (14, sum(map(len, files(folder).values())))
    assert files(tmp_path / "out") == files(folder)
    assert (tmp_path / "out/large.bin").stat().st_mtime == 1_600_000_000
    assert filled.download_dir("raw/d0/", tmp_path / "other").transferred == 4


def test_a_prefix_without_objects_is_an_error_and_deletes_nothing(
    filled: lakefs_hl.Branch, folder: Path, tmp_path: Path
) -> None:
    before = files(folder)
    with pytest.raises(exceptions.ObjectNotFoundException, match="'rawe/'"):
        filled.sync_to("rawe", folder, delete=True)
    assert files(folder) == before
    with pytest.raises(exceptions.ObjectNotFoundException):
        filled.download_dir("rawe", folder, delete=True, dry_run=True)
    with pytest.raises(exceptions.ObjectNotFoundException):
        filled.download_dir("rawe", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    assert filled.download_dir("raw", tmp_path / "none", include="*.nothing").transferred == 0
    empty = lakefs_hl.repository("empty", client=filled._client).create().branch("main")
    assert empty.sync_to("", tmp_path / "empty").transferred == 0, "the root of a branch is always there"


def test_a_local_edit_in_the_second_of_the_upload_stays(branch: lakefs_hl.Branch, tmp_path: Path) -> None:
    write(tmp_path / "up/a", b"first", 1_700_000_000.25)
    branch.upload_dir(tmp_path / "up", "raw")
    branch.download_dir("raw", tmp_path / "out")
    write(tmp_path / "out/a", b"mine", 1_700_000_000.75)
    report = branch.download_dir("raw", tmp_path / "out", update=True)
    assert (report.transferred, len(report.skips)) == (0, 1)
    branch.download_file("raw/a", tmp_path / "out/a", update=True)
    assert (tmp_path / "out/a").read_bytes() == b"mine"
    branch.upload_dir(tmp_path / "out", "raw", update=True)
    assert branch.download("raw/a") == b"mine", "the other way it is sent"


@every_way
def test_a_commit_is_read_whatever_happens_to_the_branch(filled: lakefs_hl.Branch, tmp_path: Path, tap: Tap) -> None:
    filled.commit_changes("first")
    tag = lakefs_hl.Tag("example", "v1", filled._client).create("main")

    def meddle(request: Request) -> None:
        if request.endpoint.operation == "getObject":
            assert request.params[1] == tag.get_commit().id, "pinned once"

    tag.get_commit()
    tap.refuse = meddle
    assert tag.download_dir("raw", tmp_path / "out").transferred == 14


@every_way
def test_an_object_that_changes_after_the_listing_is_a_failure(
    filled: lakefs_hl.Branch, tmp_path: Path, tap: Tap
) -> None:
    def meddle(request: Request) -> None:
        path = str(request.query.get("path"))
        if request.endpoint.operation == "getObject" and path in ("raw/top.txt", "raw/large.bin"):
            filled.upload(b"other", path)

    tap.refuse = meddle
    report = filled.download_dir("raw", tmp_path / "out", on_error="return")
    assert sorted(failure.path for failure in report.failed) == ["raw/large.bin", "raw/top.txt"]
    assert "the object has changed" in report.failed[0].message
    assert len(files(tmp_path / "out")) == 12
    tap.refuse = lambda request: None
    assert filled.download_dir("raw", tmp_path / "out", only=report.failed).transferred == 2
    assert (tmp_path / "out/top.txt").read_bytes() == b"other"


@every_way
def test_update_never_replaces_newer_data(filled: lakefs_hl.Branch, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    filled.download_dir("raw", out)
    write(out / "top.txt", b"mine", time.time())
    write(out / "d0/f00", b"old", 1_500_000_000)
    (out / "d1/f01").unlink()
    report = filled.download_dir("raw", out, update=True)
    assert (report.transferred, report.skipped) == (2, 12)
    assert [(skip.path, "newer" in skip.reason) for skip in report.skips] == [("raw/top.txt", True)]
    assert (out / "top.txt").read_bytes() == b"mine"
    assert (out / "d0/f00").read_bytes() == b"content 0"
    report = filled.download_dir("raw", out, update="checksum")
    assert (report.transferred, report.skips) == (1, ())
    assert files(out) == files(folder)


@every_way
def test_delete_comes_last_and_only_if_nothing_failed(
    filled: lakefs_hl.Branch, folder: Path, tmp_path: Path, tap: Tap
) -> None:
    out = tmp_path / "out"
    write(out / "extra/deep/1", b"")
    write(out / "extra/2", b"")
    write(out / "kept.log", b"")
    (out / "link").symlink_to(tmp_path)
    tap.refuse = lambda request: (
        Response(403) if request.endpoint.operation == "getObject" and "top" in str(request.query) else None
    )
    report = filled.sync_to("raw", out, delete=True, exclude="*.log", on_error="return")
    assert (report.deleted, report.failed_count) == (0, 1)
    tap.refuse = lambda request: None
    report = filled.sync_to("raw", out, delete=True, exclude="*.log")
    assert (report.transferred, report.deleted) == (1, 2)
    assert files(out).keys() == files(folder).keys() | {"kept.log"}
    assert not (out / "extra").exists()
    assert (out / "link").is_symlink(), "what is no file is left"


# -- T13 ---------------------------------------------------------------------------------------------------------------


def test_no_hostile_name_leaves_the_directory(branch: lakefs_hl.Branch, tmp_path: Path) -> None:
    """Each is refused or ends up inside, whatever is asked; those that a lake takes."""
    outside = tmp_path / "outside"
    write(outside / "canary", b"alive")
    assert len(HOSTILE) >= 400
    taken = list[int]()
    for number, row in enumerate(HOSTILE):
        if not row.path or len(row.path.encode("utf-8", "replace")) > 1000 or names._SURROGATE.search(row.path):
            continue  # no lake has such an object
        branch.upload(b"hostile", f"t13-{number}/{row.path}")
        taken.append(number)
    assert len(taken) > 380
    root = tmp_path / "root"
    for number in taken:
        row = HOSTILE[number]
        report = branch.download_dir(f"t13-{number}", root / f"{number}", on_invalid="skip", progress=False)
        problem = row.windows if names.WINDOWS else row.everywhere
        if report.transferred + report.skipped:
            assert report.skipped == (problem is not None), row
    for on_invalid in ("error", "skip", "encode"):
        branch.download_dir("", root / on_invalid, on_invalid=on_invalid, on_error="return")
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "canary":
            assert path.is_relative_to(root) or path.is_relative_to(tmp_path / "cache"), path
    assert files(outside) == {"canary": b"alive"}


@every_way
def test_names_are_checked_before_anything_is_written(branch: lakefs_hl.Branch, tmp_path: Path) -> None:
    branch.upload_many([("d/a", b"1"), ("d/b/../c", b"2"), ("d/z", b"3")])
    with pytest.raises(exceptions.PartialFailureError, match=r"'d/b/../c'.*on_invalid='skip' or 'encode'") as caught:
        branch.download_dir("d", tmp_path / "out")
    assert caught.value.maybe_applied is False
    assert files(tmp_path / "out") == {}
    report = branch.download_dir("d", tmp_path / "out", on_invalid="skip")
    assert [skip.path for skip in report.skips] == ["d/b/../c"]
    assert files(tmp_path / "out") == {"a": b"1", "z": b"3"}
    branch.download_dir("d", tmp_path / "out", on_invalid="encode")
    assert {names.decode(path) for path in files(tmp_path / "out")} == {"a", "b/../c", "z"}


def test_collisions_are_reported_before_anything_is_written(
    branch: lakefs_hl.Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch.upload_many([("d/a", b"1"), ("d/a/b", b"2"), ("c/A", b"3"), ("c/a", b"4")])
    for on_invalid in ("error", "encode"):
        with pytest.raises(exceptions.PartialFailureError, match="cannot be a directory too"):
            branch.download_dir("d", tmp_path / on_invalid, on_invalid=on_invalid)
        assert files(tmp_path / on_invalid) == {}
    monkeypatch.setattr("lakefs_hl._folders.tree.Tree.folds_case", lambda self: True)
    with pytest.raises(exceptions.PartialFailureError, match="differs only in case"):
        branch.download_dir("c", tmp_path / "folded")
    assert files(tmp_path / "folded") == {}


@pytest.mark.skipif(os.name != "posix", reason="links")
@every_way
def test_nothing_is_written_through_links(filled: lakefs_hl.Branch, tmp_path: Path) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside"
    write(outside / "f00", b"alive")
    out.mkdir()
    (out / "d0").symlink_to(outside)
    (out / "top.txt").symlink_to(outside / "f00")
    report = filled.download_dir("raw", out, on_error="return")
    assert report.failed_count == 4
    assert {failure.path.rpartition("/")[0] for failure in report.failed} == {"raw/d0"}
    assert files(outside) == {"f00": b"alive"}
    assert (out / "top.txt").read_bytes() == b"top"
    assert not (out / "top.txt").is_symlink(), "a link in the place of a file is replaced"


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_directory_that_is_swapped_for_a_link_lets_nothing_escape(branch: lakefs_hl.Branch, tmp_path: Path) -> None:
    (tmp_path / "root/d").mkdir(parents=True)
    write(tmp_path / "outside/canary", b"alive")
    branch.upload_many((f"d/{number:02}", b"x" * 10) for number in range(20))
    enough, done = threading.Event(), threading.Event()
    attacker = threading.Thread(target=swap, args=(tmp_path / "root", 100, enough, done), daemon=True)
    attacker.start()
    met = rounds = 0
    while not done.is_set():
        report = branch.download_dir("", tmp_path / "root", on_error="return", progress=False)
        met += report.failed_count
        rounds += 1
        if met > 20 or rounds > 200:
            enough.set()
    attacker.join()
    assert files(tmp_path / "outside") == {"canary": b"alive"}


# -- parts -------------------------------------------------------------------------------------------------------------


def test_an_interrupted_download_goes_on_where_it_was(
    filled: lakefs_hl.Branch, folder: Path, tmp_path: Path, tap: Tap
) -> None:
    count = [0]

    def refuse(request: Request) -> None:
        if request.endpoint.operation == "getObject":
            count[0] += 1
            if count[0] > 8:
                raise Interrupt

    tap.refuse = refuse
    with pytest.raises(Interrupt):
        filled.with_options(max_concurrency=1).download_dir("raw", tmp_path / "out")
    tap.refuse = lambda request: None
    before = len(files(tmp_path / "out"))
    tap.seen.clear()
    report = filled.download_dir("raw", tmp_path / "out")
    assert report.skipped == before
    assert tap.seen.count("getObject") == report.transferred == 14 - before
    assert files(tmp_path / "out") == files(folder)
    assert filled.download_dir("raw", tmp_path / "out").transferred == 14, "success has removed the journal"


@every_way
def test_what_has_arrived_before_an_interrupt_is_not_fetched_again(
    filled: lakefs_hl.Branch, folder: Path, tmp_path: Path, tap: Tap
) -> None:
    done, stop = interrupted_after(5)
    with pytest.raises(Interrupt):
        filled.download_dir("raw", tmp_path / "out", progress=stop)
    fetched = set[str]()

    def note(request: Request) -> None:
        if request.endpoint.operation == "getObject":
            fetched.add(str(request.query["path"]).removeprefix("raw/"))

    tap.refuse = note
    report = filled.download_dir("raw", tmp_path / "out")
    assert report.transferred + report.skipped == 14
    assert report.transferred >= len(fetched), "what was complete, and did not have its name yet, only gets that"
    assert fetched.isdisjoint(done)
    assert files(tmp_path / "out") == files(folder)


def test_a_large_object_is_continued_and_verified_as_a_whole(
    filled: lakefs_hl.Branch, folder: Path, tmp_path: Path, tap: Tap
) -> None:
    out, content = tmp_path / "out", (folder / "large.bin").read_bytes()
    half = len(content) // 2

    def breaks(request: Request) -> Response | None:
        if request.endpoint.operation == "getObject" and request.sink is not None:
            os.pwrite(request.sink.fd, content[:half], request.sink.offset)  # type: ignore[union-attr]
            raise Interrupt
        return None

    tap.refuse = breaks
    with pytest.raises(Interrupt):
        filled.download_file("raw/large.bin", out / "large.bin")
    assert files(out).keys() != {"large.bin"}, "nothing under its name yet"
    asked = list[Any]()

    def note(request: Request) -> None:
        if request.endpoint.operation == "getObject":
            asked.append(request.headers.get("range"))

    tap.refuse = note
    assert filled.download_file("raw/large.bin", out / "large.bin").read_bytes() == content
    assert asked == [f"bytes={half}-{len(content) - 1}"]
    assert [path.name for path in out.iterdir()] == ["large.bin"]


@every_way
def test_a_part_with_other_bytes_is_fetched_anew(filled: lakefs_hl.Branch, folder: Path, tmp_path: Path) -> None:
    content = (folder / "large.bin").read_bytes()
    write(tmp_path / "out/large.bin", b"x" * 1000, 1_700_000_000)
    assert filled.download_file("raw/large.bin", tmp_path / "out/large.bin", continue_=True).read_bytes() == content
    write(tmp_path / "out/large.bin", content[:70_000], 1_700_000_000)
    assert filled.download_dir("raw", tmp_path / "out", continue_=True, include="large.bin").transferred == 1
    assert (tmp_path / "out/large.bin").read_bytes() == content


@every_way
def test_a_failed_download_leaves_the_old_file(filled: lakefs_hl.Branch, tmp_path: Path, tap: Tap) -> None:
    write(tmp_path / "out/top.txt", b"old")
    write(tmp_path / "out/large.bin", b"old")

    def breaks(request: Request) -> None:
        if request.endpoint.operation == "getObject":
            raise TransportError("read", "broken", retry=False)

    tap.refuse = breaks
    report = filled.download_dir("raw", tmp_path / "out", on_error="return")
    assert report.failed_count == 14
    assert files(tmp_path / "out") == {"top.txt": b"old", "large.bin": b"old"}


# -- plans -------------------------------------------------------------------------------------------------------------


@every_way
def test_a_plan_does_nothing_and_apply_does_what_it_says(
    filled: lakefs_hl.Branch, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    plan = filled.download_dir("raw", out, dry_run=True)
    assert not out.exists()
    assert plan.count("download") == 14
    plan.save(tmp_path / "plan")
    assert lakefs_hl.Plan.load(tmp_path / "plan", client=filled._client).apply().transferred == 14
    write(out / "extra", b"")
    write(out / "top.txt", b"changed")
    plan = filled.sync_to("raw", out, delete=True, dry_run=True)
    assert [(action.kind, action.path) for action in plan.actions if action.kind != "skip"] == [
        ("download", "raw/top.txt"),
        ("delete", "raw/extra"),
    ]
    filled.upload(b"later", "raw/top.txt")
    report = plan.apply(on_error="return")
    assert (report.transferred, report.deleted, report.failed_count) == (0, 0, 1)
    assert "the object has changed since the plan was made" in report.failed[0].message
    report = filled.sync_to("raw", out, delete=True, dry_run=True).apply()
    assert (report.transferred, report.deleted) == (1, 1)
    assert files(out) == objects(filled, "raw/")


@every_way
def test_a_plan_replaces_what_it_saw_and_no_other_file(filled: lakefs_hl.Branch, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for path in ("top.txt", "d0/f00", "extra", "more"):
        write(out / path, b"old")
    plan = filled.download_dir("raw", out, delete=True, dry_run=True)
    write(out / "top.txt", b"new", time.time())
    write(out / "extra", b"new", time.time())
    report = plan.apply(on_error="return")
    assert {failure.path for failure in report.failed} == {"raw/top.txt"}
    assert files(out).items() >= {"top.txt": b"new", "extra": b"new", "more": b"old"}.items(), "no deletion either"
    assert (out / "d0/f00").read_bytes() == b"content 0"
    plan = filled.download_dir("raw", out, delete=True, dry_run=True)
    write(out / "extra", b"newer", time.time() + 9)
    report = plan.apply(on_error="return")
    assert [(each.path, "the local file has changed" in each.message) for each in report.failed] == [
        ("raw/extra", True)
    ]
    assert (out / "more").exists()
    report = filled.download_dir("raw", out, delete=True, dry_run=True).apply()
    assert (report.deleted, report.failed_count) == (2, 0)
    assert files(out) == objects(filled, "raw/")


def test_what_was_left_out_at_the_beginning_is_not_deleted_at_the_end(filled: lakefs_hl.Branch, tmp_path: Path) -> None:
    """The call itself may replace the ignore file that protects local files, by one that protects others."""
    out = tmp_path / "out"
    write(out / ".ignore", b"*.log\n")
    for path in ("a.log", "d0/b.log", "c.tmp", "d.csv"):
        write(out / path, b"")
    filled.upload(b"*.tmp\n", "raw/.ignore")
    report = filled.sync_to("raw", out, delete=True, ignore_file_names={".ignore"})
    assert report.deleted == 1
    assert files(out).keys() >= {"a.log", "d0/b.log", "c.tmp"}
    assert not (out / "d.csv").exists()
    assert (out / ".ignore").read_bytes() == b"*.tmp\n"


@pytest.mark.parametrize("update", [True, "checksum"])
@every_way
def test_update_replaces_no_file_that_changed_meanwhile(filled: lakefs_hl.Branch, tmp_path: Path, update: Any) -> None:
    out = tmp_path / "out"
    for path in ("top.txt", "large.bin"):
        write(out / path, b"old", 1_500_000_000)

    def change(event: Any) -> None:
        if event.kind == "start" and event.path in ("top.txt", "large.bin", "d0/f00"):
            write(out / event.path, b"written meanwhile", time.time())

    report = filled.download_dir("raw", out, update=update, progress=change, on_error="return")
    assert {failure.path for failure in report.failed} == {"raw/top.txt", "raw/large.bin", "raw/d0/f00"}
    assert "changed while its object was downloaded, and was not replaced" in report.failed[0].message
    assert all((out / path).read_bytes() == b"written meanwhile" for path in ("top.txt", "large.bin", "d0/f00"))
    assert report.transferred == 11


def test_no_file_is_continued_that_cannot_be_verified() -> None:
    found = Found("a", 5, 2_000_000_000, 1, 1, 0)
    assert can_continue(found, Wanted("a", "a", "0" * 32, 9, 1))
    assert not can_continue(found, Wanted("a", "a", f"{'0' * 32}-2", 9, 1)), "its ETag is no MD5"
    assert not can_continue(found, Wanted("a", "a", "0" * 32, 9, 3)), "it is older"
    assert not can_continue(None, Wanted("a", "a", "0" * 32, 9, 1))


def test_ignore_files_of_the_directory_hold_for_downloads_too(filled: lakefs_hl.Branch, tmp_path: Path) -> None:
    write(tmp_path / "out/.lakefsignore", b"d*/\n")
    filled.sync_to("raw", tmp_path / "out", delete=True, ignore_file_names={".lakefsignore"}, exclude=".lakefsignore")
    assert files(tmp_path / "out").keys() == {".lakefsignore", "top.txt", "large.bin"}


def test_a_spool_gives_back_what_it_took() -> None:
    for count in (0, 1, 512, 513, 3000):
        spool = Spool()
        rows = [Wanted(f"{number}", f"{number}", "e", number, 5) for number in range(count)]
        for row in rows:
            spool.add(row)
        assert list(spool) == list(spool) == rows
        assert (spool.count, spool.size_bytes) == (count, sum(range(count)))
        spool.close()
    assert IN_MEMORY < 32 << 20


@every_way
def test_a_planned_deletion_that_was_done_is_skipped(filled: lakefs_hl.Branch, tmp_path: Path) -> None:
    out = tmp_path / "out"
    filled.download_dir("raw", out)
    for name in ("old0", "old1"):
        write(out / name, b"1")
    plan = filled.sync_to("raw", out, delete=True, dry_run=True)
    assert plan.count("delete") == 2
    (out / "old0").unlink()
    report = plan.apply()
    assert (report.ok, report.deleted) == (True, 1)
    report = plan.apply()
    assert (report.ok, report.deleted, report.skipped) == (True, 0, 2)
    assert files(out) == objects(filled, "raw/")


def test_what_is_left_out_by_its_name_in_the_lake_is_not_deleted_under_its_encoded_one(
    branch: lakefs_hl.Branch, tmp_path: Path
) -> None:
    """As on Windows, where `a:b.csv` is `a%3Ab.csv`."""
    out = tmp_path / "out"
    branch.upload_many([("raw/a\x01b.csv", b"1"), ("raw/c.csv", b"2")])
    assert branch.download_dir("raw", out, on_invalid="encode").transferred == 2
    encoded = out / "a%01b.csv"
    assert encoded.exists()
    write(out / "100%FF", b"no encoded name")
    report = branch.sync_to("raw", out, on_invalid="encode", exclude="a\x01*", delete=True)
    assert (report.deleted, encoded.exists()) == (1, True)
    assert not (out / "100%FF").exists()
    branch.delete_objects(["raw/a\x01b.csv"])
    report = branch.sync_to("raw", out, on_invalid="encode", delete=True)
    assert (report.deleted, encoded.exists()) == (1, False)
