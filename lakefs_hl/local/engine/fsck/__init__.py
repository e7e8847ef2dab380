"""Going over a lake: rows, refs, commits, trees, entries, bytes; what is wrong apart from what is left over.

One read transaction sees one moment, so a lake may be checked while it is written to: what was put in its place since
(a blob whose entry is not committed yet) shows as left over, never as damage. No file is changed.

Rules of the room: reads only, trusts no cache, and one fault does not hide the others. `check` opens what is to be
checked and goes through it; `rows` looks at the database, `contents` at trees, entries and bytes.
"""

from __future__ import annotations

from lakefs_hl.local.engine.fsck.check import fsck
from lakefs_hl.local.engine.fsck.report import Report
from lakefs_hl.local.engine.fsck.subset import Subset

__all__ = ["Report", "Subset", "fsck"]
