"""Where a transfer reads and writes: a reference, and the part of its client that transfers use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.transactions import TransactionFields
from lakefs_hl.ops import ephemeral
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session

T = TypeVar("T")
P = ParamSpec("P")


class BulkClient(Protocol):
    """The part of a client, of either colour, that transfers use."""

    _session: Session
    _blocking: Any

    @property
    def _in_process(self) -> bool: ...

    @property
    def endpoint(self) -> str: ...

    def _run_here(self, call: Callable[Concatenate[Session, P], Op[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call on this thread."""

    def _pages_here(self, next_page: Any, after: str = "") -> Iterator[Any]:
        """Iterate over the rows of a listing on this thread."""

    @property
    def cache_directory(self) -> Path:
        """Return the directory of checksums and journals."""


class BulkPlace(Handle):
    """A reference of either colour, as far as transfers use it. Only for annotations."""

    @property
    def _client(self) -> BulkClient:
        raise NotImplementedError


def is_in_transaction(place: object) -> bool:
    """Return whether a reference is a transaction, or the handle of one."""
    return isinstance(place, TransactionFields) or ephemeral.parse(getattr(place, "_id", "")) is not None
