"""The connections of a server: how many there may be, which one goes at the limit, and which ones are too slow.

Rules of the room: each connection is in one of three states, and what can be had for nothing is given away first. An
idle one (no complete request) goes before one whose request has no credentials; one with credentials stays. There is no
limit per peer: on the loopback everybody is the same peer.
"""

from __future__ import annotations

import resource
from typing import Final, Protocol

#: Descriptors that are kept for the lake: its database, locks and content, and connections that were just accepted.
KEPT: Final = 192
#: Connections at most, whatever the machine allows.
MOST: Final = 4096
#: Fewest; below, the process could not work anyway.
FEWEST: Final = 16


class Connection(Protocol):
    """What is asked of a connection."""

    def is_stalled(self, now: float) -> bool:
        """Whether the client is too slow in sending or taking what is expected of it."""

    def drop(self) -> None:
        """End it at once."""

    def refuse_stalled(self) -> None:
        """End it because it is too slow."""


class Connections:
    """All connections of one server.

    Args:
        most: How many there may be.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        # Ordered by when they came into this state, oldest first.
        self._idle: dict[Connection, None] = {}
        self._unknown: dict[Connection, None] = {}
        self._trusted: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._idle) + len(self._unknown) + len(self._trusted)

    def add(self, one: Connection) -> bool:
        """Take a new connection; at the limit another one goes. Returns False if none can."""
        if len(self) >= self.most:
            victim = next(iter(self._idle), None) or next(iter(self._unknown), None)
            if victim is None:
                return False
            self.discard(victim)
            victim.drop()
        self._idle[one] = None
        return True

    def begin(self, one: Connection) -> None:
        """A request has arrived, and is not authenticated yet."""
        if self._idle.pop(one, one) is None:
            self._unknown[one] = None

    def trust(self, one: Connection) -> None:
        """The request has valid credentials."""
        if self._unknown.pop(one, one) is None:
            self._trusted[one] = None

    def rest(self, one: Connection) -> None:
        """The request was answered."""
        if self._trusted.pop(one, one) is None or self._unknown.pop(one, one) is None:
            self._idle[one] = None

    def discard(self, one: Connection) -> None:
        """The connection is gone."""
        for state in (self._idle, self._unknown, self._trusted):
            state.pop(one, None)

    def sweep(self, now: float) -> None:
        """End the connections that are too slow."""
        for state in (self._idle, self._unknown, self._trusted):
            for one in [one for one in state if one.is_stalled(now)]:
                one.refuse_stalled()


def capacity() -> int:
    """How many connections this process can have: each may hold two descriptors, its socket and a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MOST + KEPT
    if soft != resource.RLIM_INFINITY and soft < wanted:
        more = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        if more > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
            soft = more
    if soft == resource.RLIM_INFINITY:
        return MOST
    return max(FEWEST, min(MOST, (soft - KEPT) // 2))
