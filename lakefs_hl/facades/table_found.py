"""What a comparison has found: counts of all rows, and as many rows as are kept."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from lakefs_hl.facades.table_values import Numbers


class Found:
    """Counts and rows. The last column of each table numbers its rows.

    Args:
        max_rows: Rows of each kind to keep. None for all.
        schemas: Columns of both tables.
    """

    def __init__(self, max_rows: int | None, schemas: tuple[Any, Any]) -> None:
        self._max_rows, self._schemas = max_rows, schemas
        self.added = self.removed = self.changed = self.unchanged = 0
        self.columns = Counter[str]()
        self._added, self._removed = list[Any](), list[Any]()
        self._before, self._after, self._names = list[Any](), list[Any](), list[Any]()

    def _room(self, rows: Numbers, count: int) -> Numbers:
        return rows if self._max_rows is None else rows[: max(0, self._max_rows - count)]

    def add_removed(self, table: Any, rows: Numbers) -> None:
        """Add rows that only the first table has."""
        _keep(self._removed, table, self._room(rows, self.removed))
        self.removed += len(rows)

    def add_added(self, table: Any, rows: Numbers) -> None:
        """Add rows that only the second table has."""
        _keep(self._added, table, self._room(rows, self.added))
        self.added += len(rows)

    def add_changed(
        self,
        tables: tuple[Any, Any],
        pairs: tuple[Numbers, Numbers],
        changed: Numbers,
        columns: dict[str, Numbers],
    ) -> None:
        """Add rows that both tables have, with different values.

        Args:
            tables: Both tables.
            pairs: Rows of both that belong together.
            changed: Which of these differ.
            columns: In which of these each column differs.
        """
        found = np.flatnonzero(changed)
        for name, rows in columns.items():
            self.columns[name] += len(rows)
        kept = self._room(found, self.changed)
        self.changed += len(found)
        self.unchanged += len(changed) - len(found)
        if len(kept):
            _keep(self._before, tables[0], pairs[0][kept])
            _keep(self._after, tables[1], pairs[1][kept])
            self._names.append(_names(kept, columns))

    @property
    def is_truncated(self) -> bool:
        """Whether there are more rows than are kept."""
        return self._max_rows is not None and max(self.added, self.removed, self.changed) > self._max_rows

    def tables(self) -> tuple[Any, Any, Any, Any, Any]:
        """Return the rows that were added, those removed, those changed before and after, and the names of columns."""
        removed, added = _join(self._removed, self._schemas[0]), _join(self._added, self._schemas[1])
        before, after = _join(self._before, self._schemas[0]), _join(self._after, self._schemas[1])
        names = pa.chunked_array(self._names, pa.large_list(pa.large_string()))
        order = _order(before)
        if order is not None:
            before, after, names = before.take(order), after.take(order), names.take(order)
        return _sort(added), _sort(removed), _plain(before), _plain(after), names


def _keep(kept: list[Any], table: Any, rows: Numbers) -> None:
    if len(rows):
        kept.append(table.take(pa.array(rows)).combine_chunks())


def _join(tables: list[Any], schema: Any) -> Any:
    return pa.concat_tables(tables) if tables else schema.empty_table()


def _order(table: Any) -> Any:
    """Return the order of rows by their numbers. None if they are in it."""
    numbers = table.column(table.num_columns - 1).to_numpy()
    return pa.array(np.argsort(numbers)) if np.any(numbers[1:] < numbers[:-1]) else None


def _plain(table: Any) -> Any:
    return table.select(range(table.num_columns - 1))


def _sort(table: Any) -> Any:
    order = _order(table)
    return _plain(table if order is None else table.take(order))


def _names(kept: Numbers, columns: dict[str, Numbers]) -> Any:
    """Return for each kept row the names of the columns that differ in it, in the order of the columns."""
    places, numbers = list[Numbers](), list[Numbers]()
    for number, rows in enumerate(columns.values()):
        inside = np.searchsorted(kept, rows[rows <= kept[-1]])
        places.append(inside)
        numbers.append(np.full(len(inside), number))
    place, column = np.concatenate(places), np.concatenate(numbers)
    order = np.argsort(place, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=len(kept)))])
    texts = pa.array(list(columns), pa.large_string()).take(pa.array(column[order]))
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), texts)
