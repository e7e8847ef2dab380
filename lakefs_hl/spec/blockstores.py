"""Object stores, by the storage namespace of a repository."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class BlockstoreType(StrEnum):
    """The kind of object store that a repository is in. Each is equal to its name in lakeFS: `"s3"`.

    Attributes:
        S3: Amazon S3, MinIO or another store with that interface.
        GS: Google Cloud Storage.
        AZURE: Azure Blob Storage.
        LOCAL: The disk of the server, or that of an embedded lake.
        MEM: The memory of the server.
    """

    S3 = "s3"
    GS = "gs"
    AZURE = "azure"
    LOCAL = "local"
    MEM = "mem"


#: Scheme of a storage namespace, and its store. Azure is named by the address of an account.
_STORES: Final[Mapping[str, BlockstoreType]] = {
    "s3": BlockstoreType.S3,
    "gs": BlockstoreType.GS,
    "https": BlockstoreType.AZURE,
    "http": BlockstoreType.AZURE,
    "local": BlockstoreType.LOCAL,
    "mem": BlockstoreType.MEM,
}


def blockstore_of(storage_namespace: str) -> BlockstoreType | None:
    """Return the kind of store that a storage namespace is in. None if it is none of those known here.

    Examples:
        >>> blockstore_of("s3://bucket/path").value
        's3'
        >>> blockstore_of("transient://path") is None
        True
    """
    return _STORES.get(storage_namespace.partition("://")[0].lower())
