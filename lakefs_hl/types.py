"""Types that appear in signatures and attributes, and are matched rather than made."""

from __future__ import annotations

from lakefs_hl.spec.kinds import ErrorKind

__all__ = ["ErrorKind"]
