"""Imports: objects that lie in an object store already, registered without a copy."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from lakefs_hl.objects import ReadIOBase
from lakefs_hl.ops import imports as ops
from lakefs_hl.refs import Commit
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import LakeFSException, TransportException

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lakefs_hl.client import Client

POLL = timedelta(seconds=2)


class ImportResult(NamedTuple):
    """What an import made.

    Attributes:
        commit: The commit on the branch.
        ingested_objects: How many objects were registered.
    """

    commit: Commit
    ingested_objects: int


class ImportManager:
    """One import into a branch: `start()` and `wait()`, or both as `run()`.

    Args:
        repository_id: The repository's name.
        reference_id: The branch to import into.
        client: Whom to ask; None means the default client.
        sources: Pairs of (URI in the object store, destination in the branch).
        commit_message: Of the commit that the import makes.
        metadata: Of the same commit.
    """

    def __init__(
        self,
        repository_id: str,
        reference_id: str,
        client: Client | None = None,
        *,
        sources: Iterable[tuple[str, str]] = (),
        commit_message: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self._at = ReadIOBase(repository_id, reference_id, client)
        self._locations = [_location(uri, destination) for uri, destination in sources]
        self._message = commit_message
        self._metadata = dict(metadata or {})
        self._import_id: str | None = None

    @property
    def import_id(self) -> str | None:
        """The id of the import that was started, or None."""
        return self._import_id

    def add(self, object_store_uri: str, destination: str) -> ImportManager:
        """Adds a source, before the start; returns itself.

        Args:
            object_store_uri: An object, or a prefix if this or the destination ends with `/`.
            destination: The path or prefix in the branch; what is there under a prefix is replaced.
        """
        self._locations.append(_location(object_store_uri, destination))
        return self

    def start(self) -> str:
        """Starts the import on the server and returns its id; does not wait.

        Raises:
            ValueError: There is no source.
            RuntimeError: It was started already.
        """
        if self._import_id is not None:
            msg = f"this import runs already as {self._import_id}; wait() for it, or make a new one"
            raise RuntimeError(msg)
        if not self._locations:
            msg = "there is nothing to import: give sources=[(uri, destination)], or add(uri, destination) first"
            raise ValueError(msg)
        at, client = self._at, self._at._client
        op = ops.start(
            client._session,
            at.repository_id,
            at.id,
            self._locations,
            self._message,
            self._metadata,
            op_id=uuid.uuid4().hex,
            now=time.time(),
        )
        self._import_id = client._run(op)
        return self._import_id

    def status(self) -> models.ImportStatus:
        """Returns how far the import is.

        Raises:
            RuntimeError: It was not started.
        """
        at, client = self._at, self._at._client
        return client._run(ops.status(client._session, at.repository_id, at.id, self._started()))

    def wait(self, poll_interval: timedelta = POLL) -> ImportResult:
        """Waits for the end of the import, in a notebook with a running event loop too.

        Args:
            poll_interval: The longest pause between two questions; the first ones are shorter.

        Raises:
            RuntimeError: It was not started.
            LakeFSException: The import failed; the message is the server's.
        """
        at, client = self._at, self._at._client
        op = ops.wait(client._session, at.repository_id, at.id, self._started(), poll_interval.total_seconds())
        try:
            record = client._run(op)
        except TransportException:
            raise  # it may go on: wait() can be called again
        except LakeFSException:
            self._import_id = None
            raise
        self._import_id = None
        return _result(at, record)

    def run(self, poll_interval: timedelta | None = None) -> ImportResult:
        """Starts the import and waits for its end."""
        self.start()
        return self.wait(POLL if poll_interval is None else poll_interval)

    def cancel(self) -> None:
        """Cancels the import; one that is over stays as it is.

        Raises:
            RuntimeError: It was not started.
        """
        at, client = self._at, self._at._client
        client._run(ops.cancel(client._session, at.repository_id, at.id, self._started()))

    def _started(self) -> str:
        if self._import_id is None:
            msg = "the import was not started: call start() first, or run()"
            raise RuntimeError(msg)
        return self._import_id

    def __repr__(self) -> str:
        """Where to, from how many sources, and the id."""
        return f"<ImportManager {self._at.uri} sources={len(self._locations)} id={self._import_id}>"


def _location(uri: str, destination: str) -> models.ImportLocation:
    """An object, or a prefix if either side looks like one; lakeFS matches prefixes raw, so they end with a slash."""
    if not destination or destination.endswith("/") or uri.endswith("/"):
        slash = "" if not destination or destination.endswith("/") else "/"
        return models.ImportLocation("common_prefix", uri if uri.endswith("/") else uri + "/", destination + slash)
    return models.ImportLocation("object", uri, destination)


def _result(at: ReadIOBase, record: models.ImportStatus) -> ImportResult:
    if record.commit is None:
        msg = "the server calls the import completed and names no commit"
        raise RuntimeError(msg)
    return ImportResult(Commit._of(at, record.commit), record.ingested_objects or 0)
