"""For tests that alter rows by hand: their checksums follow, so that faults are found by what the rows say."""

from __future__ import annotations

from lakefs_hl.local.disk import schema
from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.disk.sums import row_sum


def restore_sums(writer: Writer) -> None:
    """Writes the checksums of all rows, as they are now."""
    writer.define("row_sum", row_sum)
    for table, columns in schema.SUMMED.items():
        writer.execute(f"UPDATE \"{table}\" SET sum = row_sum('{table}', {', '.join(columns)})")
