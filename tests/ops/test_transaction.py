"""Transactions, every row of the failure matrix: what is sent, what is raised, and the outcome."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.ops import transaction
from lakefs_hl.ops.auth import basic
from lakefs_hl.ops.effects import Cancelled, Op
from lakefs_hl.ops.retry import Policy, Session
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.models import Diff
from lakefs_hl.spec.refusals import meaning_of
from lakefs_hl.spec.wire import Response
from tests.ops.script import (
    C0,
    C1,
    C2,
    C3,
    JSON,
    NOW,
    Answer,
    Play,
    Step,
    commit,
    down,
    log,
    lost,
    no,
    ok,
    page,
    ref,
    session,
    silent,
    step,
)

ID = "f" * 32
TX = f"tx-dev-{ID}"
NO_CHANGES = no(400, "commit: no changes")
INTERRUPTS = [KeyboardInterrupt, SystemExit, Cancelled]


def make(state: str = "OPEN", **options: Any) -> transaction.Tx:
    plan = transaction.Plan(**{"repository": "r", "destination": "dev", "tx_id": ID, "message": "do things", **options})
    tx = transaction.Tx(plan)
    tx.state, tx.base, tx.kept = state, C0, state == "OPEN"
    return tx


def begin(tx: transaction.Tx) -> Op[None]:
    return transaction.begin(session(), tx)


def finish(tx: transaction.Tx, **policy: Any) -> Op[None]:
    return transaction.finish(session(**policy), tx, NOW)


def in_process() -> Session:
    return Session(basic("AKEY", "s3cr3t"), Policy(search=0.0, search_final=0.0))


COMMITTED, MERGED, DELETED = ok(commit(C1), 201), ok(models.MergeResult(C2)), ok()
HEAD = step("getBranch", "r", "dev", answer=ref("dev", C0))
CLEAN = step("diffBranch", "r", "dev", answer=page(), query={"amount": "1"})


def forked(answer: Answer) -> Step:
    return step("createBranch", "r", answer=answer, body={"name": TX, "source": C0, "hidden": True})


def committed(answer: Answer = COMMITTED, **extra: Any) -> Step:
    body = {"message": "do things", "metadata": {"lakefs_hl.op_id": f"{ID}-commit"}, **extra}
    return step("commit", "r", TX, answer=answer, body=body)


def merged(answer: Answer = MERGED, source: str = C1, **extra: Any) -> Step:
    body = {"message": "do things", "metadata": {"lakefs_hl.op_id": f"{ID}-merge"}, **extra}
    return step("mergeIntoBranch", "r", source, "dev", answer=answer, body=body)


def dropped(answer: Answer = DELETED) -> Step:
    return step("deleteBranch", "r", TX, answer=answer)


def looked(*commits: models.Commit, branch: str = "dev") -> Step:
    return step("logCommits", "r", branch, answer=log(*commits))


def tagged(answer: Answer) -> Step:
    return step("getTag", "r", "v1", answer=answer)


#: Look-ups of the ephemeral branch after a failure.
WORK = step("diffBranch", "r", TX, answer=page(Diff("added", "a", "object")), query={"amount": "1"})
BARE = step("diffBranch", "r", TX, answer=page(), query={"amount": "1"})
UNMOVED = step("getBranch", "r", TX, answer=ref(TX, C0))
MOVED = step("getBranch", "r", TX, answer=ref(TX, C3))
NO_TAG = tagged(no(404, "tag not found"))
FOUND = commit(C2, f"{ID}-merge")


def check(error: Any, state: str, branch: str = TX) -> None:
    assert (error.state, error.branch) == (state, branch)


# -- success ----------------------------------------------------------------------------------------------------------


def test_the_whole_protocol_in_order() -> None:
    tx = make("NEW", tag="v1", metadata={"k": "v"}, strategy="source-wins")
    Play(HEAD, CLEAN, NO_TAG, forked(ok(C0, 201))).run(begin(tx))
    assert (tx.state, tx.base, tx.kept) == ("OPEN", C0, True)
    made = {"k": "v", "lakefs_hl.op_id": f"{ID}-commit"}
    joined = {"k": "v", "lakefs_hl.op_id": f"{ID}-merge"}
    Play(
        committed(metadata=made),
        NO_TAG,
        merged(metadata=joined, strategy="source-wins"),
        step("createTag", "r", answer=ok(models.Ref("v1", C2), 201), body={"id": "v1", "ref": C2}),
        dropped(),
    ).run(finish(tx))
    assert (tx.state, tx.merge_commit, tx.kept, tx.leaked_branch) == ("COMMITTED", C2, False, None)


def test_branch_names_are_unique() -> None:  # B8.80
    plan = make().plan
    assert plan.branch == TX
    assert len(plan.branch) == len("tx-dev-") + 32


# -- row 0: pin -------------------------------------------------------------------------------------------------------


def test_0_lost_is_retried() -> None:
    tx = make("NEW")
    Play(step("getBranch", "r", "dev", answer=lost()), HEAD, CLEAN, forked(ok(C0, 201))).run(begin(tx))


def test_0_a_missing_branch_is_reported_as_such() -> None:
    tx = make("NEW")
    steps = [step(name, "r", "dev", answer=no(404, "branch not found")) for name in ("getBranch", "getCommit")]
    Play(*steps).fails(begin(tx), errors.NotFoundException, "branch not found")
    assert tx.state == "NEW"


def test_0_a_dirty_destination_fails_early() -> None:  # B8.79
    tx = make("NEW")
    dirty = step("diffBranch", "r", "dev", answer=page(Diff("added", "a/b", "object")))
    error = Play(HEAD, dirty).fails(begin(tx), errors.TransactionStartError, "uncommitted changes \\('a/b' is one\\)")
    check(error, "ABORTED")


def test_0_an_existing_tag_fails_early() -> None:  # B8.76
    tx = make("NEW", tag="v1")
    error = Play(HEAD, CLEAN, tagged(ref("v1", C3))).fails(begin(tx), errors.TransactionStartError, "tag 'v1' exists")
    check(error, "ABORTED")


# -- row 1: the branch ------------------------------------------------------------------------------------------------


def test_1_lost_but_created() -> None:
    tx = make("NEW")
    taken = no(409, "branch already exists: not unique")
    back = step("getBranch", "r", TX, answer=ref(TX, C0))
    Play(HEAD, CLEAN, forked(lost()), forked(taken), back).run(begin(tx))
    assert tx.state == "OPEN"


@pytest.mark.parametrize("status", [403, 409, 412])
def test_1_rejected(status: int) -> None:
    tx = make("NEW")
    error = Play(HEAD, CLEAN, forked(no(status, "hook says no"))).fails(begin(tx), errors.TransactionStartError)
    check(error, "ABORTED")
    assert isinstance(error.__cause__, meaning_of(status).error)
    assert not tx.kept


def test_1_unknown() -> None:
    tx = make("NEW")
    gone = step("getBranch", "r", TX, answer=no(404, "branch not found"))
    Play(HEAD, CLEAN, *[forked(lost())] * 5, gone).fails(begin(tx), errors.TransactionStartError)
    assert tx.kept  # it may exist: the message names it


def test_1_a_server_without_hidden_branches() -> None:  # B8.80, B9.92
    tx = make("NEW")
    plain = step("createBranch", "r", answer=ok(C0, 201), body={"name": TX, "source": C0})
    play = Play(HEAD, CLEAN, forked(no(400, "unknown field hidden")), plain)
    play._drive(begin(tx))
    assert (play.steps, tx.state) == ([], "OPEN")


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_1_interrupted(interrupt: type[BaseException]) -> None:
    tx = make("NEW")
    Play(HEAD, CLEAN, forked(interrupt()), dropped()).fails(begin(tx), interrupt)
    assert (tx.state, tx.kept) == ("ABORTED", False)


# -- row 2: the block -------------------------------------------------------------------------------------------------


def test_2_an_exception_keeps_the_branch_and_names_it() -> None:
    tx = make()
    Play(WORK).run(transaction.abandon(session(), tx))
    error = transaction.block_error(tx, KeyError("k"))
    check(error, "ABORTED")
    assert str(error) == f"transaction failed: KeyError: 'k'; lakefs://r/dev is unchanged; branch '{TX}' is kept"


def test_2_a_branch_without_changes_is_deleted() -> None:
    tx = make()
    play = Play(BARE, UNMOVED, dropped())
    play.run(transaction.abandon(session(), tx))
    assert (tx.state, tx.kept) == ("ABORTED", False)
    assert sum(request.within or 99.0 for request in play.sent) == 5.0  # all of it, not each


def test_2_a_branch_with_a_commit_of_others_is_kept() -> None:
    tx = make()
    Play(BARE, MOVED).run(transaction.abandon(session(), tx))
    assert tx.kept


@pytest.mark.parametrize("answer", [no(403, "no"), silent(1.0)])
def test_2_a_branch_that_cannot_be_checked_is_kept(answer: Answer) -> None:
    tx = make()
    play = Play(*[step("diffBranch", "r", TX, answer=answer)] * 5)
    play._drive(transaction.abandon(session(), tx))
    assert (tx.state, tx.kept) == ("ABORTED", True)
    assert {request.endpoint.operation for request in play.sent} == {"diffBranch"}


def test_2_a_deleted_branch_is_not_reported_as_kept() -> None:
    tx = make()
    Play(step("diffBranch", "r", TX, answer=no(404, "branch not found"))).run(transaction.abandon(session(), tx))
    assert not tx.kept


def test_2_files_that_were_not_closed_are_named() -> None:
    tx = make()
    Play(WORK).run(transaction.abandon(session(), tx))
    error = transaction.unclosed_error(tx, [f"lakefs://r/{TX}/{number}" for number in range(7)], "async with")
    check(error, "ABORTED")
    assert "`async with tx.open(path, 'w')" in str(error)
    assert f"are not closed: lakefs://r/{TX}/0, " in str(error)
    assert "and 2 more" in str(error)
    assert "with tx.open(path, 'w') as file" in str(error)
    assert f"branch '{TX}' is kept" in str(error)


def test_2_delete_on_error() -> None:
    tx = make(delete_on_error=True)
    play = Play(dropped())
    play.run(transaction.abandon(session(), tx))
    assert play.sent[0].within == 5.0
    assert "was deleted" in str(transaction.block_error(tx, ValueError()))


def test_2_a_clean_up_that_fails_never_hides_the_error() -> None:  # B8.75
    tx = make(delete_on_error=True)
    Play(dropped(no(403, "no"))).run(transaction.abandon(session(), tx))
    told = str(transaction.block_error(tx, ValueError("mine")))
    assert "ValueError: mine" in told
    assert f"branch '{TX}' is kept (it could not be deleted" in told
    tx = make(delete_on_error=True)
    Play(*[dropped(down())] * 5).run(transaction.abandon(session(), tx))
    assert tx.kept


def test_2_the_branch_was_deleted_by_others() -> None:
    tx = make(delete_on_error=True)
    Play(dropped(no(404, "branch not found"))).run(transaction.abandon(session(), tx))
    assert not tx.kept


# -- row 3: commit ----------------------------------------------------------------------------------------------------


def test_3_lost_but_committed() -> None:
    tx = make()
    Play(committed(lost()), looked(commit(C1, f"{ID}-commit"), branch=TX), merged(), dropped()).run(finish(tx))


def test_3_unknown() -> None:
    tx = make()
    steps = [committed(lost()), looked(branch=TX)] * 3
    error = Play(*steps).fails(finish(tx, search=0.0), errors.TransactionCommitError)
    check(error, "ABORTED")
    assert f"branch '{TX}' is kept" in str(error)
    assert isinstance(error.__cause__, errors.AmbiguousOutcomeError)


@pytest.mark.parametrize(
    ("status", "message"), [(412, "pre-commit hook aborted"), (403, "x"), (404, "branch not found")]
)
def test_3_rejected(status: int, message: str) -> None:
    tx = make()
    immutable = [step("getCommit", "r", TX, answer=no(404, "commit not found"))] if status == 404 else []
    play = Play(committed(no(status, message)), *immutable, WORK)
    error = play.fails(finish(tx), errors.TransactionCommitError, message)
    check(error, "ABORTED")
    assert (error.maybe_applied, tx.kept) == (False, True)
    assert "lakefs://r/dev is unchanged" in str(error)


def test_3_rejected_and_deleted() -> None:
    tx = make(delete_on_error=True)
    Play(committed(no(412, "x")), dropped()).fails(finish(tx), errors.TransactionCommitError, "was deleted")


def test_3_the_credentials_expired() -> None:  # row 2, token expiry
    expired = no(401, "error authenticating request")
    blind = step("diffBranch", "r", TX, answer=expired)
    error = Play(committed(expired), blind).fails(finish(make()), errors.TransactionCommitError)
    assert isinstance(error.__cause__, errors.NotAuthorizedException)


def test_3_no_changes_are_skipped() -> None:  # B8.77
    tx = make()
    Play(committed(NO_CHANGES), UNMOVED, dropped()).run(finish(tx))
    assert (tx.state, tx.merge_commit) == ("COMMITTED", None)


def test_3_no_changes_are_an_error() -> None:  # B8.77
    tx = make(on_empty="error")
    play = Play(committed(NO_CHANGES), UNMOVED, dropped())
    error = play.fails(finish(tx), errors.TransactionCommitError, "no changes")
    check(error, "ABORTED")
    assert "was deleted" in str(error)  # it has no changes


def test_3_no_changes_are_committed() -> None:  # B8.77
    tx = make(on_empty="commit")
    play = Play(committed(NO_CHANGES), UNMOVED, committed(allow_empty=True), merged(allow_empty=True), dropped())
    play._drive(finish(tx))  # the second commit is another request, with a flag
    assert (play.steps, tx.merge_commit) == ([], C2)


def test_3_what_a_worker_committed_is_merged() -> None:  # B8.77
    tx = make()
    Play(committed(NO_CHANGES), MOVED, merged(source=C3), dropped()).run(finish(tx))
    assert tx.merge_commit == C2


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_3_interrupted(interrupt: type[BaseException]) -> None:
    tx = make()
    error = Play(committed(interrupt()), WORK).fails(finish(tx), interrupt)
    assert (tx.state, tx.kept) == ("ABORTED", True)
    assert error.__notes__ == [
        f"transaction on lakefs://r/dev interrupted: lakefs://r/dev is unchanged; branch '{TX}' is kept"
    ]
    tx = make(delete_on_error=True)
    Play(committed(interrupt()), dropped()).fails(finish(tx), interrupt)
    assert not tx.kept
    tx = make()
    Play(committed(interrupt()), BARE, UNMOVED, dropped()).fails(finish(tx), interrupt)
    assert not tx.kept


# -- row 4: merge, the only commit point ------------------------------------------------------------------------------


def test_4_lost_but_merged() -> None:
    tx = make()
    Play(committed(), merged(lost()), looked(FOUND), dropped()).run(finish(tx))
    assert (tx.state, tx.merge_commit) == ("COMMITTED", C2)


def test_4_found_after_a_rejected_retry() -> None:
    tx = make()
    refused = merged(no(400, "update branch dev: no changes"))
    Play(committed(), merged(lost()), looked(), refused, looked(FOUND), dropped()).run(finish(tx, search=0.0))
    assert tx.state == "COMMITTED"


def test_4_an_unknown_outcome_always_keeps_the_branch() -> None:
    tx = make(delete_on_error=True)
    steps = [merged(lost()), looked()] * 3
    error = Play(committed(), *steps).fails(finish(tx, search=0.0), errors.TransactionOutcomeUnknown, "resolve\\(\\)")
    check(error, "UNKNOWN")
    assert error.maybe_applied is None
    assert error.op_id == f"{ID}-merge"
    assert tx.kept


def test_4_the_server_is_down_after_a_lost_response() -> None:
    tx = make()
    gone = [step("logCommits", "r", "dev", answer=down())] * 5
    check(Play(committed(), merged(lost()), *gone).fails(finish(tx), errors.TransactionOutcomeUnknown), "UNKNOWN")


def test_4_never_sent() -> None:
    tx = make()
    error = Play(committed(), *[merged(down())] * 3).fails(finish(tx), errors.TransactionMergeError)
    check(error, "ABORTED")
    assert tx.kept


def test_4_conflict_keeps_the_branch_and_lists_the_paths() -> None:  # B8.79
    tx = make()
    diff = step("diffRefs", "r", "dev", C1, answer=page(Diff("conflict", "a", "object")))
    conflict = merged(Response(409, JSON, b'{"reference":""}'))
    error = Play(committed(), conflict, diff).fails(finish(tx), errors.TransactionMergeError, "both sides changed a")
    check(error, "ABORTED")
    assert error.conflicts == ("a",)
    assert isinstance(error.__cause__, errors.MergeConflict)
    assert f"branch '{TX}' is kept" in str(error)


@pytest.mark.parametrize(
    ("status", "message"),
    [(400, "uncommitted changes (dirty branch)"), (412, "pre-merge hook aborted, run id 'x': no"), (403, "read-only")],
)
def test_4_rejected(status: int, message: str) -> None:  # B8.79
    tx = make()
    error = Play(committed(), merged(no(status, message))).fails(finish(tx), errors.TransactionMergeError)
    check(error, "ABORTED")
    assert message in str(error)
    assert tx.kept


def test_4_a_tag_created_meanwhile_is_found_before_the_merge() -> None:  # B8.76
    tx = make(tag="v1")
    error = Play(committed(), tagged(ref("v1", C3))).fails(finish(tx), errors.TransactionMergeError, "tag 'v1'")
    check(error, "ABORTED")


def test_4_commits_without_a_net_change() -> None:
    tx = make()
    Play(committed(), merged(no(400, "update branch dev: no changes")), dropped()).run(finish(tx))
    assert (tx.state, tx.merge_commit) == ("COMMITTED", None)
    tx = make(on_empty="error")
    Play(committed(), merged(no(400, "update branch dev: no changes"))).fails(finish(tx), errors.TransactionMergeError)


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_4_interrupted_and_found(interrupt: type[BaseException]) -> None:
    tx = make()
    error = Play(committed(), merged(interrupt()), looked(FOUND), dropped()).fails(finish(tx), interrupt)
    assert (tx.state, tx.merge_commit, tx.kept) == ("COMMITTED", C2, False)
    assert C2 in error.__notes__[0]


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_4_interrupted_and_found_and_tagged(interrupt: type[BaseException]) -> None:
    tx = make(tag="v1")
    taken = step("createTag", "r", answer=no(409, "tag already exists: not unique"))
    play = Play(committed(), NO_TAG, merged(interrupt()), looked(FOUND), taken, tagged(ref("v1", C3)), dropped())
    error = play.fails(finish(tx), interrupt)
    assert "could not be tagged 'v1'" in error.__notes__[0]
    tx = make(tag="v1")
    made = step("createTag", "r", answer=ok(models.Ref("v1", C2), 201), body=MAKE_TAG)
    error = Play(committed(), NO_TAG, merged(interrupt()), looked(FOUND), made, dropped()).fails(finish(tx), interrupt)
    assert "could not" not in error.__notes__[0]


@pytest.mark.parametrize("interrupt", INTERRUPTS)
@pytest.mark.parametrize("look", [[looked()], [step("logCommits", "r", "dev", answer=Cancelled())]])
def test_4_interrupted_and_not_found(interrupt: type[BaseException], look: list[Step]) -> None:
    tx = make()
    error = Play(committed(), merged(interrupt()), *look).fails(finish(tx), interrupt)
    assert (tx.state, tx.kept) == ("UNKNOWN", True)
    assert "outcome unknown" in error.__notes__[0]


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_4_interrupted_in_process_and_not_found_is_not_merged(interrupt: type[BaseException]) -> None:
    tx = make()
    error = Play(committed(), merged(interrupt()), looked()).fails(transaction.finish(in_process(), tx, NOW), interrupt)
    assert (tx.state, tx.kept) == ("ABORTED", True)
    assert "lakefs://r/dev is unchanged" in error.__notes__[0]


@pytest.mark.parametrize(("log", "state"), [([], "ABORTED"), ([FOUND], "COMMITTED")])
def test_4_in_process_an_unknown_outcome_is_looked_up(log: list[models.Commit], state: str) -> None:
    tx = make(on_empty="commit")
    steps = [committed(), merged(no(500, "disk full")), looked(*log)]
    if state == "COMMITTED":
        Play(*steps, dropped()).run(transaction.finish(in_process(), tx, NOW))
    else:
        play = Play(*steps, looked())  # the retry layer's look-up, then that of the transaction
        play.fails(transaction.finish(in_process(), tx, NOW), errors.TransactionMergeError)
    assert tx.state == state


def test_settle_continues_after_an_interruption() -> None:
    tx = make()
    broken_off = [committed(), merged(KeyboardInterrupt()), step("logCommits", "r", "dev", answer=KeyboardInterrupt())]
    Play(*broken_off).fails(transaction.finish(in_process(), tx, NOW), KeyboardInterrupt)
    assert (tx.state, tx.settled) == ("UNKNOWN", False)
    Play(looked(FOUND), dropped()).run(transaction.settle(in_process(), tx, NOW))
    assert (tx.state, tx.settled, tx.kept) == ("COMMITTED", True, False)
    Play().run(transaction.settle(in_process(), tx, NOW))


@pytest.mark.parametrize("state", ["NEW", "OPEN"])
def test_settle_deletes_an_unused_branch(state: str) -> None:
    tx = make(state)
    tx.kept = True
    Play(BARE, UNMOVED, dropped()).run(transaction.settle(session(), tx, NOW))
    assert (tx.state, tx.kept) == ("ABORTED", False)


def test_settle_of_what_never_began_does_nothing() -> None:
    tx = make("NEW")
    Play().run(transaction.settle(session(), tx, NOW))
    assert tx.state == "NEW"


def test_4_interrupted_before_it_was_sent() -> None:
    tx = make(tag="v1")
    Play(committed(), tagged(KeyboardInterrupt())).fails(finish(tx), KeyboardInterrupt)
    assert tx.state == "ABORTED"


def test_4_a_closed_generator_sends_nothing() -> None:  # B8.75
    tx = make()
    op = finish(tx)
    next(op)
    op.close()
    assert tx.state == "OPEN"


# -- rows 5 and 6: afterwards nothing is undone -----------------------------------------------------------------------

MAKE_TAG = {"id": "v1", "ref": C2}


def test_5_lost_but_tagged() -> None:
    tx = make(tag="v1")
    Play(
        committed(),
        NO_TAG,
        merged(),
        step("createTag", "r", answer=lost()),
        step("createTag", "r", answer=no(409, "tag already exists: not unique")),
        tagged(ref("v1", C2)),
        dropped(),
    ).run(finish(tx))
    assert tx.state == "COMMITTED"


@pytest.mark.parametrize("status", [403, 409, 412])
def test_5_rejected(status: int) -> None:  # B8.76
    tx = make(tag="v1")
    refused = [step("createTag", "r", answer=no(status, "x"))]
    if status == 409:
        refused.append(tagged(ref("v1", C3)))
    error = Play(committed(), NO_TAG, merged(), *refused, dropped()).fails(finish(tx), errors.TransactionException)
    check(error, "COMMITTED")
    assert error.maybe_applied is True
    assert "could not be tagged 'v1'" in str(error)
    assert C2 in str(error)


@pytest.mark.parametrize("answer", [no(404, "branch not found"), ok()])
def test_6_a_branch_that_was_deleted_already(answer: Response) -> None:  # B8.75
    tx = make()
    Play(committed(), merged(), dropped(answer)).run(finish(tx))
    assert tx.leaked_branch is None


@pytest.mark.parametrize("answers", [[no(403, "x")], [down()] * 5])
def test_6_a_branch_that_cannot_be_deleted_is_not_a_failure(answers: list[Answer]) -> None:  # B8.75
    tx = make()
    Play(committed(), merged(), *[dropped(each) for each in answers]).run(finish(tx))
    assert (tx.state, tx.leaked_branch) == ("COMMITTED", TX)
    assert "could not be deleted" in tx.cleanup_error


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_6_interrupted(interrupt: type[BaseException]) -> None:
    tx = make()
    error = Play(committed(), merged(), dropped(interrupt()), dropped()).fails(finish(tx), interrupt)
    assert tx.state == "COMMITTED"
    assert "has the transaction" in error.__notes__[0]


# -- resolve, and what is not allowed ---------------------------------------------------------------------------------


def test_resolve_completes_the_transaction() -> None:
    tx = make("UNKNOWN", tag="v1")
    made = step("createTag", "r", answer=ok(models.Ref("v1", C2), 201), body=MAKE_TAG)
    play = Play(looked(), looked(FOUND), made, dropped())
    assert play.run(transaction.resolve(session(), tx, NOW)) == "COMMITTED"
    assert tx.merge_commit == C2


def test_resolve_that_finds_nothing_stays_unknown() -> None:
    tx = make("UNKNOWN")
    play = Play(*[looked()] * 19)
    assert play.run(transaction.resolve(session(), tx, NOW)) == "UNKNOWN"
    assert sum(wait for _, wait in play.slept) == pytest.approx(30.0)


def test_resolve_of_a_known_outcome_sends_nothing() -> None:
    assert Play().run(transaction.resolve(session(), make("ABORTED"), NOW)) == "ABORTED"


@pytest.mark.parametrize("state", ["OPEN", "COMMITTED", "ABORTED", "UNKNOWN"])
def test_a_transaction_is_entered_once(state: str) -> None:  # B8.81
    Play().fails(begin(make(state)), errors.TransactionStateError, "a transaction can be used once")


@pytest.mark.parametrize("state", ["NEW", "COMMITTED", "ABORTED", "UNKNOWN"])
def test_a_transaction_ends_once(state: str) -> None:
    Play().fails(finish(make(state)), errors.TransactionStateError)
    Play().fails(transaction.abandon(session(), make(state)), errors.TransactionStateError)


# retries, and another source


@pytest.mark.parametrize(
    "refusal",
    [no(429, "too many attempts"), no(400, "uncommitted changes (dirty branch)"), no(500, "predicate failed")],
    ids=["busy", "dirty", "race"],
)
def test_4_a_temporary_rejection_is_retried(refusal: Response) -> None:
    tx = make(retries=2)
    play = Play(committed(), merged(refusal), merged(refusal), merged(), dropped())
    play.run(finish(tx, logged_attempts=1))
    assert [upto for upto, _ in play.slept] == [1.0, 2.0]
    assert (tx.state, tx.merge_commit) == ("COMMITTED", C2)


def test_4_retries_are_limited() -> None:
    tx = make(retries=1)
    dirty = no(400, "uncommitted changes (dirty branch)")
    play = Play(committed(), merged(dirty), merged(dirty))
    play.fails(finish(tx), errors.TransactionMergeError, "dirty branch")
    assert tx.state == "ABORTED"


def test_4_a_conflict_is_not_retried() -> None:
    tx = make(retries=3)
    conflict = step("diffRefs", "r", "dev", C1, answer=page(Diff("conflict", "a", "object")))
    play = Play(committed(), merged(Response(409, JSON, b'{"reference":""}')), conflict)
    play.fails(finish(tx), errors.TransactionMergeError, "both sides changed a")


def test_1_from_another_source() -> None:
    tx = make("NEW", source="v1")
    start = step("getCommit", "r", "v1", answer=ok(commit(C3)))
    fork = step("createBranch", "r", answer=ok(C3, 201), body={"name": TX, "source": C3, "hidden": True})
    Play(HEAD, CLEAN, start, fork).run(begin(tx))
    assert (tx.state, tx.base) == ("OPEN", C3)


# -- where a lost merge is searched for -- -----------------------------------------------------------------------------


def test_a_lost_merge_is_searched_for_down_to_the_start_of_the_transaction() -> None:
    down = {"amount": "100", "first_parent": "true", "stop_at": C0}
    found = step("logCommits", "r", "dev", answer=log(FOUND, commit(C0)), query=down)
    tx = make()
    Play(committed(), merged(lost()), found, dropped()).run(finish(tx))
    assert (tx.state, tx.merge_commit) == ("COMMITTED", C2)
    tx = make("UNKNOWN")
    Play(found, dropped()).run(transaction.resolve(session(), tx, NOW))
    assert tx.state == "COMMITTED"


def test_a_transaction_from_another_source_records_the_destinations_head() -> None:
    tx = make(source="v1")
    Play(committed(), HEAD, merged(), dropped()).run(finish(tx))
    assert tx.state == "COMMITTED"


def test_a_transaction_needs_no_look_up_of_the_head() -> None:
    play = Play(committed(), merged(), dropped())
    play.run(finish(make()))
    assert [request.endpoint.operation for request in play.sent] == ["commit", "mergeIntoBranch", "deleteBranch"]
