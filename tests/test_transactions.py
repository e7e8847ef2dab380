"""The two faces of a transaction, over scripted answers: what leaving the block does, and what it raises."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import lakefs_hl.aio.transactions as aio
from lakefs_hl import transactions as blocking
from lakefs_hl.aio.client import Client as AioClient
from lakefs_hl.client import Client
from lakefs_hl.ops.effects import Op
from lakefs_hl.spec import errors, models
from tests.ops.script import C0, C1, C2, Play, Step, commit, log, lost, no, ok, page, ref, session, step

Face = Callable[..., str]
BEGIN = [
    step("getBranch", "r", "dev", answer=ref("dev", C0)),
    step("diffBranch", "r", "dev", answer=page()),
]


class Steps(Play):
    """Any ephemeral branch will do: its name is made by the face."""

    def __init__(self, *steps: Step) -> None:
        super().__init__(*steps)
        self.tx = ""

    def _exchange(self, request: Any) -> Any:
        if self.tx and self.steps:
            want = self.steps[0]
            self.steps[0] = want._replace(params=tuple(self.tx if each == "TX" else each for each in want.params))
        return super()._exchange(request)


class Fake(Client):
    """A client that plays a script."""

    def __init__(self, play: Steps) -> None:
        self.play = play
        self._session = session(search=0.0)

    def _run(self, op: Op[Any]) -> Any:
        return self.play._drive(op)


class FakeAio(AioClient):
    def __init__(self, play: Steps) -> None:
        self.play = play
        self._session = session(search=0.0)

    async def _run(self, op: Op[Any]) -> Any:
        await asyncio.sleep(0)
        return self.play._drive(op)


FAKES: dict[type, type] = {blocking.BranchTransaction: Fake, aio.BranchTransaction: FakeAio}


def run_blocking(play: Steps, body: Callable[[Any], None], **options: Any) -> Any:
    tx = blocking.BranchTransaction("r", "dev", Fake(play), commit_message="do things", **options)
    play.tx = tx.id
    try:
        with tx:
            body(tx)
    except BaseException as exc:
        exc.tx = tx  # type: ignore[attr-defined]
        raise
    return tx


def run_aio(play: Steps, body: Callable[[Any], None], **options: Any) -> Any:
    tx = aio.BranchTransaction("r", "dev", FakeAio(play), commit_message="do things", **options)
    play.tx = tx.id

    async def main() -> None:
        async with tx:
            body(tx)

    try:
        asyncio.run(main())
    except BaseException as exc:
        exc.tx = tx  # type: ignore[attr-defined]
        raise
    return tx


@pytest.fixture(params=[run_blocking, run_aio], ids=["blocking", "aio"])
def run(request: pytest.FixtureRequest) -> Any:
    return request.param


def good() -> list[Step]:
    return [
        *BEGIN,
        step("createBranch", "r", answer=ok(C0, 201)),
        step("commit", "r", "TX", answer=ok(commit(C1), 201), body={"message": "do things"}),
        step("mergeIntoBranch", "r", C1, "dev", answer=ok(models.MergeResult(C2)), body={"message": "do things"}),
        step("deleteBranch", "r", "TX", answer=ok()),
    ]


def nothing(_: Any) -> None:
    pass


def test_a_good_end(run: Any) -> None:
    play = Steps(*good())
    seen = []
    tx = run(play, lambda tx: seen.append(tx.state))
    play.close()
    assert seen == ["OPEN"]
    assert (tx.state, tx.merge_commit_id, tx.leaked_branch) == ("COMMITTED", C2, None)
    assert tx.id.startswith("tx-dev-")
    assert len(tx.id) == len("tx-dev-") + 32
    assert tx.source_branch_id == "dev"
    assert repr(tx) == "<BranchTransaction lakefs://r/dev COMMITTED>"


def test_an_exception_arrives_as_the_transactions_with_its_cause(run: Any) -> None:  # B8.75
    play = Steps(*good()[:3])

    def body(_: Any) -> None:
        raise KeyError("mine")

    with pytest.raises(errors.TransactionException, match="is kept") as caught:
        run(play, body)
    play.close()
    assert isinstance(caught.value.__cause__, KeyError)
    assert (caught.value.state, caught.value.branch) == ("ABORTED", play.tx)
    assert caught.value.tx.state == "ABORTED"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("run", "interrupt"),
    [  # a GeneratorExit does not come out of an asyncio task
        (run_blocking, KeyboardInterrupt),
        (run_blocking, SystemExit),
        (run_blocking, GeneratorExit),
        (run_blocking, asyncio.CancelledError),
        (run_aio, KeyboardInterrupt),
        (run_aio, SystemExit),
        (run_aio, asyncio.CancelledError),
    ],
)
def test_interruptions_pass_as_themselves_with_a_note(run: Any, interrupt: type[BaseException]) -> None:  # B8.75
    play = Steps(*good()[:3])

    def body(_: Any) -> None:
        raise interrupt

    with pytest.raises(interrupt) as caught:
        run(play, body)
    play.close()
    assert f"branch '{play.tx}' is kept" in caught.value.__notes__[0]


def test_delete_on_error(run: Any) -> None:
    play = Steps(*good()[:3], step("deleteBranch", "r", "TX", answer=ok()))

    def body(_: Any) -> None:
        raise ValueError

    with pytest.raises(errors.TransactionException, match="is deleted"):
        run(play, body, delete_on_error=True)
    play.close()


def test_a_leaked_branch_is_a_warning(run: Any) -> None:  # B8.75
    play = Steps(*good()[:-1], step("deleteBranch", "r", "TX", answer=no(403, "no")))
    with pytest.warns(RuntimeWarning, match="is left over"):
        tx = run(play, nothing)
    assert (tx.state, tx.leaked_branch) == ("COMMITTED", play.tx)


def test_resolve(run: Any) -> None:
    lost_merge = [step("mergeIntoBranch", "r", C1, "dev", answer=lost()), step("logCommits", "r", "dev", answer=log())]
    play = Steps(*good()[:4], *lost_merge * 3)
    with pytest.raises(errors.TransactionOutcomeUnknown) as caught:
        run(play, nothing)
    tx = caught.value.tx  # type: ignore[attr-defined]
    op_id = caught.value.op_id
    play.steps = [step("logCommits", "r", "dev", answer=log(commit(C2, op_id))), good()[-1]]
    found = asyncio.run(tx.resolve()) if run is run_aio else tx.resolve()
    assert (found, tx.state, tx.merge_commit_id) == ("COMMITTED", "COMMITTED", C2)


@pytest.mark.parametrize("kind", [blocking.BranchTransaction, aio.BranchTransaction])
def test_nothing_is_read_or_written_before_and_after(kind: Any) -> None:
    tx = kind("r", "dev", FAKES[kind](Steps()), commit_message="m")

    def use() -> Any:
        found = tx.upload(b"x", "a")
        return asyncio.run(found) if asyncio.iscoroutine(found) else found

    with pytest.raises(errors.TransactionStateError, match="enter it first"):
        use()
    tx._tx.state = "COMMITTED"
    with pytest.raises(errors.TransactionStateError, match="a transaction is used once"):
        use()


@pytest.mark.parametrize("kind", [blocking.BranchTransaction, aio.BranchTransaction])
def test_what_a_transaction_is_and_is_not(kind: Any) -> None:
    tx = kind("r", "dev", FAKES[kind](Steps()), commit_message="m")
    for name in ("commit", "commit_changes", "merge_into", "delete", "reset", "transaction", "revert"):
        assert not hasattr(tx, name)
    for name in ("upload", "download", "open", "list_objects", "stat_object", "delete_objects", "copy_object"):
        assert hasattr(tx, name)
    with pytest.raises(TypeError, match=r"tx\.handle"):
        pickle.dumps(tx)
    handle = kind("r", "dev", None, commit_message="m").handle()
    assert pickle.loads(pickle.dumps(handle)) == handle
    assert not hasattr(handle, "commit_changes")
    with pytest.raises(ValueError, match="on_empty"):
        kind("r", "dev", None, on_empty="perhaps")
