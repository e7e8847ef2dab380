"""Whether many requests can go over libcurl: the extra `fast` is installed, and nothing speaks against it.

Rules of the room: pycurl is loaded by the first Gather over a network, never by an import of the package. A pycurl that
is too old or does not load is as good as none: the same calls run on threads.
"""

from __future__ import annotations

import importlib
import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lakefs_hl.transport.multi import Multi

#: The first release whose callbacks take memoryviews, and whose wheels have a current libcurl.
OLDEST: Final = (7, 47)
#: Whether libcurl is used where it can be. Tests turn it off to try threads.
ENABLED: Final = True


def multi_class() -> type[Multi] | None:
    """Return what makes many exchanges on one thread. None if it cannot be used here."""
    if not ENABLED or _has_patched_sockets():
        return None
    return _load()


@cache
def _load() -> type[Multi] | None:
    try:
        pycurl = importlib.import_module("pycurl")
        found = re.match(r"PycURL/(\d+)\.(\d+)", pycurl.version)
        if found is None or (int(found[1]), int(found[2])) < OLDEST:
            return None
        from lakefs_hl.transport.multi import Multi
    except Exception:  # noqa: BLE001 - such as one that was built for another libcurl: an extra must not break calls
        return None
    return Multi if Multi.is_supported() else None


def _has_patched_sockets() -> bool:
    """Return whether gevent has patched sockets: libcurl waits in C, and would hold up all greenlets."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))
