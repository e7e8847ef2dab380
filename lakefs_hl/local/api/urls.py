"""Signed URLs: the query says all that a request needs, and an HMAC proves that this lake made it.

The HMAC is over the method, the path of the URL and all of its query: what it is about, when it ends, how much may be
written, and the key that it was made with. Nothing is kept about the URLs that are handed out. A URL ends with its
time, or with the key: when that is removed, gets a new secret, or may no longer do what the URL does.

Rules of the room: nothing in a query is believed, or even read, before `Urls.refusal` has let it in. URLs are secrets
for as long as they are valid, and in no log.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from lakefs_hl.local.api import checks, principals
from lakefs_hl.local.api.answers import refuse
from lakefs_hl.local.keys import Key, Keys
from lakefs_hl.spec.links import EXPIRES_IN, MAX_SECONDS
from lakefs_hl.spec.wire import Query, Request, Response

#: How long a URL is valid unless its life was asked for, as lakeFS has it.
LIFE_SECONDS: Final = 15 * 60
_SIGNATURE: Final = "signature"
#: A signature of one kind is none of another: tokens are signed with the same key.
_KIND: Final = b"signed URL\n"
_encode: Final = msgspec.msgpack.Encoder().encode


class Settings(NamedTuple):
    """What a server says of its signed URLs.

    Attributes:
        scheme: Of the server: "http" or "https".
        largest: Bytes of the largest content that may be put.
    """

    scheme: str
    largest: int


class Urls:
    """The signed URLs of one server.

    Args:
        keys: Have the key that signs.
        settings: What the URLs say of the server.

    Attributes:
        largest: Bytes of the largest content that may be put.
    """

    def __init__(self, keys: Keys, settings: Settings) -> None:
        self._keys = keys
        self._scheme = settings.scheme
        self.largest = settings.largest

    def holder(self, request: Request) -> dict[str, str]:
        """The part of a query that says whose key a URL is made with; nothing in process."""
        key = principals.principal(self._keys, request.headers.get("authorization"))
        return {} if key is None else {"key": key.access_key_id, "generation": str(key.generation)}

    def make(
        self, request: Request, path: str, method: str, query: Mapping[str, str], life: int | None = None
    ) -> tuple[str, int]:
        """A URL on the host that the client of a request has reached us by, and when it ends in Unix seconds.

        Args:
            request: The request for the URL: its caller and its host.
            path: Path of the URL.
            method: The method that it is for.
            query: What it is about, and its `holder`.
            life: Seconds until it ends. Defaults to `LIFE_SECONDS`.
        """
        expires = int(time.time()) + (LIFE_SECONDS if life is None else life)
        signed = {**query, "expires": str(expires)}
        signed[_SIGNATURE] = self._keys.sign(_words(method, path, signed))
        # Every reserved character is quoted: this is the form that clients which normalise URLs leave as it is.
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in signed.items())
        return f"{self._scheme}://{request.headers['host'].strip()}{path}?{text}", expires

    def refusal(self, path: str, method: str, query: Query) -> Response | None:
        """The answer to a request that is not what was signed, or comes too late; None if it may go on.

        A HEAD is a GET. Both signatures are compared in constant time, and what is refused is the same for all of them.
        """
        others = {name: value for name, value in query.items() if name != _SIGNATURE}
        signed = self._keys.sign(_words("GET" if method == "HEAD" else method, path, others))
        given = query.get(_SIGNATURE, "")
        if not self._keys.is_signature(given if isinstance(given, str) else "", signed):
            return refuse(403, "the signature of the URL is not valid for this request; ask for a new URL")
        if int(checks.text(query, "expires")) <= time.time():
            return refuse(403, "the URL has expired; ask for a new one")
        if self.key(query) is None and "key" in query:
            return refuse(403, "the key that the URL was made with is gone or has a new secret; ask for a new URL")
        return None

    def key(self, query: Query) -> Key | None:
        """The key that a URL was made with, as it is now; None if it has gone, or has another secret."""
        found = self._keys.find(checks.text(query, "key"))
        return found if found is not None and checks.text(query, "generation") == str(found.generation) else None


def life(query: Query) -> int:
    """For how long a URL is asked for, in seconds.

    Raises:
        BadRequestException: For longer than a URL can live, or for no time.
    """
    return checks.integer(query, EXPIRES_IN, LIFE_SECONDS, 1, MAX_SECONDS)


def at_most(query: Query, name: str, largest: int) -> int:
    """How many bytes are asked for at most; what the server takes, unless it is less.

    Raises:
        BadRequestException: It is no number.
    """
    value = checks.text(query, name)
    if value and not (value.isascii() and value.isdecimal() and len(value) < 20):
        raise checks.parameter(name, f"value {value[:40]}: not a number of bytes")
    return min(int(value), largest) if value else largest


def _words(method: str, path: str, query: Mapping[str, str | tuple[str, ...]]) -> bytes:
    """All of a request that is signed, in one order."""
    return _KIND + _encode((method, path, sorted(query.items())))
