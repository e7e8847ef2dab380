"""Entries of lakectl's file: plain values only, no aliases, no tags, limited depth.

Every scalar is text, as in lakectl, so that a key ID of digits stays as it is. Names are read as lakectl's library
(viper) reads them: in any case, nested or joined by dots. A module of its own, because importing yaml takes longer than
connecting, and most machines of a cluster have no such file.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, Final

import yaml
from yaml.events import AliasEvent, NodeEvent
from yaml.nodes import MappingNode, Node, ScalarNode

from lakefs_hl.config.headers import ROLE_HEADERS
from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.secret import hide, hide_login

MAX_DEPTH: Final = 20
#: How the names of secrets end.
_SECRETS: Final = ("secret_access_key", "secret_key", "token", "password")


class _Refused(yaml.MarkedYAMLError):
    """YAML that no lakectl file needs."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


class _Loader(yaml.BaseLoader):
    """Loader of text, lists and mappings; `null`, `~` and an empty value are None."""

    depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, AliasEvent):
            raise _Refused("aliases are not read", event.start_mark)
        if self.depth >= MAX_DEPTH:
            raise _Refused(f"it is nested deeper than {MAX_DEPTH} levels", event.start_mark)
        if isinstance(event, NodeEvent) and getattr(event, "tag", None):
            raise _Refused("tags are not read", event.start_mark)
        self.depth += 1
        try:
            node: Node | None = super().compose_node(parent, index)
        finally:
            self.depth -= 1
        return node


def _null(_loader: _Loader, _node: ScalarNode) -> None:
    return None


def _mapping(loader: _Loader, node: MappingNode) -> dict[Any, Any]:
    seen = set[str]()
    for key, _ in node.value:
        if not isinstance(key, ScalarNode):
            raise _Refused("a name must be text", key.start_mark)
        name = str(key.value)
        if name in seen:
            raise _Refused(f"{name!r} is given twice", key.start_mark)
        seen.add(name)
    return {str(key.value): loader.construct_object(value, deep=True) for key, value in node.value}


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_constructor("tag:yaml.org,2002:null", _null)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def parse(content: bytes, name: str) -> dict[str, Any]:
    """Return the entries of a file; none if it is empty.

    Raises:
        InvalidConfigError: It is not such a file. The message names the line, and repeats nothing of it.
    """
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # yaml.v3, which lakectl uses, takes it
    try:
        loader = _Loader(content.decode("utf-16" if utf16 else "utf-8-sig"))
        try:
            data = loader.get_single_data()
        finally:
            loader.dispose()
    except UnicodeDecodeError:
        raise InvalidConfigError(f"{name} is not text in UTF-8, or in UTF-16 with its mark") from None
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise InvalidConfigError(f"{name}{line} is not YAML that lakectl writes: {exc.problem}") from None
    except yaml.YAMLError as exc:
        raise InvalidConfigError(f"{name} is not YAML: {type(exc).__name__}") from None
    except RecursionError:
        raise InvalidConfigError(f"{name} is nested too deeply") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InvalidConfigError(f"{name} holds {type(data).__name__}, not the entries of a lakectl configuration")
    return _fold(data, name, "")


def _fold(data: dict[str, Any], name: str, above: str) -> dict[str, Any]:
    """Return entries with names in lower case, names joined by dots split, and secrets hidden."""
    folded: dict[str, Any] = {}
    for key, given in data.items():
        value: Any = given
        first, *rest = key.lower().split(".")
        for part in reversed(rest):
            value = {part: value}
        if isinstance(value, dict) and first != ROLE_HEADERS:
            value = _fold(value, name, f"{above}{first}.")
        elif isinstance(value, str):
            value = hide(value) if first.endswith(_SECRETS) else hide_login(value)
        _merge(folded, first, value, name, f"{above}{first}")
    return folded


def _merge(into: dict[str, Any], key: str, value: Any, name: str, full: str) -> None:
    """Add an entry. Two spellings of one name are an error, because lakectl would take either."""
    old = into.get(key)
    if isinstance(old, dict) and isinstance(value, dict):
        for inner, one in value.items():
            _merge(old, inner, one, name, f"{full}.{inner}")
    elif old is not None and value is not None:
        raise InvalidConfigError(f"{name}: `{full}` is given twice, in two spellings")
    elif value is not None or key not in into:
        into[key] = value
