"""Equal is what has the same content; newer is what has the later time."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from lakefs_hl._bulk import comparing
from lakefs_hl._folders.found import Found
from lakefs_hl.spec.models import ObjectStats
from lakefs_hl.spec.multipart import combined_etag

MD5 = hashlib.md5(b"x").hexdigest()


def found(size: int = 1, seconds: int = 100) -> Found:
    return Found("a", size, seconds * 1_000_000_000 + 5, 1, 1, 1)


def record(checksum: str = MD5, size: int = 1, mtime: int = 100, client_mtime: str | None = None) -> ObjectStats:
    metadata = None if client_mtime is None else {"::lakefs::client-mtime": client_mtime}
    return ObjectStats("a", "object", "", checksum, mtime, size, metadata=metadata)


@pytest.mark.parametrize(
    ("file", "at", "md5", "verdict"),
    [
        (found(), record(), MD5, "equal"),
        (found(), record(), "f" * 32, "different"),
        (found(), record(), None, "unknown"),
        (found(size=2), record(), MD5, "different"),
        (found(seconds=1), record(), MD5, "equal"),
        (found(), record("abc-2"), MD5, "equal"),
        (found(seconds=101), record("abc-2"), MD5, "different"),
        (found(6 << 20, 101), record(f"{MD5}-2", 6 << 20), None, "unknown"),
        (found(6 << 20, 101), record(f"{MD5}-3", 6 << 20), None, "different"),
        (found(6 << 20, 100), record(f"{MD5}-2", 6 << 20), None, "equal"),
        (found(seconds=7), record("abc-2", client_mtime="7"), None, "equal"),
    ],
)
def test_content_decides_and_times_only_where_nothing_else_can(
    file: Found, at: ObjectStats, md5: str | None, verdict: str
) -> None:
    assert comparing.compare(file, at, md5) == verdict


@pytest.mark.parametrize(
    ("told", "seconds"), [("7", 7), ("", 100), ("-7", 100), ("1e9", 100), ("9" * 40, 100), ("x", 100)]
)
def test_the_time_of_an_object_is_that_of_its_file_if_that_is_a_time(told: str, seconds: int) -> None:
    assert comparing.modified_seconds(record(client_mtime=told)) == seconds


def test_the_time_goes_out_in_whole_seconds_as_lakectl_has_it() -> None:
    assert comparing.mtime_metadata(found(seconds=1_600_000_000)) == {"::lakefs::client-mtime": "1600000000"}
    assert comparing.mtime_ns(record(client_mtime="7")) == 7_000_000_000


def test_the_md5_of_a_file_is_that_of_its_content(tmp_path: Path) -> None:
    content = os.urandom((1 << 20) + 3)
    (tmp_path / "a").write_bytes(content)
    with (tmp_path / "a").open("rb") as file:
        file.read(5)
        assert comparing.md5_of_file(file.fileno()) == hashlib.md5(content).hexdigest()


def test_a_file_is_what_was_uploaded_in_parts(tmp_path: Path) -> None:
    content = bytes(range(256)) * (6 << 12)
    (tmp_path / "a").write_bytes(content)
    pieces = [content[: 5 << 20], content[5 << 20 :]]
    etag = combined_etag(hashlib.md5(piece).digest() for piece in pieces)
    with (tmp_path / "a").open("rb") as file:
        md5 = comparing.md5_of_file(file.fileno())
        for checksum, expected in ((etag, True), (etag[:32], True), (etag[:-1] + "3", False), ("0" * 32 + "-2", False)):
            assert comparing.is_upload_in_parts(file.fileno(), checksum, md5) is expected
