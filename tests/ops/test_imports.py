"""Imports: started once, polled until they end or stall."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.ops import imports
from lakefs_hl.ops.effects import Op
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.models import ImportLocation, ImportStatus
from tests.ops.script import C1, NOW, Play, commit, head, log, lost, no, ok, page, session, step

PREFIX = ImportLocation("common_prefix", "s3://src/p/", "some/path")
STATUS = ("importStatus", "r", "b")
CLEAN = step("diffBranch", "r", "b", answer=page(), query={"amount": "1"})


def start(*locations: ImportLocation, s: Any = None) -> Op[str]:
    return imports.start(s or session(), "r", "b", locations or (PREFIX,), "msg", {"k": "v"}, op_id="op1", now=NOW)


def wait(interval: float = 2.0) -> Op[ImportStatus]:
    return imports.wait(session(), "r", "b", "i1", interval)


def status(moment: str = "t1", **fields: Any) -> Any:
    return step(
        *STATUS, answer=ok(ImportStatus(**{"completed": False, "update_time": moment, **fields})), query={"id": "i1"}
    )


def test_what_is_sent() -> None:
    one = ImportLocation("object", "s3://src/o", "a/b")
    root = ImportLocation("common_prefix", "s3://src/q/", "")
    body = {
        "paths": [
            # with a slash: lakeFS replaces by raw prefix, and some/path would replace some/pathological
            {"type": "common_prefix", "path": "s3://src/p/", "destination": "some/path/"},
            {"type": "object", "path": "s3://src/o", "destination": "a/b"},
            {"type": "common_prefix", "path": "s3://src/q/", "destination": ""},
        ],
        "commit": {"message": "msg", "metadata": {"k": "v", "lakefs_hl.op_id": "op1"}},
    }
    play = Play(CLEAN, head(), step("importStart", "r", "b", answer=ok(models.ImportStarted("i1"), 202), body=body))
    assert play.run(start(PREFIX, one, root)) == "i1"


def test_a_lost_start_is_never_retried() -> None:  # B5.57
    play = Play(
        CLEAN, head(), step("importStart", "r", "b", answer=lost()), *[step("logCommits", "r", "b", answer=log())] * 19
    )
    error = play.fails(start(), errors.AmbiguousOutcomeError, "importing into branch 'b'")
    assert error.maybe_applied is None


def test_a_lost_start_whose_commit_is_in_the_log() -> None:
    play = Play(
        CLEAN,
        head(),
        step("importStart", "r", "b", answer=lost()),
        step("logCommits", "r", "b", answer=log()),
        step("logCommits", "r", "b", answer=log(commit(C1, "op1"))),
    )
    done = play.run(start())
    assert done == f"commit:{C1}"
    found = Play(step("getCommit", "r", C1, answer=ok(commit(C1)))).run(imports.wait(session(), "r", "b", done, 1.0))
    assert found.completed
    assert found.commit == commit(C1)
    with pytest.raises(errors.ConflictException, match="cannot be cancelled"):
        Play().run(imports.cancel(session(), "r", "b", done))


def test_an_error_of_the_first_attempt_is_raised() -> None:
    Play(
        CLEAN, head(), step("importStart", "r", "b", answer=no(403, "import is not supported for this storage"))
    ).fails(start(), errors.ForbiddenException)


def test_wait_polls_until_the_import_has_ended() -> None:
    done = status("t3", completed=True, ingested_objects=7, commit=commit(C1))
    play = Play(status("t1"), status("t2"), done)
    assert play.run(wait()).ingested_objects == 7
    assert play.slept == [(0.0, 0.05), (0.0, 0.1)]


def test_the_first_polls_are_frequent() -> None:  # a small import ends before a long first pause would
    play = Play(*[status(f"t{n}") for n in range(8)], status("end", completed=True))
    play.run(wait(2.0))
    assert play.slept == [(0.0, pause) for pause in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0)]
    hurried = Play(status("t1"), status("t2"), status("end", completed=True))
    hurried.run(wait(0.0))
    assert hurried.slept == [(0.0, 0.01)] * 2


def test_an_import_that_the_server_does_not_know_yet() -> None:  # B8.84
    early = step(*STATUS, answer=no(404, "not found"))
    Play(early, early, status(completed=True)).run(wait())
    Play(*[early] * 11).fails(wait(), errors.NotFoundException)


def test_an_import_that_the_server_no_longer_knows() -> None:
    Play(status("t1"), step(*STATUS, answer=no(404, "not found"))).fails(wait(), errors.NotFoundException)


def test_an_import_that_failed() -> None:  # B8.84: completed stays false
    failed = status("t2", error=models.Error("import error: no such bucket"))
    error = Play(status("t1"), failed).fails(
        wait(), errors.ImportFailedException, "importing into branch 'b' of lakefs://r: import i1 failed"
    )
    assert (error.kind, error.server_message) == (ErrorKind.IMPORT_FAILED, "import error: no such bucket")
    assert isinstance(error, RuntimeError)
    assert "no such bucket" in str(error)
    assert "the branch is unchanged" in str(error)


def test_an_import_that_was_cancelled() -> None:
    cancelled = status(error=models.Error("import error: Canceled"))
    error = Play(cancelled).fails(wait(), errors.ImportFailedException, "Canceled")
    assert error.kind is ErrorKind.IMPORT_CANCELLED
    steering = status(error=models.Error("import error: no file named Canceled: import error: Canceled/x"))
    assert Play(steering).fails(wait(), errors.ImportFailedException).kind is ErrorKind.IMPORT_FAILED


def test_a_dirty_branch_is_reported_before_the_start() -> None:
    dirty = step("diffBranch", "r", "b", answer=page(models.Diff("added", "a/b", "object")))
    error = Play(dirty).fails(start(), errors.BadRequestException, "importing into branch 'b'.*'a/b' is one")
    assert (error.kind, error.maybe_applied) == (ErrorKind.DIRTY_BRANCH, False)


def test_an_import_without_progress() -> None:  # B8.84: after five minutes of the same
    play = Play(*[status("t1")] * 16)
    error = play.fails(wait(60.0), errors.DeadlineExceeded, "no progress for 342 s")
    assert error.maybe_applied is None


def test_an_import_with_slow_progress() -> None:
    steps = [status(f"t{n // 4}") for n in range(16)]
    Play(*steps, status("end", completed=True)).run(wait(60.0))


def test_a_lost_response_does_not_end_the_wait() -> None:
    Play(step(*STATUS, answer=lost()), status(completed=True)).run(wait())


def test_cancel() -> None:
    gone = ("importCancel", "r", "b")
    Play(step(*gone, answer=ok(), query={"id": "i1"})).run(imports.cancel(session(), "r", "b", "i1"))
    Play(step(*gone, answer=no(409, "conflict found"))).fails(
        imports.cancel(session(), "r", "b", "i1"),
        errors.ConflictException,
        "import i1 has ended, and its commit is kept",
    )
    Play(step(*gone, answer=lost()), step(*gone, answer=no(409, "conflict found"))).run(
        imports.cancel(session(), "r", "b", "i1")
    )
