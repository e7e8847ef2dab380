"""A lake in dictionaries: what lakeFS's rules say, without a tree, a database or a cache."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TypeAlias

#: Path to content. Two versions of an object are the same if their contents are.
Tree: TypeAlias = "dict[str, bytes]"
#: What a page shows: (path or folded prefix, what it is, size).
Row: TypeAlias = "tuple[str, str, int | None]"


class Refused(Exception):
    """The lake has to say no; the argument is the status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True)
class Commit:
    """A commit. `root` is the id that the lake gave its tree: "" for none, which is not the same as an empty one."""

    id: str
    parents: tuple[str, ...]
    tree: Tree
    root: str
    date: int
    message: str
    generation: int


@dataclass
class Branch:
    """A branch: its commit, and what is staged; None is a deletion.

    A reset by prefix seals what it leaves, once: no hard reset goes over that while it differs from the commit.
    """

    commit: str
    staged: dict[str, bytes | None] = field(default_factory=dict)
    sealed: dict[str, bytes | None] | None = None


def key(path: str) -> bytes:
    return path.encode()


def combine(base: Tree, ours: Tree, theirs: Tree, strategy: str) -> Tree:
    """Three-way merge."""
    merged, conflict = dict(ours), False
    for path in {*base, *theirs}:
        old, new, here = base.get(path), theirs.get(path), ours.get(path)
        if new in (old, here):
            continue
        if here != old:
            conflict = conflict or not strategy
            if strategy != "source-wins":
                continue
        if new is None:
            merged.pop(path, None)
        else:
            merged[path] = new
    if conflict:
        raise Refused(409)
    return merged


def equal(left: Commit, right: Commit) -> bool:
    """Whether two commits hold the same to lakeFS."""
    if not left.root or not right.root:
        return left.root == right.root
    return left.tree == right.tree


def brought(base: Commit, ours: Commit, theirs: Commit, strategy: str) -> tuple[Tree, bool]:
    """What a merge makes, and whether it is the tree of a first commit."""
    if base.root == ours.root:
        return theirs.tree, not theirs.root
    return combine(base.tree, ours.tree, theirs.tree, strategy), False


def kind(old: bytes | None, new: bytes | None) -> str:
    return "added" if old is None else "removed" if new is None else "changed"


def fold(rows: list[Row], prefix: str, after: str, delimiter: str, folded_kind: str) -> list[Row]:
    """What a listing with a prefix, a delimiter and a place to go on from shows, all of it."""
    out: list[Row] = []
    for path, what, size in sorted(rows, key=lambda row: key(row[0])):
        if not path.startswith(prefix):
            continue
        cut = path.find(delimiter, len(prefix)) if delimiter else -1
        group = path[: cut + len(delimiter)] if cut >= 0 else ""
        if group and group == after:
            continue
        if after and key(path) < key(after):
            continue
        if path == after and not (group and folded_kind == "common_prefix"):
            continue
        inside = after.startswith(group) and delimiter in after[len(prefix) :]
        if group and inside and folded_kind == "prefix_changed" and path.startswith(after):
            continue  # a page of differences passes by all that begins with an `after` inside of a common prefix
        if not group:
            out.append((path, what, size))
        elif not out or out[-1][0] != group:
            out.append((group, folded_kind, None))
    return out


class Lake:
    """One repository."""

    def __init__(self, root: str, date: int) -> None:
        first = Commit(root, (), {}, "", date, "Repository created", 1)
        self.commits = {root: first}
        self.branches = {"main": Branch(root)}
        self.tags: dict[str, str] = {}

    # -- references ----------------------------------------------------------------------------------------------------

    def climb(self, commit: str, steps: str) -> str:
        """Follows `~`, `^2` and the like, one of them."""
        if not steps:
            return commit
        number = int(steps[1:] or 1)
        if steps[0] == "^":
            parents = self.commits[commit].parents
            if number == 0:
                return commit
            if number > len(parents):
                raise Refused(400)
            return parents[number - 1]
        for _ in range(number):
            parents = self.commits[commit].parents
            if not parents:
                raise Refused(404)
            commit = parents[0]
        return commit

    def head(self, branch: str) -> Commit:
        return self.commits[self.branches[branch].commit]

    def shown(self, branch: str) -> Tree:
        """What a plain branch name shows: the commit under what is staged."""
        merged: dict[str, bytes | None] = {**self.head(branch).tree, **self.branches[branch].staged}
        return {path: content for path, content in merged.items() if content is not None}

    def uncommitted(self, branch: str) -> list[Row]:
        tree = self.head(branch).tree
        return [
            (path, kind(tree.get(path), new), len(new or b""))
            for path, new in self.branches[branch].staged.items()
            if tree.get(path) != new
        ]

    def add(
        self,
        identity: str,
        parents: tuple[str, ...],
        tree: Tree,
        root: str,
        date: int,
        message: str,
        squashed: tuple[str, ...] = (),
    ) -> Commit:
        generation = 1 + max(self.commits[one].generation for one in parents + squashed)
        made = self.commits[identity] = Commit(identity, parents, tree, root, date, message, generation)
        return made

    def must_be_clean(self, branch: str) -> None:
        if self.uncommitted(branch):
            raise Refused(400)

    def ancestors(self, commit: str) -> set[str]:
        found, left = set[str](), [commit]
        while left:
            one = left.pop()
            if one not in found:
                found.add(one)
                left += self.commits[one].parents
        return found

    def bases(self, left: str, right: str) -> set[str]:
        """The common ancestors of the highest generation."""
        common = self.ancestors(left) & self.ancestors(right)
        best = max(self.commits[one].generation for one in common)
        return {one for one in common if self.commits[one].generation == best}

    # -- questions -----------------------------------------------------------------------------------------------------

    def two_dot(self, left: Tree, right: Tree) -> list[Row]:
        return [
            (path, kind(left.get(path), right.get(path)), len(right.get(path, left.get(path)) or b""))
            for path in {*left, *right}
            if left.get(path) != right.get(path)
        ]

    def three_dot(self, base: Tree, left: Tree, right: Tree) -> list[Row]:
        rows = []
        for path, what, size in self.two_dot(base, right):
            here = left.get(path)
            if here != right.get(path):
                rows.append((path, what if here == base.get(path) else "conflict", size))
        return rows

    def log(self, start: str, *, first_parent: bool, paths: tuple[str, ...], prefixes: tuple[str, ...]) -> list[str]:
        """Ids, newest first, a child always before its parents."""
        frontier = [self._place(start)]
        queued, out = {start}, []
        while frontier:
            commit = self.commits[heapq.heappop(frontier)[2]]
            if not (paths or prefixes) or self._touches(commit, paths, prefixes):
                out.append(commit.id)
            for parent in commit.parents[:1] if first_parent else commit.parents:
                if parent not in queued:
                    queued.add(parent)
                    heapq.heappush(frontier, self._place(parent))
        return out

    def _place(self, commit: str) -> tuple[int, int, str]:
        return (-self.commits[commit].date, -int(commit, 16), commit)

    def _touches(self, commit: Commit, paths: tuple[str, ...], prefixes: tuple[str, ...]) -> bool:
        if len(commit.parents) != 1:
            return False
        changed = [row[0] for row in self.two_dot(self.commits[commit.parents[0]].tree, commit.tree)]
        return any(path in paths or path.startswith(prefixes or ("\0\0",)) for path in changed)
