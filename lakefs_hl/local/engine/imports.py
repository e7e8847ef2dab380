"""Imports: files of this machine, registered in a branch without a copy.

An import runs on a thread of its own and leaves one commit, or an error in its record. What it registers is the file's
size, time and MD5; reading it later checks the first two. Its objects make a tree of their own, written in batches with
no lock held; that tree then takes the place of what was under the destinations.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from heapq import merge
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec

from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.disk.tables import imports, repositories, staging
from lakefs_hl.local.disk.tables.branches import Row as Head
from lakefs_hl.local.engine import records, sources, views
from lakefs_hl.local.engine.bulk import BulkNodes
from lakefs_hl.local.engine.commits import SMALL, model
from lakefs_hl.local.engine.diffs import changes
from lakefs_hl.local.engine.merges import STRATEGY
from lakefs_hl.local.engine.names import check_branch
from lakefs_hl.local.engine.records import CommitRecord, ImportRecord
from lakefs_hl.local.engine.repositories import METADATA
from lakefs_hl.local.engine.store import Repo, Store, now
from lakefs_hl.local.tree import Tree
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import (
    BadRequestException,
    ConflictException,
    LakeFSException,
    NotFoundException,
    TooManyRequestsException,
)

#: Seconds between two notes of how far an import is, and two looks whether it is to end.
NOTE: Final = 1.0
#: How long the record of an import is kept, nanoseconds.
KEPT: Final = 24 * 3600 * 10**9
#: How often an import is put on a branch anew because the branch moved.
TRIES: Final = 10
_CANCELED: Final = "import error: Canceled"
_REPOSITORY_KEY: Final = ".lakefs.last.import.timestamp"
_Range = tuple[bytes, bytes]


class _Canceled(Exception):
    """Somebody ended the import."""


class Imports:
    """The imports into a lake's repositories."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: dict[str, threading.Thread] = {}
        self._ended: set[str] = set()

    def start(self, repository: str, branch: str, creation: models.ImportCreation, *, who: str) -> str:
        """Starts an import; gives its id.

        Raises:
            NotFoundException: There is no such branch or repository.
            BadRequestException: The lake would import itself.
        """
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            check_branch(branch)
            self._store.head(reader, repo.id, branch)
        for location in creation.paths:
            self._not_the_lake(location)
        name = uuid4().hex

        def work(writer: Writer) -> str:
            self._forget(writer, repo)
            self._write(writer, repo, name, ImportRecord(str(os.getpid()), False, now()))
            return name

        self._store.effect(work)
        run = threading.Thread(
            target=self._run, args=(repo, branch, creation, who, name), name="lake-import", daemon=True
        )
        self._running[name] = run
        run.start()
        return name

    def _not_the_lake(self, location: models.ImportLocation) -> None:
        try:
            source = Path(sources.file_of(location.path)).resolve()
        except ValueError:
            return  # what is no path of ours fails when it is read, as in lakeFS
        lake = Path(self._store.database.folder).resolve()
        if source.is_relative_to(lake) or lake.is_relative_to(source):
            raise BadRequestException(f"{location.path}: holds the lake itself: invalid import source")

    def status(self, repository: str, name: str) -> models.ImportStatus:
        """How far an import is; one whose process is gone has failed.

        Raises:
            NotFoundException: There is none of this id.
        """
        running = name in self._running  # looked at first: it may end between two looks
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            record = self._read(repo, name)
            commit = None
            if record.commit is not None:
                commit = model(repo, record.commit, self._store.commit(reader, repo.id, record.commit))
        error = record.error
        if error is None and not record.completed and not (running or self._alive(record)):
            error = "import error: the process that ran it is gone; start it again"
        updated = datetime.fromtimestamp(record.updated / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return models.ImportStatus(
            record.completed,
            updated,
            record.ingested,
            commit.meta_range_id if commit else None,
            commit,
            None if error is None else models.Error(error),
        )

    def _alive(self, record: ImportRecord) -> bool:
        """Whether another process is at it."""
        process = int(record.owner)
        if process == os.getpid():
            return False
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def cancel(self, repository: str, name: str) -> None:
        """Ends an import that runs; may be repeated.

        Raises:
            ConflictException: It is over.
            NotFoundException: There is none of this id.
        """

        def work(writer: Writer) -> None:
            repo = self._store.repo(writer, repository)
            record = self._read(repo, name, writer)
            if record.completed or record.error not in {None, _CANCELED}:
                raise ConflictException("conflict found")
            self._write(writer, repo, name, msgspec.structs.replace(record, updated=now(), error=_CANCELED))

        self._store.effect(work)
        self._ended.add(name)

    def close(self) -> None:
        """Ends what runs, and waits for it."""
        for name, run in list(self._running.items()):
            self._ended.add(name)
            run.join()

    # -------------------------------------------------------------------------------------------------- the record

    def _read(self, repo: Repo, name: str, writer: Writer | None = None) -> ImportRecord:
        if writer is None:
            with self._store.reading() as reader:
                value = imports.get(reader, repo.id, name)
        else:
            value = imports.get(writer, repo.id, name)
        if value is None:
            raise NotFoundException("not found")
        return records.read_import(value)

    def _write(self, writer: Writer, repo: Repo, name: str, record: ImportRecord) -> None:
        if repositories.exists(writer, repo.id):  # it may have been deleted meanwhile
            imports.put(writer, repo.id, name, records.encode(record))

    def _note(self, repo: Repo, name: str, record: ImportRecord) -> None:
        """Writes down how far an import is.

        Raises:
            _Canceled: Somebody has ended it.
        """

        def work(writer: Writer) -> bool:
            if self._read(repo, name, writer).error == _CANCELED:
                return True
            self._write(writer, repo, name, record)
            return False

        if self._store.submit(work):
            raise _Canceled

    def _forget(self, writer: Writer, repo: Repo) -> None:
        """Removes the records that are too old."""
        known = imports.of_repository(writer, repo.id)
        old = [name for name, value in known if records.read_import(value).updated < now() - KEPT]
        imports.delete(writer, repo.id, old)

    # -------------------------------------------------------------------------------------------------- the thread

    def _run(self, repo: Repo, branch: str, creation: models.ImportCreation, who: str, name: str) -> None:
        """Whatever happens ends in the import's record."""
        count = 0

        def counted() -> Iterator[tuple[bytes, bytes]]:
            nonlocal count
            noted = time.monotonic()
            for item in _joined(creation.paths):
                count += 1
                yield item
                if name in self._ended:
                    raise _Canceled
                if time.monotonic() - noted > NOTE:
                    noted = time.monotonic()
                    self._note(repo, name, ImportRecord(str(os.getpid()), False, now(), count))

        record = ImportRecord(str(os.getpid()), False, now(), count, None, "import error: a defect of the lake")
        try:
            replaced = [sources.under(one.destination) for one in creation.paths if one.type == "common_prefix"]
            commit = self.load(repo, branch, counted(), replaced, creation, who=who, name=name)
            record = ImportRecord(str(os.getpid()), True, now(), count, commit)
        except _Canceled:
            record = ImportRecord(str(os.getpid()), False, now(), count, None, _CANCELED)
        except (LakeFSException, OSError, ValueError) as error:
            record = ImportRecord(str(os.getpid()), False, now(), count, None, f"import error: {error}")
        finally:
            with suppress(LakeFSException):  # the lake is closed, locked or gone: the record stays behind, unfinished
                self._store.submit(lambda writer: self._write(writer, repo, name, record))
            self._running.pop(name, None)
            self._ended.discard(name)

    # ------------------------------------------------------------------------------------------------- the branch

    def load(
        self,
        repo: Repo,
        branch: str,
        items: Iterable[tuple[bytes, bytes]],
        replaced: list[str],
        creation: models.ImportCreation,
        *,
        who: str,
        name: str = "",
    ) -> bytes:
        """Puts many entries into a branch as one commit; what was under the replaced prefixes goes.

        Args:
            repo: The repository.
            branch: Which must have nothing staged.
            items: Keys and encoded entries, in order.
            replaced: Prefixes that hold nothing afterwards but what is in `items`.
            creation: Message and metadata of the commit.
            who: The committer.
            name: Of the import; a canceled one is not put on the branch.

        Returns:
            The commit's id.
        """
        store = self._store
        self._clean(repo, branch, creation.force)  # fail early, not after an hour of hashing
        nodes = BulkNodes(store)
        tree = Tree(nodes, store.shape, store.cache)  # an entry that differs in its time only is a new one here
        made = tree.build(items)
        ranges = _ranges(replaced, _outside(tree, made, replaced))
        for _ in range(TRIES):
            head, root = self._clean(repo, branch, creation.force)
            if root == store.empty or ranges == [(b"", views.END)]:
                combined = made
            else:
                edits = (
                    (key, new) for low, high in ranges for key, _, new in tree.diff(root, made, start=low, end=high)
                )
                combined = root
                while piece := list(islice(edits, SMALL)):
                    combined = tree.apply(combined, piece)
            nodes.flush()
            commit = self._publish(repo, head, combined, creation, who, name)
            if commit is not None:
                return commit
        raise TooManyRequestsException("Too many attempts, try again later")

    def _clean(self, repo: Repo, branch: str, force: bool | None) -> tuple[Head, bytes]:
        """The branch, which must have nothing staged that would be a change, and its tree."""
        store = self._store
        with store.reading() as reader:
            store.writable(reader, repo.name, force)
            head = store.head(reader, repo.id, branch)
            root = store.root(reader, repo.id, head.head)
            tree = store.tree(store.nodes(reader))
            if next(changes(tree, root, staging.between(reader, head.tokens, b"", views.END)), None) is not None:
                raise BadRequestException("uncommitted changes (dirty branch)")
        return head, root

    def _publish(
        self, repo: Repo, head: Head, root: bytes, creation: models.ImportCreation, who: str, name: str
    ) -> bytes | None:
        """Makes the commit; None if the branch has moved."""
        store = self._store
        message = creation.commit.message or "Import objects"
        metadata = {STRATEGY: "source-wins", **(creation.commit.metadata or {})}
        with store.writing() as writer:
            if name and self._read(repo, name, writer).error == _CANCELED:
                raise _Canceled
            seen = store.head(writer, repo.id, head.name)
            if seen.head != head.head:
                return None
            generation = store.commit(writer, repo.id, head.head).generation + 1
            record = CommitRecord([head.head], root, who, message, now(), metadata, generation)
            commit = store.add_commit(writer, repo.id, record)
            store.set_head(writer, seen, commit)
            stored = store.setting(writer, repo.id, METADATA)
            kept = {} if stored is None else records.read_metadata(stored)
            kept[_REPOSITORY_KEY] = str(now() // 10**9)
            store.set_setting(writer, repo.id, METADATA, records.encode(kept))
        return commit


def _joined(locations: list[models.ImportLocation]) -> Iterator[tuple[bytes, bytes]]:
    """The entries of all locations, in order; of equal keys the last location's."""
    if len(locations) == 1:
        yield from sources.entries(locations[0])
        return
    streams = [_numbered(location, -index) for index, location in enumerate(locations)]
    before = None
    for key, _, value in merge(*streams, key=itemgetter(0, 1)):
        if key != before:
            before = key
            yield key, value


def _numbered(location: models.ImportLocation, number: int) -> Iterator[tuple[bytes, int, bytes]]:
    for key, value in sources.entries(location):
        yield key, number, value


def _outside(tree: Tree, made: bytes, replaced: list[str]) -> Iterator[bytes]:
    """Keys that lie under no replaced prefix: single objects."""
    prefixes = tuple(prefix.encode() for prefix in replaced)
    if b"" in prefixes:
        return
    for keys, _ in tree.scan(made):
        yield from (key for key in keys if not key.startswith(prefixes)) if prefixes else keys


def _ranges(replaced: list[str], single: Iterable[bytes]) -> list[_Range]:
    """What an import takes the place of: disjoint ranges of keys, in order."""
    found = [(prefix.encode(), prefix.encode() + views.END) for prefix in replaced]
    found += [(key, key + b"\0") for key in single]
    ranges: list[_Range] = []
    for low, high in sorted(found):
        if ranges and low < ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(high, ranges[-1][1]))
        else:
            ranges.append((low, high))
    return ranges
