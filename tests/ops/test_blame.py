"""Blame: what is looked up for one object and for a page, and that a page's requests are bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakefs_hl.ops import blame, versions
from lakefs_hl.spec import errors, models
from tests.ops.script import C0, C1, C2, C3, Play, Step, no, ok, page, session, step

if TYPE_CHECKING:
    import pytest

S = session()


def stats(path: str, content: str) -> models.ObjectStats:
    return models.ObjectStats(path, "object", f"local://r/{content}", content, 1, 3, "text/csv")


def made(name: str, *parents: str) -> models.Commit:
    return models.Commit(name, list(parents), "me", name[:1])


def look(ref: str, path: str, content: str | None) -> Step:
    answer = no(404, "not found") if content is None else ok(stats(path, content))
    return step("statObject", "r", ref, answer=answer, query={"path": path})


def log(*commits: models.Commit, amount: int, objects: tuple[str, ...] = (), **query: Any) -> Step:
    wanted = {"amount": str(amount), **({"objects": objects} if objects else {}), **query}
    return step("logCommits", "r", C3, answer=page(*commits), query=wanted)


def diff(parent: str, commit: str, *paths: str, after: str = "", **query: Any) -> Step:
    return step("diffRefs", "r", parent, commit, answer=page(*(changed(path) for path in paths), after=after))


def changed(path: str) -> models.Diff:
    return models.Diff("changed", path, "object", 3)


PIN = step("getCommit", "r", "main", answer=ok(made(C3, C2)))


def listed(*paths: str) -> Step:
    return step("listObjects", "r", C3, answer=page(*(stats(path, "new") for path in paths)))


def blamed(where: str, is_prefix: bool) -> Any:
    return blame.Blame(S, "r", "main", where, is_prefix=is_prefix).page("", 1000)


def test_one_object_takes_its_log_alone() -> None:
    play = Play(
        PIN,
        look(C3, "a", "new"),
        log(made(C2, C1), amount=1, objects=("a",)),
        look(C2, "a", "new"),
        look(f"{C2}~1", "a", "old"),
    )
    (row,) = play.run(blamed("a", False)).results
    assert (row.path, row.ref, row.stats.checksum) == ("a", C3, "new")
    assert row.commit == made(C2, C1)


def test_a_missing_object_and_a_missing_reference() -> None:
    play = Play(PIN, look(C3, "a", None), step("getCommit", "r", C3, answer=ok(made(C3, C2))))
    play.fails(blamed("a", False), errors.ObjectNotFoundException, "a prefix ends with '/'")
    play = Play(step("getCommit", "r", "main", answer=no(404, "not found")))
    play.fails(blamed("a", False), errors.NotFoundException, "reading who changed lakefs://r/main/a")


def test_a_page_reads_the_log_once_for_all_its_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge is left out, and a commit whose content was overwritten is not the one."""
    monkeypatch.setattr(blame, "FEW", 1)
    play = Play(
        PIN,
        listed("d/a", "d/b"),
        log(made(C3, C2, C0), made(C2, C1), amount=2, prefixes=("d/",)),
        diff(C1, C2, "d/a", "d/b", "d/other"),
        *(look(C2, "d/a", "new"), look(C2, "d/b", "old")),
        step("logCommits", "r", C3, answer=page(made(C1, C0)), query={"amount": "1", "objects": ("d/b",)}),
        *(look(C1, "d/b", "new"), look(f"{C1}~1", "d/b", None)),
    )
    found = play.run(blamed("d/", True)).results
    assert [(row.path, row.commit and row.commit.id) for row in found] == [("d/a", C2), ("d/b", C1)]


def test_a_commit_that_changed_too_much_ends_the_reading_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blame, "FEW", 1)
    monkeypatch.setattr(blame, "MAX_DIFF_PAGES", 1)
    play = Play(
        PIN,
        listed("d/a", "d/z"),
        log(made(C2, C1), made(C1, C0), amount=2, prefixes=("d/",)),
        diff(C1, C2, "d/b", after="d/b"),
        diff(C0, C1, "d/a", "d/z"),
        *(look(C1, "d/a", "new"), look(C1, "d/z", "new")),  # does not count: an earlier one was not read to its end
        *(
            each
            for path in ("d/a", "d/z")
            for each in (
                log(made(C2, C1), amount=1, objects=(path,)),
                look(C2, path, "new"),
                look(f"{C2}~1", path, "old"),
            )
        ),
    )
    assert {row.commit.id for row in play.run(blamed("d/", True)).results if row.commit} == {C2}


def test_an_object_that_no_commit_made_has_none() -> None:
    play = Play(log(amount=1, objects=("a",)))
    assert play.run(versions.newest(S, "r", C3, stats("a", "new"))) is None
