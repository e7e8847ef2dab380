"""The first rows of a Parquet file, from its footer and the beginning of its first row group."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from lakefs_hl import _html
from lakefs_hl.facades.previews import COLUMNS, MOST, ROWS, Preview, Source, table

#: What pyarrow raises for a damaged file.
ERRORS: Final = (pa.ArrowException, OSError, ValueError, KeyError)
#: Largest expanded size of a column of the row group, in bytes.
_EXPANDED: Final = 64 << 20


class Plan(NamedTuple):
    """What is read of the row group.

    Attributes:
        start: Offset of the first byte.
        end: Offset after the last byte. Equal to `start` if no column fits.
        columns: Names of the columns of the schema that are in it.
    """

    start: int
    end: int
    columns: tuple[str, ...]


class Parts(io.RawIOBase):
    """A file of which some ranges are known. Reading others is an error."""

    def __init__(self, size: int, parts: Mapping[int, bytes]) -> None:
        super().__init__()
        self._size = size
        self._parts = dict(parts)
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, and return it."""
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def size(self) -> int:
        """Return the size of the file."""
        return self._size

    def read(self, size: int = -1) -> bytes:
        """Return bytes of one of the ranges.

        Raises:
            OSError: They are not all in one.
        """
        end = self._size if size is None or size < 0 else min(self._size, self._at + size)
        for start, data in self._parts.items():
            if start <= self._at and end <= start + len(data):
                found = data[self._at - start : end - start]
                self._at = end
                return found
        msg = f"bytes {self._at} to {end} were not read"
        raise OSError(msg)


def footer_size(tail: bytes) -> int:
    """Return the number of bytes that the footer needs, from the end of the file. 0 if there is no footer."""
    return int.from_bytes(tail[-8:-4], "little") + 8 if tail[-4:] == b"PAR1" else 0


def plan(source: Source, tail: bytes, budget: int) -> Plan | None:
    """Return what to read for the first rows: leading columns of the first row group, as many as the budget allows.

    Args:
        source: The object.
        tail: Its last bytes, with the footer.
        budget: Number of bytes that may be read.

    Returns:
        None if there are no rows.

    Raises:
        pyarrow.ArrowException: The footer is damaged.
    """
    metadata = pq.ParquetFile(Parts(source.size, {source.size - len(tail): tail})).metadata
    if not metadata.num_row_groups or not metadata.num_rows:
        return None
    group = metadata.row_group(0)
    wanted, start, end = list[str](), source.size, 0
    for index in range(group.num_columns):
        chunk = group.column(index)
        offsets = [chunk.data_page_offset, *([chunk.dictionary_page_offset] if chunk.has_dictionary_page else [])]
        first, last = min(start, *offsets), max(end, min(offsets) + chunk.total_compressed_size)
        name = chunk.path_in_schema.partition(".")[0]
        if last - first > budget or chunk.total_uncompressed_size > _EXPANDED:
            wanted = [each for each in wanted if each != name]  # a nested column is whole or not there
            break
        start, end = first, last
        wanted.append(name)
    names = tuple(dict.fromkeys(wanted))[:COLUMNS]
    return Plan(start, end, names) if names else Plan(0, 0, ())


def preview(source: Source, tail: bytes, found: Plan | None, data: bytes) -> Preview:
    """Return the preview. Takes what `plan` returned, and the bytes that it names."""
    parts = {source.size - len(tail): tail, **({found.start: data} if found and data else {})}
    file = pq.ParquetFile(Parts(source.size, parts))
    names = file.schema_arrow.names
    notes = [f"{file.metadata.num_rows:,} rows, {len(names):,} columns", f"{len(tail) + len(data):,} bytes are read"]
    if found is None or not found.columns:
        if found is not None:
            notes.append(f"its columns are too large to show: the limit is {MOST:,} bytes")
        rows = [(each.name, str(each.type)) for each in file.schema_arrow]
        return table(source, "parquet", ("column", "type"), rows[:ROWS], len(rows) > ROWS, notes)
    batches = file.iter_batches(batch_size=ROWS, row_groups=[0], columns=list(found.columns))
    first: Any = next(batches, None)
    if first is None:
        return table(source, "parquet", found.columns, (), False, notes)
    shown = [f"{name}: {first.schema.field(name).type}" for name in first.schema.names]
    if len(found.columns) < len(names):
        notes.append(f"{len(found.columns):,} of {len(names):,} columns are shown")
    lines = zip(*(map(_cell, column.to_pylist()) for column in first.columns), strict=True)
    return table(source, "parquet", shown, list(lines), file.metadata.num_rows > ROWS, notes)


def _cell(value: Any) -> str:
    return "null" if value is None else str(value) if isinstance(value, int | float) else _html.cell(value)
