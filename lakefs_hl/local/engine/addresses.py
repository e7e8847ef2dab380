"""Addresses to put bytes at outside of the lake's own upload, what is put there, and linking it."""

from __future__ import annotations

import secrets
from typing import Final

from lakefs_hl.local.disk.tables import uploads
from lakefs_hl.local.engine import contents, records
from lakefs_hl.local.engine.clock import seconds
from lakefs_hl.local.engine.failures import public
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.names import path_key
from lakefs_hl.local.engine.objects import check_address, stats
from lakefs_hl.local.engine.snapshot import Transaction
from lakefs_hl.local.engine.writes import Writes
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException, NotFoundException
from lakefs_hl.spec.headers import OCTET_STREAM
from lakefs_hl.spec.wire import FileSlice

#: Rows of uploads that can no longer be linked which one upload removes, at most.
PURGED: Final = 4


class Addresses:
    """Addresses as lakeFS's local store draws them: with a signature at their end that linking does not look at."""

    def __init__(self, lake: Lake, writes: Writes) -> None:
        self._lake = lake
        self._writes = writes

    def address(self, repository: str, branch: str, path: str) -> models.StagingLocation:
        """Draws an address; whether there is such a branch nobody looks, as in lakeFS."""
        path_key(path)
        with self._lake.read(repository) as snapshot:
            namespace = snapshot.repo.record.namespace
        name = f"{seconds():x}-{secrets.token_hex(16)},{secrets.token_urlsafe(32)}"
        return models.StagingLocation(f"{namespace}/data/{name}")

    def receive(self, address: str, body: bytes | FileSlice) -> str:
        """Keeps what is put at an address until it is linked, for a day; it is on the disk when this returns.

        Args:
            address: As it was drawn.
            body: The content. It takes the place of what was put there before; what was linked stays.

        Returns:
            The MD5 of the content.
        """
        with public():
            blob = self._lake.blobs.put(body)
        value = records.encode(records.UploadRecord(blob.sha256, blob.md5, blob.size))
        made = seconds()

        def work(transaction: Transaction) -> str:
            self._lake.blobs.record(transaction.writer, blob)
            uploads.put(transaction.writer, address.partition(",")[0], made, value)
            uploads.delete_before(transaction.writer, made - contents.UPLOAD_SECONDS, PURGED)
            return blob.md5.hex()

        return self._lake.effect(None, work)

    def received(self, repository: str, address: str) -> records.UploadRecord:
        """What was put at an address of a repository within the last day.

        Raises:
            BadRequestException: It is no address of the repository.
            NotFoundException: Nothing was put there.
        """
        name = address.partition(",")[0]
        with self._lake.read(repository) as snapshot:
            if not name.startswith(f"{snapshot.repo.record.namespace}/data/"):
                raise BadRequestException(f"address {name!r} is not one of the repository {repository}")
            value = uploads.find(snapshot.reader, name)
        if value is None:
            raise NotFoundException("nothing was uploaded to this address yet")
        return records.read_upload(value)

    def link(
        self, repository: str, branch: str, path: str, link: models.StagingLink, *, create_only: bool = False
    ) -> models.ObjectStats:
        """Stages an object that lies at an address; where nothing was put, nobody looks whether it is there.

        Raises:
            BadRequestException: There is no checksum, or the address is another store's; or something else was put
                there than is to be linked.
            ObjectExistsException: `create_only`, and there is one.
        """
        checksum = link.checksum.strip().strip('"')
        if not checksum:
            raise BadRequestException("checksum is required")
        key = path_key(path)
        address = link.staging.physical_address or ""
        if address:
            check_address(address)
        with self._lake.read(repository) as snapshot:
            if address.startswith(f"{snapshot.repo.record.namespace}/data/"):
                address = address.partition(",")[0]
            place = contents.resolve(snapshot, address, link.size_bytes, checksum)
        entry = records.make_entry(
            place,
            link.size_bytes,
            records.short_etag(checksum),
            seconds() if link.mtime is None else link.mtime,
            link.content_type or OCTET_STREAM,
            link.user_metadata,
        )
        return self._writes.put(
            repository,
            branch,
            key,
            entry,
            lambda repo: stats(repo, path, entry),
            create_only=create_only,
            force=link.force,
        )
