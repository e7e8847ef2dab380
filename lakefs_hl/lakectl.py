"""Reads lakectl's YAML: plain values only, no aliases, no tags, no depth.

Every scalar is text, as lakectl takes it: a key id of digits stays what it was.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml
from yaml.events import AliasEvent, NodeEvent
from yaml.nodes import MappingNode, Node, ScalarNode

from lakefs_hl.spec.errors import InvalidConfigError

DEPTH: Final = 20


class _Refused(yaml.MarkedYAMLError):
    """What no lakectl file needs."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


class _Loader(yaml.BaseLoader):
    """Text, lists and mappings; `null`, `~` and nothing are None."""

    depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, AliasEvent):
            raise _Refused("aliases are not read", event.start_mark)
        if self.depth >= DEPTH:
            raise _Refused(f"it is nested deeper than {DEPTH} levels", event.start_mark)
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
            raise _Refused(f"{name!r} is there twice", key.start_mark)
        seen.add(name)
    return {str(key.value): loader.construct_object(value, deep=True) for key, value in node.value}


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_constructor("tag:yaml.org,2002:null", _null)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def parse(content: bytes, name: str) -> dict[str, Any]:
    """Returns the file's entries; none if it is empty.

    Raises:
        InvalidConfigError: It is not such a file; names the line, and repeats nothing of it.
    """
    try:
        loader = _Loader(content.decode("utf-8-sig"))
        try:
            data = loader.get_single_data()
        finally:
            loader.dispose()
    except UnicodeDecodeError:
        raise InvalidConfigError(f"{name} is not text in UTF-8") from None
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
    return data
