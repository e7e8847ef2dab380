"""Branches: what is sent, and what is looked up after a lost response."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.ops import branches
from lakefs_hl.ops.effects import Op
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.wire import Response
from tests.ops.script import C0, C1, C2, C3, NOW, Play, commit, head, log, lost, no, ok, page, ref, session, step

S = session()
DIFF = models.Diff("changed", "a", "object", 1)
STATS = models.ObjectStats("a", "object", "s3://b/a", "c", 1, 5)
MADE = ok(C1, 201)
BODY = {"name": "dev", "source": C1}


def create(**options: Any) -> Op[str]:
    return branches.create(S, "r", "dev", C1, **options)


def test_create_pins_its_source() -> None:
    play = Play(
        step("getCommit", "r", "main~1", answer=ok(commit(C1))), step("createBranch", "r", answer=MADE, body=BODY)
    )
    assert play.run(branches.create(S, "r", "dev", "main~1")) == C1


def test_create_from_a_commit_id_sends_no_look_up() -> None:
    assert Play(step("createBranch", "r", answer=MADE, body={**BODY, "hidden": True})).run(create(hidden=True)) == C1


def test_create_names_the_source_as_the_user_wrote_it() -> None:
    play = Play(step("getCommit", "r", "nope", answer=no(404, "commit not found")))
    play.fails(branches.create(S, "r", "dev", "nope"), errors.NotFoundException, "creating branch 'dev' from 'nope'")


# create, after an unknown outcome


@pytest.mark.parametrize("first", [lost(), no(500, "x"), no(503, "x"), no(504, "x")])
def test_created_by_the_attempt_without_a_response(first: Any) -> None:  # B5.57
    play = Play(
        step("createBranch", "r", answer=first),
        step("createBranch", "r", answer=no(409, "branch already exists: not unique")),
        step("getBranch", "r", "dev", answer=ref("dev", C1)),
    )
    assert play.run(create()) == C1


def test_a_branch_of_another_client_after_a_lost_response() -> None:
    play = Play(
        step("createBranch", "r", answer=lost()),
        step("createBranch", "r", answer=no(409, "branch already exists: not unique")),
        step("getBranch", "r", "dev", answer=ref("dev", C2)),
    )
    error = play.fails(create(), errors.ConflictException, C2)
    assert error.maybe_applied is None
    assert "perhaps created by an earlier attempt" in str(error)


def test_a_lost_creation_that_was_not_applied_is_retried() -> None:
    Play(step("createBranch", "r", answer=lost()), step("createBranch", "r", answer=MADE)).run(create())


def test_all_responses_lost_but_created() -> None:
    play = Play(*[step("createBranch", "r", answer=lost())] * 5, step("getBranch", "r", "dev", answer=ref("dev", C1)))
    assert play.run(create()) == C1


def test_all_responses_lost_and_not_created() -> None:
    play = Play(
        *[step("createBranch", "r", answer=lost())] * 5,
        step("getBranch", "r", "dev", answer=no(404, "branch not found")),
    )
    assert play.fails(create(), errors.TransportException).maybe_applied is None


def test_a_conflict_of_the_first_attempt_is_raised() -> None:
    play = Play(step("createBranch", "r", answer=no(409, "branch already exists: not unique")))
    assert play.fails(create(), errors.ConflictException).maybe_applied is False


def test_a_rate_limited_branch_did_not_move() -> None:
    play = Play(
        step("createBranch", "r", answer=no(429, "Too many attempts")),
        step("createBranch", "r", answer=no(409, "branch already exists: not unique")),
    )
    play.fails(create(), errors.ConflictException)


def test_exist_ok_returns_the_existing_branch() -> None:
    play = Play(
        step("createBranch", "r", answer=no(409, "branch already exists: not unique")),
        step("getBranch", "r", "dev", answer=ref("dev", C2)),
    )
    assert play.run(create(exist_ok=True)) == C2


def test_exist_ok_does_not_accept_a_tag() -> None:
    play = Play(
        step("createBranch", "r", answer=no(409, "tag ID dev: conflict found")),
        step("getBranch", "r", "dev", answer=no(404, "branch not found")),
    )
    play.fails(create(exist_ok=True), errors.ConflictException, "tag ID dev")


# delete


DELETE = step("deleteBranch", "r", "dev", answer=ok())
GONE = step("getBranch", "r", "dev", answer=no(404, "branch not found"))
CLEAN = step("diffBranch", "r", "dev", answer=page(), query={"amount": "1"})
STAGED = step("diffBranch", "r", "dev", answer=page(models.Diff("added", "w", "object")))
TX = f"tx-dev-{'f' * 32}"


def lost_delete(*then: Any, **options: Any) -> Play:
    return Play(head("dev"), step("deleteBranch", "r", "dev", answer=lost()), *then)


def delete(s: Any = None) -> Op[None]:
    return branches.delete(s or session(exactly_once=False), "r", "dev")


def test_a_lost_delete_that_was_applied() -> None:
    lost_delete(GONE).run(delete())


def test_a_lost_delete_that_was_not_applied_is_retried() -> None:
    lost_delete(head("dev"), CLEAN, DELETE).run(delete())
    refused = step(
        "deleteBranch", "r", "dev", answer=no(404, "branch not found")
    )  # the first attempt was still running
    lost_delete(head("dev"), CLEAN, refused).run(delete())


@pytest.mark.parametrize("found", [[head("dev", C1)], [head("dev"), STAGED]])
def test_a_recreated_branch_is_not_deleted(found: list[Any]) -> None:
    error = lost_delete(*found).fails(delete(), errors.AmbiguousOutcomeError, "deleting branch 'dev' of lakefs://r")
    assert error.maybe_applied is None
    assert "check the current state" in str(error)


def test_a_failed_check_leaves_the_outcome_of_a_delete_unknown() -> None:
    error = lost_delete(*[step("getBranch", "r", "dev", answer=lost())] * 5).fails(
        delete(), errors.AmbiguousOutcomeError
    )
    assert "the check whether it was applied failed too" in error.__notes__[0]


def test_a_delete_rejected_after_a_lost_one() -> None:
    refused = step("deleteBranch", "r", "dev", answer=no(403, "read-only repository"))
    error = lost_delete(head("dev"), CLEAN, refused, head("dev"), CLEAN).fails(delete(), errors.ForbiddenException)
    assert error.maybe_applied is None
    assert len(error.attempts) == 2


def test_a_delete_is_attempted_five_times() -> None:
    again = [step("deleteBranch", "r", "dev", answer=lost()), head("dev"), CLEAN]
    play = Play(head("dev"), *again * 5)
    assert len(play.fails(delete(), errors.AmbiguousOutcomeError).attempts) == 5
    assert play.slept == [(0.1, 0.0), (0.2, 0.0), (0.4, 0.0), (0.8, 0.0)]


def test_without_retries_nothing_is_sent_twice() -> None:
    lost_delete(head("dev"), CLEAN).fails(delete(session(attempts=1)), errors.AmbiguousOutcomeError)
    lost_delete(GONE).run(delete(session(attempts=1)))


def test_a_delete_with_an_honoured_key_needs_no_check() -> None:
    key = {"idempotency-key": "a-key"}
    Play(
        step("deleteBranch", "r", "dev", answer=lost(), headers=key),
        step("deleteBranch", "r", "dev", answer=ok(), headers=key),
    ).run(delete(session(exactly_once=True)))


def test_the_delete_of_an_ephemeral_branch_is_retried() -> None:
    there = step("getBranch", "r", TX, answer=ref(TX, C3))
    steps = [step("deleteBranch", "r", TX, answer=lost()), there, step("deleteBranch", "r", TX, answer=ok())]
    Play(*steps).run(branches.delete(session(), "r", TX))


def test_deleting_something_missing_raises() -> None:
    Play(GONE, step("deleteBranch", "r", "dev", answer=no(404, "branch not found"))).fails(
        delete(), errors.NotFoundException
    )


# reset


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (None, {"type": "reset"}),
        ("a/", {"type": "common_prefix", "path": "a/"}),
        ("a/b", {"type": "object", "path": "a/b"}),
    ],
)
def test_reset(path: str | None, body: dict[str, str]) -> None:
    Play(step("resetBranch", "r", "b", answer=ok(), body=body)).run(branches.reset(S, "r", "b", path))


def test_reset_of_an_empty_path_is_rejected() -> None:
    with pytest.raises(ValueError, match="path must not be empty"):
        Play().run(branches.reset(S, "r", "b", ""))


def test_reset_of_a_path_looks_it_up_first() -> None:
    staged = step("diffBranch", "r", "b", answer=page(DIFF), query={"amount": "1", "prefix": "a"})
    reset = step("resetBranch", "r", "b", answer=ok(), body={"type": "object", "path": "a"})
    Play(staged, reset).run(branches.reset_path(S, "r", "b", "a"))
    clean = step("diffBranch", "r", "b", answer=page())
    listed = step("listObjects", "r", "b", answer=page(STATS), query={"amount": "1", "prefix": "a"})
    Play(clean, listed, reset).run(branches.reset_path(S, "r", "b", "a"))
    Play(clean, step("listObjects", "r", "b", answer=page())).fails(
        branches.reset_path(S, "r", "b", "a"), errors.ObjectNotFoundException, "lakefs://r/b/a: no object"
    )


def unreset(path: str | None, **query: str) -> Any:
    rows = [models.Diff("added", path or "x", "object")]
    return step("diffBranch", "r", "b", answer=page(*rows), query={"amount": "1", **query})


def test_a_lost_reset_is_not_retried() -> None:
    Play(step("resetBranch", "r", "b", answer=lost()), unreset(None)).fails(
        branches.reset(S, "r", "b"), errors.AmbiguousOutcomeError, "resetting uncommitted changes of lakefs://r/b"
    )
    Play(step("resetBranch", "r", "b", answer=lost()), unreset("a/b", prefix="a/b")).fails(
        branches.reset(S, "r", "b", "a/b"), errors.AmbiguousOutcomeError
    )


def test_a_lost_reset_that_was_applied() -> None:
    clean = step("diffBranch", "r", "b", answer=page(), query={"amount": "1"})
    Play(step("resetBranch", "r", "b", answer=lost()), clean).run(branches.reset(S, "r", "b"))
    other = step("diffBranch", "r", "b", answer=page(models.Diff("added", "a/bc", "object")))
    Play(step("resetBranch", "r", "b", answer=lost()), other).run(branches.reset(S, "r", "b", "a/b"))


def test_a_lost_reset_of_an_ephemeral_branch_is_retried() -> None:
    staged = step("diffBranch", "r", TX, answer=page(models.Diff("added", "w", "object")))
    Play(step("resetBranch", "r", TX, answer=lost()), staged, step("resetBranch", "r", TX, answer=ok())).run(
        branches.reset(S, "r", TX)
    )
    # a name with only the prefix is not ephemeral
    staged = step("diffBranch", "r", "tx-b-1", answer=page(models.Diff("added", "w", "object")))
    Play(step("resetBranch", "r", "tx-b-1", answer=lost()), staged).fails(
        branches.reset(S, "r", "tx-b-1"), errors.AmbiguousOutcomeError
    )


def moved(*then: Any) -> Play:
    """Return the steps of a branch at C2 that is moved to C1, with a lost response."""
    return Play(head("b", C2), step("hardResetBranch", "r", "b", answer=lost(), query={"ref": C1}), *then)


def move() -> Op[None]:
    return branches.hard_reset(session(exactly_once=False), "r", "b", C1)


def test_hard_reset_pins_its_target_so_that_a_retry_goes_no_further_back() -> None:
    play = Play(
        step("getCommit", "r", "main~1", answer=ok(commit(C1))),
        head("main", C2),
        step("hardResetBranch", "r", "main", answer=lost(), query={"ref": C1}),
        head("main", C2),
        step("hardResetBranch", "r", "main", answer=ok(), query={"ref": C1}),
    )
    play.run(branches.hard_reset(S, "r", "main", "main~1"))


def test_a_lost_hard_reset_that_was_applied() -> None:
    moved(head("b", C1)).run(move())


def test_commits_added_after_a_lost_hard_reset_are_kept() -> None:
    stop = {"amount": "100", "first_parent": "true", "stop_at": C2}
    done = step("logCommits", "r", "b", answer=log(commit(C3), commit(C1)), query=stop)
    moved(head("b", C3), done).run(move())
    not_done = step("logCommits", "r", "b", answer=log(commit(C3), commit(C2), commit(C1)))
    moved(head("b", C3), not_done).fails(move(), errors.AmbiguousOutcomeError, "moving branch 'b'")
    neither = step("logCommits", "r", "b", answer=log(commit(C3), commit(C0)))
    moved(head("b", C3), neither).fails(move(), errors.AmbiguousOutcomeError)


# commit; the part that all logged operations share is in test_logged


def test_commit_metadata_has_the_op_id_and_the_users_keys() -> None:
    play = Play(
        head(),
        step(
            "commit",
            "r",
            "b",
            answer=ok(commit(C1, "op1"), 201),
            body={"message": "m", "metadata": {"k": "v", "lakefs_hl.op_id": "op1"}, "date": 7},
        ),
    )
    creation = models.CommitCreation("m", {"k": "v"}, 7)
    assert play.run(branches.commit(S, "r", "b", creation, op_id="op1", now=NOW)).id == C1


def test_nothing_to_commit() -> None:
    play = Play(head(), step("commit", "r", "b", answer=no(400, "commit: no changes")))
    error = play.fails(
        branches.commit(S, "r", "b", models.CommitCreation("m"), op_id="op1", now=NOW),
        errors.BadRequestException,
        "committing branch 'b' of lakefs://r: commit: no changes",
    )
    assert error.op_id == "op1"
    assert error.maybe_applied is False


def test_first_commit_has_no_parents() -> None:  # B8.85
    answer = ok({"id": C0, "committer": "", "message": "Repository created", "creation_date": 1})
    from lakefs_hl.ops import refs

    found = Play(step("getCommit", "r", "main", answer=answer)).run(refs.commit(S, "r", "main"))
    assert (found.parents, found.metadata) == ([], {})


# revert and cherry-pick


def revert(**options: Any) -> Op[models.Commit]:
    return branches.revert(S, "r", "b", "main~1", 0, op_id="op1", now=NOW, **options)


REVERT = {
    "ref": C1,
    "parent_number": 0,
    "commit_overrides": {"message": "Revert main~1", "metadata": {"lakefs_hl.op_id": "op1"}},
}


def test_revert_returns_its_own_commit_not_the_head() -> None:  # B8.82
    play = Play(
        step("getCommit", "r", "main~1", answer=ok(commit(C1))),
        head(),
        step("revertBranch", "r", "b", answer=ok(), body=REVERT),
        step("logCommits", "r", "b", answer=log(commit(C3), commit(C2, "op1"), commit(C0))),
    )
    assert play.run(revert()).id == C2


def test_revert_with_the_users_message() -> None:
    body = {**REVERT, "commit_overrides": {"message": "undo", "metadata": {"k": "v", "lakefs_hl.op_id": "op1"}}}
    play = Play(
        step("getCommit", "r", "main~1", answer=ok(commit(C1))),
        head(),
        step("revertBranch", "r", "b", answer=ok(), body=body),
        step("logCommits", "r", "b", answer=log(commit(C2, "op1"))),
    )
    play.run(revert(message="undo", metadata={"k": "v"}))


def test_revert_whose_commit_is_not_in_the_log() -> None:
    play = Play(
        step("getCommit", "r", "main~1", answer=ok(commit(C1))),
        head(),
        step("revertBranch", "r", "b", answer=ok()),
        step("logCommits", "r", "b", answer=log(commit(C2))),
    )
    error = play.fails(revert(), errors.AmbiguousOutcomeError, "it was applied")
    assert error.maybe_applied is True


def test_a_lost_revert_that_was_applied() -> None:
    play = Play(
        step("getCommit", "r", "main~1", answer=ok(commit(C1))),
        head(),
        step("revertBranch", "r", "b", answer=lost()),
        step("logCommits", "r", "b", answer=log(commit(C2, "op1"))),
    )
    assert play.run(revert()).id == C2


def test_a_lost_revert_is_found_after_a_rejected_retry() -> None:
    s = session(search=0.0)
    play = Play(
        step("getCommit", "r", "main~1", answer=ok(commit(C1))),
        head(),
        step("revertBranch", "r", "b", answer=lost()),
        step("logCommits", "r", "b", answer=log(commit(C1))),
        step("revertBranch", "r", "b", answer=no(400, "update branch: no changes")),
        step("logCommits", "r", "b", answer=log(commit(C2, "op1"))),
    )
    assert play.run(branches.revert(s, "r", "b", "main~1", 0, op_id="op1", now=NOW)).id == C2


def test_a_merge_without_its_parent_number() -> None:
    play = Play(
        step("getCommit", "r", "main~1", answer=ok(commit(C1))),
        head(),
        step(
            "revertBranch",
            "r",
            "b",
            answer=no(409, "must specify 1-based parent number for reverting merge commit"),
        ),
    )
    play.fails(revert(), errors.ConflictException, "reverting 'main~1' on branch 'b'")


def test_cherry_pick_keeps_the_metadata_of_the_original() -> None:
    origin = models.Commit(C1, [C0], "me", "words", 1, "r", {"k": "v", "lakefs_hl.op_id": "its own"})
    play = Play(
        step("getCommit", "r", "dev", answer=ok(origin)),
        head(),
        step(
            "cherryPick",
            "r",
            "b",
            answer=ok(commit(C2), 201),
            body={"ref": C1, "commit_overrides": {"metadata": {"k": "v", "lakefs_hl.op_id": "op1"}}},
        ),
    )
    assert play.run(branches.cherry_pick(S, "r", "b", "dev", op_id="op1", now=NOW)).id == C2


def test_a_lost_cherry_pick_is_never_retried() -> None:
    play = Play(
        step("getCommit", "r", "dev", answer=ok(commit(C1))),
        head(),
        step("cherryPick", "r", "b", answer=lost()),
        step("logCommits", "r", "b", answer=log()),
    )
    s = session(search_final=0.0)
    play.fails(branches.cherry_pick(s, "r", "b", "dev", op_id="op1", now=NOW), errors.AmbiguousOutcomeError)


# listings


def test_pages() -> None:
    rows = [models.Ref("a", C1)]
    play = Play(
        step(
            "listBranches",
            "r",
            answer=page(*rows),
            query={"amount": "7", "after": "x", "prefix": "p", "show_hidden": "true"},
        )
    )
    assert play.run(branches.page(S, "r", "x", 7, prefix="p", hidden=True)).results == rows
    play = Play(step("listBranches", "r", answer=page(), query={"amount": "7"}))
    assert play.run(branches.page(S, "r", "", 7)).results == []
    play = Play(
        step(
            "diffBranch", "r", "b", answer=page(), query={"amount": "7", "after": "x", "prefix": "p", "delimiter": "/"}
        )
    )
    play.run(branches.uncommitted_page(S, "r", "b", "x", 7, prefix="p", delimiter="/"))


# commit: what to do if there is nothing to commit

NOTHING = step("commit", "r", "b", answer=no(400, "commit: no changes"))
HEAD = step("logCommits", "r", "b", answer=log(commit(C2)), query={"amount": "1"})
KEYED = session(exactly_once=True)


def commit_on_empty(on_empty: Any, s: Any = KEYED, **options: Any) -> Op[models.Commit]:
    creation = models.CommitCreation("m", **options)
    return branches.commit(s, "r", "b", creation, op_id="op1", now=NOW, on_empty=on_empty)


def test_no_changes_are_skipped_and_the_head_is_returned() -> None:
    assert Play(NOTHING, HEAD).run(commit_on_empty("skip")).id == C2


def test_no_changes_are_an_error_by_default() -> None:
    error = Play(NOTHING).fails(commit_on_empty("error"), errors.BadRequestException)
    assert error.kind is ErrorKind.NO_CHANGES


def test_no_changes_can_be_committed() -> None:
    made = ok(commit(C1), 201)
    play = Play(step("commit", "r", "b", answer=made, body={"allow_empty": True}))
    assert play.run(commit_on_empty("commit")).id == C1


def test_changes_are_committed_whatever_on_empty_says() -> None:
    play = Play(step("commit", "r", "b", answer=ok(commit(C1), 201)))
    assert play.run(commit_on_empty("skip")).id == C1
    assert b"allow_empty" not in play.sent[0].body  # type: ignore[operator]


def test_skipping_and_allowing_an_empty_commit_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="on_empty='skip' and allow_empty=True contradict each other"):
        Play().run(commit_on_empty("skip", allow_empty=True))


@pytest.mark.parametrize("refused", [no(400, "uncommitted changes (dirty branch)"), no(403, "read-only repository")])
def test_only_no_changes_are_skipped(refused: Response) -> None:
    play = Play(step("commit", "r", "b", answer=refused))
    with pytest.raises(errors.ServerException):
        play.run(commit_on_empty("skip"))


def test_no_changes_after_a_lost_response_are_not_skipped() -> None:
    empty = step("logCommits", "r", "b", answer=log())
    play = Play(head(), step("commit", "r", "b", answer=lost()), empty, NOTHING, empty)
    error = play.fails(commit_on_empty("skip", session(search=0.0)), errors.BadRequestException)
    assert error.maybe_applied is None


def test_the_head_that_cannot_be_looked_up_is_an_error_of_the_commit_that_made_nothing() -> None:
    play = Play(NOTHING, step("logCommits", "r", "b", answer=no(403, "insufficient permissions")))
    error = play.fails(commit_on_empty("skip"), errors.ForbiddenException, "committing branch 'b' of lakefs://r")
    assert error.maybe_applied is False


# exists: False only for a missing branch


def test_exists() -> None:
    assert Play(step("getBranch", "r", "b", answer=ref("b", C1))).run(branches.exists(S, "r", "b")) is True
    missing = step("getBranch", "r", "b", answer=no(404, "branch not found"))
    assert Play(missing).run(branches.exists(S, "r", "b")) is False


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (no(404, "repository not found"), errors.NotFoundException),
        (no(400, "argument branch: branch id: invalid value: validation error"), errors.BadRequestException),
        (no(403, "insufficient permissions"), errors.ForbiddenException),
    ],
)
def test_exists_raises_if_it_cannot_tell(answer: Response, kind: type[Any]) -> None:
    Play(step("getBranch", "r", "b", answer=answer)).fails(branches.exists(S, "r", "b"), kind)
