"""The default client: `lakefs_hl.aio.DefaultClient` if set, else that of `lakefs_hl`. By hand: the colours differ."""

from __future__ import annotations

import sys
from typing import Final

from lakefs_hl._build.client import ClientFields
from lakefs_hl._handles.handle import own_client
from lakefs_hl._sync import default as blocking
from lakefs_hl.aio.client import Client
from lakefs_hl.transport.aio import is_on_loop

#: The blocking default client and the awaitable client that shares its connections.
_pairs: Final[dict[str, tuple[ClientFields, Client]]] = {}


def of(client: ClientFields) -> Client:
    """Return the awaitable client of the same lake, with the same credentials and connections."""
    return object.__new__(Client)._share(client)


def default_client() -> Client:
    """Return the client of handles that were made without one.

    Raises:
        NoAuthenticationFound: No source has credentials, and `init()` was not called.
        TypeError: `DefaultClient` was set to something that is not a client.
    """
    client = own_client(_usable(), Client, "lakefs_hl.aio.DefaultClient")
    if client is not None:
        return client
    shared = blocking.default_client(checked=not is_on_loop())
    pair = _pairs.get("default")
    if pair is None or pair[0] is not shared:
        pair = _pairs["default"] = shared, of(shared)
    return pair[1]


def preview() -> Client | None:
    """Return the client that the first call without one would use. Keeps nothing and raises nothing."""
    client = _usable()
    if client is not None:
        return client
    shared = blocking.preview()
    if shared is None:
        return None
    return of(shared) if shared._preview else default_client()


def _usable() -> Client | None:
    client: Client | None = sys.modules["lakefs_hl.aio"].__dict__.get("DefaultClient")
    return None if type(client) is Client and client._preview else client


def make_default(client: Client) -> Client:
    """Make a client the default of everything awaitable that was made without one.

    Within a running event loop, which must not wait, a missing AWS role is found by the first call.
    """
    if not is_on_loop():
        blocking.check_credentials(client)
    sys.modules["lakefs_hl.aio"].__dict__["DefaultClient"] = client
    return client
