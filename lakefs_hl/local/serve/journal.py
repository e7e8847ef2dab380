"""A bound on log lines: no peer may fill the disk with what its requests make the server say."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Final

#: Lines of one logger within `WINDOW_SECONDS`; the rest is counted.
LINES: Final = 20
WINDOW_SECONDS: Final = 10.0
#: Whoever speaks while a lake is served: this package, the HTTP server, and the event loop; and the least that counts.
#: What clients do wrong is answered, not logged.
LOGGERS: Final = {"lakefs_hl.serve": logging.NOTSET, "uvicorn.error": logging.ERROR, "asyncio": logging.ERROR}


class Bound(logging.Filter):
    """Lets so many lines pass in each window, and says with the first of the next how many it held back."""

    def __init__(self, least: int = logging.NOTSET) -> None:
        super().__init__()
        self._least = least
        self._since = float("-inf")
        self._passed = self._held = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line passes."""
        if record.levelno < self._least:
            return False
        now = time.monotonic()
        if now - self._since >= WINDOW_SECONDS:
            if self._held:
                record.msg = f"{record.getMessage()} (and {self._held} lines before, not shown)"
                record.args = ()
            self._since, self._passed, self._held = now, 0, 0
        self._passed += 1
        if self._passed > LINES:
            self._held += 1
            return False
        return True


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Holds the loggers of a server to the bound."""
    filters = {name: Bound(least) for name, least in LOGGERS.items()}
    for name, made in filters.items():
        logging.getLogger(name).addFilter(made)
    try:
        yield
    finally:
        for name, made in filters.items():
            logging.getLogger(name).removeFilter(made)
