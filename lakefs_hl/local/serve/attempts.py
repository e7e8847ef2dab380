"""Wrong credentials, counted by peer: whoever guesses is slowed down, and whoever knows is not.

Credentials are compared first and counted only if they are wrong, so that a client with a stale secret, or an attacker
on the same machine, locks nobody out. A token that the lake has made is no guess, and is not counted after its end: a
fleet of workers then gets 401, which says that the token has ended, and not 429, which says to try again.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict, deque
from typing import Final

#: Wrong credentials of one peer that are answered with 401 within `WINDOW_SECONDS`; further ones with 429.
LIMIT: Final = 20
WINDOW_SECONDS: Final = 10.0
#: Peers that are remembered; the one that was wrong longest ago is forgotten first.
PEERS: Final = 1024


class Attempts:
    """The wrong credentials of the last seconds."""

    def __init__(self) -> None:
        self._peers: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, peer: str, now: float) -> float:
        """Count wrong credentials of a peer.

        Returns:
            0 if they are within the limit, otherwise the seconds until they will be again.
        """
        name = _network(peer)
        times = self._peers.get(name)
        if times is None:
            times = self._peers[name] = deque(maxlen=LIMIT)
            if len(self._peers) > PEERS:
                self._peers.popitem(last=False)
        self._peers.move_to_end(name)
        if len(times) == LIMIT and now - times[0] < WINDOW_SECONDS:
            return WINDOW_SECONDS - (now - times[0])
        times.append(now)
        return 0


def _network(peer: str) -> str:
    """What one peer can take addresses from: an IPv6 host has a network of 64 bits to itself."""
    if ":" not in peer:
        return peer
    try:
        address = ipaddress.IPv6Address(peer)
    except ValueError:
        return peer
    return str(address.ipv4_mapped or ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
