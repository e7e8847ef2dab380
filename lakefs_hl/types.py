"""Types of what calls take and return and of what errors carry, for annotations and comparisons."""

from __future__ import annotations

from lakefs_hl.config.options import ClientOptions
from lakefs_hl.config.retry import Retry
from lakefs_hl.config.sources import SettingSource
from lakefs_hl.ops.server import Health
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.wire import Request, Response

__all__ = ["ClientOptions", "ErrorKind", "Health", "Request", "Response", "Retry", "SettingSource"]
