"""Many threads and processes on one branch: nothing acknowledged is lost, nothing is committed twice."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine import commits as commits_module
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException, ServerException
from tests.local.engine.support import branch, commit, paths, put, refused

pytestmark = pytest.mark.timeout(120)


def together(*works: Callable[[], Any]) -> list[Any]:
    """Runs all at once, each on a thread; gives what each returned, or its error."""
    gate, found = threading.Barrier(len(works)), [None] * len(works)

    def run(index: int, work: Callable[[], Any]) -> None:
        gate.wait()
        try:
            found[index] = work()
        except Exception as error:
            found[index] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(index, work)) for index, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def committed(engine: Engine) -> list[str]:
    names, after = [], ""
    while True:
        page = engine.objects.list("repo", "main@", after=after, amount=1000)
        names += [one.path for one in page.results]
        if not page.pagination.has_more:
            return names
        after = page.pagination.next_offset


@pytest.mark.parametrize("small", [5000, 3])
def test_of_two_commits_one_takes_all(engine: Engine, monkeypatch: pytest.MonkeyPatch, small: int) -> None:
    monkeypatch.setattr(commits_module, "SMALL", small)
    for index in range(20):
        for name in "abcd":
            put(engine, f"{index}/{name}")
        answers = together(*(lambda: commit(engine) for _ in range(4)))
        done = [one for one in answers if isinstance(one, str)]
        refusals = [one for one in answers if isinstance(one, BadRequestException)]
        assert (len(done), len(refusals)) == (1, 3), answers
        assert {str(one) for one in refusals} == {"commit: no changes"}
    assert len(committed(engine)) == 80
    assert engine.commits.get("repo", "main").generation == 21


@pytest.mark.parametrize("small", [5000, 3])
def test_writes_that_race_with_commits_are_not_lost(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(commits_module, "SMALL", small)
    over = threading.Event()

    def write(name: str) -> None:
        for index in range(60):
            put(engine, f"{name}/{index:03d}")

    def keep_committing() -> int:
        made = 0
        while not over.is_set():
            try:
                commit(engine)
                made += 1
            except BadRequestException:
                continue
        return made

    def write_all() -> None:
        answers = together(*(lambda name=name: write(name) for name in "abcd"))
        over.set()
        assert answers == [None] * 4

    made = [one for one in together(write_all, keep_committing, keep_committing) if isinstance(one, int)]
    assert len(made) == 2
    if engine.diffs.branch("repo", "main").results:
        commit(engine)
        made.append(1)
    assert committed(engine) == sorted(f"{name}/{index:03d}" for name in "abcd" for index in range(60))
    assert engine.commits.get("repo", "main").generation == 1 + sum(made)
    with engine.lake.database.read() as reader:
        assert reader.row("SELECT count(*) FROM staging") == (0,)


def test_merges_into_one_branch_all_arrive(engine: Engine) -> None:
    names = [f"side{index}" for index in range(8)]
    for name in names:
        branch(engine, name)
        put(engine, name, branch=name)
        commit(engine, name)
    answers = together(
        *(lambda name=name: engine.merges.merge("repo", name, "main", models.Merge(), who="me") for name in names)
    )
    assert [one for one in answers if not isinstance(one, str)] == []
    assert committed(engine) == sorted(names)


def test_a_name_is_given_once(engine: Engine) -> None:
    answers = together(*(lambda: branch(engine, "same") for _ in range(8)))
    assert len([one for one in answers if isinstance(one, str)]) == 1
    assert {one.status_code for one in answers if isinstance(one, ServerException)} == {409}


def test_create_only_is_atomic(engine: Engine) -> None:
    def create() -> models.ObjectStats:
        return engine.objects.put("repo", "main", "a", b"", create_only=True)

    answers = together(*(create for _ in range(8)))
    assert len([one for one in answers if isinstance(one, models.ObjectStats)]) == 1


def test_a_listing_is_of_one_moment(engine: Engine) -> None:
    """Fifty objects go at once and come back at once: whoever sees some of them has mixed two moments."""
    keys = [f"{index:02d}" for index in range(50)]
    for key in keys:
        put(engine, key)
    commit(engine)
    over = threading.Event()

    def write() -> None:
        try:
            for turn in range(100):
                engine.objects.delete_many("repo", "main", keys)
                if turn % 3 == 0:
                    commit(engine)
                    engine.merges.revert("repo", "main", models.Revert("main", 0), who="me")
                engine.branches.reset("repo", "main", models.Reset("reset"))
        finally:
            over.set()

    def look() -> set[int]:
        seen = set[int]()
        while not over.is_set():
            seen.add(len(paths(engine)))
        return seen

    answers = together(write, look, look)
    assert answers[0] is None
    assert answers[1] | answers[2] == {0, 50}


def _other_process(folder: str, name: str, count: int, small: int) -> None:
    commits_module.SMALL = small  # type: ignore[misc]
    engine = Engine.open(folder, sync=False)
    for index in range(count):
        put(engine, f"{name}/{index:03d}")
        if index % 10 == 9:
            try:
                commit(engine)
            except BadRequestException:
                continue  # the other one took ours along
    engine.close()


@pytest.mark.parametrize("small", [5000, 3])
def test_two_processes(engine: Engine, small: int) -> None:
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_other_process, args=(str(engine.folder), name, 60, small)) for name in ("a", "b")]
    for other in others:
        other.start()
    while any(other.is_alive() for other in others):  # heads move under our feet, and are always the newest
        head = engine.branches.get("repo", "main").commit_id
        assert engine.commits.get("repo", head).id == head
        paths(engine)
    for other in others:
        other.join()
        assert other.exitcode == 0
    if engine.diffs.branch("repo", "main").results:
        commit(engine)
    assert committed(engine) == sorted(f"{name}/{index:03d}" for name in ("a", "b") for index in range(60))


def test_what_another_process_deleted_is_gone_here(engine: Engine, tmp_path: Path) -> None:
    put(engine, "a")
    commit(engine)
    context = multiprocessing.get_context("spawn")
    other = context.Process(target=_delete, args=(str(engine.folder),))
    other.start()
    other.join()
    assert other.exitcode == 0
    refused(404, lambda: engine.repositories.get("repo"))
    refused(404, lambda: paths(engine))


def _delete(folder: str) -> None:
    engine = Engine.open(folder, sync=False)
    engine.repositories.delete("repo")
    engine.close()
