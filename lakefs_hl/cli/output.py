"""Results on standard output, words on standard error.

A terminal shows control characters in names escaped. A pipe or a file receives names as they are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeVar

from lakefs_hl._handles.amounts import size_text
from lakefs_hl.cli.text import escape, moment, printable

T = TypeVar("T")

#: Fields whose names on a terminal are not those of JSON.
_LABELS: Final = {"id": "ID", "uri": "URI", "commit_id": "Commit ID"}
_COLORS: Final = {"red": 31, "green": 32, "yellow": 33, "bold": 1}


class Output:
    """Prints rows, records and words in the format that was asked for.

    Args:
        format: "text", "json" (one document) or "jsonl" (a document on each line).
        quiet: Whether only IDs are printed, and no words.
        color: Whether a terminal shows colours.
    """

    def __init__(self, format: str, *, quiet: bool, color: bool) -> None:
        self.format = format
        self.quiet = quiet
        self.terminal = sys.stdout.isatty()
        self.color = color and self.terminal

    # -- results -------------------------------------------------------------------------------------------------------

    def rows(
        self,
        rows: Iterable[T],
        line: Callable[[T], str],
        *,
        ident: Callable[[T], str],
        record: Callable[[T], Mapping[str, Any]],
    ) -> int:
        """Print the rows of a listing, each when it arrives, and return their number.

        Args:
            rows: The rows.
            line: Returns the text of a row.
            ident: Returns what `--quiet` prints of a row.
            record: Returns the fields of a row for JSON.
        """
        text = self.ident_line(ident) if self.quiet else line
        if self.format == "json":
            return self._document(rows, record)
        count = 0
        for row in rows:
            count += 1
            self.put(f"{_json(record(row))}\n" if self.format == "jsonl" else f"{text(row)}\n")
        return count

    def record(
        self, record: Callable[[], Mapping[str, Any]], lines: Callable[[], Iterable[str]], *, ident: str = ""
    ) -> None:
        """Print one result.

        Args:
            record: Returns its fields for JSON.
            lines: Returns its lines of text.
            ident: What `--quiet` prints. Defaults to nothing.
        """
        if self.format != "text":
            self.put(f"{_json(record(), indent=2 if self.format == 'json' else None)}\n")
        elif not self.quiet:
            for line in lines():
                self.put(f"{line}\n")
        elif ident:
            self.put(f"{self.display(ident)}\n")

    def describe(self, fields: Mapping[str, Any], *, ident: str = "", human: bool = False) -> None:
        """Print the fields of one result, each on a line of its own.

        Args:
            fields: The fields by name. A mapping has a line for each of its entries.
            ident: What `--quiet` prints. Defaults to nothing.
            human: Whether sizes have units.
        """
        self.record(lambda: fields, lambda: self._field_lines(fields, human=human), ident=ident)

    def _field_lines(self, fields: Mapping[str, Any], *, human: bool) -> Iterator[str]:
        width = max(map(len, fields), default=0) + 1
        for name, value in fields.items():
            label = f"{_LABELS.get(name) or name.replace('_', ' ').capitalize()}:"
            if isinstance(value, Mapping):
                yield from (f"{label:<{width}} {self.display(key)} = {self.display(value[key])}" for key in value)
            elif isinstance(value, list):
                yield f"{label:<{width}} {' '.join(self.display(str(each)) for each in value)}"
            elif human and name == "size_bytes":
                yield f"{label:<{width}} {size_text(value)}"
            elif value is not None:
                yield f"{label:<{width}} {moment(value) if isinstance(value, datetime) else self.display(str(value))}"

    def done(self, fields: Mapping[str, Any], words: str) -> None:
        """Print that something was done that has no result: words, or fields for JSON."""
        self.record(lambda: fields, lambda: ())
        self.say(words)

    def ident_line(self, ident: Callable[[T], str]) -> Callable[[T], str]:
        """Return a function that returns the line of a row with nothing but its ID."""
        return lambda row: self.display(ident(row))

    def _document(self, rows: Iterable[T], record: Callable[[T], Mapping[str, Any]]) -> int:
        count = 0
        for count, row in enumerate(rows, 1):
            self.put(f"{'[' if count == 1 else ','}\n{_json(record(row))}")
        self.put("\n]\n" if count else "[]\n")
        return count

    def display(self, name: str) -> str:
        """Return a name as standard output shows it."""
        return escape(name) if self.terminal else name

    def paint(self, text: str, color: str) -> str:
        """Return a text in a colour, if colours are shown."""
        return f"\x1b[{_COLORS[color]}m{text}\x1b[0m" if self.color else text

    def put(self, text: str) -> None:
        """Write to standard output. A pipe receives UTF-8."""
        encoding = (sys.stdout.encoding or "utf-8") if self.terminal else "utf-8"
        sys.stdout.buffer.write(text.encode(encoding, "backslashreplace"))

    # -- words ---------------------------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Print words, unless `--quiet` was given."""
        if not self.quiet:
            self.fail(text)

    def warn(self, text: str) -> None:
        """Print a warning."""
        self.fail(f"warning: {text}")

    def fail(self, text: str) -> None:
        """Print words in any case."""
        self.flush()  # what was printed before stays before
        print(printable(text), file=sys.stderr, flush=True)

    def flush(self) -> None:
        """Write what is in the buffer. A closed pipe is an error here, and not at the interpreter's exit."""
        sys.stdout.flush()


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    """Return what JSON has no type for as text."""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Exception):
        return f"{type(value).__name__}: {value}"
    msg = f"{type(value).__name__} cannot be written as JSON"
    raise TypeError(msg)
