"""Place of a file: a reference, and a client that runs ops on the calling thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session

T = TypeVar("T")
P = ParamSpec("P")


class FileClient(Protocol):
    """The part of a client, of either colour, that files use."""

    @property
    def _in_process(self) -> bool: ...

    @property
    def endpoint(self) -> str: ...

    def _full_name(self, repository: str) -> str:
        """Return the name that a repository has at the endpoint."""

    def _run_here(self, call: Callable[Concatenate[Session, P], Op[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call on this thread."""


class Place(Protocol):
    """A reference of either colour."""

    _repository_id: str
    _id: str

    @property
    def _client(self) -> FileClient: ...
