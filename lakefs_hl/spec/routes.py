"""URLs of the endpoint rows: write the path of a request, find the row of a path."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote, urlencode

from lakefs_hl.spec import keys, links
from lakefs_hl.spec.endpoints import ENDPOINTS
from lakefs_hl.spec.wire import Endpoint, Query, Request

BASE: Final = "/api/v1"
_PARAMETER: Final = re.compile(r"\{[a-z_]+\}")
#: What is quoted in slashes only: unreserved characters of RFC 3986.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~/-]*")
_ROWS: Final = {**ENDPOINTS, **links.ENDPOINTS, **keys.ENDPOINTS}
_FORMATS: Final = {name: BASE + _PARAMETER.sub("%s", row.path) for name, row in _ROWS.items()}


class _Node:
    """A node of the route tree: children by fixed segment, one child for a parameter, rows by method."""

    __slots__ = ("parameter", "rows", "words")

    def __init__(self) -> None:
        self.words: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.rows: dict[str, Endpoint] = {}


def _tree() -> _Node:
    root = _Node()
    for row in _ROWS.values():
        at = root
        for segment in row.path.split("/")[1:]:
            if segment.startswith("{"):
                at.parameter = at = at.parameter or _Node()
            else:
                at = at.words.setdefault(segment, _Node())
        at.rows[row.method] = row
    return root


_ROOT: Final = _tree()


def encode_query(query: Query) -> str:
    """Encode a query string."""
    if len(query) == 1:  # by far the most frequent
        ((name, value),) = query.items()
        if isinstance(value, str):
            quoted = value.replace("/", "%2F") if _PLAIN.fullmatch(value) else quote(value, safe="")
            return f"{_quote(name)}={quoted}"
    return urlencode(query, doseq=True, quote_via=quote, safe="")


def target(request: Request) -> str:
    """Return the path and query of a request, with every part quoted.

    Raises:
        ValueError: A path parameter is empty, `.` or `..`, which a URL cannot carry.
    """
    path = _path(request.endpoint.operation, request.params)
    return f"{path}?{encode_query(request.query)}" if request.query else path


@lru_cache(256)
def _path(operation: str, params: tuple[str, ...]) -> str:
    for part in params:
        if part in ("", ".", ".."):
            msg = f"{operation}: {part!r} cannot be a repository, reference or name"
            raise ValueError(msg)
    return _FORMATS[operation] % tuple(_quote(part) for part in params)


@lru_cache(256)
def _quote(part: str) -> str:
    return quote(part, safe="")


def operations() -> frozenset[str]:
    """Return the names of all operations."""
    return frozenset(_ROWS)


def match(path: str) -> tuple[dict[str, Endpoint], tuple[str, ...]] | None:
    """Find the rows of a path below `BASE`.

    Args:
        path: The quoted path, without `BASE` and query.

    Returns:
        The rows by method, and the unquoted path parameters. None if the API has no such path.
    """
    at, params = _ROOT, list[str]()
    for segment in path.split("/")[1:]:
        found = at.words.get(segment)
        if found is None:
            if at.parameter is None or not segment:
                return None
            found = at.parameter
            params.append(unquote(segment))
        at = found
    return (at.rows, tuple(params)) if at.rows else None
