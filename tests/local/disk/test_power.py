"""The power goes at any moment: the lake opens, is sound, and has all that was acknowledged, and nothing by halves."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from lakefs_hl.local.disk import database
from lakefs_hl.local.disk.blobs import INLINE
from lakefs_hl.local.engine import Engine, commits
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import LakeError
from tests.local.disk.power import WAYS, Disk, Recorder, recorded

STATES: Final = 80

#: Of each branch its head and its objects.
View = dict[str, tuple[str, dict[str, str]]]


def view(engine: Engine) -> View | None:
    """All there is in the repository; None if there is none yet."""
    if not engine.repositories.page("", "", 10).results:
        return None
    found: View = {}
    for ref in engine.branches.page("repo", "", "", 100).results:
        listed = engine.objects.list("repo", ref.id, amount=1000).results
        for one in listed:
            _, content = engine.objects.read("repo", ref.id, one.path)
            content.release()  # what is read is held against its hash
        found[ref.id] = (ref.commit_id, {one.path: one.checksum for one in listed})
        assert engine.commits.log("repo", ref.id, amount=100).results
    return found


class History:
    """What a lake did, and what it had acknowledged when."""

    def __init__(self, folder: Path, draw: random.Random, turns: int) -> None:
        self.views: list[tuple[int, View | None]] = [(0, None)]
        self._draw = draw
        with recorded(folder) as recorder:
            engine = Engine.open(folder)
            self._acknowledge(recorder, engine)
            engine.repositories.create(models.RepositoryCreation("repo", "local://r", "main"), who="me")
            self._acknowledge(recorder, engine)
            for number in range(turns):
                for step in self._steps(engine, number):
                    step()
                    self._acknowledge(recorder, engine)
            engine.close()
        self.events = recorder.events

    def _acknowledge(self, recorder: Recorder, engine: Engine) -> None:
        self.views.append((len(recorder.events), view(engine)))

    def _steps(self, engine: Engine, number: int) -> list[Callable[[], object]]:
        """What is done next: each step is one operation, which is there or not."""
        draw = self._draw
        branch = draw.choice([ref.id for ref in engine.branches.page("repo", "", "", 100).results])
        small, large = draw.randbytes(draw.choice((10, 3000))), draw.randbytes(INLINE + 1 + number)
        commit = models.CommitCreation(f"commit {number}", allow_empty=True)
        merge = models.Merge(allow_empty=True, strategy="source-wins")

        def reset(name: str) -> Callable[[], object]:
            return lambda: engine.branches.reset("repo", name, models.Reset("reset"))

        known: dict[str, list[Callable[[], object]]] = {
            "put": [lambda: engine.objects.put("repo", branch, f"p/{number % 7}", small)],
            "large": [lambda: engine.objects.put("repo", branch, f"l/{number % 5}", large)],
            "delete": [lambda: engine.objects.delete("repo", branch, f"p/{number % 7}")],
            "commit": [lambda: engine.commits.commit("repo", branch, commit, who="me")],
            "branch": [lambda: engine.branches.create("repo", models.BranchCreation(f"b{number}", branch))],
            "reset": [reset(branch)],
            "merge": [
                reset(branch),
                reset("main"),
                lambda: engine.merges.merge("repo", branch, "main", merge, who="me"),
            ],
        }
        return known[draw.choice((*known, "put", "put", "commit"))]


def hold(history: History, folder: Path, at: int, way: str, draw: random.Random) -> None:
    """Lets the power go after `at` events, and looks at what is left."""
    Disk(history.events[:at]).leave(folder, way, draw)
    known = sum(1 for when, _ in history.views if when <= at)
    allowed = [seen for _, seen in history.views[known - 1 : known + 1]]
    engine = Engine.open(folder, sync=False)
    try:
        found = view(engine)
        damage = fsck(engine, read_data=True).damage
    finally:
        engine.close()
    assert not damage
    assert found in allowed


def lose_power(folder: Path, draw: random.Random, turns: int, states: int, without: tuple[str, str] = ("", "")) -> None:
    """Runs one history, and holds many moments of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "LONG_LOG", 60)
        patch.setattr(commits, "SMALL", 2)
        history = History(folder / "lake", draw, turns)
    what, where = without
    history.events = [
        ("skip", "") if event[0] == what and event[1].startswith(where) else event for event in history.events
    ]
    for number in range(states):
        at, way = draw.randint(0, len(history.events)), WAYS[number % len(WAYS)]
        left = folder / "left"
        try:
            hold(history, left, at, way, draw)
        except BaseException as error:
            latest = [event[:3] for event in history.events[max(0, at - 8) : at]]
            error.add_note(f"after event {at} of {len(history.events)}, {way}: {latest!r:.1000}")
            raise
        shutil.rmtree(left)


def test_a_lake_survives_it(tmp_path: Path, rng: random.Random) -> None:
    lose_power(tmp_path, rng, turns=40, states=STATES)


@pytest.mark.parametrize(
    "without",
    [("sync", "lake.db"), ("sync", "objects/"), ("sync_folder", ""), ("sync_folder", "objects")],
    ids=" of ".join,
)
def test_a_sync_left_out_is_found(tmp_path: Path, rng: random.Random, without: tuple[str, str]) -> None:
    # That the model tells, and that each kind of sync is needed. Some histories have no moment at which it is missed.
    with pytest.raises((AssertionError, LakeError, OSError)):
        for number in range(5):
            (tmp_path / str(number)).mkdir()
            lose_power(tmp_path / str(number), rng, turns=40, states=400, without=without)
