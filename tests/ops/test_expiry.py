"""Expiry: page by page, and what is reported."""

from __future__ import annotations

from typing import Any

from lakefs_hl.ops import expiry
from lakefs_hl.ops.effects import Op
from lakefs_hl.spec import errors, models
from tests.ops.script import C1, Play, commit, no, ok, page, ref, session, step

S = session()


def row(path: str, mtime: int) -> models.ObjectStats:
    return models.ObjectStats(path, "object", f"local://r/{path}", "e", mtime, 1)


def expire(found: list[Any], *, suffix: str = "", dry_run: bool = False, at: str = "b") -> Op[None]:
    def note(*page: Any) -> None:
        found.append(page)

    return expiry.expire(S, "r", at, "t/", suffix, 100.5, note, dry_run=dry_run, about="deleting")


def test_page_by_page() -> None:
    found: list[Any] = []
    refused = models.ObjectError(403, "no", "t/d")
    Play(
        step("getBranch", "r", "b", answer=ref("b", C1)),
        step("listObjects", "r", "b", answer=page(row("t/a", 100), row("t/b", 101), after="t/b")),
        step("deleteObjects", "r", "b", answer=ok(models.ObjectErrors([])), body={"paths": ["t/a"]}),
        step("listObjects", "r", "b", answer=page(row("t/c", 300), after="t/c")),
        step("listObjects", "r", "b", answer=page(row("t/d", 1), row("t/e", 1))),
        step("deleteObjects", "r", "b", answer=ok(models.ObjectErrors([refused])), body={"paths": ["t/d", "t/e"]}),
    ).run(expire(found))
    assert found == [(["t/a"], []), (["t/d", "t/e"], [refused])]


def test_a_dry_run() -> None:
    found: list[Any] = []
    Play(
        step("getCommit", "r", "b~1", answer=ok(commit(C1))),
        step("listObjects", "r", C1, answer=page(row("t/a.log", 1), row("t/a.txt", 1))),
    ).run(expire(found, suffix=".log", dry_run=True, at="b~1"))
    assert found == [(["t/a.log"], [])]


def test_a_reference_that_is_immutable() -> None:
    play = Play(
        step("getBranch", "r", "v1", answer=no(404, "branch not found")),
        step("getCommit", "r", "v1", answer=ok(commit(C1))),
    )
    play.fails(expire([], at="v1"), errors.BadRequestException, "commits are immutable")
