"""Pull requests: what is sent, and that a creation or a merge whose response was lost is not sent twice (3.2, 3.3)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lakefs_hl.ops import pull_requests
from lakefs_hl.ops.auth import basic
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.wire import Response
from tests.ops.script import C1, C2, HTML, Play, commit, down, lost, no, ok, page, session, silent, step

#: Outcomes after which the request may have been applied.
UNKNOWN = [lost(), silent(1.0), no(500, "x"), no(502, "x"), no(503, "x"), no(504, "x"), ok(status=201)]
OPEN = models.PullRequest("p1", "t", "open", "me", "2026-01-31T12:00:00Z", "dev", "main", "d")
MERGED = msgspec.structs.replace(OPEN, status="merged", merged_commit_id=C2, closed_date="2026-01-31T13:00:00Z")
CLOSED = msgspec.structs.replace(OPEN, status="closed", closed_date="2026-01-31T13:00:00Z")
OLDER = msgspec.structs.replace(OPEN, id="p9", description=None)
OTHER = msgspec.structs.replace(OPEN, id="p0", title="another")
GET = ("getPullRequest", "r", "p1")
MERGE = ("mergePullRequest", "r", "p1")
NOT_THERE = no(501, "Not Implemented")


def s(exactly_once: bool | None = False, **policy: Any) -> Session:
    return session(exactly_once=exactly_once, **policy)


def in_process() -> Session:
    return Session(basic("AKEY", "s3cr3t"))


def record(pull_request: models.PullRequest) -> Any:
    return step(*GET, answer=ok(pull_request))


def listed(*found: models.PullRequest) -> Any:
    return step("listPullRequests", "r", answer=page(*found), query={"amount": "100"})


# -- looking up -------------------------------------------------------------------------------------------------------


def test_get() -> None:
    assert Play(record(OPEN)).run(pull_requests.get(s(), "r", "p1")) == OPEN


def test_a_missing_pull_request_is_named() -> None:
    play = Play(step(*GET, answer=no(404, "pull request not found")))
    error = play.fails(pull_requests.get(s(), "r", "p1"), errors.NotFoundException, "pull request 'p1' of lakefs://r")
    assert error.kind is ErrorKind.PULL_REQUEST_NOT_FOUND


def test_page() -> None:
    query = {"amount": "3", "after": "a", "prefix": "p", "status": "closed"}
    play = Play(step("listPullRequests", "r", answer=page(MERGED), query=query))
    assert play.run(pull_requests.page(s(), "r", "a", 3, prefix="p", status="closed")).results == [MERGED]
    play = Play(step("listPullRequests", "r", answer=page(OLDER), query={"amount": "3"}))
    assert play.run(pull_requests.page(s(), "r", "", 3)).results[0].description is None


@pytest.mark.parametrize("make", [s, in_process])
@pytest.mark.parametrize("answer", [NOT_THERE, no(404, "invalid API endpoint")])
def test_a_server_without_pull_requests_says_so(make: Any, answer: Response) -> None:
    ops: list[tuple[Op[Any], str]] = [
        (pull_requests.page(make(), "r", "", 1), "listPullRequests"),
        (pull_requests.get(make(), "r", "p1"), "getPullRequest"),
        (pull_requests.close(make(), "r", "p1"), "getPullRequest"),
        (pull_requests.merge(make(), "r", "p1"), "mergePullRequest"),
    ]
    for op, operation in ops:
        params = ("r",) if operation == "listPullRequests" else ("r", "p1")
        error = Play(step(operation, *params, answer=answer)).fails(op, errors.UnsupportedOperationException)
        assert "the server, its version or its storage does not support this" in str(error)


# -- creating ---------------------------------------------------------------------------------------------------------


def create(given: Session | None = None, **options: Any) -> Op[str]:
    return pull_requests.create(given or s(), "r", "dev", "main", "t", **options)


def created(answer: Any = None, **body: Any) -> Any:
    answer = answer if answer is not None else ok(models.PullRequestCreated("p1"), 201)
    wanted = {"title": "t", "source_branch": "dev", "destination_branch": "main", **body}
    return step("createPullRequest", "r", answer=answer, body=wanted)


def create_and_get() -> Op[models.PullRequest]:
    return pull_requests.create_and_get(s(), "r", "dev", "main", "t", description="d")


def test_create() -> None:
    assert Play(listed(), created(description="d")).run(create(description="d")) == "p1"
    play = Play(listed(), created())
    play.run(create())
    assert b"description" not in play.sent[1].body  # type: ignore[operator]


def test_create_in_process_or_with_keys_does_not_look_first() -> None:
    Play(created()).run(create(in_process()))
    play = Play(created())
    play.run(create(s(exactly_once=True)))
    assert play.sent[0].headers["idempotency-key"] == "a-key"


@pytest.mark.parametrize("answer", UNKNOWN)
def test_a_creation_whose_response_was_lost_is_found(answer: Any) -> None:
    play = Play(listed(OLDER), created(answer), listed(OPEN, OTHER, OLDER))
    assert play.run(create()) == "p1"


def test_a_lost_creation_that_lands_late_is_found() -> None:
    play = Play(listed(), created(lost()), listed(), listed(), listed(OPEN))
    assert play.run(create()) == "p1"
    assert play.slept == [(0.0, 0.2), (0.0, 0.4)]


def test_an_older_pull_request_of_the_same_title_is_not_taken_for_the_lost_one() -> None:
    play = Play(listed(OLDER), created(lost()), listed(OLDER))
    error = play.fails(create(s(search_final=0.0)), errors.AmbiguousOutcomeError, "outcome unknown")
    assert "creating pull request 't' from 'dev' into 'main' in lakefs://r" in str(error)
    assert "list the pull requests of lakefs://r before retrying" in str(error)
    assert error.maybe_applied is None
    assert error.result_id is None
    assert [each.outcome for each in error.attempts] == ["reset (wait)"]
    assert isinstance(error.__cause__, errors.TransportException)


def test_two_new_ones_cannot_be_told_apart() -> None:
    twin = msgspec.structs.replace(OPEN, id="p2")
    play = Play(listed(), created(lost()), listed(OPEN, twin))
    play.fails(create(s(search_final=0.0)), errors.AmbiguousOutcomeError)


def test_a_lost_creation_is_looked_for_as_long_as_the_policy_says() -> None:
    play = Play(listed(), created(lost()), *[listed()] * 19)
    play.fails(create(), errors.AmbiguousOutcomeError)
    assert sum(wait for _, wait in play.slept) == pytest.approx(30.0)


def test_a_lost_creation_stays_unknown_if_it_cannot_be_looked_for() -> None:
    gone = step("listPullRequests", "r", answer=no(403, "insufficient permissions"))
    play = Play(listed(), created(lost()), gone)
    error = play.fails(create(), errors.AmbiguousOutcomeError)
    assert "looking whether it was done failed too" in error.__notes__[0]
    error = Play(gone, created(lost())).fails(create(), errors.AmbiguousOutcomeError)
    assert error.maybe_applied is None


def test_a_creation_that_was_not_sent_is_sent_again() -> None:
    assert Play(listed(), created(down()), created()).run(create()) == "p1"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (no(404, "branch not found"), errors.NotFoundException),
        (no(400, "the same: same branch validation error"), errors.BadRequestException),
        (no(429, "slow down"), errors.TooManyRequestsException),
        (NOT_THERE, errors.UnsupportedOperationException),
    ],
)
def test_a_refused_creation_is_not_looked_for(answer: Response, kind: type[Any]) -> None:
    assert Play(listed(), created(answer)).fails(create(), kind).maybe_applied is False


def test_create_and_get_returns_the_record() -> None:
    assert Play(listed(), created(description="d"), record(OPEN)).run(create_and_get()) == OPEN


def test_a_creation_is_not_reported_as_failed_if_its_record_cannot_be_read() -> None:
    play = Play(listed(), created(), step(*GET, answer=no(403, "insufficient permissions")))
    error = play.fails(create_and_get(), errors.AmbiguousOutcomeError, "it was done, and its result is p1")
    assert (error.maybe_applied, error.result_id) == (True, "p1")


def test_a_server_that_honours_keys_is_asked_again() -> None:
    play = Play(created(lost()), created())
    assert play.run(create(s(exactly_once=True))) == "p1"


def test_keys_do_not_help_if_no_response_arrives() -> None:
    play = Play(*[created(lost())] * 5)
    error = play.fails(create(s(exactly_once=True)), errors.AmbiguousOutcomeError)
    assert (error.maybe_applied, len(error.attempts)) == (None, 5)


def test_an_error_of_an_embedded_lake_is_reported_as_it_is() -> None:
    Play(created(no(500, "boom"))).fails(create(in_process()), errors.AmbiguousOutcomeError)


# -- updating ---------------------------------------------------------------------------------------------------------


def changed(answer: Any = None, **body: Any) -> Any:
    return step("updatePullRequest", "r", "p1", answer=answer if answer is not None else ok(), body=body)


def update(given: Session | None = None, **fields: Any) -> Op[None]:
    return pull_requests.update(given or s(), "r", "p1", **fields)


def test_update_sends_what_is_given() -> None:
    play = Play(record(OPEN), changed(title="t2", description=""))
    play.run(update(title="t2", description=""))
    assert b"status" not in play.sent[1].body  # type: ignore[operator]


@pytest.mark.parametrize("status", [200, 204])
def test_both_documented_and_real_statuses_are_a_success(status: int) -> None:
    Play(record(OPEN), changed(ok(status=status), status="closed")).run(pull_requests.close(s(), "r", "p1"))


def test_in_process_only_a_change_of_status_looks_first() -> None:
    Play(changed(title="t2")).run(update(in_process(), title="t2"))
    Play(record(CLOSED), changed(status="open")).run(update(in_process(), status="open"))


@pytest.mark.parametrize("status", ["open", "closed"])
def test_the_status_of_a_merged_pull_request_stays(status: str) -> None:
    error = Play(record(MERGED)).fails(
        update(status=status), errors.BadRequestException, f"it is merged, as commit {C2}"
    )
    assert error.kind is ErrorKind.PULL_REQUEST_NOT_OPEN


@pytest.mark.parametrize(
    ("fields", "words"),
    [({}, "give a title, a description or a status"), ({"status": "merged"}, "must be 'open' or 'closed', not")],
)
def test_senseless_updates_are_refused_before_anything_is_sent(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Play().run(update(**fields))


def test_a_lost_update_that_was_done() -> None:
    Play(record(OPEN), changed(lost(), status="closed"), record(CLOSED)).run(update(status="closed"))


def test_a_lost_update_that_was_not_done_is_sent_again() -> None:
    play = Play(record(OPEN), changed(lost(), status="closed"), record(OPEN), changed(status="closed"))
    play.run(update(status="closed"))


def test_a_lost_update_does_not_undo_what_others_did_since() -> None:
    other = msgspec.structs.replace(OPEN, title="theirs")
    play = Play(record(OPEN), changed(lost(), title="mine"), record(other))
    play.fails(update(title="mine"), errors.AmbiguousOutcomeError, "updating pull request 'p1' of lakefs://r")
    play = Play(record(OPEN), changed(lost(), status="closed"), record(MERGED))
    play.fails(update(status="closed"), errors.AmbiguousOutcomeError)


def test_an_emptied_description_counts_as_done_if_the_server_leaves_it_out() -> None:
    empty = msgspec.structs.replace(OPEN, description=None)
    Play(record(OPEN), changed(lost(), description=""), record(empty)).run(update(description=""))


# -- merging ----------------------------------------------------------------------------------------------------------


def merge(given: Session | None = None) -> Op[str]:
    return pull_requests.merge(given or s(), "r", "p1")


def merge_and_get() -> Op[models.Commit]:
    return pull_requests.merge_and_get(s(), "r", "p1")


MERGE_COMMIT = step("getCommit", "r", C2, answer=ok(commit(C2, parents=[C1])))
DONE = ok(models.MergeResult(C2))


def test_merge_sends_no_body() -> None:
    play = Play(step(*MERGE, answer=DONE, body=b""))
    assert play.run(merge()) == C2
    assert play.sent[0].headers["idempotency-key"] == "a-key"


@pytest.mark.parametrize("answer", [*UNKNOWN[:-1], ok(), Response(200, HTML, b"<html></html>")])
def test_a_lost_merge_that_was_done_is_found_and_not_sent_again(answer: Any) -> None:
    play = Play(step(*MERGE, answer=answer), record(MERGED))
    assert play.run(merge()) == C2


def test_a_lost_merge_that_lands_late_is_found() -> None:
    play = Play(step(*MERGE, answer=lost()), record(OPEN), record(OPEN), record(MERGED))
    assert play.run(merge()) == C2


def test_a_lost_merge_that_is_not_found_is_unknown() -> None:
    play = Play(step(*MERGE, answer=lost()), *[record(OPEN)] * 19)
    error = play.fails(
        merge(), errors.AmbiguousOutcomeError, "merging pull request 'p1' of lakefs://r: outcome unknown"
    )
    assert "check whether the status of pull request p1 is 'merged', and the log of its destination branch" in str(
        error
    )
    assert error.maybe_applied is None
    assert sum(wait for _, wait in play.slept) == pytest.approx(30.0)
    assert sum(request.endpoint.operation == "mergePullRequest" for request in play.sent) == 1


def test_a_pull_request_marked_as_merged_without_a_commit_does_not_count() -> (
    None
):  # lakeFS lets anybody set the status
    marked = msgspec.structs.replace(MERGED, merged_commit_id=None)
    play = Play(step(*MERGE, answer=lost()), record(marked))
    play.fails(merge(s(search_final=0.0)), errors.AmbiguousOutcomeError)


def test_a_lost_race_may_have_merged() -> None:  # the status is written after the merge, and may lose a race of its own
    play = Play(step(*MERGE, answer=no(500, "predicate failed")), record(OPEN))
    play.fails(merge(s(search_final=0.0)), errors.AmbiguousOutcomeError)


def test_a_merge_that_was_not_sent_is_sent_again() -> None:
    assert Play(step(*MERGE, answer=down()), step(*MERGE, answer=DONE)).run(merge()) == C2


def test_a_merge_is_sent_again_to_a_server_that_honours_keys() -> None:
    play = Play(step(*MERGE, answer=lost()), step(*MERGE, answer=DONE))
    assert play.run(merge(s(exactly_once=True))) == C2


def test_merge_and_get_returns_the_commit() -> None:
    play = Play(step(*MERGE, answer=DONE), MERGE_COMMIT)
    assert play.run(merge_and_get()) == commit(C2, parents=[C1])


def test_a_merge_is_not_reported_as_failed_if_its_commit_cannot_be_read() -> None:
    play = Play(step(*MERGE, answer=DONE), *[step("getCommit", "r", C2, answer=lost())] * 5)
    error = play.fails(merge_and_get(), errors.AmbiguousOutcomeError, f"it was done, and its result is {C2}")
    assert (error.maybe_applied, error.result_id) == (True, C2)
    assert "do not repeat it" in str(error)
    assert isinstance(error.__cause__, errors.TransportException)


@pytest.mark.parametrize(
    ("answer", "kind", "meaning"),
    [
        (no(400, "bad pull request status"), errors.BadRequestException, ErrorKind.PULL_REQUEST_NOT_OPEN),
        (no(400, "update branch main: no changes"), errors.BadRequestException, ErrorKind.NO_CHANGES),
        (no(400, "main: uncommitted changes (dirty branch)"), errors.BadRequestException, ErrorKind.DIRTY_BRANCH),
        (no(403, "read-only repository"), errors.ForbiddenException, ErrorKind.READ_ONLY_REPOSITORY),
        (no(404, "branch not found"), errors.NotFoundException, ErrorKind.BRANCH_NOT_FOUND),
        (no(412, "pre-merge hook aborted, run id 'x': no"), errors.PreconditionFailedException, ErrorKind.HOOK_REFUSED),
        (no(429, "Too many attempts"), errors.TooManyRequestsException, ErrorKind.RATE_LIMITED),
    ],
)
def test_a_refused_merge_is_final(answer: Response, kind: type[Any], meaning: ErrorKind) -> None:
    error = Play(step(*MERGE, answer=answer)).fails(merge(), kind, "merging pull request 'p1' of lakefs://r")
    assert (error.kind, error.maybe_applied) == (meaning, False)


def test_a_conflict_names_its_paths() -> None:
    play = Play(
        step(*MERGE, answer=no(409, "update branch main: conflict found")),
        record(OPEN),
        step("diffRefs", "r", "main", "dev", answer=page(models.Diff("conflict", "a/x", "object"))),
    )
    error = play.fails(merge(), errors.MergeConflict, "both sides changed a/x; nothing was merged")
    assert error.conflicts == ("a/x",)
    assert "merging the branches themselves" in str(error)


def test_a_conflict_stays_one_if_the_branches_cannot_be_looked_up() -> None:
    play = Play(step(*MERGE, answer=no(409, "conflict found")), step(*GET, answer=no(404, "pull request not found")))
    error = play.fails(merge(), errors.ConflictException)
    assert "could not be looked up" in error.__notes__[0]
