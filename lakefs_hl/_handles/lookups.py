"""Handles of records that have no name in a lake: pull requests and action runs. Fields are looked up when needed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Generic, Self, TypeVar

from lakefs_hl._handles.options import Optioned
from lakefs_hl.spec import arguments

R = TypeVar("R")
H = TypeVar("H", bound="RecordHandle[Any]")


class RecordHandle(Optioned, Generic[R]):
    """The ID of a record of a repository, the client to use, and what is known of the record."""

    _package: ClassVar[str]
    # Set on the class, so that a handle whose arguments were refused can still be printed in a traceback.
    _repository_id: str = ""
    _id: str = ""
    #: The record, and the names of those of its fields that it does not hold. None until it was looked up. One
    #: attribute, so that no thread sees the one without the other.
    _known: tuple[R, frozenset[str]] | None = None

    def __init__(self, repository_id: object, id: object, argument: str, client: Any) -> None:
        self._repository_id = arguments.repository_name(repository_id)
        self._id = arguments.name(id, argument)
        self._given = client

    @property
    def id(self) -> str:
        """ID that lakeFS gave to it."""
        return self._id

    @property
    def repository_id(self) -> str:
        """Name of the repository."""
        return self._repository_id

    def _keep(self, record: R, missing: Iterable[str] = ()) -> Self:
        """Set what is known of the record; `missing` names fields that it does not hold. Returns itself."""
        self._known = record, frozenset(missing)
        return self

    def _look_up(self) -> R:
        raise NotImplementedError  # the colours look up lazily in different ways

    def _record(self, field: str = "") -> R:
        """Return the record, which holds `field`."""
        known = self._known
        return self._look_up() if known is None or field in known[1] else known[0]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, RecordHandle) and self._key() == other._key()

    def _key(self) -> tuple[Any, ...]:
        return self._repository_id, self._id, self._given

    def __hash__(self) -> int:
        return hash((type(self), *self._key()))

    def __reduce__(self) -> tuple[Any, ...]:
        return restore, (type(self), *self._key(), self._known)


def wrap(kind: type[H], repository_id: str, id: str, client: Any, known: Any) -> H:
    """Return a handle of a record that is known. It skips the checks of the constructor."""
    made: H = object.__new__(kind)
    made._repository_id, made._id, made._given, made._known = repository_id, id, client, known
    return made


#: Unpickles a handle. Pickles name this function: it stays where it is.
restore = wrap
