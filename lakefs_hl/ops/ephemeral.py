"""Names of ephemeral branches: `tx-<destination>-<32 hex digits>`.

The digits are the transaction's id, a UUID of version 7 (RFC 9562), so that a name tells when its transaction began.
Earlier releases made random ones (version 4), which tell nothing.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

#: How the name of every ephemeral branch begins.
PREFIX: Final = "tx-"
#: Random bytes that `make_id` wants.
DICE: Final = 8
_NAME: Final = re.compile(r"tx-(.+)-([0-9a-f]{32})", re.DOTALL)
_NANOSECONDS: Final = 1_000_000  # of a millisecond
_VERSION_AT, _VERSION, _VARIANT_AT, _VARIANTS = 12, "7", 16, "89ab"


class Name(NamedTuple):
    """The parts of an ephemeral branch's name.

    Attributes:
        branch: The whole name.
        destination: The branch that the transaction is merged into.
        tx_id: The transaction's id.
    """

    branch: str
    destination: str
    tx_id: str

    @property
    def started(self) -> float | None:
        """When the transaction began, Unix seconds by the clock of its machine; None if the id does not tell."""
        digits = self.tx_id
        if digits[_VERSION_AT] != _VERSION or digits[_VARIANT_AT] not in _VARIANTS:
            return None
        return int(digits[:_VERSION_AT], 16) / 1000


def make_id(now: int, dice: bytes) -> str:
    """Makes a UUID of version 7, as 32 hex digits; one made at a later moment sorts later.

    Args:
        now: Unix time in nanoseconds; what is below a millisecond goes into the 12 bits after the version.
        dice: `DICE` random bytes.
    """
    milliseconds, rest = divmod(now, _NANOSECONDS)
    fraction = rest * 4096 // _NANOSECONDS
    tail = int.from_bytes(dice[:DICE]) & (1 << 62) - 1
    return f"{(milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | fraction << 64 | 2 << 62 | tail:032x}"


def name_of(destination: str, tx_id: str) -> Name:
    """The ephemeral branch of a transaction."""
    return Name(f"{PREFIX}{destination}-{tx_id}", destination, tx_id)


def parse(branch: str) -> Name | None:
    """The parts of a branch's name, or None if no transaction has made it."""
    found = _NAME.fullmatch(branch)
    return Name(branch, found[1], found[2]) if found else None
