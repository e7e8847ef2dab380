"""Object and prefix handles, and the read operations shared by all references."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from lakefs_hl._handles import facades, writes
from lakefs_hl._handles import objects as calls
from lakefs_hl._handles.handle import Handle, own_client
from lakefs_hl._handles.objects import ObjectOrPrefix, ObjectPath, Prefix, PrefixFields, wrap, wrap_entries
from lakefs_hl._handles.paths import object_path
from lakefs_hl.aio import fileio
from lakefs_hl.aio.client import Client
from lakefs_hl.aio.facades import FacadeReads
from lakefs_hl.aio.lazy import LazyObject
from lakefs_hl.aio.libraries import LibraryReads
from lakefs_hl.aio.links import LinkReads
from lakefs_hl.aio.listing import Listing
from lakefs_hl.aio.of_default import OfDefault, client_of
from lakefs_hl.aio.prefixes import PrefixReads
from lakefs_hl.aio.tagging import TagReads
from lakefs_hl.aio.transfers import TransferReads

if TYPE_CHECKING:
    # blocking: import io

    from lakefs_hl.facades.previews import Preview
    from lakefs_hl.spec.models import ObjectStats


class ReadIOBase(PrefixReads, TagReads, TransferReads, LinkReads, FacadeReads, LibraryReads):
    """Read operations of a branch, a tag, a commit or an open transaction.

    The path of an object is given as text, as its URI, as an `ObjectInfo` of the same repository, which stands for its
    path, or as a `PurePosixPath`. A prefix is given as text or as a `CommonPrefix`.

    Args:
        repository_id: Name of the repository.
        reference_id: A branch, tag or commit ID, or a ref expression such as `main~2`.
        client: Client to use. Defaults to the default client at the time of each call.
    """

    __module__ = "lakefs_hl.aio"
    _package = "lakefs_hl.aio"
    _of_default = OfDefault

    def __init__(self, repository_id: str, reference_id: str | Handle, client: Client | None = None) -> None:
        super().__init__(repository_id, reference_id, own_client(client, Client))

    @property
    def _client(self) -> Client:
        return client_of(self._given)

    async def stat_object(self, path: ObjectPath) -> ObjectInfo:
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

    async def exists(self, path: ObjectPath) -> bool:
        """Return whether an object exists.

        Raises:
            NotFoundException: The repository or the reference does not exist.
        """
        return await self._client._run(calls.exists, self, path)

    @overload
    async def download(
        self,
        path: ObjectPath,
        file: None = None,
        *,
        start: int | None = None,
        end: int | None = None,
        verify: bool = True,
        pre_signed: bool | None = None,
    ) -> bytes: ...
    @overload
    async def download(
        self,
        path: ObjectPath,
        file: fileio.Target,
        *,
        start: int | None = None,
        end: int | None = None,
        verify: bool = True,
        pre_signed: bool | None = None,
    ) -> int: ...
    async def download(
        self,
        path: ObjectPath,
        file: fileio.Target | None = None,
        *,
        start: int | None = None,
        end: int | None = None,
        verify: bool = True,
        pre_signed: bool | None = None,
    ) -> bytes | int:
        r"""Read an object, or a range of it, into memory or into a file. Length and checksum are verified.

        A local file appears under its name when it is complete, and replaces one that exists. If the call fails,
        nothing is left of it and an existing file is unchanged. A file object may hold a part of the content then.

        Args:
            path: Path of the object.
            file: Local path of the file to write, whose directory must exist; or a binary file object, which is written
                from its position and left open. The content is fetched in ranges of one version of the object, so that
                it need not fit in memory. Defaults to returning the content.
            start: Offset of the first byte. Negative values count from the end, as in a slice.
            end: Offset after the last byte. Defaults to the end of the object.
            verify: Whether to compare a whole object with its checksum: its MD5, or that of an upload in parts of a
                usual length. Parts of another length cannot be told from damage: such an object is read twice.
            pre_signed: Whether to read from the object store by a pre-signed URL. Defaults to what the server supports.

        Returns:
            The content, or the number of bytes written to `file`.

        Raises:
            ObjectNotFoundException: The object does not exist.
            NotFoundException: The reference does not exist.
            IntegrityError: The content did not match its checksum in three attempts; with a file object, in one.
            ObjectChangedError: The object was replaced while it was written to `file`.
            OSError: The local file cannot be written.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = await branch.upload(b"a,b\n", "data/t.csv")
            >>> await branch.download("data/t.csv")
            b'a,b\n'
            >>> await branch.download("data/t.csv", "t.csv")
            4
        """
        if file is None:
            return await self._client._run(calls.download, self, path, start, end, verify, pre_signed)
        return await fileio.save(self, path, file, start, end, verify, pre_signed)

    def list_objects(
        self,
        max_amount: int | None = None,
        after: ObjectOrPrefix = "",
        prefix: Prefix = "",
        delimiter: str = "/",
        *,
        recursive: bool = False,
        suffix: str = "",
    ) -> Listing[ObjectInfo | CommonPrefix]:
        """Iterate over objects and common prefixes in byte order, lazily, in pages of 1,000.

        Args:
            max_amount: Maximum number of entries. Defaults to all.
            after: List only entries after this path, object or common prefix.
            prefix: List only entries with this prefix.
            delimiter: Group paths by the part up to this delimiter into common prefixes. "" groups nothing.
            recursive: Same as `delimiter=""`.
            suffix: List only entries whose path ends with this, such as `.pdf`. All others are fetched and left out,
                because lakeFS lists by prefix only; `max_amount` counts those that are listed.

        Raises:
            NotFoundException: The repository or the reference does not exist (raised by the first step of the
                iteration).
            ValueError: `max_amount` is negative.
        """
        return self._client._list(
            wrap_entries(ObjectInfo, CommonPrefix, self),
            calls.listing,
            self,
            max_amount,
            after,
            prefix,
            delimiter,
            recursive,
            suffix,
        )

    @overload
    def open(
        self,
        path: ObjectPath,
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
        self, path: ObjectPath, mode: Literal["rb"], pre_signed: bool | None = None, *, buffering: int = -1
    ) -> fileio.Opening[bytes]: ...
    def open(
        self,
        path: ObjectPath,
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

    def _object(self, record: ObjectStats) -> ObjectInfo:
        return wrap(ObjectInfo, self, record)


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

    def __init__(
        self, repository_id: str, reference_id: str | Handle, path: ObjectPath, client: Client | None = None
    ) -> None:
        self._reference = ReadIOBase(repository_id, reference_id, client)
        self._record = object_path(path, self._reference)

    async def delete(self) -> None:
        """Delete the object from its branch. An object that does not exist is not an error.

        Raises:
            BadRequestException: The reference is a commit or a tag, which are immutable.
            NotFoundException: The reference does not exist.
            AmbiguousOutcomeError: The response was lost, and there is an object that may have been written since.
        """
        await self._reference._client._run(calls.delete, self._reference, self.path)

    @overload
    def open(
        self,
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
        self, mode: Literal["rb"], pre_signed: bool | None = None, *, buffering: int = -1
    ) -> fileio.Opening[bytes]: ...
    def open(
        self,
        mode: Literal["r", "rt", "rb"] = "r",
        pre_signed: bool | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        buffering: int = -1,
    ) -> fileio.Opening[str] | fileio.Opening[bytes]:
        """Open the object for reading, as `open` of its reference does.

        What is read is the object that is at its path now. Ranges are of one version. An object listed at a commit
        (`branch.pin()`) does not change.

        Args:
            mode: "r" for text, "rb" for bytes.
            pre_signed: Whether to use a pre-signed URL. Defaults to what the server supports.
            encoding: Encoding of a text file. Defaults to UTF-8.
            errors: As for the built-in `open`.
            newline: As for the built-in `open`.
            buffering: Size of the buffer in bytes. 0 returns the raw file (binary only).

        Raises:
            ObjectNotFoundException: The object does not exist.
            ObjectChangedError: The object was replaced while it was read.
        """
        plan = fileio.plan(
            self._reference,
            self,
            mode,
            pre_signed,
            writable=False,
            encoding=encoding,
            errors=errors,
            newline=newline,
            buffering=buffering,
        )
        return fileio.open_object(plan)

    @overload
    async def download(
        self,
        file: None = None,
        *,
        start: int | None = None,
        end: int | None = None,
        verify: bool = True,
        pre_signed: bool | None = None,
    ) -> bytes: ...
    @overload
    async def download(
        self,
        file: fileio.Target,
        *,
        start: int | None = None,
        end: int | None = None,
        verify: bool = True,
        pre_signed: bool | None = None,
    ) -> int: ...
    async def download(
        self,
        file: fileio.Target | None = None,
        *,
        start: int | None = None,
        end: int | None = None,
        verify: bool = True,
        pre_signed: bool | None = None,
    ) -> bytes | int:
        r"""Read the object, or a range of it, as `download` of its reference does.

        Args:
            file: Local path of the file to write, or a binary file object. Defaults to returning the content.
            start: Offset of the first byte. Negative values count from the end, as in a slice.
            end: Offset after the last byte. Defaults to the end of the object.
            verify: Whether to compare a whole object with its checksum: its MD5, or that of an upload in parts of a
                usual length. Parts of another length cannot be told from damage: such an object is read twice.
            pre_signed: Whether to read from the object store by a pre-signed URL. Defaults to what the server supports.

        Returns:
            The content, or the number of bytes written to `file`.

        Raises:
            ObjectNotFoundException: The object does not exist.
            IntegrityError: The content did not match its checksum.
            OSError: The local file cannot be written.

        Examples:
            >>> info = await branch.upload(b"a,b\n", "data/t.csv")
            >>> await info.download()
            b'a,b\n'
        """
        at = self._reference
        if file is None:
            return await at._client._run(calls.download, at, self, start, end, verify, pre_signed)
        return await fileio.save(at, self, file, start, end, verify, pre_signed)

    async def preview(self) -> Preview:
        r"""Read the beginning of the object, and return what a notebook can show of it.

        Text, the first rows of CSV, TSV, JSON lines and Parquet, and pictures are recognized. Content that is
        compressed by gzip, bzip2 or xz is expanded. At most 1 MiB is read, and shown. Parquet needs the extra `tables`.

        Returns:
            What was read. Print it, or let a cell end with it.

        Raises:
            ObjectNotFoundException: The object does not exist.
            ObjectChangedError: The object was replaced while it was read.

        Examples:
            >>> info = await branch.upload("id,price\n1,10\n", "prices.csv")
            >>> print(await info.preview())
            <Preview lakefs://example/main/prices.csv: csv, 14 bytes>
            id  price
            1   10
        """
        module: Any = facades.load(__name__, "previews")
        found: Preview = await module.preview(self._reference, self.path)
        return found

    async def copy_to(
        self, destination: str | Handle, path: ObjectPath | None = None, *, shallow: bool = False
    ) -> ObjectInfo:
        r"""Copy the object to a branch of the same repository, on the server.

        Args:
            destination: Destination branch, by name or as a handle; or an open transaction.
            path: Destination path. Defaults to the path of the object.
            shallow: Share the content instead of copying it, where the server supports it.

        Returns:
            The new object.

        Raises:
            ObjectNotFoundException: The object does not exist.
            ValueError: The destination is in another repository or lake, or it is a path.

        Examples:
            >>> info = await branch.upload(b"a,b\n", "data/t.csv")
            >>> (await info.copy_to("main", "data/copy.csv")).path
            'data/copy.csv'
        """
        at = self._reference
        to = ReadIOBase(at.repository_id, writes.destination_name(destination, at), at._given)
        return wrap(ObjectInfo, to, await at._client._run(writes.copy_to, to, self, path, shallow))


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

    def __init__(
        self, repository_id: str, reference_id: str | Handle, path: ObjectPath, client: Client | None = None
    ) -> None:
        self._reference = ReadIOBase(repository_id, reference_id, client)
        self._path = object_path(path, self._reference)

    async def exists(self) -> bool:
        """Return whether any object has the prefix."""
        return await self._reference.list_objects(1, prefix=self._path, delimiter="").to_list() != []
