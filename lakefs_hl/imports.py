"""Imports: objects that lie in an object store already, registered without a copy."""

from __future__ import annotations

import time
import uuid
from copy import copy
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from lakefs_hl import arguments
from lakefs_hl.client import Client, OfDefault, client_of
from lakefs_hl.handles import ImportFields
from lakefs_hl.ops import imports as ops
from lakefs_hl.refs import Commit
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import ImportFailedException, ProtocolException

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


POLL = timedelta(seconds=2)


class ImportResult(NamedTuple):
    """What an import made.

    Attributes:
        commit: The commit on the branch.
        ingested_objects: How many objects were registered.
    """

    commit: Commit
    ingested_objects: int


class ImportManager(ImportFields):
    """One import into a branch: `start()` and `wait()`, or both as `run()`.

    Args:
        repository_id: The repository's name.
        reference_id: The branch to import into.
        client: Whom to ask; None means the default client.
        sources: Pairs of (URI in the object store, destination in the branch).
        commit_message: Of the commit that the import makes.
        metadata: Of the same commit.
    """

    _of_default = OfDefault

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
        super().__init__(
            repository_id,
            reference_id,
            arguments.client(client, Client),
            sources=sources,
            commit_message=commit_message,
            metadata=metadata,
        )
        self._made: ImportResult | None = None
        self._failure: ImportFailedException | None = None

    @property
    def _client(self) -> Client:
        return client_of(self._given)

    def add(self, object_store_uri: str, destination: str) -> ImportManager:
        """Adds a source, before the start; returns itself.

        Args:
            object_store_uri: An object, or a prefix if this or the destination ends with `/`.
            destination: The path or prefix in the branch; what is there under a prefix is replaced.
        """
        self._add(object_store_uri, destination)
        return self

    def start(self) -> str:
        """Starts the import on the server and returns its id; does not wait.

        Raises:
            ValueError: There is no source.
            RuntimeError: It was started already.
            BadRequestException: The branch has uncommitted changes.
        """
        locations, client = self._to_start(), self._client
        op = ops.start(
            client._session,
            self._repository_id,
            self._id,
            locations,
            self._message,
            self._metadata,
            op_id=uuid.uuid4().hex,
            now=time.time(),
        )
        self._import_id, self._failure = client._run(op), None
        return self._import_id

    def status(self) -> models.ImportStatus:
        """Returns how far the import is.

        Raises:
            RuntimeError: It was not started.
        """
        started, client = self._started(), self._client
        return client._run(ops.status(client._session, self._repository_id, self._id, started))

    def wait(self, poll_interval: timedelta | float = POLL) -> ImportResult:
        """Waits for the end of the import, in a notebook with a running event loop too; a second call answers again.

        Args:
            poll_interval: The longest pause between two questions, as a `timedelta` or in seconds; the first ones are
                shorter.

        Raises:
            RuntimeError: It was not started.
            ImportFailedException: The import failed or was cancelled; the message is the server's.
        """
        if self._import_id is None and self._failure is not None:
            raise copy(self._failure)
        if self._import_id is None and self._made is not None:
            return self._made
        started, client = self._started(), self._client
        pause = arguments.seconds(poll_interval, "poll_interval")
        op = ops.wait(client._session, self._repository_id, self._id, started, pause)
        try:
            record = client._run(op)
        except ImportFailedException as exc:  # after any other error it may go on: wait() can be called again
            self._import_id, self._failure = None, exc
            raise
        self._import_id = None
        self._made = _result(self, record)
        return self._made

    def run(self, poll_interval: timedelta | float | None = None) -> ImportResult:
        """Starts the import and waits for its end."""
        pause = POLL if poll_interval is None else arguments.seconds(poll_interval, "poll_interval")
        self.start()
        return self.wait(pause)

    def result(self) -> ImportResult:
        """Returns what the import made that was waited for last; makes no request.

        Raises:
            RuntimeError: None was waited for to its end.
        """
        if self._made is None:
            msg = "no import was waited for to its end yet: call wait(), or run()"
            raise RuntimeError(msg)
        return self._made

    def cancel(self) -> None:
        """Cancels the import; nothing of it reaches the branch.

        Raises:
            RuntimeError: It was not started.
            ConflictException: It is over; what it made stays.
        """
        started, client = self._started(), self._client
        client._run(ops.cancel(client._session, self._repository_id, self._id, started))


def _result(manager: ImportFields, record: models.ImportStatus) -> ImportResult:
    if record.commit is None:
        msg = "the server calls the import completed and names no commit; is it a lakeFS server?"
        raise ProtocolException(msg)
    commit = Commit(manager._repository_id, record.commit, manager._given)
    return ImportResult(commit, record.ingested_objects or 0)
