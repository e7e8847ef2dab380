"""What differs between two versions of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from lakefs_hl import _html

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: Rows that are made into Python objects at a time.
_ROWS: Final = 1000


@_html.show_record
class RowChange(NamedTuple):
    """A row that differs.

    Attributes:
        kind: What happened to it.
        key: Values of the key columns by name. Empty if there are no keys.
        before: The row in the first version. None if it was added.
        after: The row in the second version. None if it was removed.
        columns: Names of the columns whose values differ. Empty unless the row was changed.
    """

    kind: Literal["added", "removed", "changed"]
    key: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    columns: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {**self._asdict(), "columns": list(self.columns)}


@_html.show_record
class RowCounts(NamedTuple):
    """Numbers of rows. They are exact, however many rows are kept.

    Attributes:
        added: Rows that only the second version has.
        removed: Rows that only the first version has.
        changed: Rows of both with different values. 0 without keys.
        unchanged: Rows of both with equal values. Objects that are identical in both versions are not read, so their
            rows are not counted.
    """

    added: int
    removed: int
    changed: int
    unchanged: int


@_html.show_record
class SchemaDiff(NamedTuple):
    """What differs between the columns of two versions. It is false if nothing does.

    Attributes:
        before: Schema of the first version, a `pyarrow.Schema`. None if there is no table, or nothing had to be read.
        after: Schema of the second version, a `pyarrow.Schema`. None likewise.
        added: Types by name of the columns that only the second version has.
        removed: Types by name of the columns that only the first version has.
        changed: Types before and after, by name of the column.
        nullable: Whether a column may have nulls, before and after, by name. Only those that differ.
        metadata: Keys of the schema's metadata whose values differ. That of pandas is left out, as it changes with the
            rows.
        is_reordered: Whether the columns of both have another order.
    """

    before: Any
    after: Any
    added: dict[str, str]
    removed: dict[str, str]
    changed: dict[str, tuple[str, str]]
    nullable: dict[str, tuple[bool, bool]]
    metadata: tuple[str, ...]
    is_reordered: bool

    def __bool__(self) -> bool:
        return any(self[2:])

    def to_dict(self) -> dict[str, Any]:
        """Return the differences as plain values."""
        found = self._asdict()
        del found["before"], found["after"]
        pairs = {name: {key: list(pair) for key, pair in found[name].items()} for name in ("changed", "nullable")}
        return {**found, **pairs, "metadata": list(self.metadata)}


class TableDiff:
    r"""Rows, columns and types that differ between two versions of a table. `ref.table_diff(...)` returns it.

    It is in memory and sends no requests. It is false if nothing differs. Iterating yields the rows that are kept:
    those added, then those removed, then those changed.

    Attributes:
        before: URI of the first version.
        after: URI of the second version.
        keys: Names of the key columns. Empty if whole rows were compared.
        schema: What differs between the columns.
        counts: Numbers of rows.
        columns: Numbers of changed rows by name of the column whose values differ. Others are not in it.
        skipped: Number of objects that were not read, because they are identical in both versions.
        is_truncated: Whether more rows differ than are kept (`max_rows`).

    Examples:
        >>> branch = lakefs.repository("example").branch("main")
        >>> _ = branch.upload("id,price\n1,10\n2,20\n", "prices.csv")
        >>> first = branch.commit_changes("first")
        >>> _ = branch.upload("id,price\n1,11\n3,30\n", "prices.csv")
        >>> diff = first.table_diff(branch, "prices.csv", keys="id")
        >>> diff.counts
        RowCounts(added=1, removed=1, changed=1, unchanged=0)
        >>> [(row.kind, row.key, row.columns) for row in diff if row.kind == "changed"]
        [('changed', {'id': 1}, ('price',))]
    """

    __module__ = "lakefs_hl"

    def __init__(
        self,
        *,
        before: str,
        after: str,
        keys: tuple[str, ...],
        schema: SchemaDiff,
        counts: RowCounts,
        columns: Mapping[str, int],
        skipped: int,
        is_truncated: bool,
        tables: tuple[Any, Any, Any, Any, Any],
    ) -> None:
        self.before = before
        self.after = after
        self.keys = keys
        self.schema = schema
        self.counts = counts
        self.columns = dict(columns)
        self.skipped = skipped
        self.is_truncated = is_truncated
        self._added, self._removed, self._before, self._after, self._names = tables

    @property
    def added(self) -> pa.Table:
        """Rows that only the second version has, with its columns and in its order."""
        return self._added

    @property
    def removed(self) -> pa.Table:
        """Rows that only the first version has, with its columns and in its order."""
        return self._removed

    @property
    def changed(self) -> pa.Table:
        """Rows of both with different values, in the columns `key`, `before` and `after` (structs) and `columns`."""
        import pyarrow as pa

        from lakefs_hl.facades.table_frames import structs

        rows = len(self._before)
        key = structs(self._before.select(list(self.keys)), rows)
        before, after = structs(self._before, rows), structs(self._after, rows)
        return pa.table({"key": key, "before": before, "after": after, "columns": self._names})

    def __bool__(self) -> bool:
        return bool(self.schema) or any(self.counts[:3])

    def __iter__(self) -> Iterator[RowChange]:
        for kind in ("added", "removed", "changed"):
            yield from self._rows(kind, None)

    def _rows(self, kind: str, most: int | None) -> Iterator[RowChange]:
        """Yield the rows of one kind that are kept, at most so many."""
        if kind == "added":
            for row in _values(self._added, most):
                yield RowChange("added", self._key_of(row), None, row, ())
        elif kind == "removed":
            for row in _values(self._removed, most):
                yield RowChange("removed", self._key_of(row), row, None, ())
        else:
            befores, afters = _values(self._before, most), _values(self._after, most)
            names = _values(self._names, most)
            for before, after, columns in zip(befores, afters, names, strict=True):
                yield RowChange("changed", self._key_of(before), before, after, tuple(columns))

    def _key_of(self, row: dict[str, Any]) -> dict[str, Any]:
        return {name: row[name] for name in self.keys}

    def to_arrow(self) -> pa.Table:
        """Return the rows that are kept, in the columns `kind`, `key`, `before`, `after` (structs) and `columns`."""
        from lakefs_hl.facades import table_frames

        return table_frames.arrow(self.keys, self._added, self._removed, self._before, self._after, self._names)

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows that are kept as a data frame, whose index is "added", "removed" or "changed".

        Its columns have two levels, as those of pandas' `DataFrame.compare`: key columns are `("id", "")`, others are
        `("price", "before")` and `("price", "after")`. Integers and booleans with nulls stay what they are.

        Raises:
            ImportError: pandas is not installed.
        """
        from lakefs_hl.facades import table_frames

        return table_frames.frame(self.keys, self._added, self._removed, self._before, self._after)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers and the differences of the columns as plain values, without rows."""
        return {
            "before": self.before,
            "after": self.after,
            "keys": list(self.keys),
            **self.counts._asdict(),
            "columns": dict(self.columns),
            "schema": self.schema.to_dict(),
            "skipped": self.skipped,
            "is_truncated": self.is_truncated,
        }

    def __repr__(self) -> str:
        return f"<TableDiff {self.before} → {self.after}: {self._summary()}>"

    def _summary(self) -> str:
        if not self:
            return "no differences"
        counts = self.counts._asdict().items()
        rows = ", ".join(f"{number:,} {name}" for name, number in counts if number or name != "unchanged")
        return f"{rows}; the schema differs" if self.schema else rows

    def _repr_html_(self) -> str:
        from lakefs_hl.facades import table_html

        kinds = {kind: list(self._rows(kind, table_html.ROWS)) for kind in ("changed", "removed", "added")}
        return table_html.page(self, self._summary(), kinds)


def _values(rows: Any, most: int | None) -> Iterator[Any]:
    """Yield the rows of a table, or the values of a column, as Python objects, at most so many."""
    end = len(rows) if most is None else min(most, len(rows))
    for start in range(0, end, _ROWS):
        part = rows.slice(start, min(_ROWS, end - start))
        if not hasattr(part, "columns"):
            yield from part.to_pylist()
            continue
        columns = [python_values(column) for column in part.columns]
        for values in zip(*columns, strict=True):
            yield dict(zip(part.schema.names, values, strict=True))


def python_values(column: Any) -> list[Any]:
    """Return the values of a column. Times that Python has no type for are integers in their unit."""
    try:
        if str(column.type) == "time64[ns]":  # Python would drop the nanoseconds
            return [value.value if value.is_valid and value.value % 1000 else value.as_py() for value in column]
        return list(column.to_pylist())
    except (ValueError, OverflowError):
        return [_python_value(value) for value in column]


def _python_value(value: Any) -> Any:
    try:
        return value.as_py()
    except (ValueError, OverflowError):
        if hasattr(value, "items"):
            return {name: _python_value(part) for name, part in value.items()}
        return [_python_value(part) for part in value.values] if hasattr(value, "values") else value.value
