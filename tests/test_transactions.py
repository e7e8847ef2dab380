"""Transactions in both colours, over scripted responses: what leaving the block does, and what it raises."""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import Callable
from typing import Any

import pytest
from pytest_mock import MockerFixture

import lakefs_hl.aio.transactions as aio
from lakefs_hl import Client
from lakefs_hl._sync import transactions as blocking
from lakefs_hl.aio.client import Client as AioClient
from lakefs_hl.ops import ephemeral
from lakefs_hl.ops.auth import basic
from lakefs_hl.ops.retry import Policy, Session
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

    def _run(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        return self.play._drive(call(self._session, *args, **kwargs))


class FakeAio(AioClient):
    def __init__(self, play: Steps) -> None:
        self.play = play
        self._session = session(search=0.0)

    async def _run(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return self.play._drive(call(self._session, *args, **kwargs))


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


#: What is looked at on the ephemeral branch after a failure.
WORK = step("diffBranch", "r", "TX", answer=page(models.Diff("added", "a", "object")))


def nothing(_: Any) -> None:
    pass


def test_a_successful_block_is_merged(run: Any) -> None:
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
    play = Steps(*good()[:3], WORK)

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
    play = Steps(*good()[:3], WORK)

    def body(_: Any) -> None:
        raise interrupt

    with pytest.raises(interrupt) as caught:
        run(play, body)
    play.close()
    assert f"branch '{play.tx}' is kept" in caught.value.__notes__[0]


def test_the_branch_of_a_failed_block_is_deleted_only_on_request(run: Any) -> None:
    play = Steps(*good()[:3], step("deleteBranch", "r", "TX", answer=ok()))

    def body(_: Any) -> None:
        raise ValueError

    with pytest.raises(errors.TransactionException, match="was deleted"):
        run(play, body, delete_on_error=True)
    play.close()


def test_a_leaked_branch_is_a_warning(run: Any) -> None:  # B8.75
    play = Steps(*good()[:-1], step("deleteBranch", "r", "TX", answer=no(403, "no")))
    with pytest.warns(RuntimeWarning, match="is left over"):
        tx = run(play, nothing)
    assert (tx.state, tx.leaked_branch) == ("COMMITTED", play.tx)


def test_resolve_finds_out_whether_the_merge_was_applied(run: Any) -> None:
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
def test_a_transaction_is_used_inside_its_block_only(kind: Any) -> None:
    tx = kind("r", "dev", FAKES[kind](Steps()), commit_message="m")

    def use() -> Any:
        found = tx.upload(b"x", "a")
        return asyncio.run(found) if asyncio.iscoroutine(found) else found

    with pytest.raises(errors.TransactionStateError, match="enter it first"):
        use()
    tx._tx.state = "COMMITTED"
    with pytest.raises(errors.TransactionStateError, match="a transaction can be used once"):
        use()


@pytest.mark.parametrize("kind", [blocking.BranchTransaction, aio.BranchTransaction])
def test_a_transaction_reads_and_writes_but_has_no_branch_operations(kind: Any) -> None:
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


# -- interruptions that land outside the op, where only the face can see to what is left -------------------------------


class Strikes:
    """Runs that end well, and are then interrupted: the first `times` of them."""

    play: Steps
    _session: Session

    def __init__(self, play: Steps, times: int, where: str = "") -> None:
        self.play = play
        self.times = times
        self._session = Session(basic("AKEY", "s3cr3t"), Policy(search=0.0), endpoint=where)

    def _strike(self, call: Any, *args: Any) -> Any:
        done = self.play._drive(call(self._session, *args))
        self.times -= 1
        if self.times >= 0:
            raise KeyboardInterrupt
        return done


class Striking(Strikes, Fake):
    def _run(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        return self._strike(call, *args)


class StrikingAio(Strikes, FakeAio):
    async def _run(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return self._strike(call, *args)


BARE = [step("diffBranch", "r", "TX", answer=page()), step("getBranch", "r", "TX", answer=ref("TX", C0))]
DROPPED = step("deleteBranch", "r", "TX", answer=ok())


def begun(client: Striking) -> Any:
    tx = blocking.BranchTransaction("r", "dev", client, commit_message="do things")
    client.play.tx = tx.id
    return tx


@pytest.mark.parametrize("times", [1, 2, 5])
def test_in_process_an_interruption_after_the_branch_was_made_deletes_it(times: int) -> None:
    client = Striking(Steps(*good()[:3], *BARE, DROPPED), times)
    tx = begun(client)
    with pytest.raises(KeyboardInterrupt):
        tx.__enter__()
    client.play.close()
    assert (tx.state, tx._tx.kept, client.times) == ("ABORTED", False, -1)


def test_over_a_network_a_second_interruption_ends_the_settling() -> None:
    client = Striking(Steps(*good()[:3], *BARE, DROPPED), 9, where="http://lake")
    tx = begun(client)
    with pytest.raises(KeyboardInterrupt):
        tx.__enter__()
    assert client.times == 7


def test_an_interruption_before_the_end_had_begun_ends_the_transaction(mocker: MockerFixture) -> None:
    client = Striking(Steps(*good()[:3], WORK), 0)
    tx = begun(client)
    tx.__enter__()
    mocker.patch.object(type(tx), "_discard_open_files", side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        tx.__exit__(None, None, None)
    client.play.close()
    assert tx.state == "ABORTED"
    assert f"branch '{tx.id}' is kept" in caught.value.__notes__[0]


def test_an_interruption_after_the_merge_is_reported_as_committed() -> None:
    client = Striking(Steps(*good()), 0)
    tx = begun(client)
    tx.__enter__()
    client.times = 1
    with pytest.raises(KeyboardInterrupt) as caught:
        tx.__exit__(None, None, None)
    client.play.close()
    assert tx.state == "COMMITTED"
    assert C2 in caught.value.__notes__[0]


def test_an_interruption_outside_the_op_settles_an_awaitable_transaction() -> None:
    client = StrikingAio(Steps(*good()[:3], *BARE, DROPPED), 1)
    tx = aio.BranchTransaction("r", "dev", client, commit_message="do things")
    client.play.tx = tx.id
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(tx.__aenter__())
    client.play.close()
    assert (tx.state, tx._tx.kept) == ("ABORTED", False)


def test_the_name_of_a_branch_holds_the_start_time() -> None:
    before = time.time()
    name = ephemeral.parse(blocking.BranchTransaction("r", "dev", None).id)
    assert name is not None
    assert name.started is not None
    assert before - 0.001 <= name.started <= time.time()
