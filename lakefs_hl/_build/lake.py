"""The embedded lake as a transport, and the lakes in memory that belong to one client and its copies.

The only module that imports `lakefs_hl.local`: by name, and only for an endpoint `local:` or `mem:`.
"""

from __future__ import annotations

import importlib
import uuid
from typing import Any, Final, cast
from weakref import WeakSet, WeakValueDictionary

from lakefs_hl.config.settings import Settings
from lakefs_hl.spec.errors import LakeError
from lakefs_hl.transport.base import Transport

#: Beginning of the name of a lake that belongs to one client and its copies.
PRIVATE: Final = "mem://~"
#: Name -> private lake, for as long as a client uses it.
lakes: Final[WeakValueDictionary[str, Any]] = WeakValueDictionary()


#: Transports of the lakes that this process has open.
_opened: Final[WeakSet[Any]] = WeakSet()


def open_directories() -> list[str]:
    """Return the directories of the lakes that this process has open."""
    return sorted({transport.directory for transport in _opened})


def private_name() -> str:
    """Return an endpoint for a new private lake, by which handles and unpickled clients find it."""
    return f"{PRIVATE}{uuid.uuid4().hex}"


def open_lake(settings: Settings, *, new: bool, create: bool) -> Transport:
    """Return the transport of an embedded lake.

    Args:
        settings: The settings of the client.
        new: Whether a private lake is made. Its name cannot be used again.
        create: Whether a lake that does not exist is created.

    Raises:
        LakeError: It cannot be opened, or does not exist.
    """
    endpoint = settings.endpoint
    if endpoint.startswith(PRIVATE) and not new:
        found: Transport | None = lakes.get(endpoint)
        if found is None:
            msg = f"{endpoint} is in the memory of another process, or was removed; processes share local:DIRECTORY"
            raise LakeError(msg)
        return found
    try:
        local = importlib.import_module("lakefs_hl.local")
    except ModuleNotFoundError as exc:
        if exc.name != "fcntl":
            raise
        msg = f"{endpoint}: an embedded lake needs the file locks of POSIX systems; use a lakeFS server"
        raise LakeError(msg) from None
    if endpoint.startswith(PRIVATE):
        made = lakes[endpoint] = local.connect("mem://", settings.committer, create=create)
    else:
        made = local.connect(endpoint, settings.committer, create=create)
    _opened.add(made)
    return cast("Transport", made)
