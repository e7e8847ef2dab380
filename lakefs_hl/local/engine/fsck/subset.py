"""Which part of the blobs a check reads."""

from __future__ import annotations

import os
import re
from typing import NamedTuple


class Subset(NamedTuple):
    """Blobs whose names, as numbers, leave one of some remainders.

    Attributes:
        divisor: What names are divided by.
        low: The lowest remainder that belongs to it.
        high: The first one after those.
        salt: What is added to each name, so that each run of a random part takes another one.
    """

    divisor: int
    low: int
    high: int
    salt: int = 0

    @classmethod
    def parse(cls, text: str) -> Subset:
        """The part that a text names.

        Args:
            text: `n/t`: the n-th of t parts, the same at each run. Or `10%`: a part of that size, another at each run.

        Raises:
            ValueError: It is neither.
        """
        part = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if part is not None:
            number, parts = int(part[1]), int(part[2])
            if 1 <= number <= parts:
                return cls(parts, number - 1, number)
        percent = re.fullmatch(r"(\d{1,3}(?:\.\d{1,4})?)%", text)
        if percent is not None and 0 < float(percent[1]) <= 100:
            salt = int.from_bytes(os.urandom(8))
            return cls(1_000_000, 0, round(float(percent[1]) * 10_000), salt)
        raise ValueError(
            f"{text!r}: name a part as n/t, such as 1/7, with n from 1 to t; or as a percentage above 0%, such as 10%"
        )

    def covers(self, name: bytes) -> bool:
        """Whether a blob belongs to it: names are hashes, so each part has about its share."""
        # Multiplied, so that the salt deals the names out anew; to add it would take neighbours together.
        number = (int.from_bytes(name[:8]) ^ self.salt) * 0x9E3779B97F4A7C15 >> 16 & 0xFFFFFFFFFFFF
        return self.low <= number % self.divisor < self.high
