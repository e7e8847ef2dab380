"""One key from many threads and processes at once: one effect, and all get its answer."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from lakefs_hl.local.api import App
from lakefs_hl.local.disk import fs
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine import commits as commits_module
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.errors import LakeError
from lakefs_hl.spec.wire import Request
from tests.local.operations import OPERATIONS, Operation, counts, kept, prepare, put, tables

REPO, KEY = "repo", "key"
THREADS = 16
Answer = tuple[int, bytes]
EVERY = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.endpoint.operation)


def ask(engine: Engine, operation: Operation, key: str | None = KEY) -> Answer:
    headers = dict(operation.headers) if key is None else {**operation.headers, "idempotency-key": key}
    request = Request(operation.endpoint, operation.path(REPO), operation.query, headers, operation.data(REPO))
    response = App(engine)(request, "me")
    assert isinstance(response.body, bytes)
    return response.status, response.body


def at_once(count: int, work: Callable[[], Answer]) -> list[Answer]:
    gate, found = threading.Barrier(count), list[Answer]()

    def run() -> None:
        gate.wait()
        found.append(work())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == count
    return found


def ready(folder: Path, operation: Operation) -> Engine:
    engine = Engine.open(folder, sync=False)
    prepare(engine, REPO)
    if operation.before:
        operation.before(engine, REPO)
    return engine


def whole(folder: Path, operation: Operation) -> dict[str, int]:
    """Rows of a lake that has done it once."""
    engine = ready(folder, operation)
    assert ask(engine, operation, None)[0] in operation.endpoint.ok
    found = counts(engine)
    engine.close()
    return found


@EVERY
def test_many_threads_with_one_key(tmp_path: Path, operation: Operation) -> None:
    engine = ready(tmp_path / "lake", operation)
    answers = at_once(THREADS, lambda: ask(engine, operation))
    assert len(set(answers)) == 1, answers
    assert answers[0][0] in operation.endpoint.ok
    assert counts(engine) == whole(tmp_path / "twin", operation)
    assert list(kept(engine)) == [("me", KEY)]
    engine.close()


def _process(folder: str, name: str, small: int, pipe: Connection) -> None:
    vars(commits_module)["SMALL"] = small
    operation = next(one for one in OPERATIONS if one.endpoint.operation == name)
    engine = Engine.open(folder, sync=False)
    pipe.send("ready")
    pipe.recv()
    pipe.send(at_once(THREADS // 2, lambda: ask(engine, operation)))
    engine.close()


@pytest.mark.parametrize(
    ("name", "small"),
    [("commit", 5000), ("commit", 1), ("mergeIntoBranch", 5000), ("uploadObject", 5000), ("createBranch", 5000)],
)
def test_two_processes_with_one_key(tmp_path: Path, name: str, small: int) -> None:
    operation = next(one for one in OPERATIONS if one.endpoint.operation == name)
    ready(tmp_path / "lake", operation).close()
    context = multiprocessing.get_context("spawn")
    pipes, others = [], []
    for _ in range(2):
        ours, theirs = context.Pipe()
        other = context.Process(target=_process, args=(str(tmp_path / "lake"), name, small, theirs))
        other.start()
        pipes.append(ours)
        others.append(other)
    assert [pipe.recv() for pipe in pipes] == ["ready", "ready"]
    for pipe in pipes:
        pipe.send("go")
    answers = [answer for pipe in pipes for answer in pipe.recv()]
    for other in others:
        other.join()
        assert other.exitcode == 0
    assert len(set(answers)) == 1, answers
    assert answers[0][0] in operation.endpoint.ok
    engine = Engine.open(tmp_path / "lake", sync=False)
    assert counts(engine) == whole(tmp_path / "twin", operation)
    assert list(kept(engine)) == [("me", KEY)]
    engine.close()


def test_the_repetition_of_a_large_commit_seals_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was staged since stays as it was: it is not being committed."""
    monkeypatch.setattr(commits_module, "SMALL", 1)
    operation = next(one for one in OPERATIONS if one.endpoint is endpoints.COMMIT)
    engine = ready(tmp_path / "lake", operation)
    first = ask(engine, operation)
    put("e", "e1", "e2", on="dirty")(engine, REPO)
    assert ask(engine, operation) == first
    with engine.lake.read(REPO) as snapshot:
        head = snapshot.head("dirty")
    assert head.sealed == ()
    assert [one.path for one in engine.diffs.branch(REPO, "dirty").results] == ["e", "e1", "e2"]
    engine.close()


def test_of_two_requests_with_one_key_one_is_executed(tmp_path: Path) -> None:
    """Whichever comes first; the others are told that it is another's."""
    engine = ready(tmp_path / "lake", OPERATIONS[0])
    numbers = iter(range(THREADS))

    def create() -> Answer:
        body = json.dumps({"id": f"t{next(numbers)}", "ref": "main"}).encode()
        request = Request(endpoints.CREATE_TAG, (REPO,), {}, {"idempotency-key": KEY}, body)
        response = App(engine)(request, "me")
        return response.status, b""

    answers = at_once(THREADS, create)
    assert sorted(status for status, _ in answers) == [201] + [422] * (THREADS - 1)
    assert len(tables(engine)["tag"]) == 2
    engine.close()


@EVERY
def test_an_answer_is_kept_only_with_its_effect(tmp_path: Path, operation: Operation) -> None:
    """The transaction fails at its end: there is neither, and the repetition is executed."""
    engine = ready(tmp_path / "lake", operation)
    before = tables(engine)

    def fail(point: str) -> None:
        if point == "db.begin":
            raise OSError(5, "Input/output error")

    fs.hook = fail
    try:
        with pytest.raises(LakeError):
            ask(engine, operation)
    finally:
        fs.hook = None
    assert tables(engine) == before
    assert list(kept(engine)) == []
    assert ask(engine, operation)[0] in operation.endpoint.ok
    assert list(kept(engine)) == [("me", KEY)]
    engine.close()
