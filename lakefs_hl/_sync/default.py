"""The default client: `lakefs_hl.DefaultClient`, made by the first call that needs it. By hand: the colours differ."""

from __future__ import annotations

import sys
import threading

from lakefs_hl._build.client import NO_OPTIONS, ClientFields
from lakefs_hl._handles.handle import own_client
from lakefs_hl._sync.client import Client
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.transport.forks import watch


class _Making:
    """The lock of the default client's creation, anew in a child process: a thread of the parent may hold it."""

    def __init__(self) -> None:
        self._after_fork()
        watch(self)

    def _after_fork(self) -> None:
        self.lock = threading.RLock()


_making = _Making()


def default_client(*, checked: bool = True) -> Client:
    """Return the client of handles that were made without one. The first call makes and keeps it.

    Args:
        checked: Whether to check the AWS role of a new client, which may block for two seconds.

    Raises:
        NoAuthenticationFound: No source has credentials, and `init()` was not called.
        TypeError: `DefaultClient` was set to something that is not a client.
    """
    package = sys.modules["lakefs_hl"].__dict__
    client = own_client(package.get("DefaultClient"), Client, "lakefs_hl.DefaultClient")
    if client is not None and not _is_preview(client):
        return client
    with _making.lock:
        client = package.get("DefaultClient")
        if client is None or _is_preview(client):
            client = Client()
            if checked:
                check_credentials(client)
            package["DefaultClient"] = client
        return client


def preview() -> Client | None:
    """Return the client that the first call without one would use. Keeps nothing and raises nothing.

    It opens no lake and gives no warning. Assigned back to where it was read, as the end of a test's patch does, it is
    not kept either.
    """
    kept: Client | None = sys.modules["lakefs_hl"].__dict__.get("DefaultClient")
    if kept is not None and not _is_preview(kept):
        return kept
    client = object.__new__(Client)._begin(NO_OPTIONS)
    client._preview = True
    try:
        client._settle(NO_OPTIONS, warns=False)
    except Exception:  # noqa: BLE001 - reading every name of a module must not raise
        return None
    return client


def _is_preview(client: Client) -> bool:
    return type(client) is Client and client._preview


def make_default(client: Client) -> Client:
    """Make a client the default of everything that was made without one."""
    check_credentials(client)
    with _making.lock:
        sys.modules["lakefs_hl"].__dict__["DefaultClient"] = client
    return client


def check_credentials(client: ClientFields) -> None:
    """Check that the AWS role, the last resort of the configuration, exists. Takes two seconds at most."""
    if client._session.authenticator.renewable:
        client._run_here(_check)


def _check(session: Session) -> Op[None]:
    return session.authenticator.check()
