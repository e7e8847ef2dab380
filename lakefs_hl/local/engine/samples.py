"""A small sample set for a new repository: a table, its description, and a query to start with."""

from __future__ import annotations

from typing import Final, TypeAlias

from lakefs_hl.local.disk.blobs import BlobRef
from lakefs_hl.local.engine import records
from lakefs_hl.local.engine.clock import now, seconds
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.publish import publish
from lakefs_hl.local.engine.records import CommitRecord
from lakefs_hl.local.engine.snapshot import Transaction

#: Path to content type and stored content.
Sample: TypeAlias = dict[str, tuple[str, BlobRef]]
_CITIES: Final = (("Amsterdam", 52.37, 4.90), ("Lagos", 6.46, 3.39), ("Lima", -12.05, -77.04), ("Osaka", 34.69, 135.50))
_QUERY: Final = "SELECT city FROM 'cities.csv' WHERE latitude > 0 ORDER BY city;\n"
_README: Final = """# Sample data

`cities.csv` has a city a row, with its latitude and longitude in degrees; `queries/north.sql` asks for the northern
ones. Change something on a branch, commit it, and compare the branch with this one.
"""


def files() -> dict[str, tuple[str, bytes]]:
    """The sample set: path to content type and content."""
    table = "city,latitude,longitude\n" + "".join(f"{name},{north},{east}\n" for name, north, east in _CITIES)
    return {
        "README.md": ("text/markdown", _README.encode()),
        "data/cities.csv": ("text/csv", table.encode()),
        "queries/north.sql": ("text/plain", _QUERY.encode()),
    }


def put(lake: Lake) -> Sample:
    """Stores the contents of the sample set."""
    return {path: (kind, lake.blobs.put(content)) for path, (kind, content) in files().items()}


def commit(transaction: Transaction, sample: Sample, who: str) -> None:
    """Commits the sample set to the default branch of a new repository."""
    head = transaction.head(transaction.repo.record.default_branch)
    edits = list[tuple[bytes, bytes | None]]()
    for path, (kind, blob) in sorted(sample.items()):
        transaction.lake.blobs.record(transaction.writer, blob)
        entry = records.make_entry(blob.sha256, blob.size, blob.md5, seconds(), kind, None)
        edits.append((path.encode(), records.write_entry(entry)))
    root = transaction.tree.apply(transaction.root(head.head), edits)
    transaction.nodes.flush(transaction.writer)
    publish(transaction, head, CommitRecord([head.head], root, who, "Add sample data", now(), {}, 2))
