"""Objects: bytes under a path, as readers of a reference see them and writers of a branch put them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from lakefs_hl.local.disk.blobs import INLINE as INLINE
from lakefs_hl.local.disk.blobs import BlobRef as BlobRef
from lakefs_hl.local.disk.blobs import Held
from lakefs_hl.local.disk.copying import Check
from lakefs_hl.local.disk.tables import staging
from lakefs_hl.local.engine import contents, places, records, views
from lakefs_hl.local.engine.clock import seconds
from lakefs_hl.local.engine.failures import BELOW, public, translated
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.names import after_key, delimiter_key, path_key, prefix_key
from lakefs_hl.local.engine.places import LOCAL
from lakefs_hl.local.engine.records import Entry
from lakefs_hl.local.engine.snapshot import Repo, Snapshot, Transaction
from lakefs_hl.local.engine.views import View
from lakefs_hl.local.engine.writes import Writes
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import (
    BadRequestException,
    ForbiddenException,
    IntegrityError,
    NotFoundException,
    ObjectExistsException,
)
from lakefs_hl.spec.headers import OCTET_STREAM
from lakefs_hl.spec.limits import MAX_PAGE
from lakefs_hl.spec.models import ObjectStats
from lakefs_hl.spec.refusals import refusal
from lakefs_hl.spec.wire import FileSlice

Keys: TypeAlias = "list[bytes]"
Refusals: TypeAlias = "list[models.ObjectError]"
Kept: TypeAlias = "list[BlobRef | Exception]"
Written: TypeAlias = "list[ObjectStats]"
#: Content type, checksum, time and content of each small object.
Smalls: TypeAlias = "list[tuple[str, str, int, bytes] | None]"


class Content(NamedTuple):
    """An object's bytes, or the file slice they lie in.

    Attributes:
        body: All of the object.
        release: Called once when nobody reads it any more.
        is_proved: Whether the lake itself finds out that the content is what its MD5 says, before its end is read.
    """

    body: bytes | FileSlice
    release: Callable[[], None]
    is_proved: bool = False


class Place(NamedTuple):
    """Where the bytes of an object are, as in its entry: see `records.Entry`."""

    address: bytes | str
    size: int
    stamp: int | None


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An object that is to be put, with its entry as it is and as it is written."""

    path: str
    key: bytes
    entry: Entry
    value: bytes
    content_type: str
    blob: BlobRef


#: Gives an address to read an object at in place of its physical one, and when it ends in Unix seconds.
Sign: TypeAlias = Callable[[str, Entry], tuple[str, int]]


class Objects:
    """The objects of a lake's repositories."""

    def __init__(self, lake: Lake, writes: Writes) -> None:
        self._lake = lake
        self._writes = writes

    def stat(self, repository: str, ref: str, path: str, sign: Sign | None = None) -> ObjectStats:
        """What is known of an object, with a signed address if that is asked for.

        Raises:
            NotFoundException: There is no such object, reference or repository.
        """
        with self._lake.read(repository) as snapshot:
            repo, entry = snapshot.repo, _entry(snapshot, views.view(snapshot, ref), path_key(path))
        found = stats(repo, path, entry)
        return found if sign is None else _signed(found, entry, sign)

    def open(self, place: Place) -> Content:
        """The bytes at a place, whatever has become of the object.

        Raises:
            ServerException: 410: the data is not in this lake.
            IntegrityError: The object was imported, and its file has changed since.
        """
        if isinstance(place.address, str):
            return _foreign(place, self._lake)
        with self._lake.read() as snapshot:
            return _content(self._lake.blobs.open(snapshot.reader, place.address, place.size))

    def read(self, repository: str, ref: str, path: str, *, prove: bool = False) -> tuple[ObjectStats, Content]:
        """What is known of an object, and its bytes; with `prove` many bytes are checked while they are read.

        Raises:
            NotFoundException: There is no such object, reference or repository.
            ServerException: 410: its data is not in this lake.
            IntegrityError: It was imported, and its file has changed since.
        """
        with self._lake.read(repository) as snapshot:
            return self.read_in(snapshot, views.view(snapshot, ref), path, prove=prove)

    def read_in(self, snapshot: Snapshot, seen: View, path: str, *, prove: bool) -> tuple[ObjectStats, Content]:
        """What is known of an object, and its bytes, of a reference that was looked up before.

        Args:
            snapshot: Of the repository.
            seen: What the reference shows in it.
            path: The object's.
            prove: Whether many bytes are checked while they are read.
        """
        repo, entry = snapshot.repo, _entry(snapshot, seen, path_key(path))
        if not isinstance(entry.address, bytes):
            return stats(repo, path, entry), _foreign(entry, self._lake)
        held = self._lake.blobs.open(snapshot.reader, entry.address, entry.size)
        check = self._lake.blobs.check(snapshot.reader, entry.address, entry.etag, held) if prove else None
        return stats(repo, path, entry), _content(held) if check is None else _proved(held, check)

    def read_small(self, snapshot: Snapshot, seen: View, paths: Sequence[str]) -> Smalls:
        """Small objects of a reference that was looked up before, with their content.

        Args:
            snapshot: Of the repository.
            seen: What the reference shows in it.
            paths: Those of the objects.

        Returns:
            Each object. None for what `read_in` has to find out: it is large, imported, missing or damaged.
        """
        read = records.read_entry
        values = views.lookup_many(snapshot, seen, [path_key(path) for path in paths])
        entries = [None if value is None else read(value) for value in values]
        names = {entry.address for entry in entries if entry is not None and entry.size <= INLINE}
        contents = self._lake.blobs.read_small(snapshot.reader, {name for name in names if isinstance(name, bytes)})
        found: Smalls = []
        for entry in entries:
            content = None if entry is None else contents.get(entry.address)
            if entry is None or content is None or len(content) != entry.size:
                found.append(None)
                continue
            etag = entry.etag
            checksum = etag.hex() if isinstance(etag, bytes) else etag
            found.append((entry.content_type or OCTET_STREAM, checksum, entry.mtime, content))
        return found

    def list(
        self,
        repository: str,
        ref: str,
        *,
        prefix: str = "",
        after: str = "",
        delimiter: str = "",
        amount: int = 100,
        sign: Sign | None = None,
    ) -> models.ObjectPage:
        """One page of objects and common prefixes, in byte order; with signed addresses if that is asked for."""
        start, behind, folds = prefix_key(prefix), after_key(after), delimiter_key(delimiter)
        with self._lake.read(repository) as snapshot:
            found = views.listing(snapshot, views.view(snapshot, ref), start, behind, folds, amount + 1)
        more = len(found) > amount
        if more:
            del found[amount:]
        at, read = f"{snapshot.repo.record.namespace}/data/", records.read_entry
        with public():
            rows = [
                ObjectStats(key.decode("utf-8", "replace"), "common_prefix")
                if value is None
                else _row(key.decode(), read(value), at)
                for key, value in found
            ]
            if sign is not None:
                rows = [
                    row if value is None else _signed(row, read(value), sign)
                    for row, (_, value) in zip(rows, found, strict=True)
                ]
        offset = rows[-1].path if more and rows else ""
        return models.ObjectPage(models.Pagination(more, offset, len(rows), MAX_PAGE), rows)

    def put(
        self,
        repository: str,
        branch: str,
        path: str,
        body: bytes | FileSlice | BlobRef,
        *,
        content_type: str = OCTET_STREAM,
        metadata: dict[str, str] | None = None,
        create_only: bool = False,
        force: bool = False,
    ) -> ObjectStats:
        """Writes an object, whose content may be kept already; it is on the disk when this returns.

        Raises:
            NotFoundException: There is no such branch or repository.
            ObjectExistsException: `create_only`, and there is one.
            ForbiddenException: The branch is protected, or the repository read-only.
        """
        key = path_key(path)
        if isinstance(body, BlobRef):
            blob = body
        else:
            if create_only or (len(body) if isinstance(body, bytes) else body.length) > INLINE:
                self.check_first(repository, branch, path, create_only=create_only, force=force)
            with public():
                blob = self._lake.blobs.put(body)
        entry = records.make_entry(blob.sha256, blob.size, blob.md5, seconds(), content_type, metadata)
        try:
            return self._writes.put(
                repository,
                branch,
                key,
                entry,
                lambda repo: _shown(repo, path, entry, content_type),
                blob=blob,
                create_only=create_only,
                force=force,
            )
        except NotFoundException as error:
            raise _missing(error, branch) from None

    def keep(self, bodies: Sequence[bytes | FileSlice]) -> Kept:
        """Keeps the contents of objects that are to be put; gives what became of each."""
        return [translated(found) if isinstance(found, BELOW) else found for found in self._lake.blobs.put_many(bodies)]

    def check_first(self, repository: str, branch: str, path: str, *, create_only: bool, force: bool) -> None:
        """Refuses before a large body is stored for nothing."""
        key = path_key(path)
        with self._lake.read(repository) as snapshot:
            try:
                head = self._writes.check(snapshot, branch, force)
            except NotFoundException as error:
                raise _missing(error, branch) from None
            if create_only and self._writes.find(snapshot, head, key) is not None:
                raise ObjectExistsException("path already exists")

    def draft(self, path: str, kept: BlobRef | Exception, content_type: str, metadata: dict[str, str]) -> Draft:
        """An object that is to be put with others, of content that was kept, or raises why that was not."""
        if isinstance(kept, Exception):
            raise kept
        blob = kept
        entry = records.make_entry(blob.sha256, blob.size, blob.md5, seconds(), content_type, metadata)
        return Draft(path, path_key(path), entry, records.write_entry(entry), content_type, blob)

    def put_many(self, repository: str, branch: str, drafts: Sequence[Draft], *, force: bool = False) -> Written:
        """Writes objects as `put` does, none of them only if it is new: all, or none if the branch takes none."""

        def work(transaction: Transaction) -> Repo:
            try:
                head = self._writes.check(transaction, branch, force)
            except NotFoundException as error:
                raise _missing(error, branch) from None
            self._lake.blobs.record_many(transaction.writer, [draft.blob for draft in drafts])
            staging.put_many(transaction.writer, head.token, [(draft.key, draft.value) for draft in drafts])
            return transaction.repo

        at = f"{self._lake.effect(repository, work, branch=branch).record.namespace}/data/"
        return [
            ObjectStats(
                draft.path,
                "object",
                at + draft.blob.sha256.hex(),
                draft.blob.md5.hex(),
                draft.entry.mtime,
                draft.blob.size,
                draft.content_type,
                draft.entry.metadata or {},
            )
            for draft in drafts
        ]

    def may_write(self, repository: str, branch: str, path: str) -> None:
        """Says that an object may be put; as in lakeFS, whether the branch is protected is asked by the write."""
        path_key(path)
        with self._lake.read(repository) as snapshot:
            snapshot.must_be_writable()
            snapshot.head(branch)

    def delete(self, repository: str, branch: str, path: str, force: bool = False) -> None:
        """Deletes an object; one that is not there is no error."""
        self._writes.delete(repository, branch, [path_key(path)], force, None)

    def delete_many(self, repository: str, branch: str, paths: Sequence[str], force: bool = False) -> Refusals:
        """Deletes objects; gives what was refused. As in lakeFS, where there is no such branch nothing is."""
        keys: Keys = []
        refused: Refusals = []
        for path in paths:
            try:
                keys.append(path_key(path))
            except BadRequestException as error:
                refused.append(models.ObjectError(400, str(error), path))
        try:
            return self._writes.delete(repository, branch, keys, force, refused)
        except NotFoundException:
            return []
        except ForbiddenException as error:
            return [models.ObjectError(403, str(error), path) for path in paths]

    def copy(self, repository: str, branch: str, path: str, source: models.ObjectCopy) -> ObjectStats:
        """Copies an object within its repository; the bytes are shared.

        Raises:
            NotFoundException: There is no such object, branch or reference.
        """
        key, from_key = path_key(path), path_key(source.src_path, "src_path")

        def work(transaction: Transaction) -> ObjectStats:
            transaction.head(branch)  # what is missing here is told first
            found = _entry(transaction, views.view(transaction, source.src_ref or branch), from_key)
            head = self._writes.check(transaction, branch, source.force)
            entry = msgspec.structs.replace(found, mtime=seconds())
            staging.put(transaction.writer, head.token, key, records.write_entry(entry))
            return stats(transaction.repo, path, entry)

        return self._lake.effect(repository, work, branch=branch)

    def set_metadata(self, repository: str, branch: str, path: str, metadata: dict[str, str]) -> None:
        """Replaces an object's user metadata.

        Raises:
            NotFoundException: There is no such object.
        """
        key = path_key(path)

        def work(transaction: Transaction) -> None:
            head = self._writes.check(transaction, branch, False)
            value = self._writes.find(transaction, head, key)
            if value is None:
                raise NotFoundException(f"update user metadata on {repository}/{branch}/{path}: not found")
            entry = msgspec.structs.replace(records.read_entry(value), metadata=metadata or None)
            staging.put(transaction.writer, head.token, key, records.write_entry(entry))

        self._lake.effect(repository, work, branch=branch)

    def stage(self, repository: str, branch: str, path: str, stage: models.ObjectStage) -> ObjectStats:
        """Registers an object by its address; where nothing was put, nobody looks whether it is there."""
        check_address(stage.physical_address)
        with self._lake.read() as snapshot:
            place = contents.resolve(snapshot, stage.physical_address, stage.size_bytes, stage.checksum)
        entry = records.make_entry(
            place,
            stage.size_bytes,
            records.short_etag(stage.checksum),
            seconds() if stage.mtime is None else stage.mtime,
            stage.content_type or OCTET_STREAM,
            stage.metadata,
        )
        key = path_key(path)
        return self._writes.put(
            repository, branch, key, entry, lambda repo: stats(repo, path, entry), force=stage.force
        )


def _entry(snapshot: Snapshot, seen: View, key: bytes) -> Entry:
    value = views.lookup(snapshot, seen, key)
    if value is None:
        raise NotFoundException("not found")
    return records.read_entry(value)


def check_address(address: str) -> None:
    """Refuses an address of another kind of store."""
    if not address.startswith(LOCAL):
        raise BadRequestException("physical address is not valid for block adapter: local")


def stats(repo: Repo, path: str, entry: Entry) -> ObjectStats:
    """An entry in lakeFS's words; metadata is told even if there is none."""
    return _row(path, entry, f"{repo.record.namespace}/data/", {})


def _missing(error: NotFoundException, branch: str) -> NotFoundException:
    """What lakeFS says to an upload, and to no other write."""
    return NotFoundException(f"branch '{branch}' not found") if str(error) == "branch not found" else error


def _shown(repo: Repo, path: str, entry: Entry, content_type: str) -> ObjectStats:
    return msgspec.structs.replace(stats(repo, path, entry), content_type=content_type)


def _row(path: str, entry: Entry, at: str, nothing: dict[str, str] | None = None) -> ObjectStats:
    address, etag = entry.address, entry.etag
    return ObjectStats(
        path,
        "object",
        at + address.hex() if isinstance(address, bytes) else address,
        etag.hex() if isinstance(etag, bytes) else etag,
        entry.mtime,
        entry.size,
        entry.content_type or OCTET_STREAM,
        entry.metadata or nothing,
    )


def _signed(row: ObjectStats, entry: Entry, sign: Sign) -> ObjectStats:
    url, expires = sign(row.path, entry)
    return msgspec.structs.replace(row, physical_address=url, physical_address_expiry=expires)


def _proved(held: Held, check: Check) -> Content:
    def hold() -> None:
        with public():
            check.hold()

    def release() -> None:
        check.end()
        held.release()

    return Content(FileSlice(held.fd, 0, held.length, hold), release, is_proved=True)


def _content(held: Held) -> Content:
    body = FileSlice(held.fd, 0, held.length) if held.data is None else held.data
    return Content(body, held.release)


def _foreign(entry: Entry | Place, lake: Lake) -> Content:
    """The file of an imported object, if it is what was imported; nothing else outside the lake is ever opened.

    The file may have been swapped for a link meanwhile: a server opens no file of the lake itself by it.
    """
    if entry.stamp is None:
        raise refusal(410, "No data")
    path = str(entry.address).removeprefix(LOCAL)
    try:
        held = Held(None, io.FileIO(places.open_file(path, lake.import_roots, lake.database.folder)), entry.size)
    except OSError as error:
        if error.errno is None:  # outside of the directories that the server was given
            raise refusal(
                410, "No data: the object was imported from a directory that this server does not read"
            ) from None
        raise refusal(410, f"No data: the imported file {path} cannot be read any more: {error.strerror}") from error
    found = os.fstat(held.fd)
    if (found.st_size, records.stamp_of(found.st_mtime_ns)) != (entry.size, entry.stamp):
        held.release()
        raise IntegrityError(
            f"{path} has changed since it was imported: it had {entry.size} bytes and now has {found.st_size}; it was "
            f"modified at {found.st_mtime_ns} ns instead of {entry.stamp} ns; import it again"
        )
    return _content(held)
