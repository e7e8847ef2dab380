"""What `format.json` says: the version of everything in the folder together, when the lake was made, and its trees.

The database notes the same text. Rules of the room: no I/O. From format 2 on the notes have a checksum of themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from xxhash import xxh3_64_hexdigest

from lakefs_hl.local.disk.errors import Damaged, UnknownFormat

#: Version of everything in the folder together.
VERSION: Final = 2
#: Versions that this release opens.
KNOWN: Final = (1, 2)


def make(created: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    """The notes of a lake.

    Args:
        created: When it was made, in ISO 8601.
        tree: What it notes about its trees.
    """
    noted = {"format": VERSION, "created": created, "tree": dict(tree)}
    return {**noted, "sum": _sum(noted)}


def write(noted: Mapping[str, Any]) -> str:
    """The notes as text."""
    return json.dumps(noted, indent=2) + "\n"


def read(text: str | bytes, where: str) -> dict[str, Any]:
    """The notes of a text.

    Raises:
        Damaged: It is not what was written.
        UnknownFormat: A newer release made it.
    """
    try:
        noted = dict(json.loads(text))
        version = noted["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{where}: not readable as a lake's format ({error}); restore it from a copy") from error
    if version not in KNOWN or isinstance(version, bool):
        raise UnknownFormat(
            f"{where}: lake of format {version!r}, and this release knows format {VERSION}: "
            "open it with the release that made it, or a newer one"
        )
    if version > 1 and noted.get("sum") != _sum({key: value for key, value in noted.items() if key != "sum"}):
        raise Damaged(f"{where}: the lake's format is not what was written; restore it from a copy")
    return noted


def is_same(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Whether two notes are of one lake, whatever their versions."""
    return all(left.get(key) == right.get(key) for key in ("created", "tree"))


def _sum(noted: Mapping[str, Any]) -> str:
    return xxh3_64_hexdigest(json.dumps(noted, sort_keys=True).encode())
