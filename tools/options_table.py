"""Write the tables of options into `docs/guides/configuration.md`, from the fields of `ClientOptions`.

Run it after changing an option. `--check` writes nothing and exits with 1 if the page is not current.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from lakefs_hl.types import ClientOptions

PAGE = Path(__file__).resolve().parent.parent / "docs" / "guides" / "configuration.md"
BEGIN = "<!-- table of options: written by tools/options_table.py -->\n"
END = "<!-- end of the table -->\n"
NOTHING = "–"


def meanings() -> Iterator[tuple[str, ...]]:
    """Yield the cells of each row of the table of options, the heading first."""
    yield "option", "meaning", "default"
    for field in fields(ClientOptions):
        option = field.metadata
        yield _code(field.name, *option["aliases"]), option["help"], option["unset"] or _default(field.default)


def sources() -> Iterator[tuple[str, ...]]:
    """Yield the cells of each row of the table of variables and file keys, the heading first."""
    yield "option", "environment variable", "key in lakectl's file"
    for field in fields(ClientOptions):
        option = field.metadata
        if option["variables"] or option["file_key"]:
            yield _code(field.name), _code(*option["variables"]), _code(option["file_key"])


def _code(*names: str) -> str:
    return ", ".join(f"`{name}`" for name in names if name) or NOTHING


def _default(value: Any) -> str:
    return NOTHING if value is None else f"`{value}`"


def table() -> str:
    """Return both tables in Markdown, with a sentence between them."""
    between = "These options are looked up if you do not pass them:"
    names = f'<div class="names" markdown>\n\n{_markdown(sources())}\n</div>\n'
    return f"{_markdown(meanings())}\n{between}\n\n{names}"


def _markdown(rows: Iterator[tuple[str, ...]]) -> str:
    heading, *body = rows
    lines = [heading, ("---",) * len(heading), *body]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def with_table(page: str) -> str:
    """Return a page with the current tables between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        msg = f"{PAGE} has no marks for the table: {BEGIN.strip()} … {END.strip()}"
        raise ValueError(msg)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> int:
    """Write the page, or check it."""
    page = PAGE.read_text(encoding="utf-8")
    current = with_table(page)
    if "--check" in sys.argv[1:]:
        return int(page != current)
    PAGE.write_text(current, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
