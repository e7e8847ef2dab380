"""What must be in a lake, by what its writers said before they were killed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from lakefs_hl.local.engine import Engine
from lakefs_hl.spec.errors import NotFoundException
from tests.faults.writer import LOADED, REPOSITORY, body

#: What an object may hold: the number of its body, None where there is none.
Allowed = frozenset[int | None]


@dataclass
class Committed:
    """An acknowledged commit and what it must hold."""

    id: str
    branch: str
    holds: dict[str, int | None]


@dataclass
class Account:
    """What one writer said, over all its lives."""

    name: str
    objects: dict[tuple[str, str], Allowed] = field(default_factory=dict)
    commits: list[Committed] = field(default_factory=list)
    branches: dict[str, bool | None] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    merges: list[tuple[set[str], str]] = field(default_factory=list)
    number: int = 0
    acknowledged: int = 0

    def hear(self, text: bytes) -> None:
        """Takes in all that one life said."""
        pending: list[Any] | None = None
        for line in text.splitlines():
            words = json.loads(line)
            if words[0] == "?":
                assert pending is None, f"{self.name} began {words} without an answer to {pending}"
                pending = words[1:]
                if pending[0] in {"put", "load"}:
                    self.number = max(self.number, pending[3])
                elif pending[0] == "branch":
                    self.number = max(self.number, int(pending[1].rpartition("-")[2]))
            elif words[0] == "!":
                assert pending is not None
                self._done(pending, words[1:])
                self.acknowledged += 1
                pending = None
            else:
                raise AssertionError(f"writer {self.name} failed:\n{words[1]}")
        if pending is not None:
            self._maybe(pending)

    def _done(self, what: list[Any], answer: list[Any]) -> None:
        match what:
            case ["put", branch, path, number]:
                self.objects[branch, path] = frozenset({number})
            case ["delete", branch, path]:
                self.objects[branch, path] = frozenset({None})
            case ["commit", branch] if answer[0] is not None:
                self.commits.append(Committed(answer[0], branch, self._certain(branch)))
            case ["branch", branch]:
                self.branches[branch] = True
            case ["merge", source, own]:
                for path, number in self._certain(source).items():
                    self.objects[own, path] = frozenset({number})
                for commit in self.commits:  # the log of the merged branch lives on in that of the other
                    commit.branch = own if commit.branch == source else commit.branch
                self.commits.append(Committed(answer[0], own, self._certain(source)))
            case ["load", own, folder, number]:
                holds = {f"{folder}/{index:04d}": number for index in range(0, LOADED, 83)}
                self.objects |= {(own, path): frozenset({number}) for path in holds}
                self.commits.append(Committed(answer[0], own, dict(holds)))
            case ["tag", tag, commit]:
                self.tags[tag] = commit
            case ["drop", branch]:
                self._forget(branch, exists=False)

    def _maybe(self, what: list[Any]) -> None:
        match what:
            case ["put", branch, path, number]:
                self.objects[branch, path] = self.objects.get((branch, path), frozenset({None})) | {number}
            case ["delete", branch, path]:
                self.objects[branch, path] = self.objects.get((branch, path), frozenset({None})) | {None}
            case ["branch", branch]:
                self.branches[branch] = None
            case ["merge", source, own]:
                self.merges.append(({path for branch, path in self.objects if branch == source}, own))
            case ["load", own, folder, _]:
                self.merges.append(({f"{folder}/{index:04d}" for index in range(LOADED)}, own))
            case ["drop", branch]:
                self._forget(branch, exists=None)

    def _forget(self, branch: str, *, exists: bool | None) -> None:
        self.branches[branch] = exists
        self.objects = {key: allowed for key, allowed in self.objects.items() if key[0] != branch}

    def _certain(self, branch: str) -> dict[str, int | None]:
        return {
            path: next(iter(allowed))
            for (on, path), allowed in self.objects.items()
            if on == branch and len(allowed) == 1
        }


class Checker:
    """Holds an open lake against the accounts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._logs: dict[str, set[str]] = {}
        self.checked = 0

    def check(self, account: Account, since: int = 0) -> None:
        """Fails with what is missing.

        Args:
            account: Of one writer.
            since: Commits before this one were checked in full earlier; of these, only that they are there.
        """
        for (branch, path), allowed in account.objects.items():
            found = self._digest(branch, path)
            wanted = {None if number is None else _digest(account.name, number) for number in allowed}
            assert found in wanted, f"{branch}:{path} is {found}, {account.name} had written {set(allowed)}"
            if len(allowed) > 1:  # decided now, one way or the other
                kept = {n for n in allowed if (None if n is None else _digest(account.name, n)) == found}
                account.objects[branch, path] = frozenset(kept)
            self.checked += 1
        for index, commit in enumerate(account.commits):
            assert commit.id in self._log(commit.branch), f"commit {commit.id} is not in the log of {commit.branch}"
            self.checked += 1
            if index >= since:
                self._holds(account, commit)
        self._refs(account)
        self._merges(account)

    def _holds(self, account: Account, commit: Committed) -> None:
        for path, number in commit.holds.items():
            wanted = None if number is None else _digest(account.name, number)
            found = self._digest(commit.id, path)
            assert found == wanted, f"commit {commit.id} of {commit.branch}: {path} is {found}, not body {number}"

    def _refs(self, account: Account) -> None:
        for branch, exists in account.branches.items():
            try:
                self._engine.branches.get(REPOSITORY, branch)
            except NotFoundException:
                assert exists is not True, f"branch {branch} is gone"
            else:
                assert exists is not False, f"branch {branch} is back"
        for tag, commit in account.tags.items():
            assert self._engine.tags.get(REPOSITORY, tag).commit_id == commit

    def _merges(self, account: Account) -> None:
        """A merge that was not acknowledged is there wholly or not at all."""
        for paths, own in account.merges:
            there = {path for path in paths if self._digest(own, path) is not None}
            assert there in (set(), paths), f"half a merge on {own}: {sorted(there)} of {sorted(paths)}"

    def _digest(self, ref: str, path: str) -> str | None:
        try:
            return self._engine.objects.stat(REPOSITORY, ref, path).checksum
        except NotFoundException:
            return None

    def _log(self, branch: str) -> set[str]:
        if branch not in self._logs:
            ids: set[str] = set()
            after = ""
            try:
                while True:
                    page = self._engine.commits.log(REPOSITORY, branch, after=after, amount=1000)
                    ids.update(commit.id for commit in page.results)
                    if not page.pagination.has_more:
                        break
                    after = page.pagination.next_offset
            except NotFoundException:
                ids = set()
            self._logs[branch] = ids
        return self._logs[branch]


_digests: dict[tuple[str, int], str] = {}


def _digest(name: str, number: int) -> str:
    if (name, number) not in _digests:
        _digests[name, number] = hashlib.md5(body(name, number), usedforsecurity=False).hexdigest()
    return _digests[name, number]
