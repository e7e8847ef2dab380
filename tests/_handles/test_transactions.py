"""Transactions: their arguments, their state, and those that were left behind."""

from __future__ import annotations

import pickle
import uuid
from types import SimpleNamespace
from typing import Any
from weakref import WeakSet

import pytest
from pytest_mock import MockerFixture

from lakefs_hl._handles import transactions as calls
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.transactions import SETTLING_TRIES, TransactionFields, new_id, plan
from lakefs_hl.ops import transaction as ops
from tests.ops.script import session

AT = Handle("example", "main")


def planned(**given: Any) -> Any:
    every: dict[str, Any] = {"commit_message": "m", "metadata": None, "tag": None, "strategy": None, "on_empty": "skip"}
    every |= {"delete_on_error": True, "retries": 3}
    return plan(AT, **{**every, **given})


def test_arguments_become_a_plan() -> None:
    tx = planned(metadata={"k": "v"}, tag="v1", strategy="dest-wins", source_ref="dev", tx_id="a" * 32)
    found = tx.plan
    assert (found.repository, found.destination, found.message, found.tx_id) == ("example", "main", "m", "a" * 32)
    assert (found.metadata, found.tag, found.strategy, found.source) == ({"k": "v"}, "v1", "dest-wins", "dev")
    assert (found.on_empty, found.retries, found.delete_on_error, tx.state) == ("skip", 3, True, "NEW")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"commit_message": None}, "commit_message"),
        ({"metadata": {1: "v"}}, "metadata"),
        ({"tag": 1}, "tag"),
        ({"strategy": "ours"}, "strategy"),
        ({"on_empty": "ignore"}, "on_empty"),
        ({"delete_on_error": "yes"}, "delete_on_error"),
        ({"retries": -1}, "retries"),
        ({"source_ref": 1}, "source_ref"),
    ],
)
def test_an_argument_is_refused_by_its_name(given: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        planned(**given)


def test_an_id_is_a_uuid_of_version_7_that_sorts_by_time() -> None:
    ids = [new_id() for _ in range(3)]
    assert [uuid.UUID(found).version for found in ids] == [7, 7, 7]
    assert len(set(ids)) == 3
    assert [found[:8] for found in ids] == sorted(found[:8] for found in ids)


def fields(tx: Any) -> TransactionFields:
    made = TransactionFields()
    made._adopt(tx)
    return made


def test_a_transaction_writes_to_its_own_branch_and_stays_in_its_process() -> None:
    tx = planned()
    found = fields(tx)
    assert found._id == tx.plan.branch != "main"
    assert (found.source_branch_id, found.state, found.merge_commit_id, found.leaked_branch) == (
        "main",
        "NEW",
        None,
        None,
    )
    assert repr(found).endswith(" NEW>")
    assert repr(TransactionFields()) == "<TransactionFields>"
    with pytest.raises(TypeError, match=r"stays in its process.*tx\.handle\(\)"):
        pickle.dumps(found)


def test_files_that_are_open_or_lost_are_discarded_and_named(mocker: MockerFixture) -> None:
    found = fields(planned())
    files = [mocker.Mock(closed=False), mocker.Mock(closed=True)]
    files[0].name, files[1].name = "b", "c"
    found._writers = WeakSet(files)
    found._lost = ["a"]
    assert found._discard_open_files() == ["a", "b"]
    files[0].discard.assert_called_once_with()
    files[1].discard.assert_not_called()


def test_a_block_ends_in_a_merge_or_keeps_the_branch(mocker: MockerFixture) -> None:
    finish, abandon = mocker.patch.object(ops, "finish"), mocker.patch.object(ops, "abandon")
    tx = planned()
    calls.end(session(), tx, None, [])
    assert (finish.call_count, abandon.call_count) == (1, 0)
    calls.end(session(), tx, RuntimeError("stop"), [])
    calls.end(session(), tx, None, ["a"])
    assert (finish.call_count, abandon.call_count) == (1, 2)


def test_what_a_failed_block_raises(mocker: MockerFixture) -> None:
    note = mocker.patch.object(ops, "note")
    tx = planned()
    assert calls.end_error(tx, None, [], "with") is None
    assert "a" in str(calls.end_error(tx, None, ["a"], "with"))
    assert calls.end_error(tx, RuntimeError("stop"), [], "with") is not None
    interrupt = KeyboardInterrupt()
    assert calls.end_error(tx, interrupt, [], "with") is None
    note.assert_called_once_with(tx, interrupt)


def test_an_interrupted_transaction_is_settled_again_and_again_in_process_only() -> None:
    tx: Any = SimpleNamespace(settled=False, unwound=False)
    local: Any = SimpleNamespace(remote=False)
    assert len(calls.settlement_tries(local, tx)) == SETTLING_TRIES
    assert len(calls.settlement_tries(session(), tx)) == 1
    tx.settled = True
    assert len(calls.settlement_tries(session(), tx)) == 0


def test_a_branch_that_is_left_over_warns_where_the_user_is() -> None:
    tx: Any = SimpleNamespace(leaked_branch="tx-1", outcome="merged", cleanup_error="busy")
    with pytest.warns(RuntimeWarning, match="merged; branch 'tx-1' is left over: busy") as caught:
        calls.warn_of_leak(tx)
    assert caught[0].filename == __file__
    tx.leaked_branch = None
    calls.warn_of_leak(tx)
