"""Types of texts: of the columns of CSV files, and of the directories `name=text` of partitioned tables.

Texts are compared as texts. Columns whose texts are all numbers in their only form ("7" and not "007", "1.5" and not
"1.50") are returned as numbers: then equal numbers are equal texts, and the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

_INTEGER: Final = "^(0|-?[1-9][0-9]{0,17})$"
_DECIMAL: Final = r"^(-?(0|[1-9][0-9]{0,7})\.[0-9]{0,6}[1-9]|-?[1-9][0-9]{0,7}\.0|0\.0)$"


class Seen:
    """What was seen of the texts of one column."""

    def __init__(self) -> None:
        self.integers = self.decimals = self.whole = self.others = False

    def add(self, texts: Any) -> None:
        """Look at more texts: a chunk of a column."""
        if self.others or len(texts) == texts.null_count:
            return
        integers = pc.match_substring_regex(texts, _INTEGER)
        if pc.all(integers).as_py():
            self.integers = True
            return
        decimals = pc.match_substring_regex(texts, _DECIMAL)
        self.others = not pc.all(pc.or_(integers, decimals)).as_py()
        self.integers = self.integers or bool(pc.any(integers).as_py())
        self.decimals = True
        self.whole = self.whole or bool(pc.any(pc.ends_with(texts, ".0")).as_py())

    def join(self, other: Seen) -> Seen:
        """Return what was seen of two columns."""
        found = Seen()
        for name in vars(found):
            setattr(found, name, getattr(self, name) or getattr(other, name))
        return found

    @property
    def is_empty(self) -> bool:
        """Whether there was no text."""
        return not (self.integers or self.decimals or self.others)

    @property
    def type(self) -> Any:
        """Type that has one value for each text."""
        if self.others or self.is_empty or (self.integers and self.whole):
            return pa.large_string()  # "1" and "1.0" would be one number
        return pa.float64() if self.decimals else pa.int64()


def partition_types(partitions: Iterable[Mapping[str, str | None]]) -> dict[str, Any]:
    """Return the types of partition columns: integers if all of both sides are, else texts."""
    found: dict[str, Any] = {}
    for partition in partitions:
        for name, text in partition.items():
            kind = found.setdefault(name, pa.int64())
            if text is not None and kind == pa.int64() and not re.fullmatch(_INTEGER, text):
                found[name] = pa.large_string()
    return found
