"""Which web pages may use signed URLs: CORS, for the paths of these URLs and nothing else.

A browser sends no request of a page to another origin but simple ones, and gives the page no answer, unless the server
allows the origin. A signed URL is its own credentials, so that allowing an origin gives its pages nothing that they
could not do with `curl`: they need the URL. The API itself takes no request of any other origin (`door.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from lakefs_hl.local.api import presign
from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.hosts import host_fault

Fields: TypeAlias = "list[tuple[bytes, bytes]]"
#: Every page, also one of a file or a sandbox, whose origin is "null".
ANY: Final = "*"
#: How long a browser remembers the answer to a preflight, in seconds; the origins may be others after a restart.
_MAX_AGE: Final = b"600"
_ORIGIN: Final = re.compile(r"https?://[^/?#@\s]+")
#: Request headers that a page may set.
_TAKEN: Final = b"content-type, if-match, if-none-match, range"
#: Response headers that a page may read besides those that it always may.
_SHOWN: Final = b"accept-ranges, content-disposition, content-length, content-range, etag, x-request-id"


def parse(origin: str) -> str:
    """Return an origin as browsers send it.

    Raises:
        InvalidConfigError: It is none.
    """
    text = origin.strip().lower()
    if text == ANY:
        return text
    if not _ORIGIN.fullmatch(text) or host_fault(text.partition("://")[2]):
        raise InvalidConfigError(
            f"--allow-origin {origin!r}: is not an origin; write https://app.example[:port] without a path, or *"
        )
    default = ":443" if text.startswith("https:") else ":80"
    return text.removesuffix(default)


class Origins:
    """The origins whose pages may use signed URLs.

    Args:
        allowed: The origins, in the form that `parse` returns.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(allowed)

    def fields(self, headers: Mapping[str, str]) -> Fields:
        """The headers that let a page read the answer to a request; only what caches need if it may not.

        Args:
            headers: Headers of the request.
        """
        if not self._allowed:
            return []
        vary = (b"vary", b"origin")  # a cache must not give one origin what another one was answered
        if not self._allows(headers):
            return [vary]
        origin = ANY if ANY in self._allowed else headers["origin"]
        return [vary, (b"access-control-allow-origin", origin.encode()), (b"access-control-expose-headers", _SHOWN)]

    def allowances(self, path: str, headers: Mapping[str, str]) -> Fields:
        """The headers of the answer to a preflight that say what a page may send; none if it may send nothing.

        Args:
            path: Path of a signed URL.
            headers: Headers of the request.
        """
        if not self._allows(headers):
            return []
        methods = b", ".join(name.encode() for name in presign.ROWS[path])
        found = [
            (b"access-control-allow-methods", methods),
            (b"access-control-allow-headers", _TAKEN),
            (b"access-control-max-age", _MAX_AGE),
        ]
        if headers.get("access-control-request-private-network") == "true":  # the loopback, asked from a public page
            found.append((b"access-control-allow-private-network", b"true"))
        return found

    def _allows(self, headers: Mapping[str, str]) -> bool:
        origin = headers.get("origin", "")
        return bool(origin) and not {ANY, origin.lower()}.isdisjoint(self._allowed)


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks if a page may send a request."""
    return method == "OPTIONS" and "access-control-request-method" in headers
