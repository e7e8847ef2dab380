"""Files of tables on this machine: their formats, their schemas, and their rows in batches."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

#: Suffixes of files, and what they are read as.
SUFFIXES: Final = {
    ".parquet": "parquet",
    ".parq": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".ipc": "arrow",
    ".feather": "arrow",
}
FORMATS: Final = ("parquet", "csv", "tsv", "arrow")
#: Suffixes after that of a CSV file, and the first bytes of such files.
COMPRESSED: Final = {".gz": b"\x1f\x8b", ".bz2": b"BZh", ".zst": b"\x28\xb5\x2f\xfd", ".lz4": b"\x04\x22\x4d\x18"}
_CODECS: Final = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
#: Bytes of a batch, about, and rows at most.
_BATCH_BYTES: Final = 4 << 20
_BATCH_ROWS: Final = 1 << 16


class Piece(NamedTuple):
    """A file of a table.

    Attributes:
        path: The local file.
        uri: What it is a copy of.
        partition: Names and texts of the directories `name=text`. None is the null of Hive.
    """

    path: str
    uri: str
    partition: Mapping[str, str | None]


class Reading(NamedTuple):
    """How files are read.

    Attributes:
        format: One of `FORMATS`.
        delimiter: Between the fields of a CSV file. None for that of the format.
        block: Bytes of a CSV file that are parsed at a time.
        threads: Whether several threads decode columns. Each has memory of its own.
    """

    format: str
    delimiter: str | None
    block: int
    threads: bool = True

    @property
    def is_text(self) -> bool:
        """Whether values are texts."""
        return self.format in ("csv", "tsv")


def format_of(path: str) -> str | None:
    """Return the format that the name of a file says. None if it says none."""
    name = path.rpartition("/")[2].lower()
    for suffix in COMPRESSED:
        inner = name.removesuffix(suffix)
        if inner != name:
            found = _suffix(inner)
            return found if found in ("csv", "tsv") else None
    return _suffix(name)


def _suffix(name: str) -> str | None:
    stem, dot, suffix = name.rpartition(".")
    return SUFFIXES.get(dot + suffix) if stem else None


def has_suffix(path: str) -> bool:
    """Return whether the name of a file has a suffix of any kind."""
    return "." in path.rpartition("/")[2].lstrip(".")


@contextmanager
def _name_file(piece: Piece, reading: Reading) -> Iterator[None]:
    """Name the file in an error that its content causes."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError, EOFError, OSError, csv.Error) as exc:
        if isinstance(exc, OSError) and exc.errno is not None:
            raise  # this machine, such as a full disk
        reason = " ".join(str(exc).split())
        if "straddling" in reason:
            reason = f"a row is longer than {reading.block:,} bytes; raise memory="
        msg = f"reading {piece.uri} as {reading.format}: {reason}"
        raise ValueError(msg) from exc


def schema_of(piece: Piece, reading: Reading) -> pa.Schema:
    """Return the schema of a file, without its partition columns.

    Raises:
        ValueError: The file is damaged, or two columns have the same name.
    """
    import pyarrow as pa

    with _name_file(piece, reading):
        if reading.is_text:
            schema = pa.schema([(name, pa.large_string()) for name in _header(piece.path, reading)])
        elif reading.format == "parquet":
            import pyarrow.parquet as pq

            with pq.ParquetFile(piece.path) as file:
                schema = file.schema_arrow
        else:
            with pa.OSFile(piece.path) as file:
                schema = _arrow(file).schema
    names = list(schema.names)
    for at, name in enumerate(names):
        if name in names[:at]:
            msg = f"reading {piece.uri} as {reading.format}: there are two columns {name!r}; rename one"
            raise ValueError(msg)
    return schema


def batches_of(piece: Piece, reading: Reading, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file in the columns of a schema, of plain types.

    Args:
        piece: The file.
        reading: How to read it.
        schema: Columns of the whole table. Those that the file does not have are null.

    Raises:
        ValueError: The file is damaged, or a value has no place in the type of the whole table's column.
    """
    import pyarrow as pa

    from lakefs_hl.facades import table_types

    rows = _raw(piece, reading)
    while True:
        with _name_file(piece, reading):
            batch = next(rows, None)
            if batch is None:
                return
            arrays = []
            for field in schema:
                index = batch.schema.get_field_index(field.name)
                if index >= 0:
                    arrays.append(table_types.convert(batch.column(index), field.type))
                elif batch.num_rows and piece.partition.get(field.name) is not None:
                    value = pa.scalar(piece.partition[field.name], pa.large_string()).cast(field.type)
                    arrays.append(pa.repeat(value, batch.num_rows))
                else:
                    arrays.append(pa.nulls(batch.num_rows, field.type))
            made = pa.RecordBatch.from_arrays(arrays, schema=schema)
        yield made


def _raw(piece: Piece, reading: Reading) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    if reading.is_text:
        yield from _csv_batches(piece.path, reading)
    elif reading.format == "parquet":
        import pyarrow.parquet as pq

        # Without pre_buffer, pages are read as they are needed, and not all of a row group at once.
        with pq.ParquetFile(piece.path, pre_buffer=False, buffer_size=1 << 20) as file:
            found = file.metadata
            total = sum(found.row_group(at).total_byte_size for at in range(found.num_row_groups))
            yield from file.iter_batches(batch_size=_rows(total, found.num_rows), use_threads=reading.threads)
    else:
        with pa.memory_map(piece.path) as file:
            opened = _arrow(file)
            if hasattr(opened, "num_record_batches"):
                found = (opened.get_batch(at) for at in range(opened.num_record_batches))
            else:
                found = iter(opened)
            for batch in found:
                rows = _rows(batch.nbytes, batch.num_rows)
                for start in range(0, batch.num_rows, rows):
                    yield batch.slice(start, rows)


def _rows(size: int, rows: int) -> int:
    """Return the rows of a batch, of a table of a size in bytes."""
    return max(1, min(_BATCH_ROWS, _BATCH_BYTES * max(rows, 1) // max(size, 1)))


def _arrow(file: Any) -> Any:
    """Return a reader of an IPC file or of an IPC stream."""
    import pyarrow as pa

    is_file = file.read(6) == b"ARROW1"
    file.seek(0)
    return pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)


def _delimiter(reading: Reading) -> str:
    return reading.delimiter or ("\t" if reading.format == "tsv" else ",")


def _codec(path: str) -> str | None:
    """Return the encoding of a file, by its first bytes: the name of an object may not say it."""
    import pyarrow as pa

    with pa.OSFile(path) as file:
        start = file.read(4)
    return next((_CODECS[name] for name, magic in COMPRESSED.items() if start.startswith(magic)), None)


def _header(path: str, reading: Reading) -> list[str]:
    import pyarrow as pa

    with pa.input_stream(path, compression=_codec(path)) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        rows = csv.reader(text, delimiter=_delimiter(reading))
        names = next((row for row in rows if row), None)
        text.detach()
    if names is None:
        msg = "the file is empty, and has no names of columns"
        raise csv.Error(msg)
    return names


def _csv_batches(path: str, reading: Reading) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = _header(path, reading)
    options: dict[str, Any] = {
        "read_options": arrow_csv.ReadOptions(block_size=reading.block),
        "parse_options": arrow_csv.ParseOptions(delimiter=_delimiter(reading), newlines_in_values=True),
        "convert_options": arrow_csv.ConvertOptions(
            column_types={name: pa.large_string() for name in names},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    }
    with pa.input_stream(path, compression=_codec(path)) as stream, arrow_csv.open_csv(stream, **options) as rows:
        if rows.schema.names != names:
            msg = f"the names of columns cannot be read: {names} or {rows.schema.names}"
            raise csv.Error(msg)
        yield from rows
