"""The cache directory: checksums, journals, indexes and snapshots that a client keeps between processes.

Its content can be rebuilt and may reveal names of objects, so only its owner may read it. A directory that another user
could write to is refused, because anyone who can change an index can make a client skip or upload data.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lakefs_hl.config.credentials import Credentials, Token
from lakefs_hl.config.environment import Environment
from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.secret import KeyPair, reveal

VARIABLE: Final = "LAKEFS_HL_CACHE_DIR"
_XDG: Final = "XDG_CACHE_HOME"
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def cache_path(variables: Mapping[str, str] | None = None) -> Path:
    """Return the path of the cache directory: `LAKEFS_HL_CACHE_DIR`, else `lakefs_hl` in the cache directory of XDG.

    Args:
        variables: The environment; None means that of this process.

    Raises:
        InvalidConfigError: There is no home directory, and no variable names another place.
    """
    environment = Environment(variables)
    try:
        if named := environment.get(VARIABLE):
            return Path(named).expanduser().absolute()
        base = Path(environment[_XDG])
        # The XDG specification: a relative path is to be ignored.
        return (base if base.is_absolute() else Path.home() / ".cache") / "lakefs_hl"
    except RuntimeError as exc:
        raise InvalidConfigError(f"no cache directory: {exc}; set {VARIABLE}") from None


def cache_directory(endpoint: str, credentials: Credentials, variables: Mapping[str, str] | None = None) -> Path:
    """Return the directory of one endpoint and caller, and create it on first use, with mode 0700.

    Args:
        endpoint: The client's endpoint.
        credentials: What identifies the caller. Of a key pair only the access key ID identifies the caller, of a token
            the user that it names: tokens are replaced all the time. Neither is proved here.
        variables: The environment; None means that of this process.

    Raises:
        InvalidConfigError: It cannot be created, is not a directory, belongs to another user, or others may write to
            it.
    """
    base = cache_path(variables)
    directory = base / _key(endpoint, credentials)
    try:
        base.parent.mkdir(parents=True, exist_ok=True)
        for path in (base, directory):
            path.mkdir(mode=0o700, exist_ok=True)
            _check(path)
    except OSError as exc:
        raise InvalidConfigError(
            f"the cache directory {directory} cannot be used: {exc.strerror or exc}; set {VARIABLE} to another one"
        ) from None
    return directory


def _key(endpoint: str, credentials: Credentials) -> str:
    """Return a directory name for an endpoint and a caller that reveals neither."""
    match credentials:
        case KeyPair():
            caller = credentials.access_key_id
        case Token():
            caller = f"Token\0{_subject(reveal(credentials.value))}"
        case _:
            caller = type(credentials).__name__
    return hashlib.sha256(f"{endpoint}\0{caller}".encode()).hexdigest()[:32]


def _subject(token: str) -> str:
    """Return whom a token stands for: the user and key that a JSON Web Token names. Else the hash of the token."""
    try:
        body = token.split(".")[1]
        claims: Any = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        user = claims["sub"]
    except (LookupError, TypeError, ValueError, binascii.Error, RecursionError):
        user = None
    if not isinstance(user, str) or not user:
        return hashlib.sha256(token.encode()).hexdigest()
    return json.dumps([user, *(str(claims.get(name, "")) for name in ("iss", "kid"))])


def _check(path: Path) -> None:
    """Refuse a directory that others may write to, and revoke read permissions of others.

    Write permissions are not repaired: others may have changed the content already.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        found = os.fstat(descriptor)
        if os.name != "posix":
            return
        if found.st_uid != os.geteuid():
            raise InvalidConfigError(
                f"the cache directory {path} belongs to another user (uid {found.st_uid}); set {VARIABLE} to one of "
                "your own"
            )
        mode = stat.S_IMODE(found.st_mode)
        if mode & _OTHERS_WRITE:
            raise InvalidConfigError(
                f"others may write to the cache directory {path} (mode {mode:03o}): delete what is in it, then "
                f"chmod 700 {path}"
            )
        if mode & _OTHERS:
            os.fchmod(descriptor, mode & ~_OTHERS)
    finally:
        os.close(descriptor)
