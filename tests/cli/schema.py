"""The schema of the documents that the command prints, and a check of a document against it.

Only the keywords that the schema uses are known: another one is an error, so that none is passed over in silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.schema.json"
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


class SchemaError(AssertionError):
    """A document does not fit the schema."""


@cache
def definitions() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PAGE.read_text(encoding="utf-8"))["$defs"]
    return found


def check(value: object, schema: dict[str, Any], where: str = "$") -> None:
    """Raise unless a value fits a schema."""
    for keyword, wanted in schema.items():
        _KEYWORDS[keyword](value, wanted, schema, where)


def check_output(command: str, text: str) -> Any:
    """Check the document that a command printed with `--json`, and return it."""
    document = json.loads(text)
    check(document, definitions()[command])
    return document


def check_lines(command: str, text: str) -> list[Any]:
    """Check the documents that a command printed with `--format jsonl`, and return them."""
    schema = definitions()[command]
    while "$ref" in schema:
        schema = definitions()[schema["$ref"].removeprefix("#/$defs/")]
    documents = [json.loads(line) for line in text.splitlines()]
    for document in documents:
        check(document, schema["items"] if schema.get("type") == "array" else schema)
    return documents


def _is(value: object, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _need(holds: bool, value: object, wanted: object, where: str) -> None:
    if not holds:
        raise SchemaError(f"{where}: {value!r} does not fit {wanted!r}")


def _type(value: object, wanted: Any, _: Any, where: str) -> None:
    kinds = [wanted] if isinstance(wanted, str) else wanted
    _need(any(_is(value, kind) for kind in kinds), value, wanted, where)


def _properties(value: Any, wanted: Any, _: Any, where: str) -> None:
    for name, schema in wanted.items():
        if name in value:
            check(value[name], schema, f"{where}.{name}")


def _additional(value: Any, wanted: Any, schema: Any, where: str) -> None:
    for name in set(value) - set(schema.get("properties", {})):
        _need(wanted is not False, name, "no other properties", where)
        check(value[name], wanted, f"{where}.{name}")


def _items(value: Any, wanted: Any, _: Any, where: str) -> None:
    for index, item in enumerate(value):
        check(item, wanted, f"{where}[{index}]")


def _any_of(value: object, wanted: Any, _: Any, where: str) -> None:
    faults = []
    for schema in wanted:
        try:
            check(value, schema, where)
        except SchemaError as error:
            faults.append(str(error))
        else:
            return
    raise SchemaError("; or ".join(faults))


def _reference(value: Any, wanted: Any, _: Any, where: str) -> None:
    check(value, definitions()[wanted.removeprefix("#/$defs/")], where)


def _required(value: Any, wanted: Any, _: Any, where: str) -> None:
    _need(set(wanted) <= set(value), value, wanted, where)


def _const(value: Any, wanted: Any, _: Any, where: str) -> None:
    _need(value == wanted and type(value) is type(wanted), value, wanted, where)


def _enum(value: Any, wanted: Any, _: Any, where: str) -> None:
    _need(value in wanted, value, wanted, where)


def _pattern(value: Any, wanted: Any, _: Any, where: str) -> None:
    _need(re.search(wanted, value) is not None, value, wanted, where)


def _minimum(value: Any, wanted: Any, _: Any, where: str) -> None:
    _need(value is None or value >= wanted, value, wanted, where)


_KEYWORDS: dict[str, Callable[[Any, Any, Any, str], None]] = {
    "$ref": _reference,
    "type": _type,
    "properties": _properties,
    "required": _required,
    "additionalProperties": _additional,
    "items": _items,
    "anyOf": _any_of,
    "const": _const,
    "enum": _enum,
    "pattern": _pattern,
    "minimum": _minimum,
}
