"""Addresses to put bytes at outside of the lake's own upload, and linking what was put."""

from __future__ import annotations

import secrets

from lakefs_hl.local.engine import records
from lakefs_hl.local.engine.clock import seconds
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.names import path_key
from lakefs_hl.local.engine.objects import check_address, stats
from lakefs_hl.local.engine.writes import Writes
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException
from lakefs_hl.spec.headers import OCTET_STREAM


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

    def link(
        self, repository: str, branch: str, path: str, link: models.StagingLink, *, create_only: bool = False
    ) -> models.ObjectStats:
        """Stages an object that lies at an address; whether it is there nobody looks.

        Raises:
            BadRequestException: There is no checksum, or the address is another store's.
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
            namespace = snapshot.repo.record.namespace
        if address.startswith(f"{namespace}/data/"):
            address = address.partition(",")[0]
        entry = records.make_entry(
            address,
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
