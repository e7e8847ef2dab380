"""Greenlets in the place of threads, where gevent has patched sockets and not threads: `patch_all(thread=False)`.

A patched socket belongs to the thread that uses it first, so connections that are kept cannot be shared by threads. The
workers of this room are greenlets then, and what belongs to a thread belongs to a greenlet. `queue.SimpleQueue`, which
gevent patches in any case, suits both. A program patches before it loads this module, as gevent demands.
"""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final


def is_cooperative(monkey: Any) -> bool:
    """Return whether gevent has patched sockets and not threads.

    Args:
        monkey: The module `gevent.monkey`; None if it is not loaded.
    """
    return monkey is not None and monkey.is_module_patched("socket") and not monkey.is_module_patched("threading")


def is_patched() -> bool:
    """Return whether gevent has patched threads or sockets: a thread would be a greenlet, and hold up all others."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and (monkey.is_module_patched("socket") or monkey.is_module_patched("threading"))


#: Whether workers are greenlets although threads are not.
COOPERATIVE: Final = is_cooperative(sys.modules.get("gevent.monkey"))

if TYPE_CHECKING or not COOPERATIVE:
    Local = threading.local
    get_ident = threading.get_ident
else:
    Local = import_module("gevent.local").local
    get_ident = import_module("gevent.thread").get_ident


def spawn(thread: threading.Thread) -> None:
    """Run a thread that was not started in a greenlet."""
    import_module("gevent").spawn(thread.run)
