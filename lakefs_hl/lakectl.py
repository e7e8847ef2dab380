"""Reads lakectl's YAML: plain values only, no aliases, no tags, no depth.

Every scalar is text, as lakectl takes it: a key id of digits stays what it was. Names are read as lakectl's library
(viper) reads them: in any case, nested or joined by dots.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from yaml.events import AliasEvent, NodeEvent
from yaml.nodes import MappingNode, Node, ScalarNode

from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.secret import hide, hide_login

DEPTH: Final = 20
FILE_CAP: Final = 64 << 10
#: How the names of secrets end.
_SECRETS: Final = ("secret_access_key", "secret_key", "token", "password")
#: The names below this one are those of headers, and stay as they are.
_HEADERS: Final = "token_request_headers"


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


class Content(NamedTuple):
    """What a file holds.

    Attributes:
        entries: The names at its top, in lower case, and their values.
        exposed: Why others may read it or change it, and what to do; "" if they may not.
    """

    entries: dict[str, Any]
    exposed: str


def load(path: Path, *, named: bool) -> Content | None:
    """Read a file.

    Args:
        path: Where it is.
        named: Whether somebody named it, so that it has to exist.

    Returns:
        Its content; None if there is no such file and nobody named it.

    Raises:
        InvalidConfigError: It cannot be read, is not a regular file, may be changed by anybody, or is not YAML.
    """
    try:
        kind = path.stat()
        if not stat.S_ISREG(kind.st_mode):
            raise InvalidConfigError(f"{path} cannot be read: it is {kind_of(kind.st_mode)}, and must be a file")
        # Not blocking: it may have been replaced by a FIFO since we looked.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise InvalidConfigError(f"{path} cannot be read: it is {kind_of(mode)}, and must be a file")
            if os.name == "posix" and mode & stat.S_IWOTH:
                raise InvalidConfigError(f"{path} may be changed by anybody on this machine: chmod 600 {path}")
            content = file.read(FILE_CAP + 1)
    except FileNotFoundError:
        if named:
            raise InvalidConfigError(f"there is no file {path}, which LAKECTL_CONFIG_FILE or profile= names") from None
        return None
    except OSError as exc:
        raise InvalidConfigError(f"{path} cannot be read: {exc.strerror}") from None
    if len(content) > FILE_CAP:
        raise InvalidConfigError(f"{path} is larger than {FILE_CAP >> 10} KiB: this is no lakectl configuration")
    return Content(parse(content, str(path)), _exposed(path, mode) if os.name == "posix" else "")


def kind_of(mode: int) -> str:
    """Return what something that is no regular file is, in words."""
    kinds = {
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "not a regular file")


def _exposed(path: Path, mode: int) -> str:
    others = "anybody on this machine" if mode & stat.S_IROTH else "its group"
    verb = "be read" if mode & (stat.S_IROTH | stat.S_IRGRP) else "be changed"
    if mode & (stat.S_IROTH | stat.S_IRGRP | stat.S_IWGRP):
        return f"{path} holds credentials and may {verb} by {others} (mode {stat.S_IMODE(mode):03o}): chmod 600 {path}"
    return ""


def parse(content: bytes, name: str) -> dict[str, Any]:
    """Returns the file's entries; none if it is empty.

    Raises:
        InvalidConfigError: It is not such a file; names the line, and repeats nothing of it.
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
    """Names in lower case, those joined by dots taken apart; secrets hide themselves."""
    folded: dict[str, Any] = {}
    for key, given in data.items():
        value: Any = given
        first, *rest = key.lower().split(".")
        for part in reversed(rest):
            value = {part: value}
        if isinstance(value, dict) and first != _HEADERS:
            value = _fold(value, name, f"{above}{first}.")
        elif isinstance(value, str):
            value = hide(value) if first.endswith(_SECRETS) else hide_login(value)
        _merge(folded, first, value, name, f"{above}{first}")
    return folded


def _merge(into: dict[str, Any], key: str, value: Any, name: str, full: str) -> None:
    """Adds an entry; two spellings of one name are an error, since lakectl would take either."""
    old = into.get(key)
    if isinstance(old, dict) and isinstance(value, dict):
        for inner, one in value.items():
            _merge(old, inner, one, name, f"{full}.{inner}")
    elif old is not None and value is not None:
        raise InvalidConfigError(f"{name}: `{full}` is there twice, in two spellings")
    elif value is not None or key not in into:
        into[key] = value
