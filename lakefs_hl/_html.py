"""HTML for notebooks: escaped, without scripts and addresses, readable on light and on dark backgrounds.

It stands on nothing and is open to all rooms, because what a cell may end with is defined in most of them. Colours are
those of the page, or translucent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

R = TypeVar("R", bound=type)
#: Number of rows that a notebook shows.
SHOWN: Final = 20
#: Longest text of a cell, in characters.
LONGEST: Final = 300
#: A notebook aligns cells to the right and joins lines by default.
_CELL: Final = "text-align: left; vertical-align: top; white-space: pre-wrap"
#: Longest text of a cell of a listing that is kept on one line.
_SHORT: Final = 40
#: Characters that turn the direction of the text after them: what follows a name would be read backwards.
_DIRECTIONS: Final = re.compile("[\\u202a-\\u202e\\u2066-\\u2069]")
_ID: Final = re.compile(r"[0-9a-f]{32,128}")
#: Translucent backgrounds by what a row of changes or actions begins with.
TINTS: Final = {
    "added": "rgba(46, 160, 67, .2)",
    "removed": "rgba(248, 81, 73, .2)",
    "delete": "rgba(248, 81, 73, .2)",
    "conflict": "rgba(219, 109, 40, .3)",
    "changed": "rgba(187, 128, 9, .2)",
    "prefix_changed": "rgba(187, 128, 9, .2)",
}


def escape(text: str) -> str:
    """Escape a text for HTML. A character that turns the direction of what follows becomes a replacement character."""
    from html import escape as escape_markup  # it loads the names of all characters of HTML, and few programs show any

    return escape_markup(_DIRECTIONS.sub("\ufffd", text))


def describe(title: str, uri: str, rows: Mapping[str, str] | None = None) -> str:
    """Return a title with a URI, and a table of names and values. Escaped; empty values are left out."""
    head = f"<b>{escape(title)}</b> <code>{escape(uri)}</code>"
    return head if rows is None else head + table(rows)


def table(rows: Mapping[str, str]) -> str:
    """Return a table of names and values, escaped. Empty values are left out."""
    style = f'style="{_CELL}"'
    cells = (
        f"<tr><th {style}>{escape(name)}</th><td {style}>{escape(value)}</td></tr>"
        for name, value in rows.items()
        if value
    )
    return f"<table>{''.join(cells)}</table>"


def listing(
    title: str, note: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, code: str = "", tint: str = ""
) -> str:
    """Return a title with a note, and a table of rows under their columns. Escaped.

    Args:
        title: What the rows are.
        note: How many of them are shown, or why there are none.
        columns: Names of the columns.
        rows: Texts of the cells.
        code: What they are of, such as a URI.
        tint: The column that decides on the background of a row, by `TINTS`. Defaults to none.
    """
    named = f" <code>{escape(code)}</code>" if code else ""
    head = f"<b>{escape(title)}</b>{named} <i>{escape(note)}</i>"
    lines = list(rows)
    if not lines:
        return head
    names = "".join(f'<th style="{_CELL}">{escape(name)}</th>' for name in columns)
    at = columns.index(tint) if tint else -1
    cells = (f"<tr{_background(row[at] if tint else '')}>{''.join(map(_td, row))}</tr>" for row in lines)
    return f"{head}<table><tr>{names}</tr>{''.join(cells)}</table>"


def _td(text: str) -> str:
    """Return a cell of a listing. Short texts are one line; IDs and checksums are cut, and whole in the tooltip."""
    if _ID.fullmatch(text):
        return f'<td style="{_CELL}" title="{text}">{text[:12]}…</td>'
    style = _CELL if len(text) > _SHORT else _CELL.replace("pre-wrap", "pre")
    return f'<td style="{style}">{escape(text)}</td>'


def _background(kind: str) -> str:
    return f' style="background: {TINTS[kind]}"' if kind in TINTS else ""


def text(value: object) -> str:
    """Return what Python prints of an object, escaped."""
    return f"<code>{escape(repr(value))}</code>"


def lines(items: Iterable[str]) -> str:
    """Return lines, escaped, each in a block of its own."""
    return "".join(f"<div>{escape(item)}</div>" for item in items)


def cell(value: object) -> str:
    """Return the text of a value: numbers grouped, times in UTC, long texts cut. None is "".

    Args:
        value: The value. Texts stand as they are, everything else as Python prints it.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        found = "yes" if value else "no"
    elif isinstance(value, int):
        found = f"{value:,}"
    elif isinstance(value, datetime):
        found = f"{value:%Y-%m-%d %H:%M:%S} UTC" if value.tzinfo is not None else f"{value:%Y-%m-%d %H:%M:%S}"
    elif isinstance(value, Mapping):
        found = "\n".join(f"{key}: {cell(each)}" for key, each in value.items())
    elif isinstance(value, str):
        found = str(value)
    elif isinstance(value, list | tuple | set | frozenset) and not hasattr(value, "_fields"):
        found = ", ".join(each if isinstance(each, str) else repr(each) for each in value)
    else:
        found = repr(value)
    return found if len(found) <= LONGEST else f"{found[: LONGEST - 1]}…"


def fields(record: Any) -> dict[str, str]:
    """Return the fields of a record by name: of a named tuple, a struct or a dataclass."""
    kind = type(record)
    names: Iterable[str] = getattr(kind, "_fields", getattr(kind, "__struct_fields__", ()))
    if found := getattr(kind, "__dataclass_fields__", None):
        names = [name for name, field in found.items() if field.repr]
    return {name.replace("_", " "): cell(getattr(record, name)) for name in names}


def record(value: Any) -> str:
    """Return the name of a record's class, and its fields.

    A record whose class says how it is printed is shown as it is printed: it may hide fields.
    """
    kind = type(value)
    if "__repr__" in vars(kind) and not hasattr(kind, "__dataclass_fields__"):
        return text(value)
    return f"<b>{escape(kind.__name__)}</b>{table(fields(value))}"


def show_record(kind: R) -> R:
    """Give a class of records HTML, unless it has some. A named tuple has no bases that could."""
    if not hasattr(kind, "_repr_html_"):

        def _repr_html_(self: Any) -> str:
            return record(self)

        kind._repr_html_ = _repr_html_  # type: ignore[attr-defined]
    return kind
