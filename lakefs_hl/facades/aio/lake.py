"""The store of a reference of a lake: a branch, a transaction, a tag or a commit."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from lakefs_hl import aio as lakefs
from lakefs_hl import exceptions
from lakefs_hl.facades import checksums
from lakefs_hl.facades.aio import threads
from lakefs_hl.facades.paths import as_prefix, check_path
from lakefs_hl.facades.records import Asked, Content, Entry, Outcome, Put, Range, range_of

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Metadata key of the encoding of an object. lakeFS has no field for it.
ENCODING: Final = "content-encoding"
#: Objects that are read or written at a time, at most, and their bytes.
BATCH: Final = 256
BATCH_BYTES: Final = 32 << 20
#: Paths per request of a delete.
DELETES: Final = 1000
#: How often an object is read that others are writing.
ATTEMPTS: Final = 3
#: Status of a deletion whose outcome is unknown.
UNKNOWN: Final = 0


class LakeStore:
    """The objects of a lake under a prefix of a reference.

    The encoding of an object is in its user metadata, in `content-encoding`: lakeFS has no field for it.

    Args:
        reference: The reference. Only a branch or a transaction can be written.
        prefix: The prefix. A slash is added at its end.
        max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
        checksum: "crc32c" to store the CRC32C of each object that is written in its metadata.
    """

    default_encoding: str | None = None
    has_suffixes = False

    def __init__(
        self,
        reference: lakefs.ReadIOBase,
        prefix: str = "",
        *,
        max_workers: int | None = None,
        checksum: str | None = None,
    ) -> None:
        self.reference = reference
        self.prefix = as_prefix(prefix)
        self.max_workers = max_workers
        self.checksum = checksums.check_name(checksum)
        self.read_only = not isinstance(reference, lakefs.WriteIOBase)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"

    @property
    def url(self) -> str:
        """The URI of the prefix."""
        return f"{self.reference.uri}{self.prefix}"

    @property
    def place(self) -> str:
        """The URI after the lake that it is of, with the name that the repository has there."""
        client, name = self.reference._client, self.reference.repository_id
        rest = self.url[len(f"lakefs://{name}") :]
        return f"{client.endpoint} lakefs://{client._full_name(name)}{rest}"

    def _full(self, path: str) -> str:
        full = self.prefix + check_path(path)
        full.encode()  # a UnicodeEncodeError, which is a ValueError
        # The path of an object may look like a URI. As part of a URI, it is taken as it is.
        return self.reference.uri + full if full.startswith("lakefs://") else full

    def _entry(self, info: lakefs.ObjectInfo) -> Entry:
        metadata, checksum = info.metadata, info.checksum
        encoding = metadata.pop(ENCODING, None) or None
        md5 = checksum if checksums.is_md5(checksum) else None
        path, modified = info.path[len(self.prefix) :], info.modified_time
        return Entry(path, info.size_bytes, encoding, md5, info.content_type, metadata, modified, etag=checksum)

    # -- reading -------------------------------------------------------------------------------------------------------

    async def read(self, path: str, start: int | None = None, end: int | None = None) -> Content:
        """Read an object or a part of it. Negative offsets count from the end."""
        return [content async for content in self.read_many([Range(path, start, end)])][0]

    async def read_many(self, items: threads.Items[Asked], *, look_up: bool = True) -> AsyncIterator[Content]:
        """Yield the content of many objects in the order of the items."""
        async for batch in threads.batches(items, BATCH):
            asked = [range_of(item) for item in batch]
            entries = await self._look_up(asked) if look_up else {}
            for group in _groups(asked, entries):
                for content in await self._read_group(group, entries, look_up=look_up):
                    yield content

    async def _look_up(self, asked: list[Range]) -> dict[str, Entry | None]:
        paths = list(dict.fromkeys(each.path for each in asked))
        return dict(zip(paths, [entry async for entry in self.stat_many(paths)], strict=True))

    async def _read_group(
        self, group: list[Range], entries: dict[str, Entry | None], *, look_up: bool
    ) -> list[Content]:
        found = dict[int, Content]()
        wanted = list[tuple[int, dict[str, Any]]]()
        for at, each in enumerate(group):
            try:
                full = self._full(each.path)
            except ValueError as exc:
                found[at] = _failure(each, exc)
            else:
                if look_up and entries[each.path] is None:
                    found[at] = _failure(each, self._missing_error(each.path))
                else:
                    wanted.append((at, {"path": full, "start": each.start, "end": each.end}))
        results = await self.reference.download_many(
            [item for _, item in wanted], max_workers=self.max_workers, progress=False
        )
        for (at, _), result in zip(wanted, results, strict=True):
            each, entry = group[at], entries.get(group[at].path)
            if result.content is None:
                found[at] = _failure(each, result.error or self._missing_error(each.path))
            elif _is_of(entry, each, result.content):
                found[at] = Content(each.path, result.content, entry, (each.start, each.end))
            else:
                found[at] = await self._read_again(each)
        return [found[at] for at in range(len(group))]

    async def _read_again(self, each: Range) -> Content:
        """Read an object that was replaced between its look-up and its reading, or whose checksum is not its MD5.

        `download` knows such checksums: content that it returns is right, and is that of the look-up if the object was
        the same one before and after it.
        """
        full = self._full(each.path)
        for _ in range(ATTEMPTS):
            try:
                entry = self._entry(await self.reference.stat_object(full))
                data = await self.reference.download(full)
            except exceptions.LakeFSException as exc:
                return _failure(each, exc)
            if _is_of(entry, each, data):
                return Content(each.path, data, entry)
            unknown = entry._replace(md5=None)
            if _is_of(unknown, each, data) and await self.stat(each.path) == entry:
                return Content(each.path, data, unknown)
        if checksums.is_wrong(data, entry):
            return _failure(each, self._damaged_error(each.path))
        return _failure(each, self._changed_error(each.path))

    def _missing_error(self, path: str) -> Exception:
        error = exceptions.ObjectNotFoundException(f"reading {self.url}{path}: there is no such object")
        error.filename = f"{self.url}{path}"
        return error

    def _damaged_error(self, path: str) -> Exception:
        return exceptions.IntegrityError(
            f"reading {self.url}{path}: the content does not have the CRC32C in its metadata ({checksums.KEY!r}), in "
            f"{ATTEMPTS} attempts; write the object again, or correct its metadata"
        )

    def _changed_error(self, path: str) -> Exception:
        return exceptions.ObjectChangedError(
            f"reading {self.url}{path}: the content does not match what the look-up reported, in {ATTEMPTS} attempts: "
            "it is being written, or its checksums are wrong. Read a commit (`branch.pin()`), which does not change"
        )

    async def save(self, path: str, file: BinaryIO) -> Entry:
        """Write the content of an object into a binary file, and return the object as it was read."""
        full = self._full(path)
        for _ in range(ATTEMPTS):
            file.seek(0)
            file.truncate()
            before = await self.reference.stat_object(full)
            size = await self.reference.download(full, file)
            after = await self.reference.stat_object(full)
            if before.checksum == after.checksum and size == after.size_bytes:
                return self._entry(after)
        raise self._changed_error(path)

    async def stat(self, path: str) -> Entry | None:
        """Look up an object. None if there is none."""
        return [entry async for entry in self.stat_many([path])][0]

    async def stat_many(self, paths: threads.Items[str]) -> AsyncIterator[Entry | None]:
        """Look up many objects, and yield them in the order of the paths. None for one that does not exist."""
        async for batch in threads.batches(paths, DELETES):
            full = [self._path_or_none(path) for path in batch]
            wanted = [path for path in full if path is not None]
            found = iter(await self.reference.stat_many(wanted, max_workers=self.max_workers))
            for each in full:
                info = None if each is None else next(found)
                yield None if info is None else self._entry(info)

    def _path_or_none(self, path: str) -> str | None:
        """Return a full path. None if no object can have it."""
        try:
            return self._full(path)
        except ValueError:
            return None

    # -- writing -------------------------------------------------------------------------------------------------------

    def _writer(self) -> lakefs.WriteIOBase:
        if isinstance(self.reference, lakefs.WriteIOBase):
            return self.reference
        raise exceptions.UnsupportedOperationException(
            f"writing to {self.url}: it is read-only, because commits, tags and ref expressions never change; write to "
            "a branch: `repository.branch(name)`"
        )

    async def write(self, put: Put, *, durable: bool = False) -> Outcome:
        """Write an object."""
        to = self._writer()
        try:
            full, data = self._full(put.path), put.data
            metadata = self._metadata(put)
            if not isinstance(data, bytes):
                data.seek(0)
            info = await to.upload(data, full, content_type=put.content_type, metadata=metadata)
        except (exceptions.LakeFSException, OSError, ValueError) as exc:
            return Outcome(put.path, 0, exc)
        return Outcome(put.path, info.size_bytes)

    async def create(self, path: str) -> Outcome:
        """Create an empty object. The error of one that exists is a `FileExistsError`."""
        to = self._writer()
        try:
            await to.upload(b"", self._full(path), if_none_match=True)
        except (exceptions.LakeFSException, ValueError) as exc:
            return Outcome(path, 0, exc)
        return Outcome(path)

    def _metadata(self, put: Put) -> Mapping[str, str]:
        metadata = {key: value for key, value in put.metadata.items() if key != checksums.KEY}
        if put.encoding:
            metadata[ENCODING] = put.encoding
        if self.checksum is not None and isinstance(put.data, bytes):
            metadata[checksums.KEY] = checksums.crc32c(put.data)
        return metadata

    async def write_many(
        self,
        puts: threads.Items[Put],
        *,
        durable: bool = False,
    ) -> AsyncIterator[Outcome]:
        """Write many objects, and yield what became of each, in their order."""
        self._writer()
        batch, size = dict[str, Put](), 0
        async for put in threads.each(puts):
            length = len(put.data) if isinstance(put.data, bytes) else BATCH_BYTES
            if batch and (len(batch) == BATCH or size + length > BATCH_BYTES or put.path in batch):
                for outcome in await self._write_batch(batch):
                    yield outcome
                batch, size = {}, 0
            batch[put.path] = put
            size += length
        if batch:
            for outcome in await self._write_batch(batch):
                yield outcome

    async def _write_batch(self, batch: dict[str, Put]) -> list[Outcome]:
        if len(batch) == 1:
            return [await self.write(put) for put in batch.values()]
        items, failed = list[dict[str, Any]](), dict[str, Exception]()
        full = {path: self._path_or_none(path) for path in batch}
        for path, put in batch.items():
            if full[path] is None:
                failed[path] = _invalid(self, path)
                continue
            item = {"path": full[path], "data": put.data, "metadata": self._metadata(put)}
            items.append(item if put.content_type is None else {**item, "content_type": put.content_type})
        report, unknown = await self._upload(items)
        for failure in report.failed:
            failed[failure.path[len(self.prefix) :]] = _error_of(failure.message, unknown=unknown)
        return [
            Outcome(path, 0, failed[path]) if path in failed else Outcome(path, _size(put.data))
            for path, put in batch.items()
        ]

    async def _upload(self, items: list[dict[str, Any]]) -> tuple[Any, bool]:
        """Upload objects. Return the report, and whether it is unknown if failed ones were written."""
        try:
            report = await self._writer().upload_many(items, max_workers=self.max_workers, progress=False)
        except exceptions.PartialFailureError as exc:
            return exc.report, exc.maybe_applied is None
        return report, False

    async def delete_many(self, paths: threads.Items[str]) -> AsyncIterator[Outcome]:
        """Delete many objects, and yield what became of each, in their order. One that does not exist is no failure."""
        to = self._writer()
        async for batch in threads.batches(paths, DELETES):
            full = [self._path_or_none(path) for path in batch]
            report = await to.delete_objects([path for path in full if path is not None], on_error="return")
            failed = {each.path: each for each in report.failed}
            for path, each in zip(batch, full, strict=True):
                failure = failed.get(self.prefix + path)
                if each is None:
                    yield Outcome(path, 0, _invalid(self, path))
                elif failure is None:
                    yield Outcome(path)
                else:
                    code = failure.status_code
                    yield Outcome(path, 0, _error_of(f"{failure.message} ({code})", unknown=code == UNKNOWN))

    async def copy_within(self, source: str, target: str) -> Outcome:
        """Copy an object within the store, with its encoding, type and metadata, on the server."""
        return await self.copy_from(self, source, target)

    async def copy_from(self, other: LakeStore, source: str, target: str) -> Outcome:
        """Copy an object of another store of the same repository, on the server."""
        to = self._writer()
        try:
            info = await to.copy_object(other.reference, other._full(source), self._full(target))
        except (exceptions.LakeFSException, ValueError) as exc:
            return Outcome(target, 0, exc)
        return Outcome(target, info.size_bytes)

    async def move(self, source: str, target: LakeStore, path: str) -> Outcome:
        """Move an object to a path of a store of the same reference, on the server."""
        to = self._writer()
        try:
            before, after = self._full(source), target._full(path)
            info = await (to.stat_object(before) if before == after else to.move_object(before, after))
        except (exceptions.LakeFSException, ValueError) as exc:
            return Outcome(source, 0, exc)
        return Outcome(source, info.size_bytes)

    async def check_exists(self) -> None:
        """Do nothing: a listing says it."""

    async def close(self) -> None:
        """Do nothing: the client is that of the caller."""

    async def list(self, prefix: str = "", *, flat: bool = False, after: str = "") -> AsyncIterator[Entry]:
        """Yield the objects in byte order of their paths, lazily."""
        listing = self.reference.list_objects(
            after=self.prefix + after if after else "", prefix=self.prefix + prefix, delimiter="/" if flat else ""
        )
        async with listing:
            async for row in listing:
                yield (
                    self._entry(row) if isinstance(row, lakefs.ObjectInfo) else Entry(row.path[len(self.prefix) :], 0)
                )


def _failure(each: Range, error: Exception) -> Content:
    return Content(each.path, None, None, (each.start, each.end), error)


def _error_of(message: str, *, unknown: bool) -> exceptions.LakeFSException:
    """Return why an object was not written or deleted. `unknown` says that it may have been, nevertheless."""
    error = exceptions.LakeFSException(message)
    error.maybe_applied = None if unknown else False
    return error


def _invalid(store: LakeStore, path: str) -> Exception:
    try:
        store._full(path)
    except ValueError as exc:
        return exc
    raise AssertionError(path)


def _size(data: bytes | BinaryIO) -> int:
    return len(data) if isinstance(data, bytes) else data.seek(0, 2)


def _is_of(entry: Entry | None, each: Range, data: bytes) -> bool:
    """Return whether content is that of the object that was looked up. A range is not verified."""
    if entry is None or each.start is not None or each.end is not None:
        return True
    return len(data) == entry.size and checksums.matches(data, entry)


def _groups(asked: list[Range], entries: Mapping[str, Entry | None]) -> list[list[Range]]:
    """Return what is read at a time, so that not too much is in memory."""
    groups, size = [list[Range]()], 0
    for each in asked:
        entry = entries.get(each.path)
        length = 0 if entry is None else entry.size
        if groups[-1] and size + length > BATCH_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(each)
        size += length
    return groups


def store_of_reference(
    place: Any, prefix: str, client: lakefs.Client | None, max_workers: int | None, checksum: str | None
) -> LakeStore | None:
    """Return the store of a reference or of a URI of a lake. None if it is neither."""
    if isinstance(place, str) and place.startswith("lakefs://"):
        repository, _, rest = place[len("lakefs://") :].partition("/")
        reference, _, path = rest.partition("/")
        if not repository or not reference:
            msg = f"the URL of a store in a lake is lakefs://repository/reference/prefix, not {place!r}"
            raise ValueError(msg)
        at = lakefs.repository(repository, client=client)
        # An expression such as main~1 is no branch, nor is an ID of a commit. The server refuses to write to a tag.
        fixed = set(reference) & set("~^@.") or re.fullmatch(r"[0-9a-f]{64}", reference)
        place = at.ref(reference) if fixed else at.branch(reference)
        prefix = as_prefix(path) + prefix
    if not isinstance(place, lakefs.ReadIOBase):
        return None
    return LakeStore(place, prefix, max_workers=max_workers, checksum=checksum)
