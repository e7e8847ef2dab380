"""What a row of the table of endpoints is made of: the table itself, path templates and timeouts."""

from __future__ import annotations

from typing import Final

from lakefs_hl.spec.wire import Endpoint, RetryClass, Timeouts

META: Final = Timeouts(read=30.0, deadline=60.0)
SLOW: Final = Timeouts(read=300.0, deadline=600.0)
#: A transfer has no deadline but a minimum rate (`transport.limits`). Its response must begin within a minute.
DATA: Final = Timeouts(read=60.0, deadline=float("inf"))

REPOSITORY: Final = "/repositories/{repository}"
BRANCH: Final = f"{REPOSITORY}/branches/{{branch}}"
REF: Final = f"{REPOSITORY}/refs/{{ref}}"

#: Every row by its operationId. Complete once `spec.endpoints` is imported.
ENDPOINTS: Final[dict[str, Endpoint]] = {}


def row(
    operation: str,
    method: str,
    path: str,
    retry: RetryClass,
    wording: str,
    *ok: int,
    timeouts: Timeouts = META,
    public: bool = False,
) -> Endpoint:
    """Add a row to the table and return it; see `Endpoint` for the columns."""
    made = Endpoint(operation, method, path, retry, wording, ok or (200,), timeouts, public)
    ENDPOINTS[operation] = made
    return made
