"""The database: its structure, the checksum of every row, numbers, names, commits and refs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import msgspec

from lakefs_hl.local.disk import counter, migration, schema
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.rows import Reader
from lakefs_hl.local.disk.sums import check_schema, check_structure, check_table
from lakefs_hl.local.disk.tables import (
    branches,
    history,
    idempotency,
    imports,
    meta,
    pulls,
    repositories,
    sequence,
    staging,
    tags,
)
from lakefs_hl.local.engine import records
from lakefs_hl.local.engine.fsck.report import SHOWN, Report
from lakefs_hl.local.engine.merges import STRATEGY
from lakefs_hl.local.engine.records import CommitRecord

T = TypeVar("T")
#: What the numbers of a sequence are.
_NUMBERS: Final = {sequence.TOKEN: "staging token", sequence.REPOSITORY: "repository number"}


class Rows:
    """One going-over of the database.

    Attributes:
        commits: Every commit of a repository that there is; None for one that cannot be read.
        repositories: Names by number.
        tokens: Whose staged changes a token has.
    """

    def __init__(self, reader: Reader, version: int, report: Report) -> None:
        self._reader = reader
        self._version = version
        self._report = report
        self._fault = report.add_damage
        self.commits: dict[tuple[int, bytes], CommitRecord | None] = {}
        self.repositories: dict[int, str] = {}
        self.tokens: dict[int, str] = {}

    def check_structure(self) -> bool:
        """SQLite's own check, and every row's checksum; False if there is no sense in going on."""
        if self._version not in migration.KNOWN:
            self._fault(f"lake.db: its tables say that they are of version {self._version}")
        problems = check_structure(self._reader, SHOWN)
        if not problems and self._version == schema.VERSION:
            problems = list(check_schema(self._reader, migration.minor_of(self._reader)))
        for problem in problems:
            self._fault(f"lake.db: {problem}")
        if problems:
            return False
        readable = [self._is_readable(table) for table in schema.SUMMED]  # each of them, whatever the others are
        return all(readable)

    def _is_readable(self, table: str) -> bool:
        """Whether all rows of a table can be read, whatever they say; each that is not what was written is named."""
        try:
            for error in check_table(self._reader, table):
                self._fault(str(error))
        except Damaged as error:
            self._fault(f"lake.db: {error}")
            return False
        return True

    def check_rows(self) -> None:
        """What the rows say."""
        self._check_names()
        self._check_pulls()
        self._check_answers()
        self._check_history()
        self._check_refs()
        self._check_numbers()

    def _decode(self, read: Callable[[bytes], T], data: bytes, where: str) -> T | None:
        """A decoded value, or None and a fault."""
        try:
            return read(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._fault(f"{where}: cannot be decoded: {error}")
            return None

    def _check_names(self) -> None:
        for repo, name, value in repositories.scan(self._reader):
            self.repositories[repo] = name
            self._report.count("repositories")
            self._decode(records.read_repository, value, f"repository {name}")
        for repo, name, value in imports.scan(self._reader):
            if repo in self.repositories:
                self._decode(records.read_import, value, f"import {name} of {self.repositories[repo]}")

    def _check_pulls(self) -> None:
        for repo, name, value in pulls.scan(self._reader):
            if repo in self.repositories:
                self._report.count("pull requests")
                self._decode(records.read_pull, value, f"pull request {name} of {self.repositories[repo]}")

    def _check_answers(self) -> None:
        """Every kept answer of a request with an idempotency key."""
        for _, key, value in idempotency.scan(self._reader):
            self._report.count("kept answers")
            self._decode(records.read_answer, value, f"answer of the request with Idempotency-Key {key!r}")

    def _check_numbers(self) -> None:
        """No number is in use that is still to be drawn."""
        highest = {
            sequence.TOKEN: max(staging.highest(self._reader), *self.tokens, 0, 0),
            sequence.REPOSITORY: max(self.repositories, default=0),
        }
        for name, number in highest.items():
            try:
                drawn = sequence.get(self._reader, name)
            except Damaged:
                continue  # has been named
            if self._version == 1 and name == sequence.REPOSITORY:
                continue  # SQLite counts them
            if number > drawn:
                self._fault(f"the {_NUMBERS[name]} {number} is in use, and only {drawn} have been drawn")

    def check_count(self, note: bytes) -> None:
        """As many durable transactions as were noted: else the end of the log has been lost."""
        try:
            counter.compare(sequence.get(self._reader, sequence.COMMIT), note, "lake.db")
        except Damaged as error:
            self._fault(str(error))

    # ------------------------------------------------------------------------------------------------------ commits

    def _check_history(self) -> None:
        """Every commit: its id is its content's, its parents are there, its generation follows theirs."""
        for repo, name, data in history.scan(self._reader):
            if repo not in self.repositories:
                self._report.leave("commits of deleted repositories")
                continue
            where = self.commit_name(repo, name)
            self._report.count("commits")
            if records.commit_id(data) != name:
                self._fault(f"{where}: its content has the hash {records.commit_id(data).hex()}")
            self.commits[repo, name] = self._decode(records.read_commit, data, where)
        for (repo, name), commit in self.commits.items():
            if commit is None:
                continue
            where = self.commit_name(repo, name)
            above = 0
            for parent in commit.parents:
                found = self.commits.get((repo, parent))
                if found is None:
                    self._fault(f"{where}: its parent {parent.hex()} is missing or damaged")
                else:
                    above = max(above, found.generation)
            # a squash merge counts its source, which is no parent
            squashed = len(commit.parents) == 1 and STRATEGY in commit.metadata
            wrong = commit.generation <= above if squashed else commit.generation != above + 1
            if wrong and all((repo, parent) in self.commits for parent in commit.parents):
                self._fault(f"{where}: its generation is {commit.generation}, and its parents' highest is {above}")

    def commit_name(self, repo: int, commit: bytes) -> str:
        """What a report calls a commit."""
        return f"commit {commit.hex()} of {self.repositories[repo]}"

    def trees(self) -> Iterator[tuple[bytes, str]]:
        """The root of every commit's tree, and the commit's name."""
        for (repo, name), commit in self.commits.items():
            if commit is not None and commit.root is not None:
                yield commit.root, self.commit_name(repo, name)

    # --------------------------------------------------------------------------------------------------------- refs

    def _check_refs(self) -> None:
        """Every branch and tag names a commit of its repository; no two branches share what is staged."""
        heads: list[tuple[int, bytes]] = []
        for repo, name, head, token, sealed in branches.scan(self._reader):
            where = self._check_ref(heads, "branch", repo, name, head)
            for one in [token, *(self._decode(branches.read_tokens, sealed, where) or ())]:
                if one in self.tokens:
                    self._fault(f"{where}: shares the staging token {one} with {self.tokens[one]}")
                self.tokens[one] = where
        for repo, name, head in tags.scan(self._reader):
            self._check_ref(heads, "tag", repo, name, head)
        reached: set[tuple[int, bytes]] = set()
        while heads:
            named = heads.pop()
            commit = self.commits.get(named)
            if named not in reached and commit is not None:
                reached.add(named)
                heads += [(named[0], parent) for parent in commit.parents]
        self._report.leave("commits", len(self.commits) - len(reached))

    def _check_ref(self, heads: list[tuple[int, bytes]], kind: str, repo: int, name: str, head: bytes) -> str:
        if repo not in self.repositories:
            if kind == "tag" and meta.get(self._reader, f"{meta.DELETED}{repo}") is not None:
                self._report.leave("tags of deleted repositories")  # which go a little later
            else:
                self._fault(f"{kind} {name}: belongs to repository number {repo}, which does not exist")
            return f"{kind} {name}"
        where = f"{kind} {name} of {self.repositories[repo]}"
        self._report.count("branches" if kind == "branch" else "tags")
        if (repo, head) not in self.commits:
            self._fault(f"{where}: its commit {head.hex()} is missing")
        heads.append((repo, head))
        return where
