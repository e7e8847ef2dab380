"""Names of ephemeral branches: `tx-<destination>-<32 hex digits>`.

The digits are the transaction's ID, a UUID of version 7 (RFC 9562), which contains the time when it began. Earlier
releases used random ones (version 4) without a time.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

#: Prefix of the name of every ephemeral branch.
PREFIX: Final = "tx-"
#: Number of random bytes that `make_id` takes.
RANDOM_BYTES: Final = 8
_NAME: Final = re.compile(r"tx-(.+)-([0-9a-f]{32})", re.DOTALL)
_NANOSECONDS: Final = 1_000_000  # of a millisecond
_VERSION_AT, _VERSION, _VARIANT_AT, _VARIANTS = 12, "7", 16, "89ab"


class Name(NamedTuple):
    """The parts of an ephemeral branch's name.

    Attributes:
        branch: The whole name.
        destination: The branch that the transaction is merged into.
        tx_id: The transaction's ID.
    """

    branch: str
    destination: str
    tx_id: str

    @property
    def started(self) -> float | None:
        """Start of the transaction in Unix seconds, by its machine's clock. None if the ID has no time."""
        digits = self.tx_id
        if digits[_VERSION_AT] != _VERSION or digits[_VARIANT_AT] not in _VARIANTS:
            return None
        return int(digits[:_VERSION_AT], 16) / 1000


def make_id(now: int, random: bytes) -> str:
    """Return a UUID of version 7 as 32 hex digits. Later ones sort after earlier ones.

    Args:
        now: Unix time in nanoseconds. The fraction of a millisecond is in the 12 bits after the version.
        random: `RANDOM_BYTES` random bytes.
    """
    milliseconds, rest = divmod(now, _NANOSECONDS)
    fraction = rest * 4096 // _NANOSECONDS
    tail = int.from_bytes(random[:RANDOM_BYTES]) & (1 << 62) - 1
    return f"{(milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | fraction << 64 | 2 << 62 | tail:032x}"


def name_of(destination: str, tx_id: str) -> Name:
    """Return the name of a transaction's ephemeral branch."""
    return Name(f"{PREFIX}{destination}-{tx_id}", destination, tx_id)


def parse(branch: str) -> Name | None:
    """Return the parts of a branch's name. None if it is not that of an ephemeral branch."""
    found = _NAME.fullmatch(branch)
    return Name(branch, found[1], found[2]) if found else None
