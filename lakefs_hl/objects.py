"""Objects and common prefixes as handles, and the reading half of every reference.

A handle is where something is and who asks: it holds no connection, is hashable, comparable, picklable, and safe in
threads and after a fork. Methods are a signature, a docstring and one call; what to do is said in `ops`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, overload

from lakefs_hl import arguments, fileio
from lakefs_hl.client import Client, OfDefault, client_of
from lakefs_hl.handles import Handle, ObjectFields, PrefixFields, ReadMode, wrap, wrap_prefix
from lakefs_hl.ops import objects as ops
from lakefs_hl.ops import transfer

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator

    from lakefs_hl.spec.models import ObjectStats


class ReadIOBase(Handle):
    """What can be read at a reference: a branch, a tag, a commit or an open transaction.

    Args:
        repository_id: The repository's name.
        reference_id: A branch, tag or commit id, or an expression of them such as `main~2`.
        client: Whom to ask; None means the default client of the moment of each call.
    """

    _of_default = OfDefault

    def __init__(self, repository_id: str, reference_id: str, client: Client | None = None) -> None:
        super().__init__(repository_id, reference_id, arguments.client(client, Client))

    @property
    def _client(self) -> Client:
        return client_of(self._given)

    def stat_object(self, path: str) -> ObjectInfo:
        """Returns what the lake knows of an object.

        Args:
            path: The object's path, not empty.

        Raises:
            ObjectNotFoundException: There is no such object.
            NotFoundException: There is no such reference.
        """
        client = self._client
        op = ops.stat(client._session, self._repository_id, self._id, arguments.path(path, self))
        return wrap(ObjectInfo, self, client._run(op))

    stat = stat_object

    def exists(self, path: str) -> bool:
        """Says whether there is an object at a path; a missing repository or reference is an error, not a no."""
        client = self._client
        path = arguments.path(path, self)
        return client._run(ops.exists(client._session, self._repository_id, self._id, path))

    def download(
        self,
        path: str,
        *,
        start: int | None = None,
        end: int | None = None,
        verify: bool = True,
        pre_signed: bool | None = None,
    ) -> bytes:
        """Returns an object's content, its length and checksum verified.

        Args:
            path: The object's path.
            start: First byte; negative counts from the end, as in a slice.
            end: The byte after the last; None means to the end.
            verify: Compare the MD5 of a whole object with its ETag, where that is an MD5.
            pre_signed: Whether to read from the object store by a pre-signed URL; None asks the server what it can.

        Raises:
            ObjectNotFoundException: There is no such object.
            NotFoundException: There is no such reference.
            IntegrityError: What came is not what the lake promised, three times over.
        """
        client = self._client
        return client._run(
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
    ) -> Iterator[ObjectInfo | CommonPrefix]:
        """Lists objects and common prefixes in byte order, lazily, in pages of 1,000.

        Args:
            max_amount: How many to list at most; None means all.
            after: List what comes after this path.
            prefix: List what begins with this.
            delimiter: Fold what follows it into common prefixes; "" folds nothing.
            recursive: The same as `delimiter=""`.

        Raises:
            NotFoundException: There is no such repository or reference (raised by the first step of the iteration).
            ValueError: `max_amount` is negative.
        """
        client = self._client
        page = partial(
            ops.list_page,
            client._session,
            self._repository_id,
            self._id,
            prefix=arguments.path(prefix, self, "prefix"),
            delimiter=arguments.delimiter(delimiter, recursive),
        )
        return map(self._entry, client._pages(page, arguments.path(after, self, "after"), arguments.amount(max_amount)))

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
    ) -> io.TextIOWrapper: ...
    @overload
    def open(
        self, path: str, mode: Literal["rb"], pre_signed: bool | None = None, *, buffering: int = -1
    ) -> io.BufferedReader: ...
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
    ) -> io.TextIOWrapper | io.BufferedReader:
        """Opens an object for reading, as a real `io` object that any library takes.

        The first bytes are fetched at once: a missing object is an error here, a small one costs one request. Later
        ranges must be of the same version of the object.

        Args:
            path: The object's path.
            mode: "r" for text, "rb" for bytes.
            pre_signed: As for `download`.
            encoding: Of a text, UTF-8 by default.
            errors: As for the built-in `open`.
            newline: As for the built-in `open`.
            buffering: Size of the buffer, bytes; 0 gives the raw file (binary only).

        Raises:
            ObjectNotFoundException: There is no such object.
            NotFoundException: There is no such reference.
            ObjectChangedError: The object was replaced while it was read.
        """
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


class ObjectInfo(ObjectFields):
    """An object at a reference; one made by hand is looked up on the first access of a property.

    Args:
        repository_id: The repository's name.
        reference_id: The branch, tag or commit.
        path: The object's path.
        client: Whom to ask; None means the default client.
    """

    __slots__ = ()
    _reference: ReadIOBase

    def __init__(self, repository_id: str, reference_id: str, path: str, client: Client | None = None) -> None:
        self._reference = ReadIOBase(repository_id, reference_id, client)
        self._record = arguments.object_path(path, self._reference)

    def _stats(self) -> ObjectStats:
        record = self._record
        if isinstance(record, str):
            at, client = self._reference, self._reference._client
            record = self._record = client._run(ops.stat(client._session, at._repository_id, at._id, record))
        return record

    def delete(self) -> None:
        """Deletes the object from its branch; one that is gone already is no error.

        Raises:
            BadRequestException: The reference is a commit or a tag, which no write changes.
            NotFoundException: There is no such reference.
            AmbiguousOutcomeError: The answer was lost, and an object is there that may have been written since.
        """
        at, client = self._reference, self._reference._client
        client._run(ops.delete(client._session, at._repository_id, at._id, self.path))


class CommonPrefix(PrefixFields):
    """A prefix that objects share: what a directory is in a lake.

    Args:
        repository_id: The repository's name.
        reference_id: The branch, tag or commit.
        path: The prefix, with its delimiter at the end.
        client: Whom to ask; None means the default client.
    """

    __slots__ = ()
    _reference: ReadIOBase

    def __init__(self, repository_id: str, reference_id: str, path: str, client: Client | None = None) -> None:
        self._reference = ReadIOBase(repository_id, reference_id, client)
        self._path = arguments.object_path(path, self._reference)

    def exists(self) -> bool:
        """Says whether any object has the prefix."""
        return next(self._reference.list_objects(1, prefix=self._path, delimiter=""), None) is not None
