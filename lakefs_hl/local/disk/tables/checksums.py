"""The table `checksum`: of blobs that are files, the MD5 and a fast checksum; blobs of older releases have no row."""

from __future__ import annotations

from typing import NamedTuple

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.sums import damaged, row_sum


class Row(NamedTuple):
    """What is known of a file's content.

    Attributes:
        md5: 16 bytes.
        xxh3: Of 128 bits, 16 bytes.
    """

    md5: bytes
    xxh3: bytes


def find(reader: Reader, name: bytes) -> Row | None:
    """The checksums of a hash."""
    row = reader.row("SELECT hash, md5, xxh3, sum FROM checksum WHERE hash = ?", (name,))
    if row is None:
        return None
    if row_sum("checksum", *row[:3]) != row[3]:
        raise damaged("checksum", name)
    return Row(row[1], row[2])


def put(writer: Writer, name: bytes, row: Row) -> None:
    """Sets the checksums of a hash; one that is damaged is put right."""
    sql = "INSERT OR REPLACE INTO checksum(hash, md5, xxh3, sum) VALUES(?, ?, ?, ?)"
    writer.execute(sql, (name, *row, row_sum("checksum", name, *row)))
