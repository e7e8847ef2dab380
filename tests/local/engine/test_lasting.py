"""Which writes wait for the commit that takes them: those of this machine, to a transaction's own hidden branch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import lakefs_hl as lakefs
from lakefs_hl.local.api import App
from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.engine import Engine, lasting
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.wire import Request, Response
from tests.local.disk.power import recorded
from tests.local.engine.support import commit, paths

HIDDEN = "tx-main-" + "0" * 32


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    found = Engine.open(tmp_path / "lake")
    found.repositories.create(models.RepositoryCreation("repo", "local://r", "main"), who="me")
    branch(found, HIDDEN, hidden=True)
    yield found
    found.close()


def branch(engine: Engine, name: str, *, hidden: bool) -> None:
    engine.branches.create("repo", models.BranchCreation(name, "main", hidden=hidden))


@contextmanager
def here() -> Iterator[None]:
    """A request of this process."""
    token = lasting.local.set(True)
    try:
        yield
    finally:
        lasting.local.reset(token)


@pytest.fixture
def committed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each transaction that was committed was durable."""
    database, seen = engine.lake.database, list[bool]()
    commit = database.commit

    def noted() -> None:
        writer: Writer | None = database._writer
        assert writer is not None
        seen.append(writer.durable)
        commit()

    monkeypatch.setattr(database, "commit", noted)
    return seen


Write = Callable[[Engine, str], object]
WRITES: dict[str, Write] = {
    "put": lambda engine, on: engine.objects.put("repo", on, "a", b"x"),
    "delete": lambda engine, on: engine.objects.delete("repo", on, "a"),
    "delete many": lambda engine, on: engine.objects.delete_many("repo", on, ["a", "b"]),
    "copy": lambda engine, on: engine.objects.copy("repo", on, "b", models.ObjectCopy("seed")),
    "metadata": lambda engine, on: engine.objects.set_metadata("repo", on, "seed", {"k": "v"}),
    "stage": lambda engine, on: engine.objects.stage("repo", on, "s", models.ObjectStage("local://e/x", "c", 3)),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_is_staged_in_a_transaction_waits(engine: Engine, committed: list[bool], write: Write) -> None:
    engine.objects.put("repo", HIDDEN, "seed", b"x")
    committed.clear()
    with here():
        write(engine, HIDDEN)
    assert committed == [False]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_others_ask_for_is_durable(engine: Engine, committed: list[bool], write: Write) -> None:
    engine.objects.put("repo", HIDDEN, "seed", b"x")
    committed.clear()
    write(engine, HIDDEN)
    assert committed == [True]


@pytest.mark.parametrize("name", ["side", "tx-main-" + "1" * 32, "tx-" + "1" * 32, HIDDEN[:-1]])
def test_only_a_hidden_branch_with_such_a_name_promises_nothing(
    engine: Engine, committed: list[bool], name: str
) -> None:
    branch(engine, name, hidden=False)
    committed.clear()
    with here():
        engine.objects.put("repo", name, "a", b"x")
    assert committed[-1:] == [True]
    assert paths(engine, name) == ["a"]


def test_a_hidden_branch_of_another_name_promises_all(engine: Engine, committed: list[bool]) -> None:
    branch(engine, "hidden", hidden=True)
    committed.clear()
    with here():
        engine.objects.put("repo", "hidden", "a", b"x")
    assert committed == [True]


def test_the_commit_of_what_waited_is_durable(engine: Engine, committed: list[bool]) -> None:
    with here():
        engine.objects.put("repo", HIDDEN, "a", b"x")
        commit(engine, HIDDEN)
    assert committed == [False, True]


def upload(path: str, on: str) -> Request:
    return Request(endpoints.UPLOAD_OBJECT, ("repo", on), {"path": path}, body=b"x")


def test_a_batch_waits_if_all_of_it_may(engine: Engine, committed: list[bool]) -> None:
    app = App(engine, in_process=True)

    def batch(*branches: str) -> list[int]:
        asked = [upload(f"p{index}", one) for index, one in enumerate(branches)]
        answers = dict(app.batch(asked, "me"))
        return [one.status for _, one in sorted(answers.items()) if isinstance(one, Response)]

    assert batch(HIDDEN, HIDDEN) == [201, 201]
    assert committed == [False]
    assert batch(HIDDEN, "main") == [201, 201]
    assert committed == [False, True]


def test_a_batch_to_a_branch_that_only_looks_hidden_is_done_anew(engine: Engine, committed: list[bool]) -> None:
    name = "tx-main-" + "1" * 32
    branch(engine, name, hidden=False)
    committed.clear()
    app = App(engine, in_process=True)
    asked = [upload("a", HIDDEN), upload("b", name), upload("c", name), upload("d", HIDDEN)]
    answers = dict(app.batch(asked, "me"))
    assert sorted(answers) == [0, 1, 2, 3]
    assert all(isinstance(one, Response) and one.status == 201 for one in answers.values())
    assert committed == [False, True]
    assert paths(engine, name) == ["b", "c"]
    assert paths(engine, HIDDEN) == ["a", "d"]


def test_a_transaction_of_200_uploads_costs_six_syncs_at_most(tmp_path: Path) -> None:
    folder = tmp_path / "counted"
    with recorded(folder) as recorder:
        client = lakefs.Client(f"local:{folder}")
        main = lakefs.repository("repo", client=client).create("local://r").branch("main")
        before = len(recorder.events)
        with main.transaction("many") as tx:
            for index in range(200):
                tx.upload(b"%d" % index, f"p/{index}")
        syncs = [event for event in recorder.events[before:] if event[0] in ("sync", "sync_folder")]
        client.close()
        del client, main, tx
    assert 1 <= len(syncs) <= 6
