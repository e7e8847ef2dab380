"""The client of a program that runs commands in its own process."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import lakefs_hl

#: Client of commands that name no lake. It is not closed by them. None leaves the lake to the configuration.
CLIENT: Final[ContextVar[lakefs_hl.Client | None]] = ContextVar("CLIENT", default=None)
