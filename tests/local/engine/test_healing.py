"""Content that is damaged where it lies is put right when it is written again: an acknowledged write can be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lakefs_hl.local.disk.blobs import INLINE
from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.disk.tables import history, nodes
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.spec.errors import LakeCorruptError
from lakefs_hl.spec.wire import FileSlice
from tests.local.engine.support import commit, put, read

LARGE = bytes(range(256)) * (INLINE // 256 + 1)


def harm(engine: Engine, statement: str) -> None:
    engine.lake.database.run(lambda writer: writer.execute(statement).fetchall())


def test_a_small_blob(engine: Engine) -> None:
    put(engine, "a", b"content")
    harm(engine, "UPDATE blob SET data = x'63006e74656e74'")
    with pytest.raises(LakeCorruptError):
        read(engine, "a")
    put(engine, "b", b"content")
    assert read(engine, "a") == read(engine, "b") == b"content"
    assert fsck(engine, read_data=True).damage == []


def test_a_large_blob(engine: Engine) -> None:
    address = put(engine, "a", LARGE).physical_address.rpartition("/")[2]
    path = Path(engine.lake.blobs.path(bytes.fromhex(address)))
    for harmed in (b"x" + LARGE[1:], LARGE[:5], LARGE + b"x"):
        path.chmod(0o600)
        path.write_bytes(harmed)
        assert fsck(engine, read_data=True).exit_code == 1
        put(engine, "b", LARGE)
        _, content = engine.objects.read("repo", "main", "a")
        assert isinstance(content.body, FileSlice)
        assert os.pread(content.body.fd, len(LARGE) + 1, 0) == LARGE
        content.release()
        assert fsck(engine, read_data=True).damage == []


def test_nodes_and_commits(engine: Engine) -> None:
    put(engine, "a", b"1")
    commit(engine)
    database = engine.lake.database
    with database.read() as reader:
        kept = [(name, nodes.get(reader, name) or b"") for name in nodes.scan(reader)]
        commits = list(history.scan(reader))
    harm(engine, "UPDATE node SET data = CAST(data || x'00' AS BLOB)")
    harm(engine, "UPDATE history SET data = CAST(data || x'00' AS BLOB)")
    assert len(fsck(engine).damage) >= len(kept) + len(commits)

    def work(writer: Writer) -> None:
        nodes.put_many(writer, kept)
        for row in commits:
            history.put(writer, *row)

    database.run(work)
    assert fsck(engine).damage == []
