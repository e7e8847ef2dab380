"""Commits as a graph: lanes and edges, drawn as SVG and as text. Nothing here sends a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import heappop, heappush
from typing import Any, Final, NamedTuple
from unicodedata import east_asian_width

from lakefs_hl._html import escape

#: Of the drawing, in pixels.
ROW, LANE, RADIUS, LETTER = 26, 16, 5, 7
#: Longest message and longest name of a branch or tag that are drawn, in characters.
_MESSAGE, _LABEL = 72, 40
#: Labels of one commit that are drawn.
_LABELS: Final = 4
#: Of the lanes. Each is readable on white and on black.
_COLOURS: Final = ("#2f81f7", "#2da44e", "#bf8700", "#a371f7", "#e5534b", "#1b9aaa", "#db61a2", "#8d7b6c")
_FONT: Final = "font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 12px"
#: Character of a cell by its directions: 1 up, 2 down, 4 left, 8 right.
_BOXES: Final = " ╵╷│╴╯╮┤╶╰╭├─┴┬┼"
_AGES: Final = (
    (60, "second", 1),
    (3600, "minute", 60),
    (86_400, "hour", 3600),
    (2_629_800, "day", 86_400),
    (31_557_600, "month", 2_629_800),
)


class Node(NamedTuple):
    """A commit in the drawing.

    Attributes:
        id: ID of the commit.
        row: Number of its row, from 0 at the top.
        lane: Number of its lane, from 0 at the left.
    """

    id: str
    row: int
    lane: int


class Edge(NamedTuple):
    """A line from a commit down to a parent. Below the row of the commit it turns into its lane, above the parent out.

    Attributes:
        child: The commit.
        parent: The parent. None if it is not in the drawing.
        lane: The lane between the two.
    """

    child: Node
    parent: Node | None
    lane: int


class Layout(NamedTuple):
    """Where commits and lines are.

    Attributes:
        nodes: The commits, from top to bottom.
        edges: A line for each parent of each commit.
        lanes: Number of lanes.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    lanes: int


def newest(commits: Mapping[str, Any], heads: Iterable[str], most: int) -> list[Any]:
    """Return commits, each one before its parents, and the newest ones first as far as that allows.

    Args:
        commits: What is known, by ID.
        heads: IDs to begin with.
        most: Maximum number of commits.
    """
    reached, left = set[str](), [head for head in heads if head in commits]
    children = dict[str, int]()
    while left:
        name = left.pop()
        if name not in reached:
            reached.add(name)
            known = [parent for parent in dict.fromkeys(commits[name].parents) if parent in commits]
            left += known
            for parent in known:
                children[parent] = children.get(parent, 0) + 1
    ready = [(-commits[name].creation_date.timestamp(), name) for name in reached if not children.get(name)]
    ready.sort()
    found = list[Any]()
    while ready and len(found) < most:
        commit = commits[heappop(ready)[1]]
        found.append(commit)
        for parent in dict.fromkeys(commit.parents):
            if parent in reached:
                children[parent] -= 1
                if not children[parent]:
                    heappush(ready, (-commits[parent].creation_date.timestamp(), parent))
    return found


def layout(commits: Sequence[Any], first: str | None = None) -> Layout:
    """Return where commits are drawn: each in a row of its own, so that no line runs through another commit.

    Args:
        commits: The commits, each before its parents.
        first: ID of the commit that has the first lane, such as that of the default branch.
    """
    drawn = {commit.id for commit in commits}
    lanes: list[str | None] = [first] if first in drawn else []  # the commit that a lane leads to
    nodes, lines = dict[str, Node](), list[tuple[str, str, int]]()
    width = 1
    for row, commit in enumerate(commits):
        lane = lanes.index(commit.id) if commit.id in lanes else _free(lanes)
        lanes = [None if name == commit.id else name for name in lanes]
        nodes[commit.id] = Node(commit.id, row, lane)
        for at, parent in enumerate(dict.fromkeys(commit.parents)):
            into = lane
            if at and parent in drawn:  # the first parent keeps the lane
                into = lanes.index(parent) if parent in lanes else _free(lanes)
            if parent in drawn:
                lanes[into] = parent
            lines.append((commit.id, parent, into))
        width = max(width, len(lanes))
        while lanes and lanes[-1] is None:
            lanes.pop()
    edges = tuple(Edge(nodes[child], nodes.get(parent), into) for child, parent, into in lines)
    return Layout(tuple(nodes.values()), edges, width)


def _free(lanes: list[str | None]) -> int:
    """Return the first lane that leads nowhere, which is added if there is none."""
    if None not in lanes:
        lanes.append(None)
    return lanes.index(None)


def age(moment: datetime, now: datetime) -> str:
    """Return how long ago a time was, such as "3 hours ago"."""
    seconds = int((now - moment).total_seconds())
    if seconds < 0:
        return f"{moment:%Y-%m-%d}"
    for most, unit, size in _AGES:
        if seconds < most:
            return _count(seconds // size, unit)
    return _count(seconds // 31_557_600, "year")


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'} ago"


def plain(text: str, most: int) -> str:
    """Return the first line of a text, without what a terminal would act on, cut to so many characters."""
    first = text.strip().partition("\n")[0]
    shown = "".join(each if each.isprintable() else "�" for each in first)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _cells(text: str) -> int:
    """Return the width of a text in letters of a fixed width."""
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in text)


# -- SVG ---------------------------------------------------------------------------------------------------------------


def svg(commits: Sequence[Any], labels: Mapping[str, Sequence[tuple[str, str]]], now: datetime) -> str:
    """Return a drawing that takes its colours from where it is shown, and loads and runs nothing.

    Args:
        commits: The commits, each before its parents.
        labels: Kind ("branch", "tag" or "") and name of what points to a commit, by its ID. The first commit has the
            first lane.
        now: The time that ages are counted from.
    """
    found = layout(commits, next(iter(labels), None))
    left = found.lanes * LANE + 12
    turning = sorted(found.edges, key=lambda edge: edge.parent is None or edge.lane == edge.parent.lane)
    lines = map(_line, turning)  # what stays in its lane comes last, on top
    rows = [_row(node, commit, labels.get(commit.id, ()), left, now) for node, commit in _pairs(found, commits)]
    width = max((_width(commit, labels.get(commit.id, ()), now) for commit in commits), default=0) + left
    height = max(1, len(commits)) * ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'fill="currentColor" style="{_FONT}" role="img" aria-label="{len(commits)} commits">'
        f"{''.join(lines)}{''.join(rows)}</svg>"
    )


def _pairs(found: Layout, commits: Sequence[Any]) -> Iterator[tuple[Node, Any]]:
    return zip(found.nodes, commits, strict=True)


def _x(lane: int) -> int:
    return 10 + lane * LANE


def _y(row: int) -> int:
    return ROW // 2 + row * ROW


def _line(edge: Edge) -> str:
    child, parent, lane = edge
    x, y = _x(child.lane), _y(child.row)
    if parent is None:
        return _path(f"M{x} {y}V{y + ROW // 2}", child.lane, ' stroke-dasharray="2 3"')
    end = _x(parent.lane)
    if parent.row == child.row + 1:  # no row in between: one turn
        lane = parent.lane
    steps, to = f"M{x} {y}", _x(lane)
    if to != x:
        y += ROW
        steps += _curve(x, y - ROW, to, y)
    below, above = _y(parent.row), _y(parent.row - 1)
    steps += f"V{below}" if to == end else f"V{above}{_curve(to, above, end, below)}"
    return _path(steps, max(child.lane, edge.lane))


def _curve(x: int, y: int, to: int, end: int) -> str:
    middle = (y + end) // 2
    return f"C{x} {middle} {to} {middle} {to} {end}"


def _path(steps: str, lane: int, more: str = "") -> str:
    return f'<path d="{steps}" fill="none" stroke="{_COLOURS[lane % len(_COLOURS)]}" stroke-width="2"{more}/>'


def _row(node: Node, commit: Any, labels: Sequence[tuple[str, str]], left: int, now: datetime) -> str:
    y, colour = _y(node.row), _COLOURS[node.lane % len(_COLOURS)]
    title = (
        f"{commit.id}\n{commit.committer or 'unknown'}, {commit.creation_date:%Y-%m-%d %H:%M:%S} UTC\n{commit.message}"
    )
    parts = [
        f"<g><title>{escape(_tooltip(title))}</title>",
        f'<circle cx="{_x(node.lane)}" cy="{y}" r="{RADIUS}" fill="{colour}"/>',
        f'<text x="{left}" y="{y + 4}" opacity=".65">{commit.id[:8]}</text>',
    ]
    x = left + 9 * LETTER
    for kind, name in _labels_of(labels):
        text = plain(name, _LABEL)
        size = _cells(text) * LETTER
        dash = ' stroke-dasharray="3 2"' if kind == "tag" else ""
        parts.append(
            f'<rect x="{x}" y="{y - 9}" width="{size + 10}" height="18" rx="4" fill="{colour}" fill-opacity=".18" '
            f'stroke="{colour}"{dash}/><text x="{x + 5}" y="{y + 4}" textLength="{size}" '
            f'lengthAdjust="spacingAndGlyphs" font-weight="bold">{escape(text)}</text>'
        )
        x += size + 16
    words = f"{escape(plain(commit.message, _MESSAGE))}"
    parts.append(
        f'<text x="{x}" y="{y + 4}">{words}<tspan dx="14" opacity=".65">{escape(_by(commit, now))}</tspan></text></g>'
    )
    return "".join(parts)


def _tooltip(text: str) -> str:
    """Return a text for a tooltip: lines are kept, and what cannot be part of XML is not."""
    shown = "".join(each if each.isprintable() or each == "\n" else "�" for each in text)
    return shown if len(shown) <= 1000 else f"{shown[:999]}…"


def _labels_of(labels: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    if len(labels) <= _LABELS:
        return list(labels)
    return [*labels[: _LABELS - 1], ("", f"and {len(labels) - _LABELS + 1:,} more")]


def _by(commit: Any, now: datetime) -> str:
    return f"{plain(commit.committer, 30) or 'unknown'}, {age(commit.creation_date, now)}"


def _width(commit: Any, labels: Sequence[tuple[str, str]], now: datetime) -> int:
    names = sum(_cells(plain(name, _LABEL)) * LETTER + 16 for _, name in _labels_of(labels))
    return 9 * LETTER + names + (_cells(plain(commit.message, _MESSAGE)) + _cells(_by(commit, now)) + 4) * LETTER + 10


# -- text --------------------------------------------------------------------------------------------------------------


def text(commits: Sequence[Any], labels: Mapping[str, Sequence[tuple[str, str]]], now: datetime) -> str:
    """Return the graph as lines of text, as `git log --graph` has it. Takes the arguments of `svg`."""
    found = layout(commits, next(iter(labels), None))
    lines = list[str]()
    for node, commit in _pairs(found, commits):
        above = _cells_of(found, node.row)
        above[2 * node.lane] = "●"
        names = "".join(f" [{plain(name, _LABEL)}]" for _, name in _labels_of(labels.get(commit.id, ())))
        words = f"{commit.id[:8]}{names} {plain(commit.message, _MESSAGE)} ({_by(commit, now)})"
        lines.append(f"{''.join(above).rstrip()}  {words}")
        below = _turns(found, node.row)
        if below:
            lines.append(below)
    return "\n".join(lines)


def _cells_of(found: Layout, row: int) -> list[str]:
    """Return the cells of a row without its commit: the lanes that lines pass by."""
    cells = [" "] * (2 * found.lanes - 1)
    for edge in found.edges:
        if edge.parent is not None and edge.child.row < row < edge.parent.row:
            cells[2 * edge.lane] = "│"
    return cells


def _turns(found: Layout, row: int) -> str:
    """Return the line between a row and the next, if a line changes its lane there."""
    cells, is_needed = [0] * (2 * found.lanes - 1), False
    for edge in found.edges:
        if edge.parent is None or not edge.child.row <= row < edge.parent.row:
            continue
        at = edge.child.lane if row == edge.child.row else edge.lane
        to = edge.parent.lane if row + 1 == edge.parent.row else edge.lane
        is_needed |= at != to
        low, high = sorted((2 * at, 2 * to))
        cells[2 * at] |= 1
        cells[2 * to] |= 2
        for cell in range(low, high):
            cells[cell] |= 8
            cells[cell + 1] |= 4
    return "".join(_BOXES[cell] for cell in cells).rstrip() if is_needed else ""


class CommitGraph:
    """Commits of a repository as a graph. `repository.graph()` returns it.

    It is in memory and sends no requests. A notebook shows a drawing, in the colours of its theme. Printed, it is the
    graph as text, as `git log --graph` has it.

    Attributes:
        uri: URI of the repository.
        commits: The commits, each before its parents, the newest ones first.
        labels: Names of the branches, tags and other references that point to a commit, by its ID.
        is_truncated: Whether there are older commits, or more branches or tags than were read.

    Examples:
        >>> _ = branch.upload(b"1", "a.csv")
        >>> _ = branch.commit_changes("Add a")
        >>> graph = lakefs.repository(branch.repository_id).graph()
        >>> [commit.message for commit in graph.commits]
        ['Add a', 'Repository created']
        >>> graph.to_svg().startswith("<svg ")
        True
    """

    __module__ = "lakefs_hl.types"

    def __init__(
        self,
        uri: str,
        commits: Sequence[Any],
        labels: Mapping[str, Sequence[tuple[str, str]]],
        *,
        now: datetime,
        note: str = "",
    ) -> None:
        self.uri = uri
        self.commits: tuple[Any, ...] = tuple(commits)
        self.labels: dict[str, tuple[str, ...]] = {key: tuple(name for _, name in each) for key, each in labels.items()}
        self.is_truncated = bool(note)
        self._labels = dict(labels)
        self._now = now
        self._note = note

    def to_svg(self) -> str:
        """Return the drawing as an SVG document. Its texts have the colour of where it is shown."""
        return svg(self.commits, self._labels, self._now)

    def to_text(self) -> str:
        """Return the graph as lines of text."""
        return text(self.commits, self._labels, self._now)

    def __len__(self) -> int:
        return len(self.commits)

    def __repr__(self) -> str:
        return "\n".join([f"{self.uri}: {self._summary()}", self.to_text()])

    def _summary(self) -> str:
        count = f"{len(self.commits):,} commit{'' if len(self.commits) == 1 else 's'}"
        return f"{count}, {self._note}" if self._note else count

    def _repr_html_(self) -> str:
        head = f"<b>Graph</b> <code>{escape(self.uri)}</code> <i>{escape(self._summary())}</i>"
        return f'{head}<div style="overflow-x: auto">{self.to_svg()}</div>'
