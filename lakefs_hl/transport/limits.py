"""Limits of an exchange, against peers that are broken or hostile: sizes, counts and a minimum rate.

A record, an error or a head above them is not lakeFS's, and a slower transfer counts as stalled. `Http(limits=...)`
takes others.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Limits(NamedTuple):
    """Limits of one exchange.

    Attributes:
        head_lines: Header lines of a response, or trailer lines behind its body.
        head_bytes: Bytes of the same, the status line included.
        interim: Interim (1xx) responses before the final one.
        chunk_line: Bytes of the line before a chunk, extensions included.
        error_body: Bytes kept of the body of an error, decoded.
        record: Bytes of any other body that is not an object's data, decoded.
        rate: Minimum of bytes per second of a transfer, averaged over `window`.
        window: Seconds over which the rate of a transfer is averaged.
        head_seconds: Seconds to wait for the final head where the operation has no deadline.
    """

    head_lines: int = 1000
    head_bytes: int = 64 << 10
    interim: int = 100
    chunk_line: int = 4 << 10
    error_body: int = 64 << 10
    record: int = 64 << 20
    rate: int = 1 << 10
    window: float = 30.0
    head_seconds: float = 600.0


LIMITS: Final = Limits()
