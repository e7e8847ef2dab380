"""Opening and closing: one engine per folder, and what cannot be opened says why."""

from __future__ import annotations

import gc
import os
import weakref
from pathlib import Path

import pytest

from lakefs_hl.local.disk import database, layout
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import LakeCorruptError, LakeError, LakeFormatError
from tests.local.engine.support import commit, put, read


def test_one_engine_for_one_folder(tmp_path: Path) -> None:
    first = Engine.open(tmp_path / "lake", sync=False)
    (tmp_path / "link").symlink_to(tmp_path / "lake")
    second = Engine.open(tmp_path / "link", sync=False)
    assert first is second
    first.close()
    second.repositories.create(models.RepositoryCreation("repo", "local://repo"), who="me")
    second.close()
    second.close()  # once too often does no harm
    with pytest.raises(LakeError):
        second.repositories.get("repo")
    third = Engine.open(tmp_path / "lake")
    assert third is not first
    assert third.repositories.get("repo").id == "repo"
    third.close()


def test_a_closed_engine_is_let_go(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path / "lake", sync=False)
    watched = weakref.ref(engine)
    engine.close()
    del engine
    gc.collect()
    assert watched() is None


def test_everything_is_there_again(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path / "lake")
    engine.repositories.create(models.RepositoryCreation("repo", "local://repo"), who="me")
    put(engine, "small", b"1")
    put(engine, "large", bytes(1 << 20))
    made = commit(engine)
    put(engine, "staged", b"2")
    engine.close()
    engine = Engine.open(tmp_path / "lake")
    assert engine.branches.get("repo", "main").commit_id == made
    assert (read(engine, "small"), read(engine, "staged")) == (b"1", b"2")
    stats, content = engine.objects.read("repo", made, "large")
    assert not isinstance(content.body, bytes)
    assert os.pread(content.body.fd, content.body.length, 0) == bytes(1 << 20)
    assert stats.size_bytes == 1 << 20
    content.release()
    engine.close()


def test_no_lake(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("x")
    with pytest.raises(LakeFormatError, match=r"thesis\.tex"):
        Engine.open(tmp_path / "other")


def test_a_newer_lake(tmp_path: Path) -> None:
    Engine.open(tmp_path / "lake", sync=False).close()
    noted = tmp_path / "lake" / layout.FORMAT
    noted.write_text(noted.read_text().replace('"format": 2', '"format": 3'))
    with pytest.raises(LakeFormatError, match="format 3"):
        Engine.open(tmp_path / "lake")


def test_a_lake_without_its_database(tmp_path: Path) -> None:
    Engine.open(tmp_path / "lake", sync=False).close()
    (tmp_path / "lake" / database.NAME).unlink()
    with pytest.raises(LakeCorruptError, match="missing"):
        Engine.open(tmp_path / "lake")


def test_what_the_server_says_of_itself(engine: Engine) -> None:
    config = engine.config()
    assert config.storage_config is not None
    assert (config.storage_config.blockstore_type, config.storage_config.pre_sign_support) == ("local", False)
    assert engine.user("me").id == "me"
    assert engine.user("me").creation_date > 1_700_000_000
