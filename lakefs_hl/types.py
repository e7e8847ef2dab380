"""Types of what calls return and of what errors carry, for annotations and comparisons."""

from __future__ import annotations

from lakefs_hl.ops.server import Health
from lakefs_hl.spec.kinds import ErrorKind

__all__ = ["ErrorKind", "Health"]
