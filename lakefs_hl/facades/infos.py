"""Objects of stores, made of what fsspec says of a file."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from lakefs_hl.facades import checksums
from lakefs_hl.facades.records import Entry


def entry_of(path: str, info: Mapping[str, Any], encoding: str | None) -> Entry:
    """Return an object of its path, what is said of its file, and its encoding."""
    etag = str(info.get("ETag") or info.get("etag") or "").strip('"').lower() or None
    md5 = etag if checksums.is_md5(etag) else _from_base64(info.get("md5Hash"))
    modified = (
        info.get("LastModified")
        or info.get("Last-Modified")
        or info.get("mtime")
        or info.get("updated")
        or info.get("created")
    )
    content_type = info.get("ContentType") or info.get("contentType") or info.get("mimetype")
    return Entry(
        path,
        int(info.get("size") or 0),
        encoding,
        md5,
        content_type if isinstance(content_type, str) else None,
        modified=_moment(modified),
        etag=etag or (None if modified is None else f"{modified}-{info.get('size')}"),
    )


def _from_base64(text: object) -> str | None:
    if not isinstance(text, str):
        return None
    try:
        found = base64.b64decode(text, validate=True).hex()
    except binascii.Error:
        return None
    return found if checksums.is_md5(found) else None


def _moment(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            value = parsedate_to_datetime(value) if "," in value else datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, int | float):
        value = datetime.fromtimestamp(value, UTC)
    if not isinstance(value, datetime):
        return None
    return value.astimezone(UTC) if value.tzinfo is not None else value.replace(tzinfo=UTC)
