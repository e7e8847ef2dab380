"""What fsspec builds on a file system: caches, chains of URLs, `rsync`, `dir`, and libraries that open by URL."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fsspec", reason="needs fsspec: pip install 'lakefs-hl[fsspec]'")

import fsspec
import fsspec.generic

from lakefs_hl.filesystem import LakeFSFileSystem
from tests.ecosystem.conftest import Lake

CONTENT = bytes(range(256)) * 4096


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # of blockcache, which closes its file never
@pytest.mark.parametrize("cache", ["simplecache", "filecache", "blockcache"])
def test_caches_are_chained(lake: Lake, tmp_path: Path, cache: str) -> None:
    lake.branch.upload(CONTENT, "a.bin")
    options: dict[str, Any] = {cache: {"cache_storage": str(tmp_path / "cache")}, "lakefs": lake.options}
    with fsspec.open(f"{cache}::{lake.uri}/a.bin", **options) as file:
        file.seek(1000)
        assert file.read(5000) == CONTENT[1000:6000]
        file.seek(0)
        assert file.read() == CONTENT
    assert any(path.is_file() for path in (tmp_path / "cache").rglob("*"))


def test_a_cache_notices_that_the_content_changed(lake: Lake, tmp_path: Path) -> None:
    fs = fsspec.filesystem(
        "filecache",
        target_protocol="lakefs",
        target_options=lake.options,
        cache_storage=str(tmp_path / "cache"),
        check_files=True,
    )
    name = f"{lake.branch.repository_id}/main/a.bin"
    for content in (b"first", b"other", b"third and longer"):
        lake.branch.upload(content, "a.bin")
        with fs.open(name) as file:
            assert file.read() == content


def test_simplecache_writes(lake: Lake, tmp_path: Path) -> None:
    url = f"simplecache::{lake.uri}/written"
    with fsspec.open(url, "wb", simplecache={"cache_storage": str(tmp_path)}, lakefs=lake.options) as file:
        file.write(b"1")
    assert lake.branch.download("written") == b"1"


def test_members_of_an_archive(lake: Lake) -> None:
    fs = LakeFSFileSystem(**lake.options)
    with fs.open(f"{lake.uri}/z.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("inner/a.txt", "inside")
    with fsspec.open(f"zip://inner/a.txt::{lake.uri}/z.zip", lakefs=lake.options) as file:
        assert file.read() == b"inside"


def test_rsync_from_another_file_system(lake: Lake) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({f"/{lake.branch.repository_id}/{name}": name.encode() for name in ("a", "d/b", "d/e/c")})
    fsspec.generic.rsync(f"memory://{lake.branch.repository_id}", f"{lake.uri}/copy")
    fs = LakeFSFileSystem()
    root = f"{lake.branch.repository_id}/main/copy"
    assert fs.cat(root, recursive=True) == {f"{root}/{name}": name.encode() for name in ("a", "d/b", "d/e/c")}


def test_a_directory_as_a_file_system(lake: Lake) -> None:
    lake.branch.upload(b"1", "d/a")
    fs = fsspec.filesystem("dir", path=f"{lake.branch.repository_id}/main/d", fs=LakeFSFileSystem())
    assert fs.cat("a") == b"1"
    fs.pipe("b", b"2")
    assert [Path(name).name for name in fs.find("")] == ["a", "b"]
    assert lake.branch.download("d/b") == b"2"


def test_urls_find_the_file_system(lake: Lake) -> None:
    fs, name = fsspec.url_to_fs(f"{lake.uri}/a b#c", **lake.options)
    assert isinstance(fs, LakeFSFileSystem)
    assert name == f"{lake.branch.repository_id}/main/a b#c"
    assert fs.unstrip_protocol(name) == f"{lake.uri}/a b#c"
    with fsspec.open_files(f"{lake.uri}/part-*.txt", "w", num=3, **lake.options) as files:
        for number, file in enumerate(files):
            file.write(str(number))
    opened = fsspec.open_files(f"{lake.uri}/part-*.txt", "r", **lake.options)
    with opened as files:
        assert [file.read() for file in files] == ["0", "1", "2"]
