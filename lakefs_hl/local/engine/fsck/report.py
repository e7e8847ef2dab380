"""What a check found, as text and as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

#: Lines of one kind that a report spells out; of the others it says how many there are.
SHOWN: Final = 20
#: Lines about bytes outside of the lake that are kept at all: an import may have millions.
KEPT: Final = 10_000


@dataclass
class Report:
    """What a check found.

    Attributes:
        damage: What is wrong, a line each.
        outside: Entries whose bytes the lake has not got and cannot read: imported files that are gone or have
            changed, and addresses of other stores. A line each; no damage of the lake.
        dangling: What nothing refers to: left by a kill, a deletion or a lost race; harmless.
        counts: What was gone over.
    """

    damage: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    dangling: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 for a sound lake, 1 for a damaged one."""
        return 1 if self.damage else 0

    def add_damage(self, line: str) -> None:
        """Notes what is wrong."""
        self.damage.append(line)

    def add_outside(self, line: str) -> None:
        """Notes an entry whose bytes the lake has not got."""
        self.count("unavailable outside the lake")
        if len(self.outside) < KEPT:
            self.outside.append(line)

    def count(self, what: str, by: int = 1) -> None:
        """Counts what was gone over."""
        self.counts[what] = self.counts.get(what, 0) + by

    def leave(self, what: str, by: int = 1) -> None:
        """Counts what is left over."""
        self.dangling[what] = self.dangling.get(what, 0) + by

    def lines(self) -> Iterator[str]:
        """The report as text."""
        if self.counts:
            yield "checked: " + ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        left = ", ".join(f"{count:,} {what}" for what, count in self.dangling.items() if count)
        if left:
            yield f"left over, harmless: {left}"
        yield from _shown("outside the lake", self.outside)
        yield from _shown("damage", self.damage)
        yield "damaged: restore from a copy what is named above" if self.damage else "sound"

    def values(self) -> dict[str, Any]:
        """The report as plain values: `sound`, `damage`, `outside`, `left_over`, `checked`."""
        return {
            "sound": not self.damage,
            "damage": self.damage,
            "outside": self.outside,
            "left_over": {what: count for what, count in self.dangling.items() if count},
            "checked": self.counts,
        }


def _shown(what: str, lines: list[str]) -> Iterator[str]:
    yield from (f"{what}: {line}" for line in lines[:SHOWN])
    if len(lines) > SHOWN:
        yield f"{what}: and {len(lines) - SHOWN:,} more"
