"""Imports: sources, the ID of the running import, and the calls."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from datetime import timedelta
from typing import Any, ClassVar, Final, Self, cast

from lakefs_hl._handles import paths
from lakefs_hl._handles.calls import new_op_id
from lakefs_hl._handles.handle import reference_name
from lakefs_hl._handles.options import Optioned
from lakefs_hl.ops import imports as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments, models
from lakefs_hl.spec.errors import ImportFailedException, ProtocolException
from lakefs_hl.spec.uri import object_uri

POLL_INTERVAL: Final = timedelta(seconds=2)


class ImportFields(Optioned):
    """The sources of an import, and the state of its run."""

    _package: ClassVar[str]
    _repository_id = _id = ""
    _import_id: str | None = None

    def __init__(
        self,
        repository_id: str,
        reference_id: object,
        client: Any,
        sources: Iterable[tuple[str, object]],
        commit_message: str,
        metadata: Mapping[str, str] | None,
    ) -> None:
        self._locations: list[models.ImportLocation] = []
        self._given = client
        self._repository_id = arguments.repository_name(repository_id)
        self._id = reference_name(reference_id, "reference_id", self)
        self._locations = [_location(self, *pair, "sources", "sources") for pair in _pairs(sources)]
        self._message = arguments.text(commit_message, "commit_message")
        self._metadata = arguments.optional_metadata(metadata) or {}
        self._failure: ImportFailedException | None = None

    def _with(self, options: Mapping[str, Any]) -> Self:
        copy = super()._with(options)
        copy._locations, copy._metadata = list(self._locations), dict(self._metadata)
        return copy

    @property
    def import_id(self) -> str | None:
        """ID of the import that was started, or None."""
        return self._import_id

    def _add(self, uri: str, destination: object) -> None:
        self._locations.append(_location(self, uri, destination))

    def _to_start(self) -> list[models.ImportLocation]:
        if self._import_id is not None:
            msg = f"this import is already running as {self._import_id}; wait() for it, or create a new one"
            raise RuntimeError(msg)
        if not self._locations:
            msg = "no sources to import: give sources=[(uri, destination)], or add(uri, destination) first"
            raise ValueError(msg)
        return self._locations

    def _started_id(self) -> str:
        if self._import_id is None:
            msg = "the import was not started: call start() first, or run()"
            raise RuntimeError(msg)
        return self._import_id

    def _raise_failure(self) -> None:
        """Raise the failure of the last run, if it failed and no other was started."""
        if self._import_id is None and self._failure is not None:
            raise copy(self._failure)

    def _end(self, failure: ImportFailedException | None = None) -> None:
        self._import_id, self._failure = None, failure

    def __repr__(self) -> str:
        at = object_uri(self._repository_id, self._id)
        return f"<ImportManager {at} sources={len(getattr(self, '_locations', ()))} id={self._import_id}>"


def _pairs(sources: object) -> list[tuple[object, object]]:
    """Return the sources of an import. A single pair is one source."""
    if isinstance(sources, tuple) and len(sources) == 2 and isinstance(sources[0], str):
        sources = (sources,)
    if isinstance(sources, str | bytes) or not hasattr(sources, "__iter__"):
        msg = f"sources must be pairs of (URI, destination), not {type(sources).__name__}: {sources!r:.80}"
        raise TypeError(msg)
    pairs = []
    for pair in cast("Iterable[object]", sources):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            msg = f"sources must be pairs of (URI, destination), and {pair!r:.80} is not one"
            raise TypeError(msg)
        pairs.append((pair[0], pair[1]))
    return pairs


def _location(
    place: ImportFields,
    object_store_uri: object,
    destination: object,
    first: str = "object_store_uri",
    second: str = "destination",
) -> models.ImportLocation:
    """Return a location: an object, or a prefix if either side ends with a slash. lakeFS matches prefixes literally."""
    hint = "; give a URI of the object store, such as 's3://bucket/path/', or 'local:///directory/' on an embedded lake"
    uri = arguments.text(object_store_uri, first, hint=hint)
    to = paths.path_or_prefix(destination, place, second)
    if not to or to.endswith("/") or uri.endswith("/"):
        slash = "" if not to or to.endswith("/") else "/"
        return models.ImportLocation("common_prefix", uri if uri.endswith("/") else uri + "/", to + slash)
    return models.ImportLocation("object", uri, to)


# -- calls -------------------------------------------------------------------------------------------------------------


def start(session: Session, at: ImportFields, locations: Sequence[models.ImportLocation]) -> Op[str]:
    """Start an import. Returns its ID."""
    return ops.start(
        session,
        at._repository_id,
        at._id,
        locations,
        at._message,
        at._metadata,
        op_id=new_op_id(),
        now=time.time(),
    )


def status(session: Session, at: ImportFields, import_id: str) -> Op[models.ImportStatus]:
    """Look up the status of a running import."""
    return ops.status(session, at._repository_id, at._id, import_id)


def wait(session: Session, at: ImportFields, import_id: str, poll_interval: object) -> Op[models.ImportStatus]:
    """Wait for the end of a running import."""
    pause = arguments.seconds(poll_interval, "poll_interval")
    return ops.wait(session, at._repository_id, at._id, import_id, pause)


def cancel(session: Session, at: ImportFields, import_id: str) -> Op[None]:
    """Cancel a running import."""
    return ops.cancel(session, at._repository_id, at._id, import_id)


def made(record: models.ImportStatus) -> tuple[models.Commit, int]:
    """Return the commit of a completed import, and the number of objects.

    Raises:
        ProtocolException: The record holds no commit.
    """
    if record.commit is None:
        msg = "the server reports the import as completed and returns no commit; is it a lakeFS server?"
        raise ProtocolException(msg)
    return record.commit, record.ingested_objects or 0
