"""Graphs of commits: every line is drawn, no commit lies on another or on a line that is not its own."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import lakefs_hl
from lakefs_hl.facades import graph
from tests.test_html import HOSTILE, check

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def commit(name: str, *parents: str, minutes: int = 0, message: str = "", committer: str = "ann") -> Any:
    date = NOW - timedelta(minutes=minutes)
    return SimpleNamespace(
        id=name, parents=list(parents), message=message or name, committer=committer, creation_date=date
    )


def random_history(seed: int) -> dict[str, Any]:
    """A history with several roots, merges of up to three parents, and clocks that are wrong now and then."""
    chance = random.Random(seed)
    names = [f"{number:08x}" for number in range(chance.randint(1, 40))]
    found = dict[str, Any]()
    for at, name in enumerate(names):
        recent = names[max(0, at - chance.randint(1, 8)) : at]
        parents = chance.sample(recent, min(len(recent), chance.choice([0, 1, 1, 1, 1, 2, 2, 3])))
        found[name] = commit(name, *parents, minutes=len(names) - at + chance.choice([0, 0, 5]))
    return found


@pytest.mark.parametrize("seed", range(60))
def test_random_histories_are_drawn_whole(seed: int) -> None:
    known = random_history(seed)
    most = random.Random(seed).choice([5, 100])
    commits = graph.newest(known, known, most)
    rows = {each.id: at for at, each in enumerate(commits)}
    assert len(commits) == min(most, len(known))
    assert all(rows[each.id] < rows[parent] for each in commits for parent in each.parents if parent in rows)

    first = commits[-1].id if seed % 2 else None
    found = graph.layout(commits, first)
    assert all(node.lane == 0 for node in found.nodes if node.id == first)
    assert [(node.id, node.row) for node in found.nodes] == [(each.id, at) for at, each in enumerate(commits)]
    assert all(0 <= node.lane < found.lanes for node in found.nodes)
    drawn = [(edge.child.id, edge.parent and edge.parent.id) for edge in found.edges]
    wanted = [(each.id, parent if parent in rows else None) for each in commits for parent in each.parents]
    assert sorted(map(str, drawn)) == sorted(map(str, wanted))
    taken = {(node.row, node.lane) for node in found.nodes}
    for edge in found.edges:
        if edge.parent is not None:
            passed = {(row, edge.lane) for row in range(edge.child.row + 1, edge.parent.row)}
            assert not passed & taken, f"seed {seed}: the line {edge} runs through a commit"

    assert graph.layout(commits, first) == found  # it does not depend on the run
    root = ET.fromstring(graph.svg(commits, {}, NOW))
    names = [each.tag.rpartition("}")[2] for each in root.iter()]
    assert (names.count("circle"), names.count("path")) == (len(commits), len(found.edges))


def trace(lines: list[str], commits: list[Any]) -> set[tuple[str, str]]:
    """Follow the lines of the text from each commit down, and return the pairs of commits that they connect."""
    ups, downs, lefts, rights = "╵│╯┤╰├┴┼●", "╷│╮┤╭├┬┼●", "╴╯╮┤─┴┬┼", "╶╰╭├─┴┬┼"
    at = {commits[index].id: place for index, place in enumerate(_dots(lines))}
    name = {place: key for key, place in at.items()}
    found = set[tuple[str, str]]()
    for key, (row, column) in at.items():
        left, seen = [(row, column, "down")], set[tuple[int, int, str]]()
        while left:
            y, x, way = step = left.pop()
            if step in seen:
                continue
            seen.add(step)
            y, x = (y + 1, x) if way == "down" else (y, x + (1 if way == "right" else -1))
            if not (0 <= y < len(lines) and 0 <= x < len(lines[y])):
                continue
            cell = lines[y][x]
            if (y, x) in name and way == "down":
                found.add((key, name[y, x]))
                continue
            if cell not in {"down": ups, "right": lefts, "left": rights}[way]:
                continue
            if cell in downs:
                left.append((y, x, "down"))
            if way != "left" and cell in rights:
                left.append((y, x, "right"))
            if way != "right" and cell in lefts:
                left.append((y, x, "left"))
    return found


def _dots(lines: list[str]) -> list[tuple[int, int]]:
    return [(row, line.index("●")) for row, line in enumerate(lines) if "●" in line]


@pytest.mark.parametrize("seed", range(20))
def test_the_text_connects_every_commit_with_its_parents(seed: int) -> None:
    known = random_history(seed)
    commits = graph.newest(known, known, 100)
    lines = [re.split(r"  [0-9a-f]{8}", line)[0] for line in graph.text(commits, {}, NOW).splitlines()]
    wanted = {(each.id, parent) for each in commits for parent in each.parents}
    assert wanted <= trace(lines, commits), f"seed {seed}"


def test_the_text_of_a_merge() -> None:
    known = {
        "aaaaaaaa": commit("aaaaaaaa", minutes=240),
        "bbbbbbbb": commit("bbbbbbbb", "aaaaaaaa", minutes=180),
        "cccccccc": commit("cccccccc", "aaaaaaaa", minutes=120, message="two\nlines"),
        "dddddddd": commit("dddddddd", "bbbbbbbb", "cccccccc", minutes=60),
    }
    shown = graph.text(graph.newest(known, ["dddddddd"], 10), {"dddddddd": [("branch", "main"), ("tag", "v1")]}, NOW)
    assert shown.splitlines() == [
        "●  dddddddd [main] [v1] dddddddd (ann, 1 hour ago)",
        "├─╮",
        "│ ●  cccccccc two (ann, 2 hours ago)",
        "● │  bbbbbbbb bbbbbbbb (ann, 3 hours ago)",
        "├─╯",
        "●  aaaaaaaa aaaaaaaa (ann, 4 hours ago)",
    ]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 seconds ago"),
        (61, "1 minute ago"),
        (7200, "2 hours ago"),
        (86_400 * 3, "3 days ago"),
        (86_400 * 65, "2 months ago"),
        (86_400 * 800, "2 years ago"),
        (-60, "2026-06-01"),
    ],
)
def test_ages(seconds: int, shown: str) -> None:
    assert graph.age(NOW - timedelta(seconds=seconds), NOW) == shown


def test_nothing_of_a_message_runs_or_moves_a_cursor() -> None:
    commits = [commit("a" * 64, message=f"{HOSTILE}\x1b[2J\u202e", committer=HOSTILE)]
    labels = {"a" * 64: [("branch", HOSTILE), *(("tag", f"v{number}") for number in range(9))]}
    shown = graph.CommitGraph("lakefs://example", commits, labels, now=NOW)
    check(shown._repr_html_())
    ET.fromstring(shown.to_svg())
    assert "\x1b" not in repr(shown) + shown.to_svg()
    assert "\u202e" not in repr(shown) + shown.to_svg()
    assert "and 7 more" in repr(shown)
    assert "a" * 64 in shown.to_svg()


def test_the_branches_and_tags_of_a_repository(lake_branch: lakefs_hl.Branch) -> None:
    repository = lakefs_hl.repository("example", client=lake_branch._client)
    lake_branch.upload(b"1", "a")
    first = lake_branch.commit_changes("first")
    side = repository.branch("side").create("main")
    side.upload(b"2", "b")
    second = side.commit_changes("second")
    repository.tag("v1").create(first)
    lake_branch.upload(b"3", "c")
    lake_branch.commit_changes("third")
    side.merge_into("main")
    merged = lake_branch.head()

    shown = repository.graph()
    assert {each.message for each in shown.commits} >= {"first", "second", "third", "Repository created"}
    assert shown.labels == {merged.id: ("main",), second.id: ("side",), first.id: ("v1",)}
    assert not shown.is_truncated
    assert len(shown) == 5
    assert repr(shown).startswith("lakefs://example: 5 commits\n●")
    check(shown._repr_html_())

    short = repository.graph(max_amount=2)
    assert (len(short), short.is_truncated) == (2, True)
    assert "older ones are not shown: max_amount=2" in repr(short)
    assert [each.message for each in repository.graph("v1").commits] == ["first", "Repository created"]
    assert repository.graph([first, "v1"]).labels == {first.id: (first.id, "v1")}


def test_a_branch_that_is_deleted_meanwhile_is_left_out_and_a_named_one_is_not(lake_branch: lakefs_hl.Branch) -> None:
    repository = lakefs_hl.repository("example", client=lake_branch._client)
    with pytest.raises(lakefs_hl.exceptions.NotFoundException):
        repository.graph("missing")
    with pytest.raises(ValueError, match="refs must not be empty"):
        repository.graph([])
    with pytest.raises(TypeError, match="refs must be a reference or several"):
        repository.graph(7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_amount must be at least 1"):
        repository.graph(max_amount=0)
