"""Who asks: a key pair or a token, to a user's name."""

from __future__ import annotations

import base64
import binascii

from lakefs_hl.local.engine import Engine
from lakefs_hl.spec.errors import NotAuthorizedException


def principal(engine: Engine, authorization: str | None) -> str | None:
    """Reads an `Authorization` header.

    Returns:
        The user's name; None if there is no header.

    Raises:
        NotAuthorizedException: It is there and not good.
    """
    if authorization is None:
        return None
    scheme, _, value = authorization.partition(" ")
    found = None
    match scheme.lower():
        case "basic":
            found = _basic(engine, value.strip())
        case "bearer":
            found = engine.keys.verify(value.strip())
    if found is None:
        raise NotAuthorizedException("error authenticating request")
    return found


def _basic(engine: Engine, value: str) -> str | None:
    try:
        key, colon, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return engine.keys.authenticate(key, secret) if colon else None
