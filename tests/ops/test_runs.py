"""Action runs: what is asked for, and what a hook printed."""

from __future__ import annotations

import pytest

from lakefs_hl.ops import runs
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.wire import Response
from tests.ops.script import C1, HTML, Play, no, ok, page, session, step

S = session(exactly_once=False)
OCTETS = {"content-type": "application/octet-stream"}
RUN = models.ActionRun("5k", "main", "2026-01-31T12:00:00Z", "pre-commit", "completed", C1, "2026-01-31T12:00:01Z")
HOOK = models.HookRun("0000_0000", "checks", "format", "2026-01-31T12:00:00Z", "completed")


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, {}),
        ({"branch": "main"}, {"branch": "main"}),
        ({"commit": C1}, {"commit": C1}),
    ],
)
def test_runs_are_filtered_by_the_server(options: dict[str, str], query: dict[str, str]) -> None:
    play = Play(step("listRepositoryRuns", "r", answer=page(RUN), query={"amount": "2", "after": "4z", **query}))
    assert play.run(runs.page(S, "r", "4z", 2, **options)).results == [RUN]


def test_a_run() -> None:
    assert Play(step("getRun", "r", "5k", answer=ok(RUN))).run(runs.get(S, "r", "5k")) == RUN


@pytest.mark.parametrize("answer", [no(404, "not found: not found"), no(404, "not found")])
def test_a_missing_run_is_named(answer: Response) -> None:
    play = Play(step("getRun", "r", "5k", answer=answer))
    error = play.fails(runs.get(S, "r", "5k"), errors.NotFoundException, "looking up action run '5k' of lakefs://r")
    assert error.kind is ErrorKind.RUN_NOT_FOUND
    assert "the action run or the hook does not exist" in str(error)


def test_the_hooks_of_a_run() -> None:
    play = Play(step("listRunHooks", "r", "5k", answer=page(HOOK), query={"amount": "10", "after": "0000"}))
    assert play.run(runs.hooks_page(S, "r", "5k", "0000", 10)).results == [HOOK]


@pytest.mark.parametrize("printed", [b"", b"ok\n", b"\xff\x00", b"<html>a page that a hook fetched</html>"])
def test_the_output_of_a_hook_is_returned_as_it_is(printed: bytes) -> None:
    play = Play(step("getRunHookOutput", "r", "5k", "0000_0000", answer=Response(200, OCTETS, printed)))
    assert play.run(runs.output(S, "r", "5k", "0000_0000")) == printed


def test_a_login_page_is_not_the_output_of_a_hook() -> None:
    play = Play(step("getRunHookOutput", "r", "5k", "h", answer=Response(200, HTML, b"<html>log in</html>")))
    play.fails(runs.output(S, "r", "5k", "h"), errors.ProtocolException, "reading the output of hook 'h' of action run")


def test_a_missing_output_is_named() -> None:
    play = Play(step("getRunHookOutput", "r", "5k", "h", answer=no(404, "not found")))
    play.fails(runs.output(S, "r", "5k", "h"), errors.NotFoundException, "hook 'h' of action run '5k' of lakefs://r")
