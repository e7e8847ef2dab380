# Generated from lakefs_hl/aio/of_default.py by tools/unasync.py: change that, not this.
"""The client of a handle: its own, or the default client."""

from __future__ import annotations

from lakefs_hl._build.client import DefaultFields
from lakefs_hl._handles.handle import own_client
from lakefs_hl._handles.options import Optioned
from lakefs_hl._sync.client import Client
from lakefs_hl._sync.default import default_client


class OfDefault(DefaultFields, Client):
    """The default client of each call, with options of its own.

    Args:
        options: The options that differ from those of the default client.
    """

    def _default(self) -> Client:
        return default_client()


def client_of(given: Client | None) -> Client:
    """Return the client of a handle: the one it was made with, else the current default client.

    Raises:
        NoAuthenticationFound: No source has credentials, and `init()` was not called.
    """
    if type(given) is Client:
        return given
    if given is None:
        return default_client()
    if isinstance(given, OfDefault):
        now: Client = given._now()
        return now
    return given


class OfClient(Optioned):
    """Base of what administers or describes a server: with a client of its own, or the default client of each call.

    Args:
        client: Client to use. Defaults to the default client at the time of each call.
    """

    _of_default = OfDefault
    # Set on the class, so that one whose client was refused can still be printed in a traceback.
    _given: Client | None = None

    def __init__(self, client: Client | None = None) -> None:
        self._given = own_client(client, Client)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._given or 'the default client'}>"
