"""What clients of a served lake sent and were told, and whether the lake holds it after the server was killed.

Each path has one client that changes it, one request after the other; so its versions are in order, and after a kill
it holds the last one that was acknowledged, or one that was sent after that. A commit holds of each path what was
there at one moment between its request and its response.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
from dataclasses import dataclass, field

from lakefs_hl.local.engine import Engine
from lakefs_hl.spec.errors import NotFoundException
from tests.faults.writer import body

REPOSITORY = "repo"


@dataclass
class Version:
    """What a path holds from a request on.

    Attributes:
        value: MD5 of the bytes; None if the path is deleted.
        data: The bytes are those of this client's n-th object.
        sent: When.
        acknowledged: When; None as long as it is not.
    """

    value: str | None
    data: tuple[str, int] | None
    sent: int
    acknowledged: int | None = None


@dataclass
class Committed:
    """A commit, or a merge's: what it must hold, as the choices that each path leaves."""

    message: str
    branch: str
    sent: int
    holds: dict[str, set[str | None]] = field(default_factory=dict)
    id: str | None = None
    checked: bool = False
    fixed: bool = False  # what it holds does not depend on when it is made
    brings: tuple[str, ...] = ()  # paths that the branch has if the commit is there, and else not
    repeats: bool = False  # whether the request is sent once more, under its key, if there was no response


class Ledger:
    """What was sent and acknowledged, over all lives of a server."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._clock = itertools.count(1)
        self._numbers = itertools.count(1)
        self.paths: dict[tuple[str, str], list[Version]] = {}
        self.commits: list[Committed] = []
        self.branches: dict[str, bool | None] = {"main": True, "trunk": True, "release": True}
        self.tags: dict[str, tuple[str, bool]] = {}
        self.made: dict[str, tuple[str, int]] = {}  # what paths of feature branches hold
        self.acknowledged = 0
        self.odd: list[str] = []

    def number(self) -> int:
        """A number that was not given before."""
        return next(self._numbers)

    def send(self, branch: str, path: str, data: tuple[str, int] | None) -> Version:
        """A request that changes a path is about to be sent."""
        value = None if data is None else hashlib.md5(body(*data), usedforsecurity=False).hexdigest()
        with self.lock:
            version = Version(value, data, next(self._clock))
            self.paths.setdefault((branch, path), [Version(None, None, 0, 0)]).append(version)
        return version

    def acknowledge(self, *versions: Version) -> None:
        """It was done."""
        with self.lock:
            now = next(self._clock)
            for version in versions:
                version.acknowledged = now
            self.acknowledged += 1

    def count(self) -> None:
        """Something else was acknowledged."""
        with self.lock:
            self.acknowledged += 1

    def begin_commit(
        self, message: str, branch: str, holds: dict[str, set[str | None]] | None = None, *, repeats: bool = False
    ) -> Committed:
        """A commit is about to be asked for; what it holds is known, or what the branch has then."""
        with self.lock:
            made = Committed(message, branch, next(self._clock), holds or {}, repeats=repeats)
            made.brings, made.fixed = tuple(holds or ()), bool(holds)
            self.commits.append(made)
        return made

    def settle_commit(self, commit: Committed, found: str | None) -> None:
        """It was made, with this ID; or refused (None)."""
        with self.lock:
            if found is None:
                self.commits.remove(commit)
            else:
                assert commit.id in (None, found), f"{commit.message} was {commit.id}, and is {found}"
                commit.id = found
                if not commit.fixed and not commit.holds:
                    commit.holds = self._choices(commit)
            self.acknowledged += 1

    def _choices(self, commit: Committed) -> dict[str, set[str | None]]:
        """What each path of the branch may have held at some moment since the commit was asked for."""
        found: dict[str, set[str | None]] = {}
        for (branch, path), versions in self.paths.items():
            if branch == commit.branch:
                sure = _last(versions, commit.sent)
                found[path] = {version.value for version in versions[sure:]}
        return found

    def current(self, branch: str) -> dict[str, str | None]:
        """What was acknowledged last on a branch with one client."""
        with self.lock:
            return {path: versions[-1].value for (on, path), versions in self.paths.items() if on == branch}

    def latest(self, branch: str, path: str) -> Version:
        """The last version of a path."""
        with self.lock:
            return self.paths[branch, path][-1]

    def forget(self, branch: str) -> None:
        """A branch is to be removed."""
        with self.lock:
            self.branches[branch] = None
            self.paths = {key: versions for key, versions in self.paths.items() if key[0] != branch}

    # ---------------------------------------------------------------------------------------------------- checking

    def check(self, engine: Engine) -> int:
        """Hold a lake against it, while no server is at it; what was not sure is decided then.

        Returns:
            How many facts were checked.
        """
        checked = 0
        for commit in self.commits:
            if commit.id is None and not commit.fixed:
                commit.holds = self._choices(commit)
        for (branch, path), versions in self.paths.items():
            found = _checksum(engine, branch, path)
            possible = versions[_last(versions, None) :]
            assert found in {version.value for version in possible}, (
                f"{branch}:{path} is {found}; possible are {possible}"
            )
            kept = next(version for version in reversed(possible) if version.value == found)
            if kept.sent and kept.data is not None:
                assert _bytes(engine, branch, path) == body(*kept.data), f"{branch}:{path}: other bytes"
            versions[:] = [Version(found, kept.data, 0, 0)]
            checked += 1
        return checked + self._check_refs(engine) + self._check_commits(engine)

    def _check_refs(self, engine: Engine) -> int:
        for branch, exists in self.branches.items():
            found = _exists(engine, branch)
            assert exists in (None, found), f"branch {branch}: exists is {found}"
            self.branches[branch] = found
        for tag, (commit, sure) in list(self.tags.items()):
            try:
                found_id = engine.tags.get(REPOSITORY, tag).commit_id
            except NotFoundException:
                assert not sure, f"tag {tag} is gone"
                del self.tags[tag]
            else:
                assert found_id == commit, f"tag {tag} is at {found_id}, not {commit}"
                self.tags[tag] = (commit, True)
        return len(self.branches) + len(self.tags)

    def _check_commits(self, engine: Engine) -> int:
        logs: dict[str, dict[str, list[str]]] = {}
        for commit in list(self.commits):
            if commit.branch not in logs:
                logs[commit.branch] = _log(engine, commit.branch) if self.branches.get(commit.branch) else {}
            ids = logs[commit.branch].get(commit.message, [])
            if not commit.checked:
                there = {path for path in commit.brings if _checksum(engine, commit.branch, path) is not None}
                assert there == (set(commit.brings) if ids else set()), (
                    f"{commit.message}: half of it is there: {there}"
                )
            if commit.id is None:  # never acknowledged
                assert len(ids) <= 1, f"{commit.message} was made {len(ids)} times"
                if not ids:
                    if not commit.fixed:
                        commit.holds = {}
                    if not commit.repeats:
                        self.commits.remove(commit)
                    continue
                commit.id = ids[0]
            elif self.branches.get(commit.branch):
                assert ids == [commit.id], f"{commit.message}: {commit.id} was acknowledged; the log has {ids}"
            if not commit.checked:
                for path, choices in commit.holds.items():
                    found = _checksum(engine, commit.id, path)
                    assert found in choices, f"{commit.message} {commit.id}: {path} is {found}, not of {choices}"
                commit.checked = True
        return len(self.commits)


def _last(versions: list[Version], before: int | None) -> int:
    """Which is the last version that was acknowledged, before a moment."""
    return max(
        index
        for index, version in enumerate(versions)
        if version.acknowledged is not None and (before is None or version.acknowledged < before)
    )


def _checksum(engine: Engine, ref: str, path: str) -> str | None:
    try:
        return engine.objects.stat(REPOSITORY, ref, path).checksum
    except NotFoundException:
        return None


def _bytes(engine: Engine, ref: str, path: str) -> bytes:
    _, response = engine.objects.read(REPOSITORY, ref, path)
    try:
        found = response.body
        return found if isinstance(found, bytes) else os.pread(found.fd, found.length, found.offset)
    finally:
        response.release()


def _exists(engine: Engine, branch: str) -> bool:
    try:
        engine.branches.get(REPOSITORY, branch)
    except NotFoundException:
        return False
    return True


def _log(engine: Engine, branch: str) -> dict[str, list[str]]:
    """The IDs of a branch's commits, by message."""
    found: dict[str, list[str]] = {}
    after = ""
    while True:
        page = engine.commits.log(REPOSITORY, branch, after=after, amount=1000)
        for commit in page.results:
            found.setdefault(commit.message, []).append(commit.id)
        if not page.pagination.has_more:
            return found
        after = page.pagination.next_offset
