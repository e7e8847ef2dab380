"""Commits as a graph: what a reference means, the best common ancestor, the log's order."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from lakefs_hl.local.disk.tables import history, tags
from lakefs_hl.local.engine.expressions import INVALID, Expression, parse
from lakefs_hl.local.engine.records import CommitRecord
from lakefs_hl.local.engine.snapshot import Head, Snapshot
from lakefs_hl.spec.errors import BadRequestException, NotFoundException, ServerException
from lakefs_hl.spec.refusals import refusal

_FULL: Final = re.compile(r"[0-9a-f]{64}")
_SHORT: Final = re.compile(r"[0-9a-f]{1,63}")


class Resolved(NamedTuple):
    """What a reference means.

    Attributes:
        commit: The commit's id.
        branch: The branch whose staged changes are seen too; None if there are none to see.
        staging: Whether the expression asked for the staging area by `$`.
    """

    commit: bytes
    branch: Head | None = None
    staging: bool = False


def resolve(snapshot: Snapshot, ref: str) -> Resolved:
    """Finds what a reference means, staged changes of a branch included.

    Raises:
        NotFoundException: Nothing has that name.
        BadRequestException: It is no expression, or its modifier does not fit.
    """
    expression = parse(ref)
    found = _base(snapshot, expression.base)
    if expression.special:
        if found.branch is None:
            raise BadRequestException(INVALID)
        return Resolved(found.commit) if expression.special == "@" else Resolved(found.commit, found.branch, True)
    if not expression.steps:
        return found
    return Resolved(_climb(snapshot, found.commit, expression))


def committed(snapshot: Snapshot, ref: str, where: str = "", staging: str = "") -> bytes:
    """Finds the commit that a reference means; staged changes have none.

    Args:
        snapshot: Of the repository.
        ref: The expression.
        where: What an error's message begins with.
        staging: The message if `$` was asked for.

    Raises:
        NotFoundException: Nothing has that name.
        BadRequestException: It is no expression, or asks for staged changes.
    """
    try:
        found = resolve(snapshot, ref)
        if found.staging:
            raise BadRequestException(staging or f"reference '{ref}': reference to staging area with $ is not a commit")
    except ServerException as exc:
        if not where:
            raise
        raise type(exc)(where + str(exc)) from None
    return found.commit


def _base(snapshot: Snapshot, name: str) -> Resolved:
    if is_commit(snapshot, name):
        return Resolved(bytes.fromhex(name))
    head = snapshot.find_head(name)
    if head is not None:
        return Resolved(head.head, head)
    tag = tags.find(snapshot.reader, snapshot.repo.id, name)
    if tag is not None:
        return Resolved(tag.head)
    if _SHORT.fullmatch(name):
        ends = bytes.fromhex(name.ljust(64, "0")), bytes.fromhex(name.ljust(64, "f"))
        found = history.between(snapshot.reader, snapshot.repo.id, *ends, 2)
        if len(found) == 1:
            return Resolved(found[0])
    raise NotFoundException("not found")


def is_commit(snapshot: Snapshot, name: str) -> bool:
    """Says whether a name is the full id of a commit: no branch or tag may take it."""
    whole = len(name) == 64 and _FULL.fullmatch(name) is not None
    return whole and history.exists(snapshot.reader, snapshot.repo.id, bytes.fromhex(name))


def _climb(snapshot: Snapshot, commit: bytes, expression: Expression) -> bytes:
    for kind, count in expression.steps:
        if kind == "~":
            for _ in range(count):
                parents = snapshot.commit(commit).parents
                if not parents:
                    raise NotFoundException("not found")
                commit = parents[0]
        elif kind != "^":
            raise BadRequestException(INVALID)
        elif count:
            parents = snapshot.commit(commit).parents
            if count > len(parents):
                raise BadRequestException(INVALID)
            commit = parents[count - 1]
    return commit


def merge_base(snapshot: Snapshot, left: bytes, right: bytes) -> bytes:
    """Finds the best common ancestor: of all that both have, one with the highest generation.

    Raises:
        ServerErrorException: The histories have nothing in common.
    """
    seen: dict[bytes, int] = {}
    frontier: list[tuple[int, bytes]] = []

    def reach(commit: bytes, sides: int) -> None:
        known = seen.get(commit, 0)
        if not known:
            heapq.heappush(frontier, (-snapshot.commit(commit).generation, commit))
        seen[commit] = known | sides

    reach(left, 1)
    reach(right, 2)
    while frontier:
        _, commit = heapq.heappop(frontier)  # its descendants have all been here: they are of higher generations
        if seen[commit] == 3:
            return commit
        for parent in snapshot.commit(commit).parents:
            reach(parent, seen[commit])
    raise refusal(500, "no merge base")


def walk(snapshot: Snapshot, start: bytes, *, first_parent: bool = False) -> Iterator[tuple[bytes, CommitRecord]]:
    """Yields a commit and its ancestors, newest first and children before parents, each once."""
    frontier: list[tuple[int, int, bytes, CommitRecord]] = []
    queued: set[bytes] = set()

    def queue(commit: bytes) -> None:
        if commit not in queued:
            queued.add(commit)
            record = snapshot.commit(commit)
            # Equal dates: the higher id first.
            heapq.heappush(frontier, (-record.date, -int.from_bytes(commit, "big"), commit, record))

    queue(start)
    while frontier:
        _, _, commit, record = heapq.heappop(frontier)
        yield commit, record
        for parent in record.parents[:1] if first_parent else record.parents:
            queue(parent)
