"""`lakectl.yaml` in the lake's folder: the endpoint and the keys of a served lake, for lakectl and this package alike.

The secret is in this file and nowhere else; the lake itself keeps a hash.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import string
from pathlib import Path
from typing import Final

import yaml

from lakefs_hl.spec.errors import LakeError
from lakefs_hl.spec.secret import KeyPair

NAME: Final = "lakectl.yaml"
KEY_LENGTH: Final = 20
SECRET_LENGTH: Final = 40
_KEY_LETTERS: Final = string.ascii_uppercase + "234567"
_SECRET_LETTERS: Final = string.ascii_letters + string.digits


def make() -> KeyPair:
    """Draws a new pair: a 20-character key, a 40-character secret."""
    key = "LKHL" + "".join(secrets.choice(_KEY_LETTERS) for _ in range(KEY_LENGTH - 4))
    return KeyPair(key, "".join(secrets.choice(_SECRET_LETTERS) for _ in range(SECRET_LENGTH)))


def read(folder: Path) -> KeyPair | None:
    """Reads the pair; None if there is no file.

    Raises:
        LakeError: The file holds no pair.
    """
    path = folder / NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        found = yaml.safe_load(text)["credentials"]
        return KeyPair(str(found["access_key_id"]), str(found["secret_access_key"]))
    except (yaml.YAMLError, LookupError, TypeError):
        raise LakeError(
            f"{path}: no credentials in it; put back access_key_id and secret_access_key, or set "
            "LAKEFS_HL_SERVE_ACCESS_KEY_ID and LAKEFS_HL_SERVE_SECRET_ACCESS_KEY to give the lake new ones"
        ) from None


def write(folder: Path, pair: KeyPair, url: str) -> Path:
    """Writes the file, readable by its owner only from its first byte on; the old one is replaced whole."""
    path = folder / NAME
    text = yaml.safe_dump(
        {
            "credentials": {"access_key_id": pair.access_key_id, "secret_access_key": pair.secret_access_key},
            "server": {"endpoint_url": url},
        },
        sort_keys=True,
    )
    temporary = folder / f".{NAME}.{secrets.token_hex(8)}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    return path
