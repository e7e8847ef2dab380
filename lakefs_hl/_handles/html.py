"""HTML for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape


def describe(title: str, uri: str, rows: Mapping[str, str] | None = None) -> str:
    """Return a title with a URI, and a table of names and values. Escaped; empty values are left out."""
    head = f"<b>{escape(title)}</b> <code>{escape(uri)}</code>"
    return head if rows is None else head + table(rows)


def table(rows: Mapping[str, str]) -> str:
    """Return a table of names and values, escaped. Empty values are left out."""
    # A notebook aligns cells to the right and joins lines by default.
    style = 'style="text-align: left; vertical-align: top; white-space: pre-wrap"'
    cells = (
        f"<tr><th {style}>{escape(name)}</th><td {style}>{escape(value)}</td></tr>"
        for name, value in rows.items()
        if value
    )
    return f"<table>{''.join(cells)}</table>"


def listing(title: str, note: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a title with a note, and a table of rows under their columns. Escaped."""
    style = 'style="text-align: left"'
    head = f"<b>{escape(title)}</b> <i>{escape(note)}</i>"
    if not rows:
        return head
    names = "".join(f"<th {style}>{escape(name)}</th>" for name in columns)
    cells = ("".join(f"<td {style}>{escape(value)}</td>" for value in row) for row in rows)
    return f"{head}<table><tr>{names}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
