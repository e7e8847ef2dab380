"""Walks that were recorded to look for differences of a kind, replayed in process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakefs_hl.local.api import App
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.fsck import fsck
from tests.contract import replay

WALKS = sorted((replay.DATA.parent / "walks").glob("*.json"))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    opened = Engine.open(tmp_path_factory.mktemp("local") / "lake", sync=False)
    yield opened
    opened.close()


@pytest.mark.parametrize("path", WALKS, ids=lambda path: path.stem)
def test_the_walks_are_reproduced(path: Path, engine: Engine) -> None:
    outcome = replay.replay(path, replay.InProcess(App(engine), "admin"), {})
    assert not outcome.left_out
    assert not outcome.failed, "\n".join([*outcome.failed, str(outcome)])
    assert outcome.passed > 20
    assert not fsck(engine).damage
