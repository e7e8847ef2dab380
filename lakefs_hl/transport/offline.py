"""The transport of a client that is offline: it sends nothing."""

from __future__ import annotations

from lakefs_hl.spec.errors import OfflineException
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.transport.scope import Scope


class Offline:
    """Transport that refuses every request.

    Args:
        reason: What makes the client offline, such as "LAKEFS_HL_OFFLINE=1".
    """

    fan_out = 1

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def send(self, request: Request, scope: Scope | None = None, within: float | None = None) -> Response:
        """Refuse a request.

        Raises:
            OfflineException: Always.
        """
        raise OfflineException(f"{request.describe()}: nothing was sent: {advice(self._reason)}")

    def close(self) -> None:
        """Do nothing: there are no connections."""


def advice(reason: str) -> str:
    """Return why nothing is sent, and what to do."""
    return (
        f"the client is offline ({reason}); snapshot_download() returns what is in the cache, everything else needs a "
        "client that is online"
    )
