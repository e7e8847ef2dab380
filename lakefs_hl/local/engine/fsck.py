"""Going over a lake: every ref, commit, node, entry, staged entry and blob; what is wrong apart from what is left over.

One read transaction sees one moment, so a lake may be checked while it is written to: what was put in its place since
(a blob whose entry is not committed yet) shows as left over, never as damage. Nothing is changed.

Rules of the room: reads only, trusts no cache, and one fault does not hide the others.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lakefs_hl.local.disk import layout, notes
from lakefs_hl.local.disk.blobs import INLINE
from lakefs_hl.local.disk.errors import Damaged, DiskError
from lakefs_hl.local.disk.nodes import NodeStore
from lakefs_hl.local.disk.rows import Reader
from lakefs_hl.local.disk.schema import SUMMED
from lakefs_hl.local.disk.sums import check_structure, check_table
from lakefs_hl.local.disk.tables import (
    blobs,
    branches,
    credentials,
    history,
    idempotency,
    imports,
    meta,
    nodes,
    pulls,
    repositories,
    sequence,
    staging,
    tags,
)
from lakefs_hl.local.engine import records
from lakefs_hl.local.engine.merges import STRATEGY
from lakefs_hl.local.engine.records import CommitRecord
from lakefs_hl.local.tree import Cache, Tree, TreeCorruptError
from lakefs_hl.spec.errors import LakeCorruptError

if TYPE_CHECKING:
    from lakefs_hl.local.engine import Engine
    from lakefs_hl.local.engine.lake import Lake
    from lakefs_hl.local.tree import Span

#: Lines of one kind that a report spells out; of the others it says how many there are.
SHOWN: Final = 20


@dataclass
class Report:
    """What a check found.

    Attributes:
        damage: What is wrong, a line each.
        dangling: What nothing refers to: left by a kill, a deletion or a lost race; harmless.
        counts: What was gone over.
    """

    damage: list[str] = field(default_factory=list)
    dangling: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 for a sound lake, 1 for a damaged one."""
        return 1 if self.damage else 0

    def lines(self) -> Iterator[str]:
        """The report as text."""
        yield "checked: " + ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        left = ", ".join(f"{count:,} {what}" for what, count in self.dangling.items() if count)
        if left:
            yield f"left over, harmless: {left}"
        yield from (f"damage: {line}" for line in self.damage[:SHOWN])
        if len(self.damage) > SHOWN:
            yield f"damage: and {len(self.damage) - SHOWN:,} more"
        yield "damaged: restore from a copy what is named above" if self.damage else "sound"


def fsck(engine: Engine, read_data: bool = False) -> Report:
    """Goes over a whole lake.

    Args:
        engine: The open lake.
        read_data: Read every blob and hold it against its hash, too; else only its size.

    Returns:
        What is wrong, and what is left over.

    Example:
        >>> from lakefs_hl.local.engine import Engine
        >>> engine = Engine.open(getfixture("tmp_path") / "lake")
        >>> fsck(engine).exit_code
        0
        >>> engine.close()
    """
    report = Report()
    try:
        with engine.lake.read() as snapshot:
            _Check(engine.lake, snapshot.reader, report, read_data).run()
    except LakeCorruptError as error:  # SQLite itself could not go on
        report.damage.append(str(error))
    return report


class _Check:
    """One going-over."""

    def __init__(self, lake: Lake, reader: Reader, report: Report, read_data: bool) -> None:
        self.lake = lake
        self.reader = reader
        self.read_data = read_data
        self.report = report
        self.folder = Path(lake.database.folder)
        self.tree = Tree(NodeStore(reader), lake.shape, Cache(), records.same)
        self.commits: dict[tuple[int, bytes], CommitRecord | None] = {}
        self.reached: set[tuple[int, bytes]] = set()
        self.nodes: dict[bytes, Span | None] = {}
        self.blobs: dict[bytes, int | None] = {}
        self.repositories: dict[int, str] = {}
        self.tokens: dict[int, str] = {}

    def run(self) -> None:
        if self.database():
            self.named()
            self.history()
            self.refs()
            self.trees()
            self.staging()
            self.left_over()

    def fault(self, line: str) -> None:
        self.report.damage.append(line)

    def count(self, what: str, by: int = 1) -> None:
        self.report.counts[what] = self.report.counts.get(what, 0) + by

    def decoded(self, read: Any, data: bytes, where: str) -> Any:
        """A decoded row, or None and a fault."""
        try:
            return read(data)
        except msgspec.DecodeError as error:
            self.fault(f"{where}: cannot be decoded: {error}")
            return None

    # ------------------------------------------------------------------------------------------------ the database

    def database(self) -> bool:
        """SQLite's own check, and the format; False if there is no sense in going on."""
        problems = check_structure(self.reader, SHOWN)
        for problem in problems:
            self.fault(f"lake.db: {problem}")
        if not problems:
            self.sums()
        try:
            text = meta.get(self.reader, meta.FORMAT)
            known = None if text is None else notes.read(text, "meta")
            noted = notes.read((self.folder / layout.FORMAT).read_bytes(), layout.FORMAT)
        except (OSError, DiskError) as error:
            self.fault(f"{layout.FORMAT}: {error}")
        else:
            if known != noted:
                self.fault(f"{layout.FORMAT}: is not what the database notes as the lake's format")
        return not problems

    def sums(self) -> None:
        """The checksum of every row that has one, and no token that was staged under before it was drawn."""
        for table in SUMMED:
            for error in check_table(self.reader, table):
                self.fault(str(error))
        try:
            drawn, highest = sequence.get(self.reader, sequence.TOKEN), staging.highest(self.reader)
        except Damaged:
            return  # has been named
        if highest > drawn:
            self.fault(f"the staging token {highest} is in use, and only {drawn} have been drawn")

    def named(self) -> None:
        for repo, name, value in repositories.scan(self.reader):
            self.repositories[repo] = name
            self.count("repositories")
            self.decoded(records.read_repository, value, f"repository {name}")
        for name, value in credentials.scan(self.reader):
            self.decoded(records.read_credential, value, f"credential {name}")
        for repo, name, value in imports.scan(self.reader):
            if repo in self.repositories:
                self.decoded(records.read_import, value, f"import {name} of {self.repositories[repo]}")
        for repo, name, value in pulls.scan(self.reader):
            if repo in self.repositories:
                self.count("pull requests")
                self.decoded(records.read_pull, value, f"pull request {name} of {self.repositories[repo]}")
        self.answers()

    def answers(self) -> None:
        """Every kept answer of a request with an idempotency key."""
        for _, key, value in idempotency.scan(self.reader):
            self.count("kept answers")
            self.decoded(records.read_answer, value, f"answer of the request with Idempotency-Key {key!r}")

    # ------------------------------------------------------------------------------------------------------ commits

    def history(self) -> None:
        """Every commit: its id is its content's, its parents are there, its generation follows theirs."""
        for repo, name, data in history.scan(self.reader):
            if repo not in self.repositories:
                self.left("commits of deleted repositories")
                continue
            where = self.commit_name(repo, name)
            self.count("commits")
            if records.commit_id(data) != name:
                self.fault(f"{where}: its content has the hash {records.commit_id(data).hex()}")
            self.commits[repo, name] = self.decoded(records.read_commit, data, where)
        for (repo, name), commit in self.commits.items():
            if commit is None:
                continue
            where = self.commit_name(repo, name)
            above = 0
            for parent in commit.parents:
                found = self.commits.get((repo, parent))
                if found is None:
                    self.fault(f"{where}: its parent {parent.hex()} is missing or damaged")
                else:
                    above = max(above, found.generation)
            # a squash merge counts its source, which is no parent
            squashed = len(commit.parents) == 1 and STRATEGY in commit.metadata
            wrong = commit.generation <= above if squashed else commit.generation != above + 1
            if wrong and all((repo, parent) in self.commits for parent in commit.parents):
                self.fault(f"{where}: its generation is {commit.generation}, and its parents' highest is {above}")

    def commit_name(self, repo: int, commit: bytes) -> str:
        return f"commit {commit.hex()} of {self.repositories[repo]}"

    def left(self, what: str, by: int = 1) -> None:
        self.report.dangling[what] = self.report.dangling.get(what, 0) + by

    # --------------------------------------------------------------------------------------------------------- refs

    def refs(self) -> None:
        """Every branch and tag names a commit of its repository; no two branches share what is staged."""
        heads: list[tuple[int, bytes]] = []
        for repo, name, head, token, sealed in branches.scan(self.reader):
            where = self.ref(heads, "branch", repo, name, head)
            for one in [token, *(self.decoded(branches.read_tokens, sealed, where) or ())]:
                if one in self.tokens:
                    self.fault(f"{where}: shares the staging token {one} with {self.tokens[one]}")
                self.tokens[one] = where
        for repo, name, head in tags.scan(self.reader):
            self.ref(heads, "tag", repo, name, head)
        while heads:
            one = heads.pop()
            commit = self.commits.get(one)
            if one not in self.reached and commit is not None:
                self.reached.add(one)
                heads += [(one[0], parent) for parent in commit.parents]

    def ref(self, heads: list[tuple[int, bytes]], kind: str, repo: int, name: str, head: bytes) -> str:
        if repo not in self.repositories:
            self.fault(f"{kind} {name}: belongs to repository number {repo}, which does not exist")
            return f"{kind} {name}"
        where = f"{kind} {name} of {self.repositories[repo]}"
        self.count("branches" if kind == "branch" else "tags")
        if (repo, head) not in self.commits:
            self.fault(f"{where}: its commit {head.hex()} is missing")
        heads.append((repo, head))
        return where

    # ------------------------------------------------------------------------------------------------ trees, entries

    def trees(self) -> None:
        """Every tree of every commit: each node once, and each entry of its leaves."""
        self.walk(self.lake.empty, "the empty tree")
        for (repo, name), commit in self.commits.items():
            if commit is not None and commit.root is not None:
                self.walk(commit.root, self.commit_name(repo, name))

    def walk(self, root: bytes, where: str) -> None:
        def on_fault(error: TreeCorruptError) -> None:
            self.fault(f"node {error.digest.hex()}, first met in {where}: {error.reason}")

        for visit in self.tree.walk(root, seen=self.nodes, on_fault=on_fault):
            self.count("nodes")
            if visit.level == 0:
                self.count("entries", len(visit.keys))
                for key, value in zip(visit.keys, visit.values, strict=True):
                    self.entry(key, value, where)

    def staging(self) -> None:
        """Every staged entry; those of tokens that no branch names are left over."""
        for token, path, value in staging.scan(self.reader):
            if token not in self.tokens:
                self.left("staged entries of no branch")
                continue
            self.count("staged entries")
            try:
                content = staging.unseal(token, path, value)
            except Damaged as error:
                self.fault(f"{self.tokens[token]}: {error}")
                continue
            if content is not None:
                self.entry(path, content, self.tokens[token])

    def entry(self, path: bytes, value: bytes, where: str) -> None:
        try:
            entry = records.read_entry(value)
        except msgspec.DecodeError as error:
            self.fault(f"{where}: {path!r} cannot be decoded: {error}")
            return
        if isinstance(entry.address, str):
            return  # outside the lake: nobody promised it
        size = self.blobs.get(entry.address, -1)
        if size == -1:
            size = self.blobs[entry.address] = self.blob(entry.address, entry.size)
        if size != entry.size:
            found = "is missing" if size is None else f"has {size} bytes"
            name = path.decode(errors="backslashreplace")
            self.fault(f"{where}: {name}: its blob {entry.address.hex()} of {entry.size} bytes {found}")

    # -------------------------------------------------------------------------------------------------------- blobs

    def blob(self, name: bytes, size: int) -> int | None:
        """The size of a blob, read if that was asked for; None if it is missing."""
        self.count("blobs")
        found = blobs.size(self.reader, name) if size <= INLINE else self.file_size(name)
        if found is not None and self.read_data:
            self.content(name, size)
        return found

    def file_size(self, name: bytes) -> int | None:
        """The size of a large blob's file; None, and a fault if it is there, if it cannot be read as one."""
        try:
            status = Path(self.lake.blobs.path(name)).lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            self.fault(f"blob {name.hex()}: {error}")
            return None
        if not stat.S_ISREG(status.st_mode):
            self.fault(f"blob {name.hex()}: is no regular file")
            return None
        return status.st_size

    def content(self, name: bytes, size: int) -> None:
        if size <= INLINE:
            data = blobs.get(self.reader, name) or b""
            digest = sha256(data).digest()
            self.count("bytes read", len(data))
        else:
            try:
                with Path(self.lake.blobs.path(name)).open("rb") as file:
                    digest = file_digest(file, "sha256").digest()
                    self.count("bytes read", file.tell())
            except OSError as error:
                self.fault(f"blob {name.hex()}: cannot be read: {error}")
                return
        if digest != name:
            self.fault(f"blob {name.hex()}: its content has the hash {digest.hex()}")

    def left_over(self) -> None:
        """What is stored and named by nothing that was gone over."""
        self.left("nodes", sum(1 for name in nodes.scan(self.reader) if name not in self.nodes))
        self.left("small blobs", sum(1 for name in blobs.scan(self.reader) if name not in self.blobs))
        self.left("commits", len(self.commits) - len(self.reached))
        for folder in (self.folder / layout.OBJECTS).iterdir():
            for file in folder.iterdir() if folder.is_dir() else [folder]:
                if folder.name == layout.TEMPORARY:
                    self.left("temporary files")
                elif not _is_blob(folder.name, file.name):
                    self.left("foreign files")
                elif bytes.fromhex(file.name) not in self.blobs:
                    self.left("large blobs")


def _is_blob(folder: str, name: str) -> bool:
    """Whether a file lies where a blob of its name would."""
    return len(name) == 64 and name.startswith(folder) and set(name) <= set("0123456789abcdef")
