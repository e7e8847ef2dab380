"""A lake of every format that was ever released opens, is sound, holds what it held, and goes on."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from lakefs_hl.local.disk import notes
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.local.keys import Keys
from lakefs_hl.spec import models
from tests.data.lakes.make import HERE, PAIR, REPOSITORY, commit, content, make, objects

KEPT = sorted(path.name.removesuffix(".tar.gz") for path in HERE.glob("*.tar.gz"))


def test_there_is_one_of_this_format() -> None:
    assert f"v{notes.VERSION}" in KEPT, "run `python -m tests.data.lakes.make` and commit what it makes"


@pytest.fixture(params=KEPT)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with tarfile.open(HERE / f"{request.param}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / str(request.param)
    folder.chmod(0o700)
    return folder


def test_it_is_sound_and_holds_what_it_held(kept: Path) -> None:
    engine = Engine.open(kept)
    expected = json.loads((HERE / f"{kept.name}.json").read_text(encoding="utf-8"))
    assert fsck(engine, read_data=True).damage == []
    found = json.loads(json.dumps(content(engine)))
    assert {what: found[what] for what in expected} == expected  # later formats hold more
    stats, body = engine.objects.read(REPOSITORY, "v1", "naïve/名前 %2F.txt")
    assert (body.body, stats.content_type, stats.metadata) == (b"text", "text/plain", {"key": "välue"})
    body.release()
    if kept.name != "v1":  # whose keys are taken over when it is served
        assert Keys(kept).authenticate(PAIR.access_key_id, PAIR.secret_access_key) is not None
        assert fsck(engine).counts["kept answers"] == 1
    engine.close()


def test_it_goes_on(kept: Path) -> None:
    engine = Engine.open(kept)
    before = objects(engine, "side")
    engine.objects.put(REPOSITORY, "side", "new", b"x" * 20_000)
    commit(engine, "side", "later")
    engine.merges.merge(REPOSITORY, "side", "tx-hidden", models.Merge(), who="me")
    after = objects(engine, "tx-hidden")
    assert set(after) - set(before) == {"new"}
    assert fsck(engine, read_data=True).damage == []
    engine.close()
    engine = Engine.open(kept)
    assert objects(engine, "tx-hidden") == after
    engine.close()


def test_equal_content_still_gives_equal_trees(kept: Path, tmp_path: Path) -> None:
    """What decides where trees are cut, and how entries are written, is format: it must not have moved."""
    fresh = tmp_path / "fresh"
    make(fresh)
    old, new = Engine.open(kept), Engine.open(fresh)
    assert objects(old, "side") == objects(new, "side")
    root = old.commits.get(REPOSITORY, "v1").meta_range_id
    # Built anew in the old lake, with its own seed, from its own entries: the same root.
    with old.lake.read() as snapshot:
        tree = snapshot.tree
        entries = [pair for keys, values in tree.scan(bytes.fromhex(root)) for pair in zip(keys, values, strict=True)]
        assert tree.build(entries).hex() == root
    old.close()
    new.close()
