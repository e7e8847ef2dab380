"""Bisection on graphs: which commits are candidates, and how many tests find the first bad one."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakefs_hl.facades.history import Graph, Search, checked_verdict, checked_verdicts


class Node(NamedTuple):
    """A commit."""

    id: str
    parents: list[str]


def chain(length: int) -> list[Node]:
    """Commits in a row, children before parents."""
    return [Node(str(at), [str(at - 1)] if at else []) for at in reversed(range(length))]


@st.composite
def histories(draw: st.DrawFn) -> list[Node]:
    """Histories with branches and merges, parents before children, with one root."""
    made = [Node("0", [])]
    for at in range(1, draw(st.integers(2, 25))):
        first = draw(st.integers(max(0, at - 4), at - 1))
        other = draw(st.integers(0, at - 1))
        made.append(Node(str(at), list(dict.fromkeys([str(first), *([str(other)] if draw(st.booleans()) else [])]))))
    return made


def reach(nodes: dict[str, Node], start: str, first_parent: bool = False) -> set[str]:
    found, left = {start}, [start]
    while left:
        parents = nodes[left.pop()].parents
        for parent in parents[:1] if first_parent else parents:
            if parent not in found:
                found.add(parent)
                left.append(parent)
    return found


def log(nodes: dict[str, Node], start: str, first_parent: bool = False) -> list[Node]:
    """Children before parents, as lakeFS lists a log: by the length of the longest way to the root."""
    depth: dict[str, int] = {}
    for node in sorted(nodes.values(), key=lambda node: int(node.id)):
        depth[node.id] = 1 + max((depth[parent] for parent in node.parents), default=0)
    return sorted((nodes[name] for name in reach(nodes, start, first_parent)), key=lambda node: -depth[node.id])


def candidates(nodes: dict[str, Node], good: str, bad: str, first_parent: bool = False) -> tuple[list[Any], int, bool]:
    """The candidates, how many commits of the log of the bad one were read, and whether the good one was reached."""
    graph = Graph(good, bad, first_parent=first_parent)
    newer, older = iter(log(nodes, bad, first_parent)), iter(log(nodes, good))
    read = 0
    while graph.is_open:
        node = next(newer, None)
        if node is not None:
            read += 1
            graph.add(node)
        elif not graph.is_reached:
            break
        if graph.is_reached and graph.is_open:
            known = next(older, None)
            graph.exclude(None if known is None else known.id)
    return graph.found(), read, graph.is_reached


@given(histories(), st.data())
@settings(max_examples=150, deadline=None)
def test_candidates_are_what_only_the_bad_commit_reaches(made: list[Node], data: st.DataObject) -> None:
    nodes = {node.id: node for node in made}
    bad = data.draw(st.sampled_from(sorted(nodes, key=int)))
    good = data.draw(st.sampled_from(sorted(nodes, key=int)))
    first_parent = data.draw(st.booleans())
    if good == bad:
        return
    found, _, reached = candidates(nodes, good, bad, first_parent)
    assert reached is (good in reach(nodes, bad, first_parent))
    if not reached:
        return
    ids = [node.id for node in found]
    known = reach(nodes, good)
    if first_parent:
        assert ids == [node.id for node in log(nodes, bad, True) if node.id not in known]
    assert set(ids) == reach(nodes, bad, first_parent) - known
    assert ids[0] == bad
    assert all(ids.index(parent) > at for at, node in enumerate(found) for parent in node.parents if parent in ids)


def test_a_history_without_branches_is_read_only_as_far_as_needed() -> None:
    nodes = {node.id: node for node in chain(1000)}
    found, read, _ = candidates(nodes, "989", "999")
    assert (len(found), read) == (10, 10)


@given(histories(), st.data())
@settings(max_examples=150, deadline=None)
def test_the_first_bad_commit_is_found(made: list[Node], data: st.DataObject) -> None:
    """A commit is bad if it reaches the culprit; some cannot be tested."""
    nodes = {node.id: node for node in made}
    inside = [node for node in log(nodes, made[-1].id) if node.id != "0"]
    culprit = data.draw(st.sampled_from([node.id for node in inside]))
    broken = {name for name in nodes if culprit in reach(nodes, name)}
    if made[-1].id not in broken:
        return
    skipped = set(data.draw(st.lists(st.sampled_from([node.id for node in inside]), max_size=4)))
    search, tests = Search(inside, first_parent=False), 0
    while (node := search.next()) is not None:
        search.take(node, None if node.id in skipped else node.id not in broken)
        tests += 1
        assert tests <= len(inside)
    suspects = [node.id for node in search.candidates()]
    assert culprit in suspects
    assert len(suspects) == 1 or set(suspects) & skipped
    assert len(suspects) <= len(skipped) + 1


@pytest.mark.parametrize("length", [1, 2, 3, 10, 1000, 4096])
def test_a_chain_takes_the_logarithm_of_its_length(length: int) -> None:
    nodes = chain(length)
    for culprit in {0, length // 3, length - 1}:
        search, tests = Search(nodes, first_parent=False), 0
        while (node := search.next()) is not None:
            search.take(node, int(node.id) < culprit)
            tests += 1
        assert [node.id for node in search.candidates()] == [str(culprit)]
        assert tests <= math.ceil(math.log2(length)) if length > 1 else tests == 0


def test_verdicts_are_true_false_or_none() -> None:
    assert [checked_verdict(value, "x") for value in (True, False, None, np.True_)] == [True, False, None, True]
    for value in (1, 0, "good", np.int64(1), np.array([True]), object()):
        with pytest.raises(TypeError, match=r"must be True .* or None"):
            checked_verdict(value, "test returned")
    assert checked_verdicts(None) == {}
    assert checked_verdicts({"a": np.False_, "b": None}) == {"a": False, "b": None}
    with pytest.raises(TypeError, match="verdicts must be a mapping"):
        checked_verdicts([("a", True)])
