"""Addresses to put bytes at outside of the lake's own upload, and linking what was put."""

from __future__ import annotations

import secrets
import time
from typing import Final

from lakefs_hl.local.engine import records
from lakefs_hl.local.engine.keys import Keys
from lakefs_hl.local.engine.names import path_key
from lakefs_hl.local.engine.objects import stats
from lakefs_hl.local.engine.records import OCTETS
from lakefs_hl.local.engine.store import Store
from lakefs_hl.local.engine.writes import Writes
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException

#: How long an address may be linked, seconds.
LIFE: Final = 24 * 3600


class Staging:
    """Signed addresses: good for one repository, branch and path, and for a day."""

    def __init__(self, store: Store, writes: Writes, keys: Keys) -> None:
        self._store = store
        self._writes = writes
        self._keys = keys

    def address(self, repository: str, branch: str, path: str) -> models.StagingLocation:
        """Draws an address; whether there is such a branch nobody looks, as in lakeFS."""
        path_key(path)
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
        plain = f"{repo.record.namespace}/data/{int(time.time()):x}-{secrets.token_hex(16)}"
        return models.StagingLocation(f"{plain},{self._signature(repository, branch, path, plain)}")

    def link(
        self, repository: str, branch: str, path: str, link: models.StagingLink, *, create_only: bool = False
    ) -> models.ObjectStats:
        """Stages an object that lies at an address; whether it is there nobody looks.

        Raises:
            BadRequestException: The address is ours and its signature is not, or it is too old; or there is no checksum.
            ObjectExistsException: `create_only`, and there is one.
        """
        checksum = link.checksum.strip().strip('"')
        if not checksum:
            raise BadRequestException("checksum is required")
        key = path_key(path)
        with self._store.reading() as reader:
            namespace = self._store.repo(reader, repository).record.namespace
        address = self._verified(repository, branch, path, link.staging.physical_address or "", namespace)
        entry = records.make_entry(
            address,
            link.size_bytes,
            records.short_etag(checksum),
            int(time.time()) if link.mtime is None else link.mtime,
            link.content_type or OCTETS,
            link.user_metadata,
        )
        repo = self._writes.put(repository, branch, key, entry, create_only=create_only, force=link.force)
        return stats(repo, path, entry)

    def _verified(self, repository: str, branch: str, path: str, address: str, namespace: str) -> str:
        if not address.startswith(f"{namespace}/data/"):
            return address
        plain, comma, signature = address.rpartition(",")
        if not comma:
            raise BadRequestException("link address invalid: address is not signed")
        if not secrets.compare_digest(signature, self._signature(repository, branch, path, plain)):
            raise BadRequestException("link address invalid: invalid signature")
        made = plain.rpartition("/")[2].partition("-")[0]
        if int(made, 16) + LIFE < time.time():
            raise BadRequestException("link address expired")
        return plain

    def _signature(self, repository: str, branch: str, path: str, plain: str) -> str:
        return self._keys.sign("\0".join(("address", repository, branch, path, plain)))
