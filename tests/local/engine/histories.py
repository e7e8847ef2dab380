"""T9: random histories of many workers on one branch, and the model that each must agree with.

Every transaction that has an effect draws a number, as part of itself: so their order is known, and it is an order in
real time. A sequential model replays them in that order. What was committed must be what the model commits, and what
was read must be what the model shows between two numbers that were there before and after the read.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import random
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from lakefs_hl.local.disk.tables import sequence
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine import commits as commits_module
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import ServerException, TooManyRequestsException

REPO, WORK, SIDE = "repo", "work", "side"
#: The name of the numbers that transactions draw.
ORDER = "test of histories"
KEYS = [f"k/{index}" for index in range(6)] + [f"x{index}" for index in range(4)]
#: Operations and how often they are drawn.
WEIGHTS = {
    "put": 40,
    "delete": 10,
    "reset path": 8,
    "reset prefix": 4,
    "reset all": 6,
    "commit": 14,
    "merge": 8,
    "hard reset": 3,
    "read": 10,
    "read committed": 8,
}

Files: TypeAlias = "dict[str, str]"


@dataclass
class Done:
    """An operation that was executed.

    Attributes:
        kind, path, value: What it was.
        before, after: Numbers that had been drawn before it began, and when it was over.
        numbers: What its transactions drew.
        result: What it returned: a commit's id, or what was read.
        refused: The message, if it was refused.
    """

    kind: str
    path: str = ""
    value: str = ""
    before: int = 0
    after: int = 0
    numbers: list[int] = field(default_factory=list)
    result: Any = None
    refused: str = ""


class Worker:
    """Executes operations drawn at random, and notes each.

    Args:
        engine: The lake.
        name: Tells its values from those of others.
        seed: Of its operations.
    """

    def __init__(self, engine: Engine, name: str, seed: int) -> None:
        self.engine = engine
        self.name = name
        self.rng = random.Random(seed)
        self.done: list[Done] = []
        self.commits = [engine.branches.get(REPO, WORK).commit_id]

    def run(self, count: int) -> None:
        """Executes some operations."""
        kinds = self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=count)
        for index in range(1, count):
            if kinds[index] == "merge":  # hardly one would find the branch without changes else
                kinds[index - 1] = "reset all"
        for index, kind in enumerate(kinds):
            one = Done(kind, self.rng.choice(KEYS), f"{self.name}-{index}", before=drawn(self.engine))
            _under_way.numbers = one.numbers
            try:
                one.result = self.execute(one)
            except (ServerException, TooManyRequestsException) as error:
                one.refused = str(error)
            _under_way.numbers = None
            one.after = drawn(self.engine)
            self.done.append(one)

    def execute(self, one: Done) -> Any:
        """Executes one operation."""
        engine = self.engine
        if one.kind == "put":
            engine.objects.put(REPO, WORK, one.path, one.value.encode())
        elif one.kind == "delete":
            engine.objects.delete(REPO, WORK, one.path)
        elif one.kind.startswith("reset"):
            reset = {
                "reset path": models.Reset("object", path=one.path),
                "reset prefix": models.Reset("common_prefix", path="k/"),
                "reset all": models.Reset("reset"),
            }[one.kind]
            engine.branches.reset(REPO, WORK, reset)
        elif one.kind == "commit":
            made = engine.commits.commit(REPO, WORK, models.CommitCreation(one.value), who=self.name)
            self.commits.append(made.id)
            return made.id
        elif one.kind == "merge":
            return self.merge(one)
        elif one.kind == "hard reset":
            one.value = self.rng.choice(self.commits)
            engine.branches.hard_reset(REPO, WORK, one.value)
        else:
            return files(engine, WORK if one.kind == "read" else f"{WORK}@")
        return None

    def merge(self, one: Done) -> str:
        """Adds a file to the other branch, and brings that branch here."""
        numbers, _under_way.numbers = _under_way.numbers, None
        self.engine.objects.put(REPO, SIDE, f"s/{one.value}", b"side")
        with suppress(ServerException):  # another worker's commit took the file along, or takes it in this moment
            self.engine.commits.commit(REPO, SIDE, models.CommitCreation(one.value), who=self.name)
        _under_way.numbers = numbers
        made = self.engine.merges.merge(REPO, SIDE, WORK, models.Merge(), who=self.name)
        self.commits.append(made)
        return made


class _UnderWay(threading.local):
    """The numbers that the operation of a thread has drawn; None if it is not to draw any."""

    numbers: list[int] | None = None


_under_way = _UnderWay()


@contextmanager
def numbered(small: int) -> Iterator[None]:
    """Makes each transaction of an operation draw a number, and commits of more than `small` changes large ones."""
    write, effect, before = Lake.write, Lake.effect, commits_module.SMALL

    def drawing(work: Any, noted: list[int]) -> Any:
        def numbered_work(transaction: Any) -> Any:
            result = work(transaction)
            noted[:] = [sequence.draw(transaction.writer, ORDER)]
            return result

        return numbered_work

    def numbered_write(lake: Lake, repository: str | None, work: Any, *, durable: bool = True) -> Any:
        numbers = _under_way.numbers
        if numbers is None or not durable:
            return write(lake, repository, work, durable=durable)
        noted: list[int] = []
        result = write(lake, repository, drawing(work, noted), durable=durable)
        numbers += noted
        return result

    def numbered_effect(lake: Lake, repository: str | None, work: Any, **options: Any) -> Any:
        numbers = _under_way.numbers
        if numbers is None:
            return effect(lake, repository, work, **options)
        noted: list[int] = []
        result = effect(lake, repository, drawing(work, noted), **options)
        numbers += noted
        return result

    Lake.write, Lake.effect, commits_module.SMALL = numbered_write, numbered_effect, small  # type: ignore[method-assign,misc,assignment]
    try:
        yield
    finally:
        Lake.write, Lake.effect, commits_module.SMALL = write, effect, before  # type: ignore[method-assign,misc]


def prepare(folder: Path) -> Engine:
    """A lake with the branches."""
    engine = Engine.open(folder, sync=False)
    engine.repositories.create(models.RepositoryCreation(REPO, "local://repo", "main"), who="me")
    for index in range(0, len(KEYS), 2):
        engine.objects.put(REPO, "main", KEYS[index], b"first")
    engine.commits.commit(REPO, "main", models.CommitCreation("first"), who="me")
    for name in (WORK, SIDE):
        engine.branches.create(REPO, models.BranchCreation(name, "main"))
    return engine


def drawn(engine: Engine) -> int:
    """The latest number."""
    with engine.lake.read() as snapshot:
        return sequence.get(snapshot.reader, ORDER)


def files(engine: Engine, ref: str) -> Files:
    """Path to checksum of all that a reference shows, at one moment."""
    return {one.path: one.checksum for one in engine.objects.list(REPO, ref, amount=1000).results}


def together(engine: Engine, seed: int, workers: int, count: int) -> list[Done]:
    """Lets threads execute operations at once."""
    made = [Worker(engine, f"w{index}", seed * 100 + index) for index in range(workers)]
    threads = [threading.Thread(target=worker.run, args=(count,)) for worker in made]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    for worker in made:
        assert len(worker.done) == count, f"{worker.name} ended early"
    return [one for worker in made for one in worker.done]


def _in_process(folder: str, seed: int, index: int, count: int, small: int, ready: Any, results: Any) -> None:
    """A worker in a process of its own."""
    engine = Engine.open(folder, sync=False)
    worker = Worker(engine, f"w{index}", seed * 100 + index)
    ready.wait()
    with numbered(small):
        worker.run(count)
    engine.close()
    results.put(worker.done)


def apart(engine: Engine, seed: int, workers: int, count: int, small: int) -> list[Done]:
    """Lets processes execute operations at once."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(workers), context.Queue()
    children = [
        context.Process(
            target=_in_process, args=(str(engine.folder), seed, index, count, small, ready, results), daemon=True
        )
        for index in range(workers)
    ]
    for child in children:
        child.start()
    done = [one for _ in children for one in results.get(timeout=300)]
    for child in children:
        child.join()
        assert child.exitcode == 0
    return done


class Model:
    """The branch as it ought to be, one transaction after the other.

    Attributes:
        head: What is committed.
        layers: What is staged: a number and its changes, oldest first; the last one is written to.
    """

    def __init__(self, engine: Engine, head: Files) -> None:
        self.engine = engine
        self.head = head
        self.layers: list[tuple[int, dict[str, str | None]]] = [(0, {})]
        self.sealed: dict[int, set[int]] = {}  # id of an operation -> the layers that it sealed
        self.next = 1

    def view(self, layers: Sequence[tuple[int, dict[str, str | None]]] | None = None) -> Files:
        """What a reader sees, with some of the layers or all."""
        seen: dict[str, str | None] = {**self.head}
        for _, changes in self.layers if layers is None else layers:
            seen.update(changes)
        return {path: value for path, value in seen.items() if value is not None}

    def seal(self) -> None:
        self.layers.append((self.next, {}))
        self.next += 1

    def replay(self, one: Done, number: int) -> None:
        """Does what a transaction did."""
        if one.kind == "put":
            self.layers[-1][1][one.path] = checksum(one.value)
        elif one.kind == "delete":
            self.delete(one.path)
        elif one.kind == "reset all":
            self.layers = []
            self.seal()
        elif one.kind.startswith("reset"):
            for _, changes in self.layers:
                for path in list(changes):
                    if path == one.path if one.kind == "reset path" else path.startswith("k/"):
                        del changes[path]
            if one.kind == "reset prefix" and len(self.layers) == 1 and self.layers[0][1]:
                self.seal()
        elif one.kind == "commit":
            self.commit(one, number)
        elif one.kind == "merge":
            assert self.view() == self.head, f"merged into a branch with uncommitted changes: {one}"
            parents = self.engine.commits.get(REPO, one.result).parents
            side = files(self.engine, parents[1])
            self.head = {path: value for path, value in self.head.items() if not path.startswith("s/")} | {
                path: value for path, value in side.items() if path.startswith("s/")
            }
            if any(changes for _, changes in self.layers):
                self.layers = []
                self.seal()
            self.must_be(one)
        else:
            assert one.kind == "hard reset", one
            assert self.view(self.layers[:-1]) == self.head, f"reset hard with sealed changes: {one}"
            self.head = files(self.engine, one.value)

    def delete(self, path: str) -> None:
        sealed = [changes for _, changes in self.layers[:-1] if path in changes]
        if sealed:
            for _, changes in self.layers:
                changes.pop(path, None)
        self.layers[-1][1].pop(path, None)
        if path in self.head:
            for changes in (*sealed, self.layers[-1][1]):
                changes[path] = None

    def commit(self, one: Done, number: int) -> None:
        if number != one.numbers[-1] or (one.refused and len(one.numbers) == 1):
            self.seal()
            self.sealed[id(one)] = {layer for layer, _ in self.layers[:-1]}
            return
        if len(one.numbers) == 1:
            before, self.head, self.layers = self.head, self.view(), []
            assert before != self.head, f"committed no changes: {one}"
            self.seal()
        else:
            mine = self.sealed[id(one)]
            taken = [layer for layer in self.layers[:-1] if layer[0] in mine]
            committed = self.view(taken)
            self.layers = [layer for layer in self.layers if layer not in taken]
            if one.refused:
                assert committed == self.head, f"dropped changes: {one}"
                return
            assert committed != self.head, f"committed no changes: {one}"
            self.head = committed
        self.must_be(one)

    def must_be(self, one: Done) -> None:
        found = files(self.engine, one.result)
        assert found == self.head, f"{one}\ncommitted: {found}\nexpected:  {self.head}"


def checksum(value: str) -> str:
    """What the lake tells of a content."""
    return hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()


def check(engine: Engine, done: list[Done]) -> dict[str, int]:
    """Holds a history against the model; gives how much of each there was.

    Raises:
        AssertionError: There is no sequential history that it could be.
    """
    order = {number: one for one in done for number in one.numbers}
    last = drawn(engine)
    assert sorted(order) == list(range(1, last + 1)), "each number is one transaction's"
    for one in done:
        assert all(one.before < number <= one.after for number in one.numbers), one
    model = Model(engine, files(engine, "main"))
    seen, committed, dirty = [model.view()], [dict(model.head)], [False]
    for number in range(1, last + 1):
        model.replay(order[number], number)
        seen.append(model.view())
        committed.append(dict(model.head))
        dirty.append(seen[-1] != committed[-1])
    for one in done:
        window = slice(one.before, one.after + 1)
        if one.kind == "read":
            assert one.result in seen[window], f"nobody could see that: {one}\n{seen[window]}"
        elif one.kind == "read committed":
            assert one.result in committed[window], f"that was never committed: {one}"
        elif one.refused == "commit: no changes" and not one.numbers:
            assert not all(dirty[window]), f"there were changes all the time: {one}"
        elif "dirty branch" in one.refused:
            assert any(dirty[window]) or one.kind == "hard reset", f"there were no changes: {one}"
        elif one.refused:
            assert one.refused in {
                "commit: no changes",
                f"update branch {WORK}: no changes",
                "Too many attempts, try again later",
            }, one
    assert (files(engine, WORK), files(engine, f"{WORK}@")) == (seen[-1], committed[-1])
    counts = {kind: sum(one.kind == kind and not one.refused for one in done) for kind in WEIGHTS}
    return {**counts, "large commit": sum(one.kind == "commit" and len(one.numbers) > 1 for one in done)}
