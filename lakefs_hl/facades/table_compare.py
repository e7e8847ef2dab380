"""The comparison of two tables whose files are on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakefs_hl.facades import table_files, table_match, table_types, table_values
from lakefs_hl.facades.table_files import Piece, Reading
from lakefs_hl.facades.table_found import Found
from lakefs_hl.facades.table_spill import Partitions, Workspace, is_last, number_of
from lakefs_hl.facades.table_texts import Seen
from lakefs_hl.facades.table_values import Numbers
from lakefs_hl.facades.tables import python_values

#: Parts of the memory: rows of both tables that need no files, of one partition, and of those that are being written.
_WHOLE, _PARTITION, _BUFFER = 4, 6, 16
#: A number in a text, for a tolerance. With a leading zero it is none.
_NUMBER: Final = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"


class Options(NamedTuple):
    """What is compared, and how.

    Attributes:
        keys: Columns that identify a row. None to compare rows as a multiset.
        ignore: Columns that are not compared.
        tolerance: Differences of numbers that do not count.
        max_rows: Rows of each kind to keep. None for all.
        memory: Bytes to use, about.
    """

    keys: tuple[str, ...] | None
    ignore: tuple[str, ...]
    tolerance: float
    max_rows: int | None
    memory: int


class Side:
    """One of the two tables.

    Args:
        uri: What it is, for messages.
        pieces: Its files.
        reading: How they are read.
        schema: Its columns, of plain types.
    """

    def __init__(self, uri: str, pieces: Sequence[Piece], reading: Reading, schema: Any) -> None:
        self.uri, self.schema = uri, schema
        self._pieces, self._reading = pieces, reading
        self.is_text = reading.is_text
        self.seen = {field.name: Seen() for field in schema if self.is_text and field.type == pa.large_string()}
        #: The columns and, at the end, the number of the row. Its name may be that of a column.
        self.rows = schema.append(pa.field("", pa.int64()))

    def batches(self) -> Iterator[Any]:
        """Yield the rows, numbered."""
        start = 0
        for piece in self._pieces:
            for batch in table_files.batches_of(piece, self._reading, self.schema):
                for name, seen in self.seen.items():
                    seen.add(batch.column(self.schema.get_field_index(name)))
                number = pa.array(np.arange(start, start + batch.num_rows))
                start += batch.num_rows
                yield pa.RecordBatch.from_arrays([*batch.columns, number], schema=self.rows)


class Column(NamedTuple):
    """A column of both tables.

    Attributes:
        name: Its name.
        places: Its index in each table.
        type: What its values are compared as. None if none are equal.
        is_number: Whether a tolerance applies.
        is_text: Whether it is of CSV files.
    """

    name: str
    places: tuple[int, int]
    type: Any
    is_number: bool
    is_text: bool

    def of(self, table: Any, side: int) -> Any:
        """Return the values in a table, in one piece."""
        values = table.column(self.places[side]).combine_chunks()
        return pa.concat_arrays(values.chunks) if isinstance(values, pa.ChunkedArray) else values

    def comparable(self, table: Any, side: int) -> Any:
        """Return the values in a table as they are compared."""
        values = self.of(table, side)
        try:
            return table_types.convert(values, self.type)
        except pa.ArrowInvalid as exc:
            msg = f"column {self.name!r} cannot be compared as {self.type}: {exc}; leave it out by ignore="
            raise ValueError(msg) from exc


class Comparison:
    """A comparison.

    Args:
        work: Where rows are written that have no room in memory.
        sides: The tables.
        options: What is compared, and how.
        size: Bytes of the files of both.
    """

    def __init__(self, work: Workspace, sides: tuple[Side, Side], options: Options, size: int) -> None:
        self._work, self._sides, self._options, self._size = work, sides, options, size
        self._columns = [
            column
            for name in sides[0].schema.names
            if name in sides[1].schema.names and name not in options.ignore
            for column in [self._column(name)]
        ]
        known = {column.name: column for column in self._columns}
        self._keys = [known[name] for name in self._checked_keys(known)]
        self._values = [column for column in self._columns if column not in self._keys]
        self.found = Found(options.max_rows, (sides[0].rows, sides[1].rows))

    def _column(self, name: str) -> Column:
        places = [side.schema.get_field_index(name) for side in self._sides]
        kinds = [side.schema.field(place).type for side, place in zip(self._sides, places, strict=True)]
        is_number = all(table_types.is_number(kind) for kind in kinds)
        is_text = all(name in side.seen for side in self._sides)
        return Column(name, (places[0], places[1]), table_types.common(*kinds), is_number, is_text)

    def _checked_keys(self, known: Mapping[str, Column]) -> tuple[str, ...]:
        schemas = [side.schema for side in self._sides]
        for name in self._options.keys or ():
            for side in self._sides:
                if name not in side.schema.names:
                    raise missing_column("keys", name, side.uri, side.schema.names)
        for name in self._options.keys or ():
            column = known[name]
            if column.type is None or table_types.is_nested(self._sides[0].schema.field(name).type):
                kinds = " and ".join(str(schema.field(name).type) for schema in schemas)
                msg = f"keys: values of column {name!r} cannot identify rows: its types are {kinds}"
                raise ValueError(msg)
        return self._options.keys or ()

    # -- rows ----------------------------------------------------------------------------------------------------------

    def run(self) -> Found:
        """Compare the tables.

        Raises:
            ValueError: The keys do not identify rows, or a file is damaged.
        """
        limit = self._options.memory // _WHOLE
        kept: tuple[list[Any], list[Any]] = ([], [])
        size, spilled = 0, None
        for side, rows in enumerate(self._sides):
            for batch in rows.batches():
                self._work.check()
                if spilled is None:
                    kept[side].append(batch)
                    size += batch.nbytes
                    if size > limit:
                        spilled = self._partitions(number_of(self._size, limit), 0)
                        for part, batches in zip(spilled, kept, strict=True):
                            for each in batches:
                                part.add(each)
                            batches.clear()
                else:
                    spilled[side].add(batch)
        if spilled is None:
            self._compare(*(self._table(side, kept[side]) for side in (0, 1)), is_all=True)
        else:
            self._compare_parts(spilled, 0, number_of(self._size, limit))
        return self.found

    def _table(self, side: int, batches: list[Any]) -> Any:
        return pa.Table.from_batches(batches, self._sides[side].rows)

    def _partitions(self, number: int, level: int) -> tuple[Partitions, Partitions]:
        first, second = (
            Partitions(
                self._work,
                self._sides[side].rows,
                lambda rows, side=side: self._hashes(rows, side),  # type: ignore[misc]
                number,
                level,
                self._options.memory // _BUFFER,
            )
            for side in (0, 1)
        )
        return first, second

    def _hashes(self, rows: Any, side: int) -> Numbers:
        columns = self._keys if self._options.keys is not None else self._columns
        found = [column.comparable(rows, side) for column in columns if column.type is not None]
        return table_values.hashes(found, rows.num_rows)

    def _compare_parts(self, parts: tuple[Partitions, Partitions], level: int, number: int) -> None:
        for part in parts:
            part.close()
        limit = self._options.memory // _PARTITION
        for at in range(number):
            self._work.check()
            size = sum(part.size(at) for part in parts)
            if size > limit and not is_last(level):
                inner = self._partitions(number_of(size, limit), level + 1)
                for part, into in zip(parts, inner, strict=True):
                    for batch in part.batches(at):
                        into.add(batch)
                self._compare_parts(inner, level + 1, number_of(size, limit))
            elif size:
                tables = (self._table(side, list(part.batches(at))) for side, part in enumerate(parts))
                self._compare(*tables, is_all=False)

    def _compare(self, first: Any, second: Any, *, is_all: bool) -> None:
        """Compare rows of both tables, which have all rows that may belong together."""
        tables = (first, second)
        if self._options.keys is None:
            codes, count = self._codes(self._columns, tables)
            pairs = table_match.as_multiset(codes, count)
            self.found.unchanged += first.num_rows - len(pairs.removed)
        else:
            self._check_nulls(tables)
            codes, count = self._codes(self._keys, tables)
            for repeated in table_match.find_repeated(codes, count):
                raise self._repeated_error(repeated, tables, is_all=is_all)
            pairs = table_match.by_keys(codes, count)
            self._compare_values(tables, pairs)
        self.found.add_removed(first, pairs.removed)
        self.found.add_added(second, pairs.added)

    def _codes(self, columns: list[Column], tables: tuple[Any, Any]) -> tuple[tuple[Numbers, Numbers], int]:
        """Return a number for each row of both tables, which equal rows share."""
        rows = (tables[0].num_rows, tables[1].num_rows)
        parts = list[tuple[Numbers, int]]()
        for column in columns:
            if column.type is None:  # only nulls are equal
                known = [
                    column.of(table, side).is_valid().to_numpy(zero_copy_only=False)
                    for side, table in enumerate(tables)
                ]
                parts.append(
                    (np.concatenate([each * (side + 1) for side, each in enumerate(known)]).astype(np.int64), 3)
                )
            else:
                both = [column.comparable(table, side) for side, table in enumerate(tables)]
                parts.append(table_values.codes(pa.concat_arrays(both)))
        if not columns:
            parts.append((np.repeat(np.arange(2), rows), 2))
        found, count = table_values.combine(parts, sum(rows))
        return (found[: rows[0]], found[rows[0] :]), count

    def _check_nulls(self, tables: tuple[Any, Any]) -> None:
        for side, table in enumerate(tables):
            for column in self._keys:
                nulls = table.column(column.places[side]).null_count
                if nulls:
                    uri = self._sides[side].uri
                    msg = f"keys: column {column.name!r} of {uri} is null in {nulls:,} rows; a key identifies each row"
                    raise ValueError(msg)

    def _repeated_error(self, found: table_match.Repeated, tables: tuple[Any, Any], *, is_all: bool) -> ValueError:
        row = tables[found.side].slice(found.row, 1)
        example = {column.name: python_values(column.of(row, found.side))[0] for column in self._keys}
        number = f"{found.keys:,}" if is_all else f"at least {found.keys:,}"
        msg = (
            f"keys {list(self._options.keys or ())!r} do not identify the rows of {self._sides[found.side].uri}: "
            f"{number} of their values occur more than once, such as {example!r:.200}, in {found.rows:,} rows; "
            "add columns to keys, or leave keys out to compare whole rows"
        )
        return ValueError(msg)

    def _compare_values(self, tables: tuple[Any, Any], pairs: table_match.Pairs) -> None:
        before, after = pairs.before, pairs.after
        if np.any(before[1:] < before[:-1]):
            order = np.argsort(before)
            before, after = before[order], after[order]
        changed, columns = np.zeros(len(before), bool), dict[str, Numbers]()
        takes = [_take(rows, table.num_rows) for rows, table in zip((before, after), tables, strict=True)]
        for column in self._values:
            self._work.check()
            rows, places = list[Any](), list[int]()
            for table, place, take in zip(tables, column.places, takes, strict=True):
                rows.append(table if take is None else table.select([place]).take(take))
                places.append(place if take is None else 0)
            same = self._equal(column._replace(places=(places[0], places[1])), rows)
            if not same.all():
                changed |= ~same
                columns[column.name] = np.flatnonzero(~same)
        self.found.add_changed(tables, (before, after), changed, columns)

    def _equal(self, column: Column, tables: list[Any]) -> Numbers:
        if column.type is None:
            first, second = (column.of(table, side) for side, table in enumerate(tables))
            return np.asarray(pc.and_(first.is_null(), second.is_null()).to_numpy(zero_copy_only=False))
        same = table_values.equal(*(column.comparable(table, side) for side, table in enumerate(tables)))
        if self._options.tolerance and (column.is_number or column.is_text) and not same.all():
            first, second = (column.of(table, side) for side, table in enumerate(tables))
            if column.is_text:
                first, second = _numbers(first), _numbers(second)
            same = same | table_values.near(first, second, self._options.tolerance)
        return same


def missing_column(argument: str, name: str, uri: str, names: Sequence[str]) -> ValueError:
    """Return the error of an argument that names a column which does not exist."""
    more = ", …" if len(names) > 20 else ""
    return ValueError(
        f"{argument}: no column {name!r} in {uri}; the columns are {', '.join(map(repr, names[:20]))}{more}"
    )


def _take(rows: Numbers, total: int) -> Any:
    """Return the rows to take. None if these are all rows in their order."""
    return None if len(rows) == total and bool((rows == np.arange(total)).all()) else pa.array(rows)


def _numbers(texts: Any) -> Any:
    """Return texts as numbers. Those that are none are null."""
    return pc.if_else(pc.match_substring_regex(texts, _NUMBER), texts, None).cast(pa.float64())
