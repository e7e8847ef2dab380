"""Contents of this lake that are named by their physical address.

The address of an object is its namespace, `/data/`, and the hash of its content. What was put at an address that was
drawn for it is noted under that address for a day. Who links or stages an address of either kind gets the content;
every other address is kept as it is, as a record of what lies elsewhere.
"""

from __future__ import annotations

import re
from typing import Final

from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import repositories, uploads
from lakefs_hl.local.engine import records
from lakefs_hl.local.engine.snapshot import Snapshot
from lakefs_hl.spec.errors import BadRequestException

#: How long it is noted what was put at an address; as long as lakeFS takes an address for linking.
UPLOAD_SECONDS: Final = 24 * 3600
_OURS: Final = re.compile(r"(local://.+)/data/([0-9a-f]{64})")
_DRAWN: Final = re.compile(r"(local://.+/data/[0-9a-f]+-[0-9a-f]{32})(?:,.*)?")
_MD5: Final = re.compile(r"[0-9a-fA-F]{32}")


def resolve(snapshot: Snapshot, address: str, size: int, checksum: str) -> bytes | str:
    """Return the hash of a content of this lake that an address names, or the address.

    Args:
        snapshot: The lake.
        address: As a client gave it.
        size: What the client says of an object's content, bytes. If that is wrong, the address stays a record.
        checksum: What the client says its checksum is.

    Raises:
        BadRequestException: Something else was put at the address than the client says.
    """
    drawn = _DRAWN.fullmatch(address)
    if drawn is not None:
        value = uploads.find(snapshot.reader, drawn[1])
        return address if value is None else _of_upload(records.read_upload(value), drawn[1], size, checksum)
    found = _OURS.fullmatch(address)
    if found is None or not any(
        records.read_repository(row.value).namespace == found[1] for row in repositories.scan(snapshot.reader)
    ):
        return address
    name = bytes.fromhex(found[2])
    try:
        snapshot.lake.blobs.open(snapshot.reader, name, size).release()
    except Damaged:
        return address
    return name


def _of_upload(upload: records.UploadRecord, address: str, size: int, checksum: str) -> bytes:
    """The content that was put at an address, if it is what the client says. A checksum that is no MD5 says nothing."""
    if size != upload.size:
        raise BadRequestException(
            f"link address invalid: {address}: {upload.size} bytes were put there, and size_bytes is {size}; put the "
            "content again"
        )
    if upload.etag and checksum != upload.etag:
        raise BadRequestException(
            f"link address invalid: {address}: the content that was put there has the checksum {upload.etag}, and "
            f"checksum is {checksum}"
        )
    if not upload.etag and _MD5.fullmatch(checksum) and checksum.lower() != upload.md5.hex():
        raise BadRequestException(
            f"link address invalid: {address}: the content that was put there has the MD5 {upload.md5.hex()}, and "
            f"checksum is {checksum}; put the content again"
        )
    return upload.sha256
