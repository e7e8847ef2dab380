"""The kind of an object store, by the storage namespace of a repository."""

from __future__ import annotations

import pickle

import pytest

from lakefs_hl.spec.blockstores import BlockstoreType, blockstore_of


@pytest.mark.parametrize(
    ("namespace", "kind"),
    [
        ("s3://bucket/path", BlockstoreType.S3),
        ("gs://bucket", BlockstoreType.GS),
        ("https://account.blob.core.windows.net/container/path", BlockstoreType.AZURE),
        ("http://127.0.0.1:10000/account/container", BlockstoreType.AZURE),
        ("local://repository", BlockstoreType.LOCAL),
        ("mem://repository", BlockstoreType.MEM),
        ("S3://bucket", BlockstoreType.S3),
        ("transient://path", None),
        ("ceph://pool", None),
        ("", None),
        ("no scheme", None),
    ],
)
def test_stores_of_namespaces(namespace: str, kind: BlockstoreType | None) -> None:
    assert blockstore_of(namespace) is kind


def test_a_kind_is_its_name_in_lakefs() -> None:
    assert [str(kind) for kind in BlockstoreType] == ["s3", "gs", "azure", "local", "mem"]
    assert BlockstoreType("azure") == "azure"
    assert pickle.loads(pickle.dumps(BlockstoreType.S3)) is BlockstoreType.S3
