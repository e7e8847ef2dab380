"""Records that calls return, and their public module."""

from __future__ import annotations

from typing import TypeVar, get_type_hints

from lakefs_hl import _html

R = TypeVar("R", bound=type)


def public(kind: R, module: str = "lakefs_hl") -> R:
    """Set the public module of a record after the class statement: NamedTuple ignores `__module__` in its body.

    `typing.get_type_hints` looks annotations up in that module, which lacks the names: they are resolved here. A
    notebook shows the record as a table of its fields, unless it has HTML of its own.
    """
    kind.__annotations__ = get_type_hints(kind)
    kind.__module__ = module
    return _html.show_record(kind)
