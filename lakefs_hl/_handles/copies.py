"""Calls that remove, copy and move prefixes: their arguments, and the reports that are counted while they run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from lakefs_hl._handles import paths
from lakefs_hl._handles.deletions import ON_ERROR, DeleteReport
from lakefs_hl._handles.handle import Handle, reference_name
from lakefs_hl._handles.prefixes import workers
from lakefs_hl._handles.transfers import Tally, TransferReport
from lakefs_hl.ops import copies, prefixes
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import LakeFSException
from lakefs_hl.spec.models import ObjectError, ObjectStats
from lakefs_hl.spec.uri import object_uri

_AGAIN: Final = "the same call again tries all of them"
_KEPT: Final = "nothing is lost: what failed is still at its source; the same call again tries it"


class Watcher(Protocol):
    """Progress of a call, as `_progress` has it."""

    def complete(self, path: str, size: int = 0) -> None:
        """Tell that an object was transferred."""

    def fail(self, path: str, error: Exception) -> None:
        """Tell that an object failed."""

    def delete(self, path: str) -> None:
        """Tell that an object was deleted."""


def add_progress(error: LakeFSException, count: int, done: str) -> None:
    """Add to the error that ends a call on many objects how many it was applied to before."""
    if count:
        error.maybe_applied = True
        error.add_note(f"{count:,} objects were {done} before, and the same call again does the rest")


class Location(NamedTuple):
    """A path or a prefix at a reference.

    Attributes:
        at: The reference, with its client.
        path: The path. It ends with "/" or is empty if it is a prefix.
    """

    at: Any
    path: str

    @property
    def uri(self) -> str:
        """URI of the path."""
        return object_uri(self.at._repository_id, self.at._id, self.path)


def locate(value: object, argument: str, make: Callable[[str, str, Any], Handle], client: object) -> Location:
    """Return what a URI or a handle names.

    Args:
        value: A URI, an object, a common prefix or a reference.
        argument: Name of the parameter.
        make: Makes a reference of the caller's colour.
        client: Client to use instead of that of the handle, or of the default client. None changes nothing.

    Raises:
        TypeError: It is none of these.
        ValueError: It is not the URI of a reference or of something at one.
    """
    if isinstance(value, paths.Item | Handle):
        at = value if isinstance(value, Handle) else value._reference
        path = "" if isinstance(value, Handle) else value.path
        return Location(at if client is None else make(at._repository_id, at._id, client), path)
    if not isinstance(value, str):
        msg = f"{argument} must be a URI, an ObjectInfo, a CommonPrefix or a reference, not {type(value).__name__}"
        raise TypeError(msg)
    repository, reference, path = arguments.object_uri(value, argument)
    return Location(make(repository, reference, client), path)


def remove(session: Session, at: Handle, path: object, recursive: object, watcher: Watcher) -> Op[DeleteReport]:
    """Delete an object, or all objects under a path.

    Raises:
        ValueError: The path is empty.
    """
    found, everything = paths.path_or_prefix(path, at), arguments.flag(recursive, "recursive")
    if not found:
        msg = (
            "path must not be empty; to delete every object of the branch, "
            "delete_objects(branch.list_objects(recursive=True))"
        )
        raise ValueError(msg)
    return _remove(session, at, found, everything, watcher)


def _remove(session: Session, at: Handle, path: str, recursive: bool, watcher: Watcher) -> Op[DeleteReport]:
    requested, failures = 0, list[ObjectError]()

    def note_batch(batch: list[str], rejected: list[ObjectError]) -> None:
        nonlocal requested
        requested += len(batch)
        failures.extend(rejected)
        kept = {error.path for error in rejected}
        for deleted in batch:
            if deleted not in kept:
                watcher.delete(deleted)
        for error in rejected:
            watcher.fail(error.path or "", LakeFSException(f"{error.message} ({error.status_code})"))

    try:
        yield from prefixes.remove(session, at._repository_id, at._id, path, note_batch, recursive=recursive)
    except LakeFSException as exc:
        add_progress(exc, requested - len(failures), "deleted")
        raise
    return DeleteReport._from(at.uri, requested, failures, "raise")


class Copying:
    """A copy or a move of a prefix whose arguments are checked.

    Args:
        at: Destination branch.
        from_prefix: Source prefix.
        to_prefix: Destination prefix.
        from_reference: Source reference. None is the destination branch.
        max_workers: Maximum number of concurrent requests.
        on_error: "raise" or "return".
        moves: Whether the sources are deleted in the end.
    """

    def __init__(
        self,
        at: Handle,
        from_prefix: object,
        to_prefix: object,
        from_reference: object,
        max_workers: object,
        on_error: object,
        *,
        moves: bool,
    ) -> None:
        self._at = at
        self._from = at._id if from_reference is None else reference_name(from_reference, "from_reference", at)
        self._prefix = paths.prefix(from_prefix, Handle(at._repository_id, self._from), "from_prefix", at=at)
        self._to = paths.prefix(to_prefix, at, "to_prefix")
        self._limit = workers(max_workers)
        self._on_error: str = arguments.choice(on_error, "on_error", ON_ERROR)
        self._moves = moves

    @property
    def source(self) -> str:
        """URI of the source prefix."""
        return object_uri(self._at._repository_id, self._from, self._prefix)

    @property
    def target(self) -> str:
        """URI of the destination prefix."""
        return object_uri(self._at._repository_id, self._at._id, self._to)

    def run(self, session: Session, watcher: Watcher) -> Op[TransferReport]:
        """Copy the objects; then, in a move, delete the sources that have an equal copy."""
        tally, began, at = Tally(), time.monotonic(), self._at
        about = f"{'moving' if self._moves else 'copying'} {self.source} to {self.target}"

        def note_copy(row: ObjectStats) -> None:
            tally.transfer(row.size_bytes or 0)
            watcher.complete(row.path[len(self._prefix) :], row.size_bytes or 0)

        def note_failure(path: str, error: LakeFSException) -> None:
            tally.fail(path, error)
            watcher.fail(path[len(self._prefix) :], error)

        place = at._repository_id, at._id
        try:
            yield from copies.copy_prefix(
                session, *place, self._from, self._prefix, self._to, self._limit, note_copy, note_failure, about=about
            )
            if self._moves and not tally.failed_count:
                yield from copies.delete_copied(session, *place, self._prefix, self._to, self._limit, note_failure)
        except LakeFSException as exc:
            add_progress(exc, tally.transferred, "copied")
            raise
        what, advice = f"objects of {self.source} were not copied", _AGAIN
        if self._moves:
            what, advice = f"objects of {self.source} were not moved", _KEPT
        report = tally.report(time.monotonic() - began)
        return report._or_raise(self._on_error, what, advice, maybe_applied=tally.maybe_applied)
