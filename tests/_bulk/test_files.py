"""Single files beyond what tests/conformance checks."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.spec import models
from lakefs_hl.spec.wire import Response
from lakefs_hl.types import TransferEvent
from tests._bulk.conftest import Tap, write


def test_the_destination_may_be_a_prefix_or_is_the_name(branch: lakefs_hl.Branch, folder: Path) -> None:
    local = folder / "top.txt"
    assert branch.upload_file(local).path == "top.txt"
    assert branch.upload_file(str(local), "raw/").path == "raw/top.txt"
    assert (
        branch.upload_file(local, lakefs_hl.CommonPrefix("example", "main", "p/", branch._client)).path == "p/top.txt"
    )
    info = branch.upload_file(local, "other", metadata={"k": "v"})
    assert (info.path, info.size_bytes) == ("other", 3)
    assert branch.stat_object("other").metadata == {"k": "v", "::lakefs::client-mtime": "1600000000"}


def test_a_url_is_no_local_path(branch: lakefs_hl.Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    branch.upload(b"1", "p/a", commit_message="one")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    ds = lakefs_hl.dataset("example", client=branch._client)
    calls: list[Callable[[str], object]] = [
        lambda url: branch.upload_file(url, "a"),
        lambda url: branch.download_file("p/a", url),
        lambda url: branch.upload_dir(url, "a"),
        lambda url: branch.download_dir("p/", url),
        lambda url: branch.sync_from(url, "p/"),
        lambda url: branch.sync_to("p/", url),
        lambda url: branch.snapshot_download(cache_dir=url),
        ds.upload_all,
        ds.download_all,
        lambda url: ds.download("p/a", url),
    ]
    for call in calls:
        for url in (tmp_path.as_uri(), "s3://bucket/p", "lakefs://example/main/p/"):
            with pytest.raises(ValueError, match=r"must be a local path, and '.*' is a URL"):
                call(url)
    assert [*here.iterdir()] == []


@pytest.mark.parametrize(
    ("update", "seconds", "content", "sent"),
    [
        (False, 1_600_000_000, b"top", True),
        (True, 1_700_000_000, b"top", False),
        (True, 1_700_000_000, b"new", True),
        (True, 1_500_000_000, b"old", False),
        (True, 1_600_000_000, b"now", True),
        ("checksum", 1_500_000_000, b"old", True),
        ("checksum", 1_700_000_000, b"top", False),
    ],
)
def test_update_sends_what_is_newer_or_differs(
    branch: lakefs_hl.Branch, folder: Path, tap: Tap, update: bool, seconds: int, content: bytes, sent: bool
) -> None:
    branch.upload_file(folder / "top.txt", "a")
    write(folder / "top.txt", content, seconds)
    tap.seen.clear()
    info = branch.upload_file(folder / "top.txt", "a", update=update)
    assert ("uploadObject" in tap.seen) is sent
    assert (info.size_bytes, branch.download("a")) == (3, content if sent else b"top")


@pytest.mark.parametrize(
    ("update", "seconds", "content", "fetched"),
    [
        (False, 1_700_000_000, b"mine", True),
        (True, 1_700_000_000, b"mine", False),
        (True, 1_500_000_000, b"mine", True),
        (True, 1_500_000_000, b"top", False),
        ("checksum", 1_700_000_000, b"mine", True),
        ("checksum", 1_500_000_000, b"top", False),
    ],
)
def test_update_fetches_what_is_newer_or_differs(
    branch: lakefs_hl.Branch, folder: Path, tmp_path: Path, update: bool, seconds: int, content: bytes, fetched: bool
) -> None:
    branch.upload_file(folder / "top.txt", "a")
    write(tmp_path / "a", content, seconds)
    assert branch.download_file("a", tmp_path / "a", update=update) == tmp_path / "a"
    assert (tmp_path / "a").read_bytes() == (b"top" if fetched else content)


def test_a_directory_gets_the_name_of_the_object(branch: lakefs_hl.Branch, tmp_path: Path) -> None:
    branch.upload(b"1", "raw/a.csv")
    assert branch.download_file("raw/a.csv", f"{tmp_path}/new/") == tmp_path / "new/a.csv"
    assert branch.download_file("raw/a.csv", tmp_path / "new") == tmp_path / "new/a.csv"
    assert branch.download_file("raw/a.csv", tmp_path / "x/y/b") == tmp_path / "x/y/b"
    branch.upload(b"1", "raw/..")
    with pytest.raises(ValueError, match="is no safe local path"):
        branch.download_file("raw/..", f"{tmp_path}/new/")


def test_what_cannot_be_read_or_written_is_an_error_that_names_it(
    branch: lakefs_hl.Branch, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        branch.upload_file(tmp_path / "missing")
    with pytest.raises(IsADirectoryError, match="upload_dir"):
        branch.upload_file(folder)
    if os.name == "posix":
        os.mkfifo(tmp_path / "fifo")
        with pytest.raises(OSError, match="takes a regular file"):
            branch.upload_file(tmp_path / "fifo")
    with pytest.raises(exceptions.ObjectNotFoundException):
        branch.download_file("missing", tmp_path / "a")
    branch.upload(b"1", "a")
    write(tmp_path / "file", b"")
    with pytest.raises(OSError, match="file"):
        branch.download_file("a", tmp_path / "file/a")


def test_a_link_is_followed_if_it_is_named(branch: lakefs_hl.Branch, folder: Path) -> None:
    (folder / "link").symlink_to(folder / "top.txt")
    assert branch.upload_file(folder / "link").path == "link"
    assert branch.download("link") == b"top"


def test_an_unverified_download_is_possible(branch: lakefs_hl.Branch, folder: Path, tmp_path: Path, tap: Tap) -> None:
    branch.upload_dir(folder)
    for path in ("top.txt", "large.bin"):
        assert branch.download_file(path, tmp_path / path, verify=False).read_bytes() == (folder / path).read_bytes()


@pytest.mark.parametrize("path", ["top.txt", "large.bin"])
def test_an_unverified_upload_is_possible(branch: lakefs_hl.Branch, folder: Path, tap: Tap, path: str) -> None:
    wrong = models.encode(models.ObjectStats(path, "object", "", "0" * 32, 1, 1, metadata=None))
    content = {"content-type": "application/json"}
    tap.refuse = lambda request: (
        Response(201, content, wrong, md5="1" * 32 if request.digest else None)
        if request.endpoint.operation == "uploadObject"
        else None
    )
    with pytest.raises(exceptions.IntegrityError):
        branch.upload_file(folder / path)
    assert tap.seen.count("uploadObject") == 3
    tap.seen.clear()
    assert branch.upload_file(folder / path, verify=False).checksum == "0" * 32
    assert tap.seen.count("uploadObject") == 1
    tap.refuse = lambda request: None
    stored = branch.upload_file(folder / path, update="checksum")  # what was not verified is not known
    assert stored.checksum == hashlib.md5((folder / path).read_bytes()).hexdigest()


def test_progress_of_one_file_is_in_bytes(branch: lakefs_hl.Branch, folder: Path, tmp_path: Path) -> None:
    events = list[TransferEvent]()
    branch.upload_file(folder / "top.txt", "raw/a", progress=events.append)
    branch.download_file("raw/a", tmp_path / "a", progress=events.append)
    branch.download_file("raw/a", tmp_path / "a", update=True, progress=events.append)
    assert [(event.kind, event.path, event.done, event.size) for event in events] == [
        *[("start", "raw/a", 0, 3), ("complete", "raw/a", 3, 3)] * 2,
        ("skip", "raw/a", 0, 3),
    ]


def test_the_time_is_kept_on_the_way_there_and_back(branch: lakefs_hl.Branch, folder: Path, tmp_path: Path) -> None:
    branch.upload_file(folder / "top.txt", "a")
    assert branch.download_file("a", tmp_path / "a").stat().st_mtime == 1_600_000_000
    branch.upload(b"", "b")
    assert abs(branch.download_file("b", tmp_path / "b").stat().st_mtime - time.time()) < 60
