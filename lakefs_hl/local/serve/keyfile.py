"""`lakectl.yaml` in the lake's folder: the endpoint and the keys of a served lake, for lakectl and this package alike.

It is written at each start and read by clients. The server itself reads `keys.json` (`local/keys.py`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import yaml

from lakefs_hl.local.disk.fs import write_durably
from lakefs_hl.spec.errors import LakeError
from lakefs_hl.spec.secret import KeyPair

NAME: Final = "lakectl.yaml"


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
    write_durably(os.fspath(path), text.encode(), "lakectl")
    return path
