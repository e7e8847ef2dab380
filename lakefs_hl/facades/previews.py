"""Previews of objects: what the first bytes show, as text, as a table, as a picture. Nothing here sends a request."""

from __future__ import annotations

import base64
import bz2
import codecs
import csv
import io
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any, Final, Literal, NamedTuple

from lakefs_hl import _html
from lakefs_hl._html import escape
from lakefs_hl.facades.pictures import Picture, picture_of

#: Largest number of bytes that are read, and that compressed content is expanded to.
MOST: Final = 1 << 20
#: Rows, columns and lines that are shown, and characters of a cell.
ROWS, COLUMNS, LINES, CELL = 20, 30, 40, 80
#: Longest text that is shown, in characters.
_TEXT: Final = 20_000
#: Bytes of unknown content that are shown.
_BYTES: Final = 256
#: Pixels that a browser shows without running out of memory.
_PIXELS: Final = 50_000_000
#: Control characters of texts. Others, and many of them, are no text.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
Kind = Literal["text", "table", "picture", "binary", "empty"]


class Source(NamedTuple):
    """What is known of an object before its content is decoded.

    Attributes:
        uri: Its URI.
        size: Its size in bytes.
        content_type: Its media type. "" if it has none.
    """

    uri: str
    size: int
    content_type: str

    @property
    def name(self) -> str:
        """Last part of the path, in lower case."""
        return self.uri.rpartition("/")[2].lower()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Preview:
    r"""The beginning of an object, decoded. `info.preview()` returns it.

    Printed, it is text. A notebook shows a table, a picture or the text.

    Attributes:
        uri: URI of the object.
        kind: What it was recognized as: "text", "table", "picture", "binary" or "empty".
        format: Its format, such as "csv", "parquet" or "png". "" if it has none.
        size_bytes: Size of the object in bytes.
        notes: What was left out, and how the content was read.
        text: The text. "" unless `kind` is "text".
        columns: Names of the columns of a table.
        rows: First rows of a table, as texts.
        content: The picture, or the first bytes of unknown content.

    Examples:
        >>> info = branch.upload("id,price\n1,10\n2,20\n", "prices.csv")
        >>> preview = info.preview()
        >>> preview.kind, preview.columns, preview.rows[0]
        ('table', ('id', 'price'), ('1', '10'))
    """

    uri: str
    kind: Kind
    format: str = ""
    size_bytes: int = 0
    notes: tuple[str, ...] = ()
    text: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    content: bytes = field(default=b"", repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def _title(self) -> str:
        parts = [self.format or self.kind, f"{self.size_bytes:,} bytes", *self.notes]
        return ", ".join(parts)

    def __repr__(self) -> str:
        body = {"text": self._lines, "table": self._grid, "binary": self._hex}.get(self.kind, list)()
        return "\n".join([f"<Preview {self.uri}: {self._title()}>", *body])

    def _lines(self) -> list[str]:
        return [_printable(line) for line in self.text.splitlines()]

    def _hex(self) -> list[str]:
        parts = (self.content[at : at + 16] for at in range(0, len(self.content), 16))
        return [
            f"{at * 16:08x}  {part.hex(' '):<47}  {''.join(chr(byte) if 32 <= byte < 127 else '.' for byte in part)}"
            for at, part in enumerate(parts)
        ]

    def _grid(self) -> list[str]:
        lines = [[_printable(_cut(cell, 24)) for cell in row[:8]] for row in (self.columns, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]

    def _repr_html_(self) -> str:
        if self.kind == "table":
            rows = [[_cut(cell, CELL) for cell in row] for row in self.rows]
            return _html.listing("Preview", self._title(), self.columns, rows, code=self.uri)
        head = _html.listing("Preview", self._title(), (), (), code=self.uri)
        if self.kind == "picture" and self.content:
            data = base64.b64encode(self.content).decode()
            # as an image, SVG runs and loads nothing
            source = f'alt="{escape(self.uri)}" src="data:image/{self.format};base64,{data}"'
            return f'{head}<div><img style="max-width: 100%; max-height: 480px" {source}></div>'
        body = "\n".join({"text": self._lines, "binary": self._hex}.get(self.kind, list)())
        style = "max-height: 30em; overflow: auto; white-space: pre-wrap"
        return f'{head}<pre style="{style}">{escape(body)}</pre>' if body else head


Preview.__module__ = "lakefs_hl.types"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _printable(text: str) -> str:
    """Return a text without what a terminal would act on."""
    return "".join(each if each.isprintable() else "    " if each == "\t" else "�" for each in text)


# -- recognizing -------------------------------------------------------------------------------------------------------


def is_parquet(source: Source, head: bytes) -> bool:
    """Return whether the footer has to be read, too."""
    return head[:4] == b"PAR1" and source.size >= 12


def load_parquet() -> ModuleType:
    """Return the module that reads Parquet files.

    Raises:
        ImportError: pyarrow is not installed.
    """
    return import_module("lakefs_hl.facades.parquet_head")


def unread_parquet(source: Source, head: bytes, note: str) -> Preview:
    """Return the preview of a Parquet file that cannot be read: its first bytes."""
    return _binary(source, "parquet", head, [note])


def needs_more(source: Source, head: bytes) -> bool:
    """Return whether the first bytes are not enough: of a picture, of compressed content, and of long lines."""
    is_packed = any(head.startswith(mark) for _, mark, _ in _PACKINGS)
    return is_packed or picture_of(head, source.name, source.content_type) is not None or head.count(b"\n") <= LINES


def preview_of(source: Source, head: bytes) -> Preview:
    """Return the preview of what is no Parquet file.

    Args:
        source: The object.
        head: Its first bytes, or all of them.
    """
    if not source.size:
        return Preview(uri=source.uri, kind="empty")
    notes = list[str]()
    is_cut = len(head) < source.size
    if is_cut:
        notes.append(f"the first {len(head):,} are read")
    name, data, packing = _unpack(source.name, head, notes, is_cut=is_cut)
    is_cut |= bool(packing) and "its beginning is expanded" in notes
    picture = picture_of(data, name, source.content_type)
    if picture is not None:
        return _picture(source, picture, data, notes, is_cut=is_cut)
    text = _decode(data, notes)
    if text is None:
        return _binary(source, packing, data, notes)
    if is_cut:  # the last line may be a part of one
        text = text[: text.rfind("\n") + 1] or text
    return _table(source, name, text, notes) or _text(source, name, text, notes)


def _binary(source: Source, format: str, data: bytes, notes: list[str]) -> Preview:
    shown = data[:_BYTES]
    return Preview(
        uri=source.uri,
        kind="binary",
        format=format,
        size_bytes=source.size,
        notes=(*notes, f"{len(shown):,} bytes are shown"),
        content=shown,
    )


def _unpack(name: str, data: bytes, notes: list[str], *, is_cut: bool) -> tuple[str, bytes, str]:
    """Return the name without the suffix of a compression, the content expanded to at most 1 MiB, and the format."""
    found = next((each for each in _PACKINGS if data.startswith(each[1])), None)
    if found is None:
        return name, data, ""
    packing, _, make = found
    packer = make()
    try:
        expanded: bytes = packer.decompress(data, MOST)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as exc:
        notes.append(f"damaged {packing}: {exc}")
        return name, data, packing
    notes.append(f"compressed by {packing}")
    if is_cut or not packer.eof:
        notes.append("its beginning is expanded")
    return name.rpartition(".")[0] if name.endswith((".gz", ".bz2", ".xz")) else name, expanded, packing


class _Gzip:
    """A decompressor of gzip with the calls of `bz2` and `lzma`."""

    def __init__(self) -> None:
        self._found = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._found.eof

    def decompress(self, data: bytes, most: int) -> bytes:
        return self._found.decompress(data, most)


#: Format, first bytes, and what makes a decompressor whose output has a limit.
_PACKINGS: Final[tuple[tuple[str, bytes, Callable[[], Any]], ...]] = (
    ("gzip", b"\x1f\x8b", _Gzip),
    ("bzip2", b"BZh", bz2.BZ2Decompressor),
    ("xz", b"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor(memlimit=128 << 20)),
)


def _decode(data: bytes, notes: list[str]) -> str | None:
    """Return content as text. None if it is none. An encoding other than UTF-8 is noted."""
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), None) or _without_mark(data)
    for name in (encoding, "utf-8", "cp1252"):
        if name is None:
            continue
        try:
            text = codecs.getincrementaldecoder(name)().decode(data)  # the last character may be a part of one
        except UnicodeDecodeError:
            continue
        if len(_CONTROLS.findall(text[:10_000])) > len(text[:10_000]) // 100:
            continue
        if name not in ("utf-8", "utf-8-sig"):
            notes.append(f"read as {name}")
        return text
    return None


def _without_mark(data: bytes) -> str | None:
    """Return the encoding of UTF-16 without a mark, which has zeros in every other place where the text is English."""
    start = data[:1000]
    if len(start) >= 4 and start.count(0) > len(start) // 3:
        return "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"
    return None


def _picture(source: Source, picture: Picture, data: bytes, notes: list[str], *, is_cut: bool) -> Preview:
    if picture.width and picture.height:
        notes.insert(0, f"{picture.width:,} × {picture.height:,} pixels")
    if is_cut:
        notes.append(f"too large to show: the limit is {MOST:,} bytes")
    elif picture.width * picture.height > _PIXELS:
        notes.append(f"too large to show: the limit is {_PIXELS:,} pixels")
    shown = b"" if is_cut or picture.width * picture.height > _PIXELS else data
    return Preview(
        uri=source.uri,
        kind="picture",
        format=picture.format,
        size_bytes=source.size,
        notes=tuple(notes),
        content=shown,
    )


def _text(source: Source, name: str, text: str, notes: list[str]) -> Preview:
    lines = text.splitlines()
    shown = "\n".join(lines[:LINES])
    if len(lines) > LINES:
        notes.append(f"the first {LINES} lines are shown")
    if len(shown) > _TEXT:
        notes.append(f"the first {_TEXT:,} characters are shown")
    suffix = name.rpartition(".")[2] if "." in name else ""
    return Preview(
        uri=source.uri,
        kind="text",
        format=suffix if suffix.isalnum() and len(suffix) <= 8 else "",
        size_bytes=source.size,
        notes=tuple(notes),
        text=shown[:_TEXT],
    )


# -- tables ------------------------------------------------------------------------------------------------------------


def _table(source: Source, name: str, text: str, notes: list[str]) -> Preview | None:
    """Return the preview of CSV, TSV and JSON lines. None if it is none of these."""
    media = source.content_type.partition(";")[0].strip().lower()
    if name.endswith((".jsonl", ".ndjson")) or media in ("application/x-ndjson", "application/jsonl"):
        found, kind = _json_rows(text), "jsonl"
    elif name.endswith((".tsv", ".tab")) or media == "text/tab-separated-values":
        found, kind = _csv_rows(text, "\t"), "tsv"
    elif name.endswith(".csv") or media == "text/csv":
        found, kind = _csv_rows(text, _delimiter(text)), "csv"
    else:
        return None
    return None if found is None else table(source, kind, *found, notes)


def _delimiter(text: str) -> str:
    """Return the character that divides the first lines: the one that most lines have the same number of."""
    lines = [line for line in text.splitlines()[:10] if line]

    def weight(mark: str) -> tuple[int, int]:
        counts = [line.count(mark) for line in lines]
        usual = max(set(counts), key=counts.count) if counts else 0
        return (counts.count(usual) if usual else 0, usual)

    return max(",;\t|", key=weight)


def _csv_rows(text: str, delimiter: str) -> tuple[Sequence[str], list[Sequence[str]], bool] | None:
    rows, reader = list[list[str]](), csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) > ROWS + 1:
                break
    except csv.Error:  # a field of more than 128 KiB, or a NUL: shown as text
        return None
    return (rows[0], list(rows[1:]), len(rows) > ROWS + 1) if rows else None


def _json_rows(text: str) -> tuple[Sequence[str], list[Sequence[str]], bool] | None:
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        documents = [json.loads(line) for line in lines[:ROWS]]
    except (ValueError, RecursionError):
        return None
    if not documents or not all(isinstance(each, dict) for each in documents):
        return None
    names = list(dict.fromkeys(name for each in documents for name in each))
    rows = list[Sequence[str]]()
    rows += ([_json_cell(each[name]) if name in each else "" for name in names] for each in documents)
    return names, rows, len(lines) > ROWS


def _json_cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def table(
    source: Source,
    format: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    is_cut: bool,
    notes: Iterable[str],
) -> Preview:
    """Return the preview of a table. Short rows are filled up, and fields without a column get one."""
    lines = [tuple(row) for row in rows]
    names, more = list(columns), list(notes)
    if is_cut or len(lines) > ROWS:
        more.append(f"the first {ROWS} rows are shown")
    lines = lines[:ROWS]
    names += [""] * (max(map(len, lines), default=0) - len(names))
    if len(names) > COLUMNS:
        more.append(f"{COLUMNS} of {len(names):,} columns are shown")
    shown = names[:COLUMNS]
    filled = tuple(tuple((*line, *[""] * (len(shown) - len(line)))[: len(shown)]) for line in lines)
    return Preview(
        uri=source.uri,
        kind="table",
        format=format,
        size_bytes=source.size,
        notes=tuple(more),
        columns=tuple(shown),
        rows=filled,
    )
