"""The check of documents finds what does not fit."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.cli import lakes
from tests.cli.schema import SchemaError, check, check_lines, check_output, definitions
from tests.cli.test_page import verbs

RAW = {"fs cat", "fs head"}


def test_every_command_with_json_has_a_definition() -> None:
    commands = {name for name in verbs() if name not in RAW and name not in lakes.COMMANDS}
    assert commands <= set(definitions())


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ({"a": 1}, {"required": ["b"]}),
        ({"a": 1}, {"properties": {"a": {"type": "string"}}}),
        ({"a": 1}, {"properties": {}, "additionalProperties": False}),
        ({"a": 1}, {"additionalProperties": {"type": "string"}}),
        ([1, "x"], {"items": {"type": "integer"}}),
        (True, {"type": "integer"}),
        (1, {"const": True}),
        ("c", {"enum": ["a", "b"]}),
        ("x", {"pattern": "^lakefs://"}),
        (-1, {"minimum": 0}),
        (1.5, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ("today", {"$ref": "#/$defs/time"}),
    ],
)
def test_what_does_not_fit_is_found(value: Any, schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        check(value, schema)


def test_an_unknown_keyword_is_an_error() -> None:
    with pytest.raises(KeyError):
        check(1, {"multipleOf": 2})


def test_documents_and_lines() -> None:
    row = '{"id": "example", "uri": "lakefs://example"}'
    assert check_output("repo list", f"[{row}]") == check_lines("repo list", f"{row}\n")
    with pytest.raises(SchemaError):
        check_output("repo list", row)
    with pytest.raises(SchemaError):
        check_lines("repo list", f"[{row}]")
