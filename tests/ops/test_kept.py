"""Kept transactions: the requests that inspect, resume and collect them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import msgspec
import pytest

from lakefs_hl.ops import ephemeral, kept, transaction
from lakefs_hl.ops.kept import Kept
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.models import Diff
from tests.ops.script import C0, C1, C2, NOW, Answer, Play, Step, commit, lost, no, ok, page, ref, session, step

DAY = 86_400.0


def tx_id(age: float = 0.0, last: int = 0) -> str:
    return ephemeral.make_id(int((NOW - age) * 1e9), bytes([0] * 7 + [last]))


ID = tx_id()
NAME = ephemeral.name_of("dev", ID)
OWN = commit(C1, f"{ID}-commit", message="mine")
GONE = no(404, "branch not found")


def staged(*changes: Diff, branch: str = NAME.branch) -> Step:
    return step("diffBranch", "r", branch, answer=page(*changes), query={"amount": "1"})


def headed(record: models.Commit) -> Step:
    return step("getCommit", "r", record.id, answer=ok(record))


def based(head: str, base: str) -> Step:
    return step("findMergeBase", "r", head, "dev", answer=ok(models.MergeBase(C2, head, base)))


def listed(*rows: models.Ref, more: str = "", **query: str) -> Step:
    asked = {"amount": "100", "prefix": "tx-", "show_hidden": "true", **query}
    return step("listBranches", "r", answer=page(*rows, after=more), query=asked)


def dropped(branch: str = NAME.branch, answer: Answer | None = None) -> Step:
    return step("deleteBranch", "r", branch, answer=answer or ok())


CHANGE = Diff("added", "a", "object")
EMPTY = [staged(), headed(commit(C0)), based(C0, C0)]
STAGED = [staged(CHANGE), headed(commit(C0)), based(C0, C0)]
COMMITTED = [staged(), headed(OWN), based(C1, C0)]
MERGED = [staged(), headed(OWN), based(C1, C1)]


def look(head: str = C0) -> Any:
    return kept.look(session(), "r", NAME, head)


@pytest.mark.parametrize(
    ("steps", "head", "found"),
    [
        (EMPTY, C0, Kept(NAME, C0, C0, "empty")),
        (STAGED, C0, Kept(NAME, C0, C0, "staged")),
        (COMMITTED, C1, Kept(NAME, C1, C0, "committed", True, "mine", "me")),
        (MERGED, C1, Kept(NAME, C1, C1, "merged", True, "mine", "me")),
        ([staged(), headed(commit(C1)), based(C1, C0)], C1, Kept(NAME, C1, C0, "committed", False, "m", "me")),
        ([staged(CHANGE), headed(OWN), based(C1, C1)], C1, Kept(NAME, C1, C1, "staged", True, "mine", "me")),
    ],
    ids=["empty", "staged", "committed", "merged", "a worker's commit", "staged after the merge"],
)
def test_states_of_a_branch(steps: list[Step], head: str, found: Kept) -> None:
    assert Play(*steps).run(look(head)) == found


@pytest.mark.parametrize("steps", [[staged()._replace(answer=GONE)], [staged(), headed(OWN)._replace(answer=GONE)]])
def test_a_branch_that_does_not_exist(steps: list[Step]) -> None:
    assert Play(*steps).run(look(C1)) is None


def test_a_missing_destination_has_no_commits() -> None:
    found = Play(staged(), headed(OWN), based(C1, C0)._replace(answer=GONE)).run(look(C1))
    assert found is not None
    assert (found.state, found.base) == ("committed", "")


def test_a_page_omits_branches_of_other_names() -> None:
    rows = [models.Ref("tx-mine", C0), models.Ref(NAME.branch, C0)]
    found = Play(listed(*rows, more="tx-z"), *EMPTY).run(kept.page(session(), "r", "", 1000))
    assert [one.name for one in found.results] == [NAME]
    assert (found.pagination.has_more, found.pagination.next_offset) == (True, "tx-z")


def test_ages() -> None:
    assert Kept(NAME, C0, C0, "empty").age(NOW + 60) == 60.0
    assert Kept(NAME, C0, C0, "empty").age(NOW - 60) == 0.0  # the other machine's clock is ahead
    assert Kept(ephemeral.name_of("dev", "0" * 32), C0, C0, "empty").age(NOW) is None


# -- resume -----------------------------------------------------------------------------------------------------------


def make(**options: Any) -> transaction.Tx:
    plan = {"repository": "r", "destination": "dev", "tx_id": ID, "message": "", **options}
    return transaction.Tx(transaction.Plan(**plan))


def resume(tx: transaction.Tx) -> Any:
    return kept.resume(session(search=0.0), tx, NOW)


def at(head: str) -> Step:
    return step("getBranch", "r", NAME.branch, answer=ref(NAME.branch, head))


def logged(*commits: models.Commit, after: str = "", start: str = "") -> Step:
    answer = ok(models.CommitPage(models.Pagination(bool(after), after, len(commits), 1000), list(commits)))
    query = {"amount": "1000", "first_parent": "true", **({"after": start} if start else {})}
    return step("logCommits", "r", "dev", answer=answer, query=query)


MERGE = commit(C2, f"{ID}-merge")


@pytest.mark.parametrize("steps", [EMPTY, STAGED], ids=["empty", "staged"])
def test_resume_opens_one_whose_block_had_not_ended(steps: list[Step]) -> None:
    tx = make(message="again")
    Play(at(C0), *steps).run(resume(tx))
    assert (tx.state, tx.base, tx.kept, tx.empty, tx.plan.message) == ("OPEN", C0, True, None, "again")


def test_resume_opens_one_that_a_worker_committed_to() -> None:
    tx = make()
    Play(at(C1), staged(), headed(commit(C1)), based(C1, C0)).run(resume(tx))
    assert (tx.state, tx.base) == ("OPEN", C0)


def test_resume_merges_with_the_message_of_the_commit() -> None:
    tx = make()
    own = commit(C1, f"{ID}-commit", message="mine")
    own.metadata["k"] = "v"
    body = {"message": "mine", "metadata": {"k": "v", "lakefs_hl.op_id": f"{ID}-merge"}}
    merge = step("mergeIntoBranch", "r", C1, "dev", answer=ok(models.MergeResult(C2)), body=body)
    Play(at(C1), staged(), headed(own), based(C1, C0), merge, dropped()).run(resume(tx))
    assert (tx.state, tx.merge_commit, tx.kept) == ("COMMITTED", C2, False)


def test_a_rejected_resume_keeps_the_branch() -> None:
    tx = make()
    refused = step("mergeIntoBranch", "r", C1, "dev", answer=no(412, "pre-merge hook aborted"))
    Play(at(C1), *COMMITTED, refused).fails(resume(tx), errors.TransactionMergeError, "is kept")
    assert (tx.state, tx.kept) == ("ABORTED", True)


def test_resume_finds_an_old_merge() -> None:
    tx = make(tag="v1")
    tag = step("createTag", "r", answer=ok(models.Ref("v1", C2), 201), body={"id": "v1", "ref": C2})
    later = msgspec.structs.replace(commit("9" * 64), creation_date=int(NOW))
    Play(at(C1), *MERGED, logged(later, after="x"), logged(MERGE, start="x"), tag, dropped()).run(resume(tx))
    assert (tx.state, tx.merge_commit) == ("COMMITTED", C2)


def test_resume_stops_reading_the_log_at_the_start_of_the_transaction() -> None:
    tx = make()
    old = commit(C0)  # of 1970
    Play(at(C1), *MERGED, logged(old, after="x"), dropped()).run(resume(tx))
    assert (tx.state, tx.merge_commit) == ("COMMITTED", None)  # merged by hand


def test_resume_cannot_tag_a_merge_of_others() -> None:
    tx = make(tag="v1")
    error = Play(at(C1), *MERGED, logged()).fails(resume(tx), errors.TransactionException, "cannot be tagged 'v1'")
    assert (error.state, tx.kept) == ("COMMITTED", True)


def test_resume_of_a_deleted_branch() -> None:
    gone = at(C0)._replace(answer=GONE)
    tx = make()
    Play(gone, logged(MERGE), dropped(answer=GONE)).run(resume(tx))
    assert (tx.state, tx.merge_commit) == ("COMMITTED", C2)
    tx = make()
    error = Play(gone, logged()).fails(resume(tx), errors.TransactionStartError, "it was discarded")
    assert (error.state, error.branch, tx.state) == ("ABORTED", NAME.branch, "ABORTED")


# -- discard and collect ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [ok(), GONE])
def test_discard(answer: Answer) -> None:
    Play(dropped(answer=answer)).run(kept.discard(session(), "r", NAME.branch))


def collect(*, older_than: float = DAY, dry_run: bool = False) -> Any:
    return kept.collect(session(), "r", NOW, older_than, dry_run=dry_run)


def named(name: str, steps: list[Step]) -> list[Step]:
    """Return the same steps for another branch, whose commit is not its own."""
    return [one._replace(params=("r", name)) if one.operation == "diffBranch" else one for one in steps]


def test_a_collection() -> None:
    old, new = (ephemeral.name_of("dev", tx_id(age)).branch for age in (DAY, DAY - 1))
    unknown = "tx-dev-" + "4" * 32
    rows = [models.Ref(old, C0), models.Ref(new, C0), models.Ref(unknown, C0)]
    steps = [listed(*rows, more="tx-e"), *named(old, STAGED), dropped(old), *named(new, STAGED)]
    steps += [*named(unknown, EMPTY), listed(models.Ref(NAME.branch, C1), after="tx-e"), *MERGED, dropped()]
    found = Play(*steps).run(collect())
    assert found.deleted == {old: "uncommitted changes; it began 86,400 s ago", NAME.branch: "merged into 'dev'"}
    assert found.kept == {
        new: "uncommitted changes; it began 86,399 s ago",
        unknown: "no changes; its name has no start time",
    }


def test_a_name_with_a_future_time_has_no_age() -> None:
    """A hash in a name can look like an ID with a time far in the future."""
    future = ephemeral.name_of("dev", tx_id(-2 * DAY)).branch
    found = Play(listed(models.Ref(future, C0)), *named(future, STAGED)).run(collect(older_than=0.0))
    assert found.kept == {future: "uncommitted changes; its name has no start time"}
    ahead = ephemeral.name_of("dev", tx_id(-60.0)).branch  # by a clock that is slightly ahead
    found = Play(listed(models.Ref(ahead, C0)), *named(ahead, STAGED), dropped(ahead)).run(collect(older_than=0.0))
    assert found.deleted == {ahead: "uncommitted changes; it began 0 s ago"}


def test_a_kept_transaction_is_pickled_and_copied() -> None:
    for one in (Kept(NAME, C0, C0, "empty"), Kept(NAME, C1, C0, "committed", True, "mine", "me", {"a": "1"})):
        assert pickle.loads(pickle.dumps(one)) == one == copy.deepcopy(one)


def test_a_dry_collection_deletes_nothing() -> None:
    found = Play(listed(models.Ref(NAME.branch, C1)), *MERGED).run(collect(dry_run=True))
    assert set(found.deleted) == {NAME.branch}


def test_a_collection_reports_what_it_could_not_delete() -> None:
    rows = [
        models.Ref(NAME.branch, C1),
        models.Ref("tx-dev-" + tx_id(0, 1), C1),
        models.Ref("tx-dev-" + tx_id(0, 2), C1),
    ]
    blind = staged(branch=rows[1].id)._replace(answer=no(403, "hidden from you"))
    gone = staged(branch=rows[2].id)._replace(answer=GONE)
    found = Play(listed(*rows), *MERGED, dropped(answer=no(403, "not yours")), blind, gone).run(collect())
    assert found.deleted == {}
    assert set(found.kept) == {rows[0].id, rows[1].id}
    assert "merged into 'dev', but: " in found.kept[rows[0].id]
    assert "not yours" in found.kept[rows[0].id]
    assert "its content is unknown, but: " in found.kept[rows[1].id]


def test_a_collection_reports_an_unreachable_server() -> None:
    Play(*[listed()._replace(answer=lost())] * 5).fails(collect(), errors.TransportException)
