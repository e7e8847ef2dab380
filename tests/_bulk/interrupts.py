"""Interrupts of transfers, after some of the work."""

from __future__ import annotations

from collections.abc import Callable

from lakefs_hl.types import TransferEvent


class Interrupt(BaseException):
    """As Ctrl-C, which would end pytest."""


def interrupted_after(count: int) -> tuple[set[str], Callable[[TransferEvent], None]]:
    """Return a set, and an argument for `progress` that adds the paths that are complete and raises at so many."""
    done = set[str]()

    def stop(event: TransferEvent) -> None:
        if event.kind == "complete":
            done.add(event.path)
            if len(done) == count:
                raise Interrupt

    return done, stop
