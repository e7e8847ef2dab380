"""What lakeFS means, over disk and tree: references, staging, commits, merges. Raises errors of `spec`; knows no HTTP.

Rules of the room: one module per noun; a mutation is one write transaction (large commits and merges apply their trees
without a lock and publish by comparing); what is read in one call is of one moment.
"""

from __future__ import annotations

from lakefs_hl.local.engine.engine import Engine

__all__ = ["Engine"]
