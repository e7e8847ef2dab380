"""Metadata of datasets, checked: that JSON stores it exactly, and that it follows a JSON Schema."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from lakefs_hl import _html, exceptions

#: Levels of lists and dictionaries in metadata, at most: `json` and `jsonschema` recurse.
MAX_DEPTH: Final = 64
#: Problems that are looked for, and those that a message names, at most.
MAX_PROBLEMS: Final = 1000
SHOWN: Final = 5


@_html.show_record
class Problem(NamedTuple):
    """What is wrong with metadata.

    Attributes:
        path: Where: a JSON path such as `$.authors[0].name`. `$` is the metadata itself.
        message: What is wrong.
        value: The value that is wrong.
    """

    path: str
    message: str
    value: Any

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return self._asdict()


Problem.__module__ = "lakefs_hl.types"


def check(payload: object, schema: object = None) -> list[Problem]:
    """Return what is wrong with metadata; [] if nothing is.

    Args:
        payload: The metadata.
        schema: A JSON Schema. None checks only that JSON can store the metadata.

    Raises:
        ImportError: A schema needs `jsonschema`, which is not installed.
        TypeError: The schema is none.
        ValueError: The schema is invalid, or refers to another document.
    """
    if schema is not None:
        check_schema(schema)
    if isinstance(payload, Mapping):
        payload = dict(payload)
    if not isinstance(payload, dict):
        return [Problem("$", f"metadata must be a dictionary, not {type(payload).__name__}", payload)]
    found = _first(_not_exact(payload, "$", 0))
    return found or ([] if schema is None else _violations(payload, schema))


def require(about: str, payload: object, schema: object = None) -> dict[str, Any]:
    """Return metadata that has no problems.

    Args:
        about: What was asked, for the message.
        payload: The metadata.
        schema: A JSON Schema.

    Raises:
        InvalidMetadataError: It has problems, which are in its `problems`.
    """
    problems = check(payload, schema)
    if problems:
        rest = len(problems) - SHOWN
        shown = "; ".join(f"{each.path:.200}: {each.message:.300}" for each in problems[:SHOWN])
        more = f"; and {rest} more, in `problems`" if rest > 0 else ""
        error = exceptions.InvalidMetadataError(f"{about}: the metadata is invalid, nothing was written: {shown}{more}")
        error.problems = tuple(problems)
        raise error
    return dict(payload)  # type: ignore[call-overload, no-any-return]


def encode(value: Any) -> bytes:
    """Return the JSON of a value that was checked, for people too."""
    return (json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def same(one: Any, other: Any) -> bool:
    """Return whether the JSON of two values is the same. To Python, True, 1 and 1.0 are equal; to JSON they are not."""
    return one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _first(problems: Iterator[Problem]) -> list[Problem]:
    return [problem for _, problem in zip(range(MAX_PROBLEMS), problems, strict=False)]


def _not_exact(value: Any, path: str, depth: int) -> Iterator[Problem]:
    """Yield what JSON does not store exactly."""
    kind = type(value)
    if value is None or kind in (bool, int):
        return
    if kind is str:
        if _has_surrogates(value):
            yield Problem(path, "UTF-8 cannot write this text: it has lone surrogates", value)
    elif kind is float:
        if not math.isfinite(value):
            yield Problem(path, f"JSON has no {value!r}", value)
    elif kind not in (dict, list):
        yield Problem(
            path, f"JSON has no {kind.__name__}: use text, numbers, True, False, None, lists and dictionaries", value
        )
    elif depth >= MAX_DEPTH:
        yield Problem(path, f"more than {MAX_DEPTH} levels", None)
    elif kind is list:
        for at, item in enumerate(value):
            yield from _not_exact(item, f"{path}[{at}]", depth + 1)
    else:
        for key, item in value.items():
            if type(key) is not str or _has_surrogates(key):
                yield Problem(path, f"keys must be text, not {type(key).__name__} {key!r:.80}", key)
            else:
                yield from _not_exact(item, path + _step(key), depth + 1)


def _step(key: str) -> str:
    return f".{key}" if key.isidentifier() else f"[{key!r}]"


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= each <= "\udfff" for each in text)


# -- JSON Schema -------------------------------------------------------------------------------------------------------


def check_schema(schema: object) -> Any:
    """Return the class of `jsonschema` that validates by a schema.

    Raises:
        ImportError: `jsonschema` is not installed.
        TypeError: It is no schema.
        ValueError: It is invalid.
    """
    if not isinstance(schema, bool | Mapping):
        msg = f"schema must be a dictionary, True or False, not {type(schema).__name__}: {schema!r:.80}"
        raise TypeError(msg)
    if isinstance(schema, Mapping):
        schema = dict(schema)
    if isinstance(schema, Mapping):
        problems = _first(_not_exact(schema, "$", 0))
        if problems:
            msg = f"schema cannot be stored as JSON: {problems[0].path}: {problems[0].message}"
            raise ValueError(msg)
    try:
        import jsonschema
    except ImportError as exc:
        msg = "validation by a schema needs jsonschema: pip install 'lakefs-hl[datasets]'"
        raise ImportError(msg) from exc
    kind: Any = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    named = schema.get("$schema") if isinstance(schema, Mapping) else None
    if named is not None and kind.META_SCHEMA.get("$schema", "").rstrip("#") != str(named).rstrip("#"):
        msg = f"schema: $schema is {named!r:.200}, which is no draft that jsonschema knows"
        raise ValueError(msg)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as exc:
        msg = f"schema is no valid JSON Schema: {exc.json_path}: {exc.message:.500}"
        raise ValueError(msg) from exc
    return kind


def _violations(payload: dict[str, Any], schema: object) -> list[Problem]:
    """Return where metadata does not follow a schema. No other document is fetched."""
    import referencing

    kind = check_schema(schema)
    validator = kind(schema, registry=referencing.Registry(), format_checker=kind.FORMAT_CHECKER)
    try:
        found = _first(Problem(each.json_path, each.message, each.instance) for each in validator.iter_errors(payload))
    except referencing.exceptions.Unresolvable as exc:
        msg = f"schema has no {exc.ref!r:.200}, which it refers to: other documents are not fetched; put it in $defs"
        raise ValueError(msg) from exc
    except RecursionError as exc:
        msg = "schema refers to itself without end, or too deeply for this metadata"
        raise ValueError(msg) from exc
    return sorted(found, key=lambda problem: problem.path)
