"""Previews: what is recognized, what is cut, how much is read, and what hostile content does: nothing."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import io
import json
import lzma
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.facades import previews
from lakefs_hl.facades.previews import MOST, Preview, Source
from tests.test_html import HOSTILE, check

SVG = b'<?xml version="1.0"?><!-- x --><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (width + 1) * min(height, 10))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def preview(content: bytes, name: str = "a", size: int | None = None, content_type: str = "") -> Preview:
    source = Source(f"lakefs://example/main/d/{name}", len(content) if size is None else size, content_type)
    found = previews.preview_of(source, content)
    check(found._repr_html_())
    assert found.uri in repr(found)
    return found


@pytest.mark.parametrize(
    ("content", "name", "kind", "format"),
    [
        (b"", "a.csv", "empty", ""),
        (b"hello\nworld\n", "a.txt", "text", "txt"),
        (b"id,price\n1,10\n", "a.csv", "table", "csv"),
        (b"id;price\n1;10,5\n2;11,5\n", "a.csv", "table", "csv"),
        (b"id\tprice\n1\t10\n", "a.tsv", "table", "tsv"),
        (b'{"id": 1}\n{"id": 2, "x": [1]}\n', "a.jsonl", "table", "jsonl"),
        (b'{"id": 1\n', "a.jsonl", "text", "jsonl"),
        (b"[1]\n", "a.ndjson", "text", "ndjson"),
        (png(4, 3), "a.bin", "picture", "png"),
        (b"GIF89a\x04\0\x03\0", "a", "picture", "gif"),
        (b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08\0\x03\0\x04", "a", "picture", "jpeg"),
        (b"RIFF....WEBPVP8X....\0\0\0\0\x03\0\0\x02\0\0", "a", "picture", "webp"),
        (SVG, "a.svg", "picture", "svg+xml"),
        (SVG, "a.html", "text", "html"),
        (b"PK\x03\x04\0\0\0\0\x01\x02\x03" * 20, "a.zip", "binary", ""),
        (bytes(range(256)), "a", "binary", ""),
    ],
)
def test_what_is_recognized(content: bytes, name: str, kind: str, format: str) -> None:
    found = preview(content, name)
    assert (found.kind, found.format) == (kind, format)


def test_media_types_count_where_the_name_says_nothing() -> None:
    assert preview(b"a,b\n1,2\n", "export", content_type="text/csv; charset=utf-8").rows == (("1", "2"),)
    assert preview(SVG, "logo", content_type="image/svg+xml").kind == "picture"


def test_delimiters_are_found() -> None:
    assert preview(b"id;price\n1;10,5\n2;11,5\n", "a.csv").columns == ("id", "price")
    assert preview(b"a|b|c\n1|2|3\n", "a.csv").rows == (("1", "2", "3"),)
    assert preview(b"just\none\n", "a.csv").columns == ("just",)


@pytest.mark.parametrize(
    ("encoding", "note"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", "read as utf-16"),
        ("utf-16-le", "read as utf-16-le"),
        ("utf-16-be", "read as utf-16-be"),
        ("utf-32", "read as utf-32"),
        ("cp1252", "read as cp1252"),
    ],
)
def test_encodings(encoding: str, note: str | None) -> None:
    found = preview("name,city\nJörg,Köln\nanna,berlin\n".encode(encoding), "a.csv")
    assert found.columns == ("name", "city")
    assert found.rows[0] == ("Jörg", "Köln")
    assert found.notes == ((note,) if note else ())


@pytest.mark.parametrize(("suffix", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_compressed_content_is_expanded_and_a_bomb_is_not(suffix: str, pack: Any) -> None:
    found = preview(pack(b"id,price\n1,10\n"), f"a.csv.{suffix}")
    assert (found.kind, found.columns, found.rows) == ("table", ("id", "price"), (("1", "10"),))
    bomb = preview(pack(b"x,y\n" + b"1,2\n" * 500_000), f"a.csv.{suffix}")
    assert len(bomb.rows) == previews.ROWS
    assert "its beginning is expanded" in bomb.notes
    damaged = preview(pack(b"hello" * 100)[:-12] + b"\0" * 12, f"a.{suffix}")
    assert damaged.kind in ("text", "binary")
    assert preview(b"\x1f\x8b nothing", "a.gz").kind == "binary"


def test_a_part_of_a_row_or_of_a_character_is_not_shown() -> None:
    found = preview(b"id,price\n1,10\n2,1", "a.csv", size=1000)
    assert found.rows == (("1", "10"),)
    assert found.notes[0] == "the first 17 are read"
    text = preview("grün\nblau ä".encode()[:-1], "a.txt", size=1000)
    assert text.text == "grün"
    assert "�" not in repr(text)


def test_what_is_cut_is_said() -> None:
    rows = preview(b"a\n" + b"1\n" * 100, "a.csv")
    assert (len(rows.rows), rows.notes) == (previews.ROWS, ("the first 20 rows are shown",))
    wide = preview(",".join(map(str, range(100))).encode() + b"\n" + b"1," * 99 + b"1\n", "a.csv")
    assert (len(wide.columns), wide.notes) == (previews.COLUMNS, ("30 of 100 columns are shown",))
    ragged = preview(b"a,b\n1\n1,2,3\n", "a.csv")
    assert (ragged.columns, ragged.rows) == (("a", "b", ""), (("1", "", ""), ("1", "2", "3")))
    lines = preview(b"x\n" * 100, "a.txt")
    assert lines.notes == ("the first 40 lines are shown",)
    long = preview(b"x" * 300_000, "a.txt")
    assert len(long._repr_html_()) < 25_000
    field = preview(b"a,b\n" + b"x" * 200_000 + b",1\n", "a.csv")  # more than csv takes
    assert field.kind == "text"


def test_pictures_that_are_too_large_are_not_shown() -> None:
    assert "<img" in preview(png(4, 3), "a.png")._repr_html_()
    many = preview(png(60_000, 60_000), "a.png")
    assert "60,000 × 60,000 pixels" in many.notes
    assert "<img" not in many._repr_html_()
    big = preview(png(4, 3), "a.png", size=5 << 20)
    assert (big.content, big.notes[-1]) == (b"", "too large to show: the limit is 1,048,576 bytes")


def test_nothing_of_the_content_runs() -> None:
    hostile = preview(SVG, "a.svg")._repr_html_()
    assert "<svg" not in hostile
    assert "data:image/svg+xml;base64," in hostile
    for name in ("a.csv", "a.txt", "a.html", "a.md"):
        page = preview(f"{HOSTILE},{HOSTILE}\n{HOSTILE},1\n\x1b[31m\n".encode(), name)._repr_html_()
        assert not {"script", "img"} & set(check(page).tags)
    assert "\x1b" not in repr(preview(b"red \x1b[31m text\n" * 9, "a.txt"))
    for text in (" " * 200_000, "<!--" * 50_000, "<?xml" * 50_000):
        assert preview(text.encode(), "a.svg").kind == "text"
    assert preview(json.dumps({HOSTILE: HOSTILE}).encode(), "a.jsonl").kind == "table"
    deep = b"[" * 100_000
    assert preview(b'{"a": ' + deep + b"\n", "a.jsonl").kind == "text"


# ------------------------------------------------------------------------------------------------------------- reading


@pytest.fixture
def amounts(lake_branch: lakefs_hl.Branch, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The number of bytes of each read."""
    found, plain = list[int](), lakefs_hl.ReadIOBase.download

    def download(*args: Any, **kwargs: Any) -> Any:
        content: Any = plain(*args, **kwargs)
        found.append(len(content))
        return content

    monkeypatch.setattr(lakefs_hl.ReadIOBase, "download", download)
    yield found
    assert sum(found) <= MOST


def test_little_is_read(lake_branch: lakefs_hl.Branch, amounts: list[int]) -> None:
    found = lake_branch.upload(b"id,price\n" + b"1,10\n" * 1_000_000, "a.csv").preview()
    assert (found.size_bytes, len(found.rows)) == (5_000_009, 20)
    assert amounts == [64 << 10]
    amounts.clear()
    found = lake_branch.upload(b"\0" * (5 << 20), "a.bin").preview()
    assert found.kind == "binary"
    assert sum(amounts) == MOST


def test_a_picture_is_read_whole_up_to_the_limit(lake_branch: lakefs_hl.Branch, amounts: list[int]) -> None:
    content = png(4, 3) + b"\0" * 200_000
    assert lake_branch.upload(content, "a.png").preview().content == content
    amounts.clear()
    assert lake_branch.upload(content * 10, "b.png").preview().content == b""


def test_an_object_that_is_replaced_meanwhile_is_not_mixed(
    lake_branch: lakefs_hl.Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    info, plain = lake_branch.upload(b"old " * 50_000, "a.txt"), lakefs_hl.ReadIOBase.download

    def download(self: Any, *args: Any, **kwargs: Any) -> Any:
        content: Any = plain(self, *args, **kwargs)
        lake_branch.upload(b"new " * 50_000, "a.txt")
        return content

    monkeypatch.setattr(lakefs_hl.ReadIOBase, "download", download)
    with pytest.raises(exceptions.ObjectChangedError, match=r"a\.txt: the object was replaced while it was read"):
        info.preview()
    with pytest.raises(exceptions.ObjectNotFoundException):
        lakefs_hl.ObjectInfo("example", "main", "missing", lake_branch._client).preview()


def test_both_colours() -> None:
    async def run() -> Preview:
        async with aio.Client("mem://") as client:
            branch = (await aio.repository("example", client=client).create()).branch("main")
            return await (await branch.upload(b"a\n1\n", "a.csv")).preview()

    assert asyncio.run(run()).rows == (("1",),)


# ------------------------------------------------------------------------------------------------------------- Parquet


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


def test_parquet(lake_branch: lakefs_hl.Branch, amounts: list[int]) -> None:
    content = parquet({"id": list(range(50)), "name": [f"<b>{number}" for number in range(50)], "n": [{"x": [1]}] * 50})
    found = lake_branch.upload(content, "t.parquet").preview()
    assert found.columns == ("id: int64", "name: string", "n: struct<x: list<element: int64>>")
    assert found.rows[0] == ("0", "<b>0", "x: 1")
    assert (len(found.rows), found.notes[0]) == (20, "50 rows, 3 columns")
    check(found._repr_html_())


def test_of_a_large_parquet_file_the_footer_and_the_first_row_group_are_read(
    lake_branch: lakefs_hl.Branch, amounts: list[int]
) -> None:
    rows = 200_000
    columns = {f"c{at}": [f"{at}-{row * 7919 % rows}" for row in range(rows)] for at in range(3)}
    content = parquet(columns, row_group_size=20_000, compression="none", use_dictionary=False)
    assert len(content) > 5 << 20
    found = lake_branch.upload(content, "t").preview()  # no suffix: recognized by its first bytes
    assert (found.format, len(found.rows), found.rows[1]) == (
        "parquet",
        20,
        ("0-7919", "1-7919", "2-7919")[: len(found.columns)],
    )
    assert "200,000 rows, 3 columns" in found.notes
    amounts.clear()
    wide = parquet({"text": ["x" * 1000 + str(row) for row in range(3000)]}, compression="none", use_dictionary=False)
    found = lake_branch.upload(wide, "t.parquet").preview()
    assert found.columns == ("column", "type")
    assert found.rows == (("text", "string"),)
    assert any("too large to show" in note for note in found.notes)


@pytest.mark.parametrize("cut", [lambda data: data[:-40] + b"PAR1", lambda data: data[:40] + b"\0" * 99 + data[139:]])
def test_a_damaged_parquet_file_is_shown_as_bytes(lake_branch: lakefs_hl.Branch, cut: Any) -> None:
    content = cut(parquet({"id": list(range(500))}, compression="none", use_dictionary=False))
    found = lake_branch.upload(content, "t.parquet").preview()
    assert found.kind in ("binary", "table")
    check(found._repr_html_())
    short = lake_branch.upload(b"PAR1" + b"\xff" * 20 + b"PAR1", "s.parquet").preview()
    assert (short.kind, short.notes[0]) == ("binary", "its footer is damaged or too large to read")


def test_a_parquet_file_without_rows(lake_branch: lakefs_hl.Branch) -> None:
    found = lake_branch.upload(parquet({"id": [], "x": []}), "t.parquet").preview()
    assert (found.columns, found.rows) == (("column", "type"), (("id", "null"), ("x", "null")))


def test_without_pyarrow_a_parquet_file_says_what_is_needed(
    lake_branch: lakefs_hl.Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = parquet({"id": [1]})

    def load() -> None:
        raise ImportError

    monkeypatch.setattr(previews, "load_parquet", load)
    found = lake_branch.upload(content, "t.parquet").preview()
    assert (found.kind, found.notes[0]) == ("binary", "needs pyarrow: pip install 'lakefs-hl[tables]'")
