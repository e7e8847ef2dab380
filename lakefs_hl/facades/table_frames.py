"""Rows of a table diff as a table of Arrow, and as a data frame of pandas."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

from lakefs_hl.facades import table_types
from lakefs_hl.facades.tables import python_values

_INTEGERS: Final = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")


def structs(table: Any, rows: int) -> Any:
    """Return the rows of a table as structs. Without columns, they are null."""
    if table.num_columns == 0:
        return pa.chunked_array([pa.nulls(rows, pa.struct([]))])
    return table.to_struct_array()


def arrow(keys: tuple[str, ...], added: Any, removed: Any, before: Any, after: Any, names: Any) -> Any:
    """Return the rows in the columns `kind`, `key`, `before`, `after` and `columns`."""
    counts = {"added": len(added), "removed": len(removed), "changed": len(before)}
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    types = [_wider(added, removed, name) for name in keys]
    key = [structs(_cast(table.select(list(keys)), types), len(table)) for table in (added, removed, before)]
    lists = pa.large_list(pa.large_string())
    nothing = pa.array([[]] * (counts["added"] + counts["removed"]), lists)
    return pa.table(
        {
            "kind": pa.array(kinds, pa.string()),
            "key": _join(key),
            "before": _join([len(added), structs(removed, len(removed)), structs(before, len(before))]),
            "after": _join([structs(added, len(added)), len(removed), structs(after, len(after))]),
            "columns": pa.chunked_array([nothing, *names.chunks], lists),
        }
    )


def _join(parts: list[Any]) -> Any:
    """Return columns as one. An integer stands for as many nulls."""
    kind = next(part.type for part in parts if not isinstance(part, int))
    found = list[Any]()
    for part in parts:
        found += [pa.nulls(part, kind)] if isinstance(part, int) else part.chunks
    return pa.chunked_array(found, kind)


def _wider(first: Any, second: Any, name: str) -> Any:
    return table_types.common(first.schema.field(name).type, second.schema.field(name).type, exact=False)


def _cast(table: Any, types: list[Any]) -> Any:
    columns = [
        pa.chunked_array([table_types.convert(chunk, kind) for chunk in column.chunks], kind)
        for column, kind in zip(table.columns, types, strict=True)
    ]
    return pa.table(columns, names=table.schema.names)


def frame(keys: tuple[str, ...], added: Any, removed: Any, before: Any, after: Any) -> Any:
    """Return the rows as a data frame, with columns of two levels."""
    try:
        import pandas as pd
    except ImportError as exc:
        msg = "to_pandas() needs pandas, which cannot be imported: pip install 'lakefs-hl[pandas]'"
        raise ImportError(msg, name="pandas") from exc
    columns, labels = list[Any](), list[tuple[str, str]]()
    for name in keys:
        kind = _wider(added, removed, name)
        parts = [_cast(table.select([name]), [kind]).column(0) for table in (added, removed, before)]
        columns.append(_join(parts))
        labels.append((name, ""))
    for name in dict.fromkeys([*before.schema.names, *after.schema.names]):
        if name not in keys and name in before.schema.names:
            columns.append(_join([len(added), removed.column(name), before.column(name)]))
            labels.append((name, "before"))
        if name not in keys and name in after.schema.names:
            columns.append(_join([added.column(name), len(removed), after.column(name)]))
            labels.append((name, "after"))
    mapper = {getattr(pa, name.lower())(): getattr(pd, f"{name}Dtype")() for name in _INTEGERS}
    mapper[pa.bool_()] = pd.BooleanDtype()
    table = pa.table(columns, names=[str(number) for number in range(len(columns))])
    try:
        found = table.to_pandas(types_mapper=mapper.get)
    except (pa.ArrowInvalid, ValueError, OverflowError):  # times that pandas has no type for
        series = {name: _series(pd, table.column(name), mapper.get) for name in table.schema.names}
        found = pd.DataFrame(series)
    index = ["added"] * len(added) + ["removed"] * len(removed) + ["changed"] * len(before)
    found.index = pd.Index(index, name="change", dtype="object")
    found.columns = pd.MultiIndex.from_tuples(labels, names=["column", "version"])
    return found


def _series(pd: Any, column: Any, mapper: Any) -> Any:
    try:
        return column.to_pandas(types_mapper=mapper)
    except (pa.ArrowInvalid, ValueError, OverflowError):
        return pd.Series(python_values(column), dtype="object")
