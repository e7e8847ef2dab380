"""Patterns, usage and removal, with prepared responses."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.ops import prefixes
from lakefs_hl.ops.globs import Pattern
from lakefs_hl.ops.prefixes import Total
from lakefs_hl.spec import errors, models
from tests.ops.script import C1, Play, head, lost, no, ok, page, ref, session, step

S = session(exactly_once=False)


def obj(path: str, size: int = 1, checksum: str = "e") -> models.ObjectStats:
    return models.ObjectStats(path, "object", "local://x", checksum, 1, size)


def prefix(path: str) -> models.ObjectStats:
    return models.ObjectStats(path, "common_prefix")


def listing(*rows: Any, more: str = "", **query: str) -> Any:
    return step("listObjects", "r", "b", answer=page(*rows, after=more), query=query or None)


def glob(text: str, *steps: Any, after: str = "", amount: int = 1000) -> models.ObjectPage:
    return Play(*steps).run(prefixes.glob_page(S, "r", "b", after, amount, pattern=Pattern(text)))


def found(page: models.ObjectPage) -> list[str]:
    return [row.path for row in page.results]


# -- glob --------------------------------------------------------------------------------------------------------------


def test_a_pattern_of_one_directory_is_listed_with_the_delimiter() -> None:
    rows = [obj("d/a.csv"), prefix("d/a.csv/"), obj("d/b.txt"), obj("d/c.csv")]
    result = glob("d/*.csv", listing(*rows, amount="1000", prefix="d/", delimiter="/"))
    assert found(result) == ["d/a.csv", "d/c.csv"]
    assert not result.pagination.has_more


def test_pages_without_a_match_are_passed() -> None:
    result = glob(
        "d/*.csv",
        listing(obj("d/a"), more="d/a", amount="1000", prefix="d/", delimiter="/"),
        listing(obj("d/b"), more="d/b", amount="1000", prefix="d/", delimiter="/", after="d/a"),
        listing(obj("d/c.csv"), more="d/c.csv", amount="1000", prefix="d/", delimiter="/", after="d/b"),
    )
    assert found(result) == ["d/c.csv"]
    assert result.pagination == models.Pagination(True, "1000:d/c.csv", 1, 1000)


def test_a_listing_skips_what_cannot_match_with_smaller_pages() -> None:
    result = glob(
        "*/xy",
        listing(obj("a/1"), more="a/1", amount="1000"),
        listing(obj("a/xy/1"), more="a/xy/1", amount="250", after="a/xx\U0010ffff"),
        listing(obj("b/xy"), amount="62", after="a/\U0010ffff"),
    )
    assert found(result) == ["b/xy"]


def test_more_matches_than_asked_for_are_left_for_the_next_page() -> None:
    result = glob("*", listing(obj("a"), obj("b"), obj("c")), amount=2)
    assert found(result) == ["a", "b"]
    assert result.pagination == models.Pagination(True, "1000:b", 2, 1000)


def test_a_pattern_without_wildcards_is_looked_up() -> None:
    assert found(glob("d/[*]", step("statObject", "r", "b", answer=ok(obj("d/*")), query={"path": "d/*"}))) == ["d/*"]
    gone = [step("statObject", "r", "b", answer=no(404, "not found")), step("getCommit", "r", "b", answer=ref("b", C1))]
    assert found(glob("d/a", *gone)) == []


def test_a_missing_reference_is_an_error() -> None:
    play = Play(step("listObjects", "r", "b", answer=no(404, "branch not found")))
    play.fails(prefixes.glob_page(S, "r", "b", "", 1000, pattern=Pattern("*")), errors.NotFoundException)


# -- is_dir, is_file ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "asked"), [("d", "d/"), ("d/", "d/"), ("d/e", "d/e/")])
def test_a_directory_has_something_under_it(path: str, asked: str) -> None:
    query = {"amount": "1", "prefix": asked}
    assert Play(listing(obj(f"{asked}x"), **query)).run(prefixes.is_dir(S, "r", "b", path)) is True
    assert Play(listing(**query)).run(prefixes.is_dir(S, "r", "b", path)) is False


def test_the_root_is_a_directory() -> None:
    assert Play(listing(amount="1")).run(prefixes.is_dir(S, "r", "b", "")) is True
    assert Play().run(prefixes.is_file(S, "r", "b", "")) is False


# -- usage -------------------------------------------------------------------------------------------------------------


def test_usage_by_group() -> None:
    play = Play(
        listing(obj("b", 1), obj("a", 2), more="a", amount="1000", prefix="p"),
        listing(obj("a", 4), amount="1000", prefix="p", after="a"),
    )
    totals = play.run(prefixes.usage(S, "r", "b", "p", str))
    assert list(totals.items()) == [("a", Total(6, 2)), ("b", Total(1, 1))]
    assert Play(listing()).run(prefixes.usage(S, "r", "b", "", str)) == {}


def test_partial_sums_continue_from_their_key() -> None:
    def next_page(after: str, *steps: Any, every: int = 2) -> prefixes.TotalPage:
        return Play(*steps).run(prefixes.usage_page(S, "r", "b", after, 1000, prefix="p:", every=every))

    first = next_page("", listing(obj("p:a", 1), obj("p:b", 2), obj("p:c", 4), more="p:c", amount="1000", prefix="p:"))
    assert first.results == [Total(3, 2)]
    rest = listing(obj("p:d", 8), amount="1000", prefix="p:", after="p:c")
    last = next_page(first.pagination.next_offset, rest)
    assert (last.results, last.pagination.has_more) == ([Total(15, 4)], False)
    assert next_page("", listing(), every=7).results == [Total(0, 0)]
    two = [listing(obj("p:a"), more="p:a"), listing(obj("p:b"))]
    assert next_page("", *two, every=7).results == [Total(2, 2)]


# -- remove ------------------------------------------------------------------------------------------------------------

BRANCH = head()


def remove(path: str, *steps: Any, recursive: bool = False) -> list[tuple[list[str], list[models.ObjectError]]]:
    batches = list[tuple[list[str], list[models.ObjectError]]]()
    op = prefixes.remove(S, "r", "b", path, lambda *batch: batches.append(batch), recursive=recursive)
    Play(BRANCH, *steps).run(op)
    return batches


def look(path: str, *, there: bool = True) -> Any:
    answer = ok(obj(path)) if there else no(404, "not found")
    return step("statObject", "r", "b", answer=answer, query={"path": path})


def deletion(*paths: str, answer: Any = None) -> Any:
    return step("deleteObjects", "r", "b", answer=answer or ok(models.ObjectErrors([])), body=models.PathList([*paths]))


def test_an_object_is_deleted() -> None:
    assert remove("a", look("a"), deletion("a")) == [(["a"], [])]


def test_a_tree_is_deleted_page_by_page() -> None:
    assert remove(
        "d",
        look("d"),
        listing(obj("d/1"), obj("d/2"), more="d/2", amount="1000", prefix="d/"),
        deletion("d"),
        deletion("d/1", "d/2"),
        listing(obj("d/3"), amount="1000", prefix="d/", after="d/2"),
        deletion("d/3"),
        recursive=True,
    ) == [(["d"], []), (["d/1", "d/2"], []), (["d/3"], [])]


def test_an_object_whose_path_ends_with_a_slash_is_deleted_once() -> None:
    steps = [look("d/"), listing(obj("d/"), obj("d/1")), deletion("d/", "d/1")]
    assert remove("d/", *steps, recursive=True) == [(["d/", "d/1"], [])]
    assert remove("d/", look("d/"), deletion("d/")) == [(["d/"], [])]


def test_a_lost_response_is_looked_into() -> None:
    gone = step("statObject", "r", "b", answer=no(404, "not found"), query={"path": "d/1"})
    steps = [look("d", there=False), listing(obj("d/1")), deletion("d/1", answer=lost()), gone]
    assert remove("d", *steps, recursive=True) == [(["d/1"], [])]


def test_a_prefix_is_deleted_only_if_asked_for() -> None:
    play = Play(BRANCH, look("d", there=False), listing(obj("d/1"), amount="1", prefix="d/"))
    op = prefixes.remove(S, "r", "b", "d", lambda *_: None, recursive=False)
    error = play.fails(op, IsADirectoryError, "recursive=True deletes them all")
    assert error.filename == "lakefs://r/b/d"


@pytest.mark.parametrize("recursive", [False, True])
def test_a_missing_path_is_an_error(recursive: bool) -> None:
    play = Play(BRANCH, look("d", there=False), listing())
    op = prefixes.remove(S, "r", "b", "d", lambda *_: None, recursive=recursive)
    error = play.fails(op, errors.ObjectNotFoundException, "removing lakefs://r/b/d: no object has the path 'd'")
    assert (error.filename, error.errno) == ("lakefs://r/b/d", 2)


def test_a_commit_is_immutable() -> None:
    play = Play(
        step("getBranch", "r", "b", answer=no(404, "branch not found")),
        step("getCommit", "r", "b", answer=ok(models.Commit(C1, [], "me", "m", 1, "r"))),
    )
    op = prefixes.remove(S, "r", "b", "d", lambda *_: None, recursive=True)
    play.fails(op, errors.BadRequestException, "commits are immutable")


# -- suffixes ----------------------------------------------------------------------------------------------------------


def by_suffix(*steps: Any, after: str = "", amount: int = 1000) -> models.ObjectPage:
    op = prefixes.suffix_page(S, "r", "b", after, amount, suffix=".pdf", prefix="d/", delimiter="/")
    return Play(*steps).run(op)


def test_a_suffix_is_looked_for_in_full_pages() -> None:
    where = {"amount": "1000", "prefix": "d/", "delimiter": "/"}
    result = by_suffix(
        listing(obj("d/a"), prefix("d/b.pdf/"), more="d/b", **where),
        listing(obj("d/c.pdf"), obj("d/d.pdf"), obj("d/e.pdf"), after="d/b", **where),
        amount=2,
    )
    assert found(result) == ["d/c.pdf", "d/d.pdf"]
    assert result.pagination == models.Pagination(True, "d/d.pdf", 2, 1000)
    last = by_suffix(listing(obj("d/e.pdf"), obj("d/f"), after="d/d.pdf", **where), after="d/d.pdf", amount=2)
    assert (found(last), last.pagination.has_more) == (["d/e.pdf"], False)


def test_a_page_whose_rows_all_count_leads_to_the_next_one() -> None:
    result = by_suffix(listing(obj("d/a.pdf"), more="d/b"))
    assert (found(result), result.pagination.next_offset) == (["d/a.pdf"], "d/b")
