"""Multipart uploads: an object that is put in parts, at an address of its own, and linked once it is whole."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Final

from lakefs_hl.local.disk.parts import NoSuchUpload, Part, Replaced
from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.disk.tables import uploads
from lakefs_hl.local.engine import contents, records
from lakefs_hl.local.engine.addresses import PURGED, Addresses
from lakefs_hl.local.engine.clock import seconds
from lakefs_hl.local.engine.failures import public
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.names import path_key
from lakefs_hl.local.engine.records import UploadRecord
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException, NotFoundException, ServerException
from lakefs_hl.spec.multipart import SHORTEST_PART, combined_etag
from lakefs_hl.spec.refusals import refusal
from lakefs_hl.spec.wire import FileSlice

#: What S3 says, and lakeFS passes on, of an upload that is not under way.
MISSING: Final = (
    "NoSuchUpload: The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
    "aborted or completed."
)


class Multipart:
    """The multipart uploads of a lake, as an S3 store has them.

    Args:
        lake: The lake.
        addresses: Draw the addresses, and link what lies there.
    """

    def __init__(self, lake: Lake, addresses: Addresses) -> None:
        self._lake = lake
        self._addresses = addresses
        self._assembling = threading.Lock()
        with suppress(OSError):  # a lake that cannot be written keeps them
            lake.parts.sweep()

    def begin(self, repository: str, branch: str, path: str) -> models.MultipartUpload:
        """Begins an upload.

        Raises:
            NotFoundException: There is no such branch or repository.
        """
        path_key(path)
        with self._lake.read(repository) as snapshot:
            try:
                snapshot.head(branch)
            except NotFoundException:
                raise NotFoundException(f"branch '{branch}' not found") from None
        address = self._addresses.address(repository, branch, path).physical_address or ""
        with public():
            upload = self._lake.parts.begin(address.partition(",")[0].encode())
        return models.MultipartUpload(upload, address)

    def put(self, upload: str, number: int, body: bytes | FileSlice) -> str:
        """Keeps a part; it is on the disk when this returns.

        Returns:
            The MD5 of the part.

        Raises:
            NotFoundException: The upload is not under way.
        """
        try:
            with public():
                return self._lake.parts.put(upload, number, body).hex()
        except NoSuchUpload:
            raise NotFoundException(MISSING) from None

    def complete(
        self, repository: str, branch: str, path: str, upload: str, wanted: models.MultipartCompletion
    ) -> models.ObjectStats:
        """Makes an object of its parts, and stages it. One that was completed before is staged again, as in lakeFS.

        Raises:
            BadRequestException: The parts are not those that were put; or the address is not of the repository.
            ServerException: 500, as lakeFS answers: the upload is not under way.
        """
        if not wanted.parts:
            raise BadRequestException("parts are required")
        address = self._check_address(repository, wanted.physical_address)
        made = self._find(address)
        if made is None:
            with self._assembling:  # a large object takes minutes, after which clients ask again
                made = self._find(address) or self._assemble(address, upload, wanted.parts)
        link = models.StagingLink(
            models.StagingLocation(address), made.etag, made.size, wanted.user_metadata, wanted.content_type
        )
        return self._addresses.link(repository, branch, path, link)

    def abort(self, repository: str, upload: str, address: str) -> None:
        """Ends an upload, and removes its parts.

        Raises:
            ServerException: 500, as lakeFS answers: the upload is not under way.
        """
        address = self._check_address(repository, address)
        try:
            with public():
                if self._lake.parts.note(upload) != address.encode():
                    raise _missing()
                self._lake.parts.drop(upload)
        except NoSuchUpload:
            raise _missing() from None

    def _check_address(self, repository: str, address: str) -> str:
        """The address without its token, if it is one of the repository."""
        name = address.partition(",")[0]
        with self._lake.read(repository) as snapshot:
            if not name.startswith(f"{snapshot.repo.record.namespace}/data/"):
                raise BadRequestException("physical address must be relative to the storage namespace")
        return name

    def _find(self, address: str) -> UploadRecord | None:
        """What was completed at an address within the last day."""
        with self._lake.read() as snapshot:
            value = uploads.find(snapshot.reader, address)
        made = None if value is None else records.read_upload(value)
        return made if made is not None and made.etag else None

    def _assemble(self, address: str, upload: str, wanted: Sequence[models.UploadedPart]) -> UploadRecord:
        """Keeps the parts of an upload as one content, which is noted under its address; the parts are removed."""
        parts = self._lake.parts
        try:
            with public():
                if parts.note(upload) != address.encode():
                    raise _missing()
                found = [self._part(upload, part) for part in wanted]
                _check_order(found)
                blob = self._lake.blobs.put(parts.join(upload, found))
        except (NoSuchUpload, FileNotFoundError):
            raise _missing() from None
        except Replaced as exc:
            raise _invalid(exc.args[0]) from None
        etag = combined_etag(part.md5 for part in found)
        made, noted = UploadRecord(blob.sha256, blob.md5, blob.size, etag), seconds()

        def work(writer: Writer) -> None:
            self._lake.blobs.record(writer, blob)
            uploads.put(writer, address, noted, records.encode(made))
            uploads.delete_before(writer, noted - contents.UPLOAD_SECONDS, PURGED)

        self._lake.submit(work)
        with public(), suppress(NoSuchUpload):  # another process of the lake has completed it too
            parts.drop(upload)
        return made

    def _part(self, upload: str, wanted: models.UploadedPart) -> Part:
        part = self._lake.parts.find(upload, wanted.part_number) if 0 < wanted.part_number <= 10_000 else None
        if part is None or part.md5.hex() != wanted.etag.strip().strip('"').lower():
            raise _invalid(wanted.part_number)
        return part


def _check_order(parts: Sequence[Part]) -> None:
    """Refuses what S3 refuses: parts out of order, and short ones that are not the last."""
    for before, part in pairwise(parts):
        if before.number >= part.number:
            raise BadRequestException(f"InvalidPartOrder: part {part.number} comes after part {before.number}")
        if before.size < SHORTEST_PART:
            raise BadRequestException(
                f"EntityTooSmall: part {before.number} has {before.size} bytes, and all parts but the last must have "
                f"{SHORTEST_PART} at least"
            )


def _missing() -> ServerException:
    return refusal(500, MISSING)


def _invalid(number: int) -> BadRequestException:
    return BadRequestException(f"InvalidPart: part {number} was not put, or its ETag is another one than was sent")
