"""A table diff in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lakefs_hl._html import escape

if TYPE_CHECKING:
    from lakefs_hl.facades.tables import RowChange, TableDiff

#: Rows of each kind, columns, and characters of a value that are shown.
ROWS: Final = 10
_COLUMNS: Final = 10
_LENGTH: Final = 60
_CELL: Final = "text-align: left; vertical-align: top; white-space: pre-wrap"
#: Readable on light and on dark backgrounds.
_COLOURS: Final = {"added": "rgba(46, 160, 67, .2)", "removed": "rgba(248, 81, 73, .2)", "changed": ""}
_OLD: Final = "background: rgba(248, 81, 73, .2)"
_NEW: Final = "background: rgba(46, 160, 67, .2)"


def page(diff: TableDiff, summary: str, kinds: Mapping[str, list[RowChange]]) -> str:
    """Return a summary, what differs between the columns, and the first rows. Everything is escaped."""
    parts = [
        f"<b>TableDiff</b> <code>{escape(diff.before)}</code> → <code>{escape(diff.after)}</code><br>{escape(summary)}"
    ]
    if schema := _schema(diff):
        parts.append(schema)
    rows = [row for each in kinds.values() for row in each]
    if rows:
        parts.append(_rows(diff, rows))
        total = sum(diff.counts[:3])
        if total > len(rows):
            parts.append(f"<i>{len(rows):,} of {total:,} rows that differ</i>")
    return "".join(parts)


def _schema(diff: TableDiff) -> str:
    schema = diff.schema
    lines: list[tuple[str, str, str]] = [(name, "", kind) for name, kind in schema.added.items()]
    lines += [(name, kind, "") for name, kind in schema.removed.items()]
    lines += [(name, old, new) for name, (old, new) in schema.changed.items()]
    lines += [(name, _nullable(old), _nullable(new)) for name, (old, new) in schema.nullable.items()]
    notes = ["the order of the columns differs"] if schema.is_reordered else []
    notes += [f"metadata differs: {', '.join(schema.metadata)}"] if schema.metadata else []
    found = "".join(
        f"<tr>{_td(_short(name))}<td style='{_CELL}'>{_change(old, new)}</td></tr>"
        for name, old, new in lines[: 2 * ROWS]
    )
    if len(lines) > 2 * ROWS:
        notes.insert(0, f"{2 * ROWS:,} of {len(lines):,} columns that differ")
    table = f"<table><tr>{_th('column')}{_th('type')}</tr>{found}</table>" if lines else ""
    return table + "".join(f"<div><i>{escape(note)}</i></div>" for note in notes)


def _nullable(value: bool) -> str:
    return "may be null" if value else "not null"


def _rows(diff: TableDiff, rows: list[RowChange]) -> str:
    differing = [name for name in diff.columns if any(name in row.columns for row in rows)]
    whole = [name for row in rows if row.kind != "changed" for name in (row.after or row.before or {})]
    names = [name for name in dict.fromkeys([*differing, *whole]) if name not in diff.keys]
    shown = names[:_COLUMNS]
    head = "".join(map(_th, ["", *map(_short, [*diff.keys, *shown])]))
    if len(names) > len(shown):
        head += _th(f"… {len(names) - len(shown):,} more")
    return f"<table><tr>{head}</tr>{''.join(_row(row, diff.keys, shown) for row in rows)}</table>"


def _row(row: RowChange, keys: tuple[str, ...], names: list[str]) -> str:
    before, after = row.before or {}, row.after or {}
    cells = [_td(row.kind), *(_td(_text(row.key[name])) for name in keys)]
    for name in names:
        if row.kind == "changed" and name in row.columns:
            cells.append(f"<td style='{_CELL}'>{_change(_text(before[name]), _text(after[name]))}</td>")
        else:
            values = {**before, **after}
            cells.append(_td(_text(values[name]) if name in values else ""))
    colour = _COLOURS[row.kind]
    return f"<tr style='background: {colour}'>{''.join(cells)}</tr>" if colour else f"<tr>{''.join(cells)}</tr>"


def _change(old: str, new: str) -> str:
    parts = [f"<span style='{style}'>{escape(text)}</span>" for style, text in ((_OLD, old), (_NEW, new)) if text]
    return " → ".join(parts) if len(parts) == 2 else "".join(parts)


def _text(value: Any) -> str:
    return "null" if value is None else _short(repr(value) if isinstance(value, str) and _is_odd(value) else str(value))


def _is_odd(text: str) -> bool:
    """Return whether a text is not what it looks like: empty, with spaces around it, or of another type."""
    return text != text.strip() or text in ("", "null", "None") or not text.isprintable()


def _short(text: str) -> str:
    return text if len(text) <= _LENGTH else f"{text[: _LENGTH - 1]}…"


def _th(text: str) -> str:
    return f"<th style='{_CELL}'>{escape(text)}</th>"


def _td(text: str) -> str:
    return f"<td style='{_CELL}'>{escape(text)}</td>"
