"""References: resolve, log, diff, merge."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from lakefs_hl.ops import refs
from lakefs_hl.ops.effects import Op
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.models import Diff
from lakefs_hl.spec.wire import Response
from tests.ops.script import C0, C1, C2, C3, JSON, NOW, Play, commit, head, log, lost, no, ok, page, session, step

S = session()
DONE = ok(models.MergeResult(C2))
PIN = step("getCommit", "r", "dev", answer=ok(commit(C1)))
CONFLICT = Response(409, JSON, b'{"reference":""}\n')


def merge(s: Any = S, source: str = "dev", **options: Any) -> Op[str]:
    return refs.merge(s, "r", source, "main", models.Merge(**options), op_id="op1", now=NOW)


def test_pin() -> None:
    assert Play(PIN).run(refs.pin(S, "r", "dev")) == C1
    assert Play().run(refs.pin(S, "r", C1)) == C1
    Play(step("getCommit", "r", C1[:10], answer=ok(commit(C1)))).run(refs.pin(S, "r", C1[:10]))


@pytest.mark.parametrize("name", ["main", "v1", "main~1", C1])
def test_head_is_the_first_commit_of_the_log_in_one_request(name: str) -> None:
    play = Play(step("logCommits", "r", name, answer=log(commit(C1)), query={"amount": "1"}))
    assert play.run(refs.head(S, "r", name)).id == C1


def test_the_head_of_a_missing_reference() -> None:
    play = Play(step("logCommits", "r", "dev", answer=no(404, "ref: not found")))
    error = play.fails(refs.head(S, "r", "dev"), errors.NotFoundException, "reading the log of lakefs://r/dev")
    assert error.kind is ErrorKind.REFERENCE_NOT_FOUND
    assert "there is no branch, tag or commit 'dev'" in str(error)
    play = Play(step("logCommits", "r", "dev", answer=no(404, "repository not found")))
    assert play.fails(refs.head(S, "r", "dev"), errors.NotFoundException).kind is ErrorKind.REPOSITORY_NOT_FOUND


def test_a_reference_without_a_commit_has_no_head() -> None:
    play = Play(step("logCommits", "r", "main", answer=log()))
    error = play.fails(refs.head(S, "r", "main"), errors.NotFoundException, "'main' has no commit")
    assert error.kind is ErrorKind.REFERENCE_NOT_FOUND


def test_log_page() -> None:
    play = Play(
        step(
            "logCommits",
            "r",
            "main",
            answer=log(commit(C1)),
            query={
                "amount": "9",
                "after": C2,
                "objects": ("a", "b"),
                "prefixes": ("p/",),
                "since": "2026-01-02T00:00:00+00:00",
                "stop_at": C0,
                "first_parent": "true",
            },
        )
    )
    since = datetime(2026, 1, 2, tzinfo=UTC)
    found = play.run(
        refs.log_page(
            S, "r", "main", C2, 9, objects=["a", "b"], prefixes=["p/"], since=since, stop_at=C0, first_parent=True
        )
    )
    assert found.results[0].id == C1
    Play(step("logCommits", "r", "main", answer=log(), query={"amount": "9"})).run(refs.log_page(S, "r", "main", "", 9))


def test_diff_page() -> None:
    query = {"amount": "5", "type": "two_dot", "after": "a", "prefix": "p", "delimiter": "/"}
    play = Play(step("diffRefs", "r", "a", "b", answer=page(), query=query))
    play.run(refs.diff_page(S, "r", "a", "b", "a", 5, prefix="p", delimiter="/", type="two_dot"))


def test_merge_base() -> None:
    play = Play(step("findMergeBase", "r", "a", "b", answer=ok(models.MergeBase(C1, C2, C0))))
    assert play.run(refs.merge_base(S, "r", "a", "b")).base_commit_id == C0


# merge


def test_merge_sends_the_commit_id_and_names_the_source() -> None:
    body = {"message": "Merge 'dev' into 'main'", "metadata": {"lakefs_hl.op_id": "op1"}}
    play = Play(PIN, head("main"), step("mergeIntoBranch", "r", C1, "main", answer=DONE, body=body))
    assert play.run(merge()) == C2


def test_merge_with_the_users_message() -> None:
    body = {"message": "mine", "metadata": {"k": "v", "lakefs_hl.op_id": "op1"}, "strategy": "dest-wins"}
    play = Play(PIN, head("main"), step("mergeIntoBranch", "r", C1, "main", answer=DONE, body=body))
    play.run(merge(message="mine", metadata={"k": "v"}, strategy="dest-wins"))


MERGED = step("mergeIntoBranch", "r", C1, "main", answer=DONE)


def merge_and_get(given: Any = None) -> Op[models.Commit]:
    return refs.merge_and_get(given or S, "r", "dev", "main", models.Merge(), op_id="op1", now=NOW)


def test_merge_and_get_returns_the_merge_commit() -> None:
    play = Play(PIN, head("main"), MERGED, step("getCommit", "r", C2, answer=ok(commit(C2))))
    assert play.run(merge_and_get()) == commit(C2)


def test_a_merge_commit_that_was_found_in_the_log_is_not_looked_up_again() -> None:
    lost_merge = step("mergeIntoBranch", "r", C1, "main", answer=lost())
    play = Play(PIN, head("main"), lost_merge, step("logCommits", "r", "main", answer=log(commit(C2, "op1"))))
    assert play.run(merge_and_get()).id == C2


def test_a_merge_is_not_reported_as_failed_if_its_commit_cannot_be_looked_up() -> None:
    play = Play(PIN, head("main"), MERGED, *[step("getCommit", "r", C2, answer=lost())] * 5)
    error = play.fails(merge_and_get(), errors.AmbiguousOutcomeError, f"it was done, and its result is {C2}")
    assert (error.maybe_applied, error.result_id) == (True, C2)
    assert "merging 'dev' into branch 'main' of lakefs://r" in str(error)
    assert "resolving lakefs://r/" in str(error)
    copied = pickle.loads(pickle.dumps(error))
    assert (copied.maybe_applied, copied.result_id) == (True, C2)


def test_a_refused_merge_and_get_is_refused_as_a_merge_is() -> None:
    refused = step("mergeIntoBranch", "r", C1, "main", answer=no(400, "update branch main: no changes"))
    play = Play(PIN, head("main"), refused)
    assert play.fails(merge_and_get(), errors.BadRequestException).kind is ErrorKind.NO_CHANGES


def test_a_conflict_names_its_paths() -> None:  # B8.79
    first = [Diff("conflict", "b", "object"), Diff("added", "c", "object")]
    second = [Diff("conflict", "a/x", "object")]
    play = Play(
        PIN,
        head("main"),
        step("mergeIntoBranch", "r", C1, "main", answer=CONFLICT),
        step(
            "diffRefs", "r", "main", C1, answer=page(*first, after="c"), query={"amount": "1000", "type": "three_dot"}
        ),
        step("diffRefs", "r", "main", C1, answer=page(*second)),
    )
    error = play.fails(merge(), errors.MergeConflict, "both sides changed a/x, b; nothing was merged")
    assert error.conflicts == ("a/x", "b")
    assert (error.status, error.maybe_applied, error.op_id) == (409, False, "op1")
    assert "source-wins" in str(error)


def test_at_most_a_thousand_conflicts_are_looked_up() -> None:
    rows = [Diff("conflict", f"{n:05}", "object") for n in range(1000)]
    play = Play(
        PIN,
        head("main"),
        step("mergeIntoBranch", "r", C1, "main", answer=CONFLICT),
        step("diffRefs", "r", "main", C1, answer=page(*rows, after="00999")),
    )
    error = play.fails(merge(), errors.MergeConflict, "and 995 more")
    assert len(error.conflicts) == 1000


def test_a_conflict_is_raised_even_if_its_paths_cannot_be_listed() -> None:
    play = Play(
        PIN,
        head("main"),
        step("mergeIntoBranch", "r", C1, "main", answer=CONFLICT),
        step("diffRefs", "r", "main", C1, answer=no(404, "not found")),
    )
    assert play.fails(merge(), errors.MergeConflict, "the same paths").conflicts == ()


def test_a_lost_merge_that_was_applied() -> None:  # B5.57
    play = Play(
        PIN,
        head("main"),
        step("mergeIntoBranch", "r", C1, "main", answer=lost()),
        step("logCommits", "r", "main", answer=log(commit(C3), commit(C2, "op1"))),
    )
    assert play.run(merge()) == C2


def test_a_lost_merge_is_found_after_a_rejected_retry() -> None:
    play = Play(
        PIN,
        head("main"),
        step("mergeIntoBranch", "r", C1, "main", answer=lost()),
        step("logCommits", "r", "main", answer=log()),
        step("mergeIntoBranch", "r", C1, "main", answer=no(400, "update branch main: no changes")),
        step("logCommits", "r", "main", answer=log(commit(C2, "op1"))),
    )
    assert play.run(merge(session(search=0.0))) == C2


@pytest.mark.parametrize("option", ["squash_merge", "allow_empty", "force"])
def test_a_lost_merge_that_would_be_applied_twice(option: str) -> None:
    play = Play(
        PIN,
        head("main"),
        step("mergeIntoBranch", "r", C1, "main", answer=lost()),
        step("logCommits", "r", "main", answer=log()),
    )
    options: dict[str, Any] = {option: True}
    error = play.fails(merge(session(search_final=0.0), "dev", **options), errors.AmbiguousOutcomeError)
    assert "log of lakefs://r/main" in str(error)


def test_a_dirty_destination() -> None:  # B8.79
    play = Play(
        PIN,
        head("main"),
        step("mergeIntoBranch", "r", C1, "main", answer=no(400, "uncommitted changes (dirty branch)")),
    )
    error = play.fails(merge(), errors.BadRequestException, "commit or reset its uncommitted changes first")
    assert "merging 'dev' into branch 'main' of lakefs://r" in str(error)


def test_a_hook_that_rejects_the_merge() -> None:
    play = Play(
        PIN,
        head("main"),
        step("mergeIntoBranch", "r", C1, "main", answer=no(412, "pre-merge hook aborted, run id 'x1': no")),
    )
    play.fails(merge(), errors.PreconditionFailedException, "run id 'x1'")


def test_a_missing_source() -> None:
    play = Play(step("getCommit", "r", "dev", answer=no(404, "commit not found")))
    play.fails(merge(), errors.NotFoundException, "merging 'dev' into branch 'main'")
