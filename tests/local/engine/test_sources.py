"""What an import registers of a file, and in which order."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from lakefs_hl.local.engine import records, sources
from lakefs_hl.local.engine.records import Entry
from lakefs_hl.spec import models


def manner(*, hashing: bool = False) -> sources.Manner:
    return sources.Manner("/no/lake", lambda: None, hashing)


def found(*locations: models.ImportLocation, hashing: bool = False) -> dict[bytes, Entry]:
    items = list(sources.entries(locations, manner(hashing=hashing)))
    assert [key for key, _ in items] == sorted({key for key, _ in items})
    return {key: records.read_entry(value) for key, value in items}


def folder(path: Path, to: str = "") -> models.ImportLocation:
    return models.ImportLocation("common_prefix", f"local://{path}", to)


def single(path: Path | str, to: str) -> models.ImportLocation:
    return models.ImportLocation("object", f"local://{path}", to)


def test_a_pipe_is_refused_by_name_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe: is no regular file"):
        found(single(tmp_path / "pipe", "x"))
    (tmp_path / "file").write_bytes(b"x")
    assert list(found(folder(tmp_path, "to"))) == [b"to/file"]


def test_an_entry_is_written_as_every_other(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    os.utime(tmp_path / "file", ns=(0, 7_000_000_001))
    for hashing in (False, True):
        ((_, value),) = sources.entries([single(tmp_path / "file", "x")], manner(hashing=hashing))
        entry = records.read_entry(value)
        assert records.write_entry(entry) == value
        assert (entry.address, entry.size) == (f"local://{tmp_path}/file", 5)
        assert (entry.mtime, entry.stamp) == (7, 7_000_000_001)
        assert (entry.etag == hashlib.md5(b"12345").digest()) is hashing


def test_an_etag_is_of_one_version_of_one_file(tmp_path: Path) -> None:
    """Files unpacked together have one time, and often one size: they are not the same for that."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
        os.utime(tmp_path / name, ns=(0, 0))
    first, again = found(folder(tmp_path)), found(folder(tmp_path))
    assert first == again
    assert first[b"a"].etag != first[b"b"].etag
    os.utime(tmp_path / "a", ns=(0, 1))
    (tmp_path / "b").write_bytes(b"bb")
    os.utime(tmp_path / "b", ns=(0, 0))
    later = found(folder(tmp_path))
    assert first[b"a"].etag != later[b"a"].etag
    assert first[b"b"].etag != later[b"b"].etag


def test_no_file_is_opened_unless_it_is_to_be_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"x")
    opened = list[str]()
    real = os.open

    def watched(path: str, flags: int) -> int:
        opened.append(path)
        return real(path, flags)

    monkeypatch.setattr(os, "open", watched)
    found(folder(tmp_path))
    assert opened == [f"{tmp_path}/"]
    found(folder(tmp_path), hashing=True)
    assert opened[-1] == f"{tmp_path}/file"


def test_a_file_that_changes_while_it_is_hashed_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")

    def change() -> None:
        file.write_bytes(b"xx")

    with pytest.raises(OSError, match="file: changed while it was read"):
        list(sources.entries([single(file, "x")], sources.Manner("/no/lake", change, True)))


def test_hashing_ends_between_two_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_BLOCK", 10)
    (tmp_path / "large").write_bytes(bytes(1000))
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked == 5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        list(sources.entries([single(tmp_path / "large", "x")], sources.Manner("/no/lake", check, True)))


def test_of_equal_keys_the_last_location_wins(tmp_path: Path) -> None:
    for name in ("a/1", "a/2", "b/1", "c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    places = [
        folder(tmp_path / "a", "x"),
        single(tmp_path / "c", "x/2"),
        folder(tmp_path / "b", "x"),
        single(tmp_path / "a/1", "x/1"),
        single(tmp_path / "c", "x/1"),
        single(tmp_path / "c", "a"),
    ]
    address = {key: entry.address.removeprefix(f"local://{tmp_path}/") for key, entry in found(*places).items()}
    assert address == {b"a": "c", b"x/1": "c", b"x/2": "c"}
    address = {
        key: entry.address.removeprefix(f"local://{tmp_path}/") for key, entry in found(*reversed(places)).items()
    }
    assert address == {b"a": "c", b"x/1": "a/1", b"x/2": "a/2"}
    assert found() == {}


def test_what_cannot_be_a_path_is_told_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(ValueError, match="file': argument path"):
        found(folder(tmp_path, "p" * 1020))
    with pytest.raises(ValueError, match="missing path"):
        found(single(tmp_path / "file", ""))
    with pytest.raises(FileNotFoundError, match="none"):
        found(single(tmp_path / "none", "x"))


def test_a_link_out_of_the_roots_ends_the_import(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "secret").write_bytes(b"x")
    (inside / "a").write_bytes(b"x")
    below = manner()._replace(roots=(inside,))
    assert [key for key, _ in sources.entries([folder(inside, "to")], below)] == [b"to/a"]
    (inside / "b").symlink_to(tmp_path / "secret")
    for place in (
        folder(inside, "to"),
        single(inside / "b", "to"),
        single(tmp_path / "secret", "to"),
        folder(tmp_path),
    ):
        with pytest.raises(PermissionError, match="--import-root"):
            list(sources.entries([place], below))
