"""Imports: objects of an object store, registered without copying them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from lakefs_hl._handles import imports as calls
from lakefs_hl._handles.handle import Handle, own_client
from lakefs_hl._handles.imports import POLL_INTERVAL, ImportFields
from lakefs_hl._handles.objects import ObjectOrPrefix
from lakefs_hl._handles.records import public
from lakefs_hl.aio.client import Client
from lakefs_hl.aio.of_default import OfDefault, client_of
from lakefs_hl.aio.refs import Commit
from lakefs_hl.spec import arguments, models
from lakefs_hl.spec.errors import ImportFailedException

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class ImportResult(NamedTuple):
    """Result of an import.

    Attributes:
        commit: The commit on the branch.
        ingested_objects: Number of objects that were registered.
    """

    commit: Commit
    ingested_objects: int

    def to_dict(self) -> dict[str, Any]:
        """Return the ID of the commit as `commit_id`, and the number of objects."""
        return {"commit_id": self.commit.id, "ingested_objects": self.ingested_objects}


public(ImportResult, "lakefs_hl.aio")


class ImportManager(ImportFields):
    """One import into a branch: `start()` and `wait()`, or both as `run()`.

    Args:
        repository_id: Name of the repository.
        reference_id: Destination branch.
        client: Client to use. Defaults to the default client at the time of each call.
        sources: Pairs of (URI in the object store, destination on the branch).
        commit_message: Message of the commit that the import makes.
        metadata: Metadata of that commit.
    """

    __module__ = "lakefs_hl.aio"
    _package = "lakefs_hl.aio"
    _of_default = OfDefault

    def __init__(
        self,
        repository_id: str,
        reference_id: str | Handle,
        client: Client | None = None,
        *,
        sources: Iterable[tuple[str, ObjectOrPrefix]] = (),
        commit_message: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        client = own_client(client, Client)
        super().__init__(repository_id, reference_id, client, sources, commit_message, metadata)
        self._made: ImportResult | None = None

    @property
    def _client(self) -> Client:
        return client_of(self._given)

    def add(self, object_store_uri: str, destination: ObjectOrPrefix) -> ImportManager:
        """Add a source before the start.

        Args:
            object_store_uri: An object; or a prefix, if it or the destination ends with `/`.
            destination: Destination path or prefix on the branch. Objects under a prefix are replaced.

        Returns:
            The manager itself.
        """
        self._add(object_store_uri, destination)
        return self

    async def start(self) -> str:
        """Start the import on the server without waiting for its end.

        Returns:
            The ID of the import.

        Raises:
            ValueError: There is no source.
            RuntimeError: The import was started before.
            BadRequestException: The branch has uncommitted changes.
        """
        locations = self._to_start()
        self._import_id, self._failure = await self._client._run(calls.start, self, locations), None
        return self._import_id

    async def status(self) -> models.ImportStatus:
        """Return the progress of the import.

        Raises:
            RuntimeError: The import was not started.
        """
        running = self._started_id()
        return await self._client._run(calls.status, self, running)

    async def wait(self, poll_interval: timedelta | float = POLL_INTERVAL) -> ImportResult:
        """Wait for the end of the import. A second call returns the same result.

        Args:
            poll_interval: Longest pause between two requests, as a `timedelta` or in seconds. Defaults to 2 seconds.
                The first pauses are shorter.

        Raises:
            RuntimeError: The import was not started.
            ImportFailedException: The import failed or was cancelled. The message is the server's.
        """
        self._raise_failure()
        if self._import_id is None and self._made is not None:
            return self._made
        running = self._started_id()
        try:
            record = await self._client._run(calls.wait, self, running, poll_interval)
        except ImportFailedException as exc:  # after any other error the import may go on: wait() can be called again
            self._end(exc)
            raise
        self._end()
        commit, count = calls.made(record)
        self._made = ImportResult(Commit(self._repository_id, commit, self._given), count)
        return self._made

    async def run(self, poll_interval: timedelta | float | None = None) -> ImportResult:
        """Start the import and wait for its end.

        Args:
            poll_interval: As for `wait`.

        Raises:
            ImportFailedException: The import failed or was cancelled. The message is the server's.
        """
        pause = POLL_INTERVAL if poll_interval is None else arguments.seconds(poll_interval, "poll_interval")
        await self.start()
        return await self.wait(pause)

    def result(self) -> ImportResult:
        """Return the result of the last import that ended. Sends no request.

        Raises:
            RuntimeError: No import ended yet.
        """
        if self._made is None:
            msg = "no import was waited for to its end yet: call wait(), or run()"
            raise RuntimeError(msg)
        return self._made

    async def cancel(self) -> None:
        """Cancel the import. The branch is not changed.

        Raises:
            RuntimeError: The import was not started.
            ConflictException: The import has ended. Its commit is kept.
        """
        running = self._started_id()
        await self._client._run(calls.cancel, self, running)
