"""Fork safety: what is watched is renewed in a child, for as long as it lives."""

from __future__ import annotations

import gc
import os

import pytest

from lakefs_hl.transport import forks


class Thing:
    """Equal to every other, as handles are."""

    def __init__(self) -> None:
        self.renewed = 0

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def _after_fork(self) -> None:
        self.renewed += 1


def test_everything_that_is_watched_is_renewed_even_what_compares_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "_watched", type(forks._watched)())
    things = [Thing(), Thing()]
    for thing in things:
        forks.watch(thing)
    forks._renew()
    assert [thing.renewed for thing in things] == [1, 1]


def test_watching_keeps_nothing_alive() -> None:
    before = len(forks._watched)
    thing = Thing()
    forks.watch(thing)
    assert len(forks._watched) == before + 1
    del thing
    gc.collect()
    assert len(forks._watched) == before


def test_what_is_kept_is_never_finalised(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[object] = []
    monkeypatch.setattr(forks, "_inherited", kept)
    forks.keep("socket")
    assert kept == ["socket"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_renews_before_any_code_of_the_user() -> None:
    thing = Thing()
    forks.watch(thing)
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(writing, b"%d" % thing.renewed)
        os._exit(0)
    os.close(writing)
    assert os.waitpid(pid, 0)[1] == 0
    with open(reading, "rb") as pipe:
        assert pipe.read() == b"1"
    assert thing.renewed == 0
