"""Objects and common prefixes as awaitable handles, and the reading half of every reference."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, overload

from lakefs_hl import arguments
from lakefs_hl import objects as blocking
from lakefs_hl.aio import fileio
from lakefs_hl.aio.client import Client, OfDefault, client_of
from lakefs_hl.aio.twins import twin
from lakefs_hl.handles import Handle, ObjectFields, PrefixFields, ReadMode, wrap, wrap_prefix
from lakefs_hl.ops import objects as ops
from lakefs_hl.ops import transfer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakefs_hl.aio.fileio import Opening
    from lakefs_hl.spec.models import ObjectStats


@twin(blocking.ReadIOBase)
class ReadIOBase(Handle):
    """What can be read at a reference: a branch, a tag, a commit or an open transaction."""

    _package = "lakefs_hl.aio"
    _of_default = OfDefault

    def __init__(self, repository_id: str, reference_id: str, client: Client | None = None) -> None:
        super().__init__(repository_id, reference_id, arguments.client(client, Client))

    @property
    def _client(self) -> Client:
        return client_of(self._given)

    async def stat_object(self, path: str) -> ObjectInfo:
        client = self._client
        op = ops.stat(client._session, self._repository_id, self._id, arguments.path(path, self))
        return wrap(ObjectInfo, self, await client._run(op))

    stat = stat_object

    async def exists(self, path: str) -> bool:
        client = self._client
        path = arguments.path(path, self)
        return await client._run(ops.exists(client._session, self._repository_id, self._id, path))

    async def download(
        self,
        path: str,
        *,
        start: int | None = None,
        end: int | None = None,
        verify: bool = True,
        pre_signed: bool | None = None,
    ) -> bytes:
        client = self._client
        return await client._run(
            transfer.download(
                client._session,
                self._repository_id,
                self._id,
                arguments.path(path, self),
                start=arguments.optional_integer(start, "start"),
                end=arguments.optional_integer(end, "end"),
                verify=arguments.flag(verify, "verify"),
                pre_signed=arguments.optional_flag(pre_signed, "pre_signed"),
            )
        )

    def list_objects(
        self,
        max_amount: int | None = None,
        after: str = "",
        prefix: str = "",
        delimiter: str = "/",
        *,
        recursive: bool = False,
    ) -> AsyncIterator[ObjectInfo | CommonPrefix]:
        client = self._client
        page = partial(
            ops.list_page,
            client._session,
            self._repository_id,
            self._id,
            prefix=arguments.path(prefix, self, "prefix"),
            delimiter=arguments.delimiter(delimiter, recursive),
        )
        return client._pages(page, arguments.path(after, self, "after"), arguments.amount(max_amount), self._entry)

    @overload
    def open(
        self,
        path: str,
        mode: Literal["r", "rt"] = "r",
        pre_signed: bool | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        buffering: int = -1,
    ) -> Opening[str]: ...
    @overload
    def open(
        self, path: str, mode: Literal["rb"], pre_signed: bool | None = None, *, buffering: int = -1
    ) -> Opening[bytes]: ...
    def open(
        self,
        path: str,
        mode: ReadMode = "r",
        pre_signed: bool | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        buffering: int = -1,
    ) -> Opening[Any]:
        return fileio.open_reader(
            self,
            arguments.path(path, self),
            arguments.text(mode, "mode"),
            fileio.Text(*arguments.text_options(encoding, errors, newline)),
            pre_signed=arguments.optional_flag(pre_signed, "pre_signed"),
            buffering=arguments.integer(buffering, "buffering"),
        )

    def _entry(self, record: ObjectStats) -> ObjectInfo | CommonPrefix:
        if record.path_type == "object":
            return wrap(ObjectInfo, self, record)
        return wrap_prefix(CommonPrefix, self, record.path)


@twin(blocking.ObjectInfo)
class ObjectInfo(ObjectFields):
    """An object at a reference; one made by hand is looked up on the first access of a property."""

    __slots__ = ()
    _reference: ReadIOBase

    def __init__(self, repository_id: str, reference_id: str, path: str, client: Client | None = None) -> None:
        self._reference = ReadIOBase(repository_id, reference_id, client)
        self._record = arguments.object_path(path, self._reference)

    async def load(self) -> ObjectInfo:
        """Looks the object up; one that came from a listing or an upload is known already."""
        if isinstance(self._record, str):
            at, client = self._reference, self._reference._client
            self._record = await client._run(ops.stat(client._session, at._repository_id, at._id, self._record))
        return self

    def _stats(self) -> ObjectStats:
        if isinstance(self._record, str):
            msg = f"{self.uri} was made by hand and is not loaded: `await info.load()` first"
            raise RuntimeError(msg)  # noqa: TRY004 - not a wrong type: not loaded yet
        return self._record

    async def delete(self) -> None:
        at, client = self._reference, self._reference._client
        await client._run(ops.delete(client._session, at._repository_id, at._id, self.path))


@twin(blocking.CommonPrefix)
class CommonPrefix(PrefixFields):
    """A prefix that objects share: what a directory is in a lake."""

    __slots__ = ()
    _reference: ReadIOBase

    def __init__(self, repository_id: str, reference_id: str, path: str, client: Client | None = None) -> None:
        self._reference = ReadIOBase(repository_id, reference_id, client)
        self._path = arguments.object_path(path, self._reference)

    async def exists(self) -> bool:
        return [one async for one in self._reference.list_objects(1, prefix=self._path, delimiter="")] != []
