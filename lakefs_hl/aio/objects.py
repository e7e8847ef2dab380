"""Object and prefix handles, and the read operations shared by all references."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from lakefs_hl._handles import objects as calls
from lakefs_hl._handles.handle import Handle, own_client
from lakefs_hl._handles.objects import PrefixFields, wrap, wrap_prefix
from lakefs_hl.aio import fileio
from lakefs_hl.aio.client import Client
from lakefs_hl.aio.lazy import LazyObject
from lakefs_hl.aio.listing import Listing
from lakefs_hl.aio.of_default import OfDefault, client_of
from lakefs_hl.spec import arguments

if TYPE_CHECKING:
    # blocking: import io

    from lakefs_hl.spec.models import ObjectStats


class ReadIOBase(Handle):
    """Read operations of a branch, a tag, a commit or an open transaction.

    Args:
        repository_id: Name of the repository.
        reference_id: A branch, tag or commit ID, or a ref expression such as `main~2`.
        client: Client to use. Defaults to the default client at the time of each call.
    """

    __module__ = "lakefs_hl.aio"
    _package = "lakefs_hl.aio"
    _of_default = OfDefault

    def __init__(self, repository_id: str, reference_id: str, client: Client | None = None) -> None:
        super().__init__(repository_id, reference_id, own_client(client, Client))

    @property
    def _client(self) -> Client:
        return client_of(self._given)

    async def stat_object(self, path: str) -> ObjectInfo:
        """Look up an object.

        Args:
            path: Path of the object, not empty.

        Returns:
            The object, with size, checksum, times and metadata loaded.

        Raises:
            ObjectNotFoundException: The object does not exist.
            NotFoundException: The reference does not exist.
        """
        return wrap(ObjectInfo, self, await self._client._run(calls.stat, self, path))

    stat = stat_object

    async def exists(self, path: str) -> bool:
        """Return whether an object exists.

        Raises:
            NotFoundException: The repository or the reference does not exist.
        """
        return await self._client._run(calls.exists, self, path)

    async def download(
        self,
        path: str,
        *,
        start: int | None = None,
        end: int | None = None,
        verify: bool = True,
        pre_signed: bool | None = None,
    ) -> bytes:
        """Read an object, or a range of it. Length and checksum are verified.

        Args:
            path: Path of the object.
            start: Offset of the first byte. Negative values count from the end, as in a slice.
            end: Offset after the last byte. Defaults to the end of the object.
            verify: Whether to compare the MD5 of a whole object with its ETag, where that is an MD5.
            pre_signed: Whether to read from the object store by a pre-signed URL. Defaults to what the server supports.

        Returns:
            The content.

        Raises:
            ObjectNotFoundException: The object does not exist.
            NotFoundException: The reference does not exist.
            IntegrityError: The content did not match its checksum in three attempts.
        """
        return await self._client._run(calls.download, self, path, start, end, verify, pre_signed)

    def list_objects(
        self,
        max_amount: int | None = None,
        after: str = "",
        prefix: str = "",
        delimiter: str = "/",
        *,
        recursive: bool = False,
    ) -> Listing[ObjectInfo | CommonPrefix]:
        """Iterate over objects and common prefixes in byte order, lazily, in pages of 1,000.

        Args:
            max_amount: Maximum number of entries. Defaults to all.
            after: List only entries after this path.
            prefix: List only entries with this prefix.
            delimiter: Group paths by the part up to this delimiter into common prefixes. "" groups nothing.
            recursive: Same as `delimiter=""`.

        Raises:
            NotFoundException: The repository or the reference does not exist (raised by the first step of the
                iteration).
            ValueError: `max_amount` is negative.
        """
        return self._client._list(self._entry, calls.listing, self, max_amount, after, prefix, delimiter, recursive)

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
    ) -> fileio.Opening[str]: ...
    @overload
    def open(
        self, path: str, mode: Literal["rb"], pre_signed: bool | None = None, *, buffering: int = -1
    ) -> fileio.Opening[bytes]: ...
    def open(
        self,
        path: str,
        mode: Literal["r", "rt", "rb"] = "r",
        pre_signed: bool | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        buffering: int = -1,
    ) -> fileio.Opening[str] | fileio.Opening[bytes]:
        """Open an object for reading, as a file object of the standard library's `io` module.

        The first bytes are fetched at once: a missing object is an error here, and a small one costs one request. All
        ranges are of the same version of the object.

        Args:
            path: Path of the object.
            mode: "r" for text, "rb" for bytes.
            pre_signed: Whether to use a pre-signed URL, as for `download`.
            encoding: Encoding of a text file. Defaults to UTF-8.
            errors: As for the built-in `open`.
            newline: As for the built-in `open`.
            buffering: Size of the buffer in bytes. 0 returns the raw file (binary only).

        Raises:
            ObjectNotFoundException: The object does not exist.
            NotFoundException: The reference does not exist.
            ObjectChangedError: The object was replaced while it was read.
        """
        plan = fileio.plan(
            self,
            path,
            mode,
            pre_signed,
            writable=False,
            encoding=encoding,
            errors=errors,
            newline=newline,
            buffering=buffering,
        )
        return fileio.open_object(plan)

    def _entry(self, record: ObjectStats) -> ObjectInfo | CommonPrefix:
        if record.path_type == "object":
            return wrap(ObjectInfo, self, record)
        return wrap_prefix(CommonPrefix, self, record.path)


class ObjectInfo(LazyObject):
    """An object at a reference, as listings, uploads and `stat` return it.

    Args:
        repository_id: Name of the repository.
        reference_id: A branch, tag or commit ID, or a ref expression.
        path: Path of the object.
        client: Client to use. Defaults to the default client at the time of each call.
    """

    __module__ = "lakefs_hl.aio"
    __slots__ = ()
    _reference: ReadIOBase

    def __init__(self, repository_id: str, reference_id: str, path: str, client: Client | None = None) -> None:
        self._reference = ReadIOBase(repository_id, reference_id, client)
        self._record = arguments.object_path(path, self._reference)

    async def delete(self) -> None:
        """Delete the object from its branch. An object that does not exist is not an error.

        Raises:
            BadRequestException: The reference is a commit or a tag, which are immutable.
            NotFoundException: The reference does not exist.
            AmbiguousOutcomeError: The response was lost, and there is an object that may have been written since.
        """
        await self._reference._client._run(calls.delete, self._reference, self.path)


class CommonPrefix(PrefixFields):
    """A prefix that objects share, as listings return it: a directory of the lake.

    Args:
        repository_id: Name of the repository.
        reference_id: A branch, tag or commit ID, or a ref expression.
        path: The prefix, with its delimiter at the end.
        client: Client to use. Defaults to the default client at the time of each call.
    """

    __module__ = "lakefs_hl.aio"
    __slots__ = ()
    _reference: ReadIOBase

    def __init__(self, repository_id: str, reference_id: str, path: str, client: Client | None = None) -> None:
        self._reference = ReadIOBase(repository_id, reference_id, client)
        self._path = arguments.object_path(path, self._reference)

    async def exists(self) -> bool:
        """Return whether any object has the prefix."""
        return await self._reference.list_objects(1, prefix=self._path, delimiter="").to_list() != []
