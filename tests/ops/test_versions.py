"""Versions: which commits are part of a history, and what is looked up for it."""

from __future__ import annotations

from typing import Any

from lakefs_hl.ops import versions
from lakefs_hl.ops.effects import Op
from lakefs_hl.spec import errors, models
from tests.ops.script import C0, C1, C2, C3, Play, Step, commit, no, ok, page, session, step

S = session()
GONE = no(404, "not found")


def stats(content: str, **fields: Any) -> models.ObjectStats:
    return models.ObjectStats("a", "object", "local://r/a", content, 1, 3, "text/csv", **fields)


def look(ref: str, content: str | None, **fields: Any) -> Step:
    answer = GONE if content is None else ok(stats(content, **fields))
    return step("statObject", "r", ref, answer=answer, query={"path": "a"})


def log(start: str, *commits: str, amount: int = 3, after: str = "", next_offset: str = "") -> Step:
    query = {"amount": str(amount), "objects": ("a",)} | ({"after": after} if after else {})
    rows = page(*map(commit, commits), after=next_offset)
    return step("logCommits", "r", start, answer=rows, query=query)


def history(after: str = "", amount: int = 2) -> Op[versions.VersionPage]:
    return versions.page(S, "r", "main", "a", after, amount)


PIN = step("getCommit", "r", "main", answer=ok(commit(C3)))


def test_a_page_and_the_next_one() -> None:
    play = Play(
        PIN,
        look(C3, "3"),
        log(C3, C3, C2, C1),
        *(look(C3, "3"), look(f"{C3}~1", "2"), look(C2, "2"), look(f"{C2}~1", "1"), look(C1, "1")),
        look(f"{C1}~1", None),
    )
    found = play.run(history())
    assert [row.commit.id for row in found.results] == [C3, C2]
    assert (found.pagination.has_more, found.pagination.next_offset) == (True, C2)
    play = Play(look(f"{C2}~1", "1"), log(f"{C2}~1", C1), look(C1, "1"), look(f"{C1}~1", None))
    found = play.run(history(after=C2))
    assert [row.commit.id for row in found.results] == [C1]
    assert not found.pagination.has_more


def test_a_commit_whose_content_lost_is_left_out() -> None:
    play = Play(
        PIN,
        look(C3, "ours"),
        log(C3, C2, C1),
        *(look(C2, "theirs"), look(f"{C2}~1", "base"), look(C1, "ours"), look(f"{C1}~1", None)),
    )
    assert [row.commit.id for row in play.run(history()).results] == [C1]


def test_a_deletion() -> None:
    play = Play(PIN, look(C3, None), log(C3, C1), look(C1, None), look(f"{C1}~1", "1"))
    (row,) = play.run(history()).results
    assert (row.commit.id, row.stats) == (C1, None)


def test_pages_of_the_log_are_read_until_there_are_enough() -> None:
    play = Play(
        PIN,
        look(C3, "1"),
        log(C3, C2, next_offset=C2),
        *(look(C2, "x"), look(f"{C2}~1", "y")),
        log(C3, C1, after=C2),
        *(look(C1, "1"), look(f"{C1}~1", None)),
    )
    assert [row.commit.id for row in play.run(history()).results] == [C1]


def test_no_reference() -> None:
    play = Play(step("getCommit", "r", "main", answer=no(404, "commit not found")))
    assert "history of lakefs://r/main/a" in str(play.fails(history(), errors.NotFoundException))


def test_what_is_the_same() -> None:
    assert versions.same(stats("1", metadata={}), stats("1"))
    assert not versions.same(stats("1", metadata={"a": "b"}), stats("1"))
    assert not versions.same(stats("1"), None)
    assert versions.same(None, None)


def test_restore() -> None:
    body = {"src_path": "a", "src_ref": C0}
    play = Play(
        step("getCommit", "r", "main~1", answer=ok(commit(C0))),
        step("copyObject", "r", "dev", answer=ok(stats("1"), 201), query={"dest_path": "a"}, body=body),
    )
    assert play.run(versions.restore(S, "r", "dev", "a", "main~1")).checksum == "1"


def test_restore_what_is_not_there() -> None:
    play = Play(
        step("copyObject", "r", "dev", answer=no(404, "not found")),
        step("getCommit", "r", C0, answer=ok(commit(C0))),
    )
    failed = play.fails(versions.restore(S, "r", "dev", "a", C0), errors.ObjectNotFoundException)
    assert "does not exist in this version" in str(failed)
    assert failed.status == 404
