"""Where a dataset is, and how it is changed: what its other parts stand on."""

from __future__ import annotations

import json
import random
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from lakefs_hl import aio as lakefs
from lakefs_hl import exceptions
from lakefs_hl.facades.aio import threads
from lakefs_hl.facades.datasets import data_path
from lakefs_hl.types import ErrorKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lakefs_hl.facades.datasets import Address

T = TypeVar("T")
#: How often a change is made again that others were faster with. Each time one of them has succeeded.
TRIES: Final = 30
#: Reasons to refuse a merge that others give, and that pass.
_TEMPORARY: Final = (ErrorKind.DIRTY_BRANCH, ErrorKind.LOST_RACE, ErrorKind.BRANCH_LOCKED)
#: Longest wait before a change is made again, in seconds.
WAIT: Final = 0.5


class Recorded(NamedTuple, Generic[T]):
    """A change that was made.

    Attributes:
        value: What the function has returned.
        commit: ID of the commit. None if nothing differed, or if it is staged on a branch with uncommitted changes.
    """

    value: T
    commit: str | None


class DatasetPlace:
    """Where a dataset is."""

    _address: Address
    #: The client that was given. None is the default client at the time of each call.
    _given: lakefs.Client | None
    #: The default branch, once it was looked up.
    _default: str | None = None

    @property
    def _repository(self) -> lakefs.Repository:
        return lakefs.Repository(self._address.repository, self._given)

    @property
    def _prefix(self) -> str:
        return self._address.prefix

    async def _ref_id(self) -> str:
        """Return the name of the reference. The default branch is looked up once."""
        if self._address.ref is not None:
            return self._address.ref
        if self._default is None:
            with self._naming_mint():
                self._default = (await self._repository.properties).default_branch
        return self._default

    @contextmanager
    def _naming_mint(self) -> Iterator[None]:
        """Let the error of a repository that does not exist say that `mint` creates it."""
        try:
            yield
        except exceptions.NotFoundException as exc:
            if exc.kind is ErrorKind.REPOSITORY_NOT_FOUND:
                there = f"there is no repository {self._address.repository!r:.200}"
                exc.args = (f"{self._address.uri} is no dataset: {there}; mint(metadata) creates it",)
            raise

    async def _reference(self) -> lakefs.Reference:
        """Return the reference, to read."""
        return self._repository.ref(await self._ref_id())

    async def _branch(self) -> lakefs.Branch:
        """Return the branch, to write. What is no branch is refused by the requests."""
        return self._repository.branch(await self._ref_id())

    def _path(self, name: str) -> str:
        """Return the full path of an object that the dataset keeps, such as `_dataset.json`."""
        return self._prefix + name

    def _data_path(self, path: object) -> str:
        """Return the full path of an object of the dataset, or a prefix."""
        return data_path(path, self._address)

    async def _uri(self) -> str:
        """Return the URI of the dataset, with its reference."""
        return self._address._replace(ref=await self._ref_id()).uri

    async def _read_json(self, place: lakefs.ReadIOBase, name: str) -> Any:
        """Return the value of a JSON object that the dataset keeps.

        Raises:
            ObjectNotFoundException: There is no such object.
            InvalidConfigError: It is not JSON.
        """
        path = self._path(name)
        with self._naming_mint():
            content = await place.download(path)
        return self._json_of(place, path, content)

    def _json_of(self, place: lakefs.ReadIOBase, path: str, content: bytes) -> Any:
        """Return the value in the content of an object.

        Raises:
            InvalidConfigError: It is not JSON.
        """
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as exc:
            msg = f"{place.uri}{path} cannot be read as JSON: {exc}; restore an earlier version, or write it again"
            raise exceptions.InvalidConfigError(msg) from exc

    async def _record(
        self,
        message: str,
        change: threads.Change[lakefs.WriteIOBase, T],
        metadata: Mapping[str, str] | None = None,
        *,
        stages: bool = True,
    ) -> Recorded[T]:
        """Change the dataset, without touching uncommitted changes of others.

        The change is committed by a transaction. A branch with uncommitted changes takes no merge, and a commit would
        take them along: there the change is made on the branch itself, staged as they are.

        Args:
            message: Message of the commit.
            change: Reads and writes what it is given: a transaction, or the branch. It is called again after a conflict
                with others, so it has to read what it depends on. Whatever may exist once only, it creates with
                `if_none_match=True`: that decides between two who stage it. What it raises is raised, and nothing is
                committed.
            metadata: Metadata of the commit.
            stages: Whether it may be staged. If not, a branch with uncommitted changes is an error.

        Raises:
            TransactionException: Nothing was changed, or the outcome is unknown: see its `state`.
        """
        branch = await self._branch()
        for attempt in range(1, TRIES + 1):
            tx = branch.transaction(message, metadata=metadata, delete_on_error=True)
            failure: Exception | None = None
            try:
                async with tx:
                    try:
                        value = await change(tx)
                    except Exception as exc:
                        failure = exc
                        raise
                return Recorded(value, tx.merge_commit_id)
            except exceptions.TransactionException as exc:
                if failure is not None:
                    raise failure from None
                if exc.maybe_applied or exc.state != "ABORTED" or attempt == TRIES:
                    raise
                if not (isinstance(exc, exceptions.TransactionMergeError) and exc.conflicts):
                    if await branch.list_uncommitted(1).to_list():
                        if not stages:
                            raise
                        with suppress(exceptions.ObjectExistsException):  # another one has just staged it: read again
                            return Recorded(await change(branch), None)
                    elif exc.__cause__ is not None and getattr(exc.__cause__, "kind", None) not in _TEMPORARY:
                        raise  # without a cause it had uncommitted changes, which are committed by now
            await threads.pause(random.uniform(0, min(WAIT, 0.01 * 2**attempt)))
        raise AssertionError  # the last attempt raises


def lookup_error(about: str, commit: str | None, cause: Exception) -> exceptions.AmbiguousOutcomeError:
    """Return the error of a change that was made, and whose result could not be looked up."""
    made = "it was staged" if commit is None else f"commit {commit} has it"
    error = exceptions.AmbiguousOutcomeError(f"{about}: {made}, and the result could not be looked up: {cause}")
    error.maybe_applied, error.result_id = True, commit
    return error
