"""Content types: by the last suffix of a path, from a table that no machine changes."""

from __future__ import annotations

import mimetypes
import re
import subprocess
import sys

import pytest

from lakefs_hl.spec import media
from lakefs_hl.spec.headers import OCTET_STREAM
from lakefs_hl.spec.media import guess_type


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.csv", "text/csv"),
        ("tables/2024/a.CSV", "text/csv"),
        ("a.tsv", "text/tab-separated-values"),
        ("a.json", "application/json"),
        ("a.jsonl", "application/x-ndjson"),
        ("a.ndjson", "application/x-ndjson"),
        ("a.geojson", "application/geo+json"),
        ("a.parquet", "application/vnd.apache.parquet"),
        ("a.arrow", "application/vnd.apache.arrow.file"),
        ("a.feather", "application/vnd.apache.arrow.file"),
        ("a.arrows", "application/vnd.apache.arrow.stream"),
        ("store.zarr/zarr.json", "application/json"),
        ("a.yml", "application/yaml"),
        ("a.md", "text/markdown"),
        ("a.html", "text/html"),
        ("a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("notes.txt", "text/plain"),
        ("a b/ä.png", "image/png"),
    ],
)
def test_a_known_suffix_has_its_type(path: str, kind: str) -> None:
    assert guess_type(path) == kind


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.csv.gz", "application/gzip"),
        ("a.tar.gz", "application/gzip"),
        ("a.tgz", "application/gzip"),
        ("a.json.bz2", "application/x-bzip2"),
        ("a.parquet.xz", "application/x-xz"),
        ("a.csv.zst", "application/zstd"),
        ("a.html.br", "application/x-brotli"),
    ],
)
def test_a_compressed_object_has_the_type_of_its_compression(path: str, kind: str) -> None:
    assert guess_type(path) == kind


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a",
        "a.",
        "a.csv.",
        "csv",
        ".csv",
        "dir/.csv",
        "..csv",
        "...",
        "a.csv/",
        "a.csv/b",
        "a.unknown",
        "a.npy",
        "/",
    ],
)
def test_everything_else_is_octets(path: str) -> None:
    assert guess_type(path) == OCTET_STREAM


def test_a_file_with_a_leading_dot_may_have_a_suffix() -> None:
    assert guess_type(".config.json") == "application/json"


def test_the_table_is_sorted_lower_case_and_free_of_parameters() -> None:
    table = media._TYPES
    assert list(table) == sorted(table)
    assert all(re.fullmatch(r"[a-z0-9]+", suffix) for suffix in table)
    assert all(
        re.fullmatch(r"(application|audio|image|model|text|video)/[a-z0-9.+-]+", kind) for kind in table.values()
    )
    assert OCTET_STREAM not in table.values(), "it is what a suffix that is not in the table has"
    assert 80 <= len(table) <= 180


def test_types_that_a_server_would_take_apart_are_not_guessed() -> None:
    assert not [kind for kind in media._TYPES.values() if kind.startswith(("multipart/", "message/"))]


def test_the_machine_does_not_change_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mimetypes.types_map, ".csv", "application/vnd.ms-excel")  # as some machines have it
    assert guess_type("a.csv") == "text/csv"
    lines = "import sys; import lakefs_hl.ops.upload; sys.exit('mimetypes' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", lines], check=False).returncode == 0
