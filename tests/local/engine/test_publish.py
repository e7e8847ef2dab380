"""Whatever happens between an operation's look at a branch and its publishing: nothing acknowledged is undone by it.

Each caller of `publish` that works without a lock is stopped just before it publishes, a change by another is made and
acknowledged, and then it goes on. The table says what is committed afterwards, and what a reader of the branch sees.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lakefs_hl.local.engine import Engine, publish, records
from lakefs_hl.local.engine import commits as commits_module
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import ServerException
from tests.local.engine.support import branch, commit, head, paths, put, read, refused

Act = Callable[[Engine], object]
DIRTY, UNCHANGED, GONE = "uncommitted changes (dirty branch)", "commit: no changes", "branch not found"


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """`work` has two commits, {base} and {base, r}; `side` and `alt` add a file each to its last one."""
    branch(engine, "work")
    for path in ("base", "r"):
        put(engine, path, branch="work")
        commit(engine, "work", path)
    for name in ("side", "alt"):
        branch(engine, name, "work")
        put(engine, name, branch=name)
        commit(engine, name)
    return engine


def before_publishing(engine: Engine, monkeypatch: pytest.MonkeyPatch, number: int, change: Act) -> list[str]:
    """Makes a change just before the durable write of that number begins; gives what came of it."""
    real, told = engine.lake.write, list[str]()
    left = number

    def write(repository: str | None, work: Any, *, durable: bool = True) -> Any:
        nonlocal left
        if durable:
            left -= 1
            if not left:
                monkeypatch.setattr(engine.lake, "write", real)
                try:
                    change(engine)
                    told.append("done")
                except ServerException as error:
                    told.append(str(error))
        return real(repository, work, durable=durable)

    monkeypatch.setattr(engine.lake, "write", write)
    return told


def state(engine: Engine) -> tuple[str, str]:
    """What is committed on the branch, and what a reader of it sees."""
    try:
        return " ".join(paths(engine, "work@")), " ".join(paths(engine, "work"))
    except ServerException as error:
        return str(error), str(error)


def again(engine: Engine, name: str) -> None:
    """Deletes the branch, and makes another of its name."""
    engine.branches.delete("repo", "work")
    branch(engine, "work", name)


def anew(engine: Engine) -> None:
    """Deletes the repository, and makes another of its name, with a branch of the same name."""
    engine.repositories.delete("repo")
    engine.repositories.create(models.RepositoryCreation("repo", "local://other"), who="me")
    branch(engine, "work")


def staged_and_committed(engine: Engine) -> None:
    put(engine, "q", branch="work")
    commit(engine, "work")


def back_and_forth(engine: Engine) -> None:
    before = engine.branches.get("repo", "work").commit_id
    for ref in ("alt", before):
        engine.branches.hard_reset("repo", "work", ref)


CHANGES: dict[str, Act] = {
    "put": lambda engine: put(engine, "p", branch="work"),
    "overwrite": lambda engine: put(engine, "x", b"new", branch="work"),
    "equal": lambda engine: put(engine, "base", branch="work"),
    "delete staged": lambda engine: engine.objects.delete("repo", "work", "x"),
    "delete committed": lambda engine: engine.objects.delete("repo", "work", "base"),
    "delete many": lambda engine: engine.objects.delete_many("repo", "work", ["k/1", "x", "none"]),
    "reset path": lambda engine: engine.branches.reset("repo", "work", models.Reset("object", path="x")),
    "reset prefix": lambda engine: engine.branches.reset("repo", "work", models.Reset("common_prefix", path="k/")),
    "reset all": lambda engine: engine.branches.reset("repo", "work", models.Reset("reset")),
    "commit": staged_and_committed,
    "hard reset": lambda engine: engine.branches.hard_reset("repo", "work", "alt"),
    "back and forth": back_and_forth,
    "merge": lambda engine: engine.merges.merge("repo", "alt", "work", models.Merge(), who="you"),
    "delete branch": lambda engine: engine.branches.delete("repo", "work"),
    "another branch": lambda engine: again(engine, "alt"),
    "another repository": anew,
}

#: Change -> what came of it, what came of the commit of {k/1, k/2, x}, what is committed, what is seen.
LARGE_COMMIT = {
    "put": ("done", "done", "base k/1 k/2 r x", "base k/1 k/2 p r x"),
    "overwrite": ("done", "done", "base k/1 k/2 r x", "base k/1 k/2 r x"),
    "equal": ("done", "done", "base k/1 k/2 r x", "base k/1 k/2 r x"),
    "delete staged": ("done", "done", "base k/1 k/2 r", "base k/1 k/2 r"),
    "delete committed": ("done", "done", "base k/1 k/2 r x", "k/1 k/2 r x"),
    "delete many": ("done", "done", "base k/2 r", "base k/2 r"),
    "reset path": ("done", "done", "base k/1 k/2 r", "base k/1 k/2 r"),
    "reset prefix": ("done", "done", "base r x", "base r x"),
    "reset all": ("done", UNCHANGED, "base r", "base r"),
    "commit": ("done", UNCHANGED, "base k/1 k/2 q r x", "base k/1 k/2 q r x"),
    "hard reset": (f"work: {DIRTY}", "done", "base k/1 k/2 r x", "base k/1 k/2 r x"),
    "back and forth": (f"work: {DIRTY}", "done", "base k/1 k/2 r x", "base k/1 k/2 r x"),
    "merge": (DIRTY, "done", "base k/1 k/2 r x", "base k/1 k/2 r x"),
    "delete branch": ("done", GONE, "not found", "not found"),
    "another branch": ("done", UNCHANGED, "alt base r", "alt base r"),
    "another repository": ("done", UNCHANGED, "", ""),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_large_commit(engine: Engine, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    for path in ("k/1", "k/2", "x"):
        put(engine, path, branch="work")
    # The commit seals, then it publishes; what another commits meanwhile is committed at once.
    monkeypatch.setattr(commits_module, "SMALL", 2)
    told = before_publishing(engine, monkeypatch, 2, at_once(monkeypatch, CHANGES[change]))
    outcome = attempt(lambda: commit(engine, "work"))
    assert (*told, outcome, *state(engine)) == LARGE_COMMIT[change]
    if change == "overwrite":
        assert (read(engine, "x", "work@"), read(engine, "x", "work")) == (b"x", b"new")
    if LARGE_COMMIT[change][1] == "done":
        assert head(engine, "work").sealed == ()


def test_what_is_deleted_during_a_large_commit_has_no_older_state_in_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path was staged when the commit began and is deleted when it ends: never what was committed before."""
    for path in ("base", "k/1", "k/2", "x"):
        put(engine, path, b"new", branch="work")
    monkeypatch.setattr(commits_module, "SMALL", 2)
    told = before_publishing(engine, monkeypatch, 2, lambda engine: engine.objects.delete("repo", "work", "base"))
    commit(engine, "work")
    assert (*told, *state(engine)) == ("done", "k/1 k/2 r x", "k/1 k/2 r x")
    commit_of_nothing = attempt(lambda: commit(engine, "work"))
    assert commit_of_nothing == UNCHANGED


def at_once(monkeypatch: pytest.MonkeyPatch, change: Act) -> Act:
    """A change whose commits are small ones."""

    def act(engine: Engine) -> None:
        small = commits_module.SMALL
        monkeypatch.setattr(commits_module, "SMALL", 5000)
        change(engine)
        monkeypatch.setattr(commits_module, "SMALL", small)

    return act


def attempt(call: Callable[[], object]) -> str:
    try:
        call()
    except ServerException as error:
        return str(error)
    return "done"


def merge(engine: Engine) -> None:
    engine.merges.merge("repo", "side", "work", models.Merge(), who="me")


def cherry_pick(engine: Engine) -> None:
    engine.merges.cherry_pick("repo", "work", models.CherryPick("side"), who="me")


def revert(engine: Engine) -> None:
    last = engine.commits.get("repo", "alt~1").id
    engine.merges.revert("repo", "work", models.Revert(last, 0), who="me")


def load(engine: Engine) -> None:
    """What an import does on its thread."""
    with engine.lake.read("repo") as snapshot:
        repo = snapshot.repo
    entry = records.write_entry(records.make_entry("local:///n", 1, b"e" * 16, 1, None, None, 1))
    creation = models.ImportCreation([], models.CommitCreation("import"))
    engine.imports.load(repo, "work", [(b"new", entry)], [], creation, who="me")


#: Caller -> what it adds to the branch, and what it takes away.
CALLERS: dict[Callable[[Engine], None], tuple[set[str], set[str]]] = {
    merge: ({"side"}, set()),
    cherry_pick: ({"side"}, set()),
    revert: (set(), {"r"}),
    load: ({"new"}, set()),
}


class After(NamedTuple):
    """What came of the caller, what others have committed, and what they have staged and deleted over that."""

    outcome: str = "done"
    committed: frozenset[str] = frozenset({"base", "r"})
    staged: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()


WITH_ALT = frozenset({"alt", "base", "r"})
CLEAN = {
    "put": After(DIRTY, staged=frozenset({"p"})),
    "equal": After(),
    "delete committed": After(DIRTY, deleted=frozenset({"base"})),
    "delete staged": After(),
    "reset path": After(),
    "reset prefix": After(),
    "reset all": After(),
    "commit": After(committed=frozenset({"base", "q", "r"})),
    "hard reset": After(committed=WITH_ALT),
    "back and forth": After(),
    "merge": After(committed=WITH_ALT),
    "delete branch": After(GONE),
    "another branch": After(committed=WITH_ALT),
}


@pytest.mark.parametrize("change", CLEAN)
@pytest.mark.parametrize("caller", CALLERS)
def test_what_needs_a_clean_branch(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caller: Callable[[Engine], None], change: str
) -> None:
    told = before_publishing(engine, monkeypatch, 1, CHANGES[change])
    after = CLEAN[change]
    assert attempt(lambda: caller(engine)) == after.outcome
    assert told == ["done"]
    if after.outcome == GONE:
        assert state(engine) == ("not found", "not found")
        return
    adds, takes = CALLERS[caller] if after.outcome == "done" else (set(), set())
    committed = (after.committed | adds) - takes
    seen = (committed | after.staged) - after.deleted
    assert state(engine) == (" ".join(sorted(committed)), " ".join(sorted(seen)))


@pytest.mark.parametrize("caller", CALLERS)
def test_nothing_goes_into_another_repository_of_the_same_name(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caller: Callable[[Engine], None]
) -> None:
    before_publishing(engine, monkeypatch, 1, anew)
    assert attempt(lambda: caller(engine)) != "done"
    assert state(engine) == ("", "")


def test_a_branch_that_never_stands_still(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    real = engine.lake.write

    def write(repository: str | None, work: Any, *, durable: bool = True) -> Any:
        engine.branches.reset("repo", "work", models.Reset("reset"))
        return real(repository, work, durable=durable)

    monkeypatch.setattr(engine.lake, "write", write)
    refused(429, lambda: merge(engine), "Too many attempts, try again later")
    assert state(engine) == ("base r", "base r")


def test_only_publish_moves_a_head() -> None:
    """The other rows of branches that the engine writes keep the head that they were read with."""
    movers = {
        path.name
        for path in Path(publish.__file__).parent.glob("*.py")
        if re.search(r"_replace\([^)]*\bhead=", path.read_text(encoding="utf-8"))
    }
    assert movers == {"publish.py"}
