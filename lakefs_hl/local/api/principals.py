"""Principals: the key that a key pair or a token stands for, and what a key may do."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from lakefs_hl.local.keys import Key as Key
from lakefs_hl.local.keys import Keys
from lakefs_hl.spec import endpoints, links
from lakefs_hl.spec import keys as access_keys
from lakefs_hl.spec.errors import ForbiddenException, LakeError, NotAuthorizedException
from lakefs_hl.spec.wire import Endpoint

_REPOSITORY: Final = "/repositories/{repository}"
#: What a key that is limited to repositories may ask besides.
_OPEN: Final = frozenset(
    row.operation
    for row in (
        endpoints.GET_CONFIG,
        endpoints.GET_STORAGE_CONFIG,
        endpoints.GET_LAKEFS_VERSION,
        endpoints.GET_CURRENT_USER,
        endpoints.LIST_REPOSITORIES,  # which has those of the key only: `limited.py`
    )
)


def principal(keys: Keys, authorization: str | None) -> Key | None:
    """Reads an `Authorization` header.

    Returns:
        The key; None if there is no header.

    Raises:
        NotAuthorizedException: It is there and not good.
    """
    if authorization is None:
        return None
    scheme, _, value = authorization.partition(" ")
    found = None
    match scheme.lower():
        case "basic":
            found = _basic(keys, value.strip())
        case "bearer":
            found = keys.verify(value.strip())
    if found is None:
        raise NotAuthorizedException("error authenticating request")
    return found


def is_guess(keys: Keys, authorization: str | None) -> bool:
    """Whether credentials that were refused may be guessed: not a token that this lake has made and that has ended."""
    if authorization is None:
        return False
    scheme, _, value = authorization.partition(" ")
    try:
        return scheme.lower() != "bearer" or not keys.has_signed(value.strip())
    except LakeError:  # damaged since they were refused
        return True


def _basic(keys: Keys, value: str) -> Key | None:
    try:
        key, colon, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return keys.authenticate(key, secret) if colon else None


def permit(key: Key, endpoint: Endpoint, params: tuple[str, ...]) -> None:
    """Holds an operation against the limits of a key.

    Raises:
        ForbiddenException: The key may only read, not in this repository, or not manage keys.
    """
    if endpoint.operation in access_keys.ENDPOINTS and key.is_limited:
        raise ForbiddenException(
            f"insufficient permissions: the key {key.label!r} is limited, and only keys without limits manage keys"
        )
    reads = endpoint.method in ("GET", "HEAD") and endpoint not in (endpoints.GET_PHYSICAL_ADDRESS, links.WRITE_LINK)
    if key.read_only and not reads:
        raise ForbiddenException(f"insufficient permissions: the key {key.label!r} may only read")
    if key.repositories is None or endpoint.public or endpoint.operation in _OPEN:
        return
    if endpoint.path.startswith(_REPOSITORY):
        if params[0] in key.repositories:
            return
        raise ForbiddenException(f"insufficient permissions: the key {key.label!r} has no access to {params[0]!r}")
    raise ForbiddenException(f"insufficient permissions: the key {key.label!r} is limited to its repositories")
