"""Differences: two-dot, three-dot, staged; pages and folding."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_mock import MockerFixture

from lakefs_hl.local.disk.tables import staging
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import models
from tests.local.engine.support import branch, commit, put, refused


def told(page: models.DiffPage) -> list[tuple[str, str, int | None]]:
    return [(one.type, one.path, one.size_bytes) for one in page.results]


@pytest.fixture
def sides(engine: Engine) -> Engine:
    for path in ("a", "d/1", "d/2", "e", "same"):
        put(engine, path, b"base")
    commit(engine)
    branch(engine, "left")
    branch(engine, "right")
    put(engine, "a", b"left-", "left")
    put(engine, "new", b"1", "left")
    put(engine, "same", b"both", "left")
    put(engine, "a", b"right-", "right")
    put(engine, "same", b"both", "right")
    for path in ("d/1", "d/2", "e"):
        engine.objects.delete("repo", "right", path)
    put(engine, "g/1", b"22", "right")
    for name in ("left", "right"):
        commit(engine, name)
    return engine


def test_three_dot_is_what_a_merge_would_do(sides: Engine) -> None:
    page = sides.diffs.refs("repo", "left", "right")
    assert told(page) == [
        ("conflict", "a", 6),
        ("removed", "d/1", 4),
        ("removed", "d/2", 4),
        ("removed", "e", 4),
        ("added", "g/1", 2),
    ]


def test_two_dot_compares_trees(sides: Engine) -> None:
    page = sides.diffs.refs("repo", "left", "right", type="two_dot")
    assert told(page)[0] == ("changed", "a", 6)
    assert ("removed", "new", 1) in told(page)
    assert told(sides.diffs.refs("repo", "left", "left", type="two_dot")) == []


def test_folding_and_pages(sides: Engine) -> None:
    page = sides.diffs.refs("repo", "left", "right", delimiter="/", amount=2)
    assert told(page) == [("conflict", "a", 6), ("prefix_changed", "d/", None)]
    assert (page.pagination.has_more, page.pagination.next_offset, page.results[1].path_type) == (
        True,
        "d/",
        "common_prefix",
    )
    rest = sides.diffs.refs("repo", "left", "right", delimiter="/", amount=2, after="d/")
    assert told(rest) == [("removed", "e", 4), ("prefix_changed", "g/", None)]
    assert told(sides.diffs.refs("repo", "left", "right", prefix="d/", after="d/1")) == [("removed", "d/2", 4)]
    assert told(sides.diffs.refs("repo", "left", "right", prefix="d/", delimiter="/"))[0] == ("removed", "d/1", 4)


def test_an_object_does_not_hide_what_begins_like_it(sides: Engine) -> None:
    """lakeFS passes by all keys that begin with `after` when there is a delimiter; nobody can want that."""
    put(sides, "n", b"1")
    put(sides, "nb", b"1")
    assert [one.path for one in sides.diffs.branch("repo", "main", delimiter="/", after="n").results] == ["nb"]


def test_right_sides(sides: Engine) -> None:
    page = sides.diffs.refs("repo", "left", "right", right_stats=True)
    right = page.results[0].right
    assert right is not None
    assert (right.checksum, right.content_type, right.metadata) == (
        sides.objects.stat("repo", "right", "a").checksum,
        "application/octet-stream",
        {},
    )
    removed = page.results[1].right
    assert removed is not None
    assert removed.checksum == sides.objects.stat("repo", "left", "d/1").checksum


def test_staged(sides: Engine) -> None:
    put(sides, "a", b"base")  # the same again
    put(sides, "e", b"changed")
    put(sides, "f/1", b"1")
    put(sides, "f/2", b"1")
    sides.objects.delete("repo", "main", "d/1")
    sides.objects.delete("repo", "main", "none")
    assert told(sides.diffs.branch("repo", "main")) == [
        ("removed", "d/1", 0),
        ("changed", "e", 7),
        ("added", "f/1", 1),
        ("added", "f/2", 1),
    ]
    folded = told(sides.diffs.branch("repo", "main", delimiter="/"))
    assert folded == [("prefix_changed", "d/", None), ("changed", "e", 7), ("prefix_changed", "f/", None)]
    assert told(sides.diffs.refs("repo", "main", "main$", type="two_dot", prefix="d")) == [("removed", "d/1", 4)]
    assert told(sides.diffs.refs("repo", "main", "main")) == []


def test_a_page_reads_only_as_much_of_what_is_staged_as_it_shows(sides: Engine, mocker: MockerFixture) -> None:
    for number in range(300):
        put(sides, f"n/{number:03}", b"1")
    read = mocker.spy(staging, "unseal")
    calls: tuple[Callable[[], models.DiffPage], ...] = (
        lambda: sides.diffs.branch("repo", "main", prefix="n/", amount=3),
        lambda: sides.diffs.refs("repo", "main", "main$", type="two_dot", prefix="n/", amount=3),
    )
    for call in calls:
        read.reset_mock()
        page = call()
        assert [one.path for one in page.results] == ["n/000", "n/001", "n/002"]
        assert page.pagination.has_more
        assert 4 <= read.call_count < 10


def test_refusals(sides: Engine) -> None:
    refused(404, lambda: sides.diffs.refs("repo", "none", "main"), "get commit by branch none: not found")
    refused(404, lambda: sides.diffs.refs("repo", "main", "none"), "get commit by ref none: not found")
    refused(404, lambda: sides.diffs.refs("repo", "main", "none", type="two_dot"), "not found")
    refused(400, lambda: sides.diffs.refs("repo", "main", "left$"))
    refused(400, lambda: sides.diffs.refs("repo", "left$", "main", type="two_dot"))
    refused(404, lambda: sides.diffs.branch("repo", "none"), "branch not found")
