"""Imports: files of this machine, registered in a branch without a copy.

An import runs on a thread of its own and leaves one commit, or an error in its record. What it registers is the file's
size and time, which are checked when it is read later. Its objects make a tree of their own, written in batches with no
lock held; that tree then takes the place of what was under the destinations.

Rules of the room: whatever an import does it does in pieces, and asks between them whether it is to end. It is never
waited for longer than `PATIENCE`: a read of a slow file system may not come back for hours.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.tables import imports, meta, repositories
from lakefs_hl.local.engine import places, records, replacement, sources
from lakefs_hl.local.engine.bulk import BulkNodes, apply
from lakefs_hl.local.engine.clock import now, seconds
from lakefs_hl.local.engine.commits import model
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.merges import STRATEGY
from lakefs_hl.local.engine.names import check_branch
from lakefs_hl.local.engine.publish import must_be_clean, must_stand, publish, retry
from lakefs_hl.local.engine.records import CommitRecord, ImportRecord
from lakefs_hl.local.engine.repositories import METADATA
from lakefs_hl.local.engine.snapshot import Head, Repo, Transaction
from lakefs_hl.local.tree import Tree
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import (
    BadRequestException,
    ConflictException,
    LakeFSException,
    LakeResourceError,
    NotFoundException,
)

#: Seconds between two notes of how far an import is, and two looks whether it is to end.
NOTE: Final = 1.0
#: How long the record of an import is kept, nanoseconds.
KEPT: Final = 24 * 3600 * 10**9
#: How long a lake that is closed waits for the imports that it ends, all together, seconds.
PATIENCE: Final = 0.5
#: Objects between two questions whether an import is to end.
_ASKED: Final = 64
#: Key of `meta` that is there if files are hashed.
_HASHING: Final = "hash imports"
_CANCELED: Final = "import error: Canceled"
_REPOSITORY_KEY: Final = ".lakefs.last.import.timestamp"


class _Canceled(Exception):
    """Somebody ended the import."""


class _Run:
    """An import under way.

    Attributes:
        ended: Whether somebody wants it to end.
        count: Objects so far.
    """

    def __init__(self, repo: Repo, name: str, note: Callable[[_Run], None]) -> None:
        self.repo = repo
        self.name = name
        self.ended = False
        self.count = 0
        self._note = note
        self._noted = time.monotonic()
        self._thread: threading.Thread | None = None

    def launch(self, work: Callable[[], None]) -> None:
        """Starts it on a thread of its own, which keeps no process alive: it may hang in a file system.

        Raises:
            RuntimeError: No thread can be started.
        """
        self._thread = threading.Thread(target=work, name="lake-import", daemon=True)
        self._thread.start()

    def has_begun(self) -> bool:
        """Whether its thread is at work, or has been."""
        return self._thread is not None and self._thread.ident is not None

    def join(self, timeout: float | None = None) -> None:
        """Waits for its end, if it was launched."""
        if self._thread is not None and self.has_begun():
            self._thread.join(timeout)

    def check(self) -> None:
        """Ends the import if somebody wants that; from time to time notes how far it is, for other processes.

        Raises:
            _Canceled: It is to end.
        """
        if self.ended:
            raise _Canceled
        if time.monotonic() - self._noted > NOTE:
            self._noted = time.monotonic()
            self._note(self)

    def counted(self, items: Iterable[sources.Item]) -> Iterator[sources.Item]:
        """Passes items on, and counts them."""
        for count, item in enumerate(items, 1):
            self.count = count
            if not count % _ASKED:
                self.check()
            yield item

    def record(self, *, completed: bool = False, commit: bytes | None = None, error: str | None = None) -> ImportRecord:
        """How it is now."""
        return ImportRecord(str(os.getpid()), completed, now(), self.count, commit, error)


class Imports:
    """The imports into a lake's repositories."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._running: dict[str, _Run] = {}

    @property
    def hashing(self) -> bool:
        """Whether files are read for their MD5: a setting of the lake, for all who import into it."""
        with self._lake.read() as snapshot:
            return meta.get(snapshot.reader, _HASHING) is not None

    @hashing.setter
    def hashing(self, on: bool) -> None:
        self._lake.submit(lambda writer: meta.put(writer, _HASHING, "on") if on else meta.delete(writer, _HASHING))

    def start(self, repository: str, branch: str, creation: models.ImportCreation, *, who: str) -> str:
        """Starts an import; gives its id.

        Raises:
            NotFoundException: There is no such branch or repository.
            BadRequestException: The lake would import itself.
        """
        with self._lake.read(repository) as snapshot:
            repo = snapshot.repo
            check_branch(branch)
            snapshot.head(branch)
        for location in creation.paths:
            self._not_the_lake(location)
        run = _Run(repo, uuid4().hex, self._note)

        def work(transaction: Transaction) -> str:
            writer = transaction.writer
            self._forget(writer, repo)
            self._write(writer, repo, run.name, run.record())
            return run.name

        self._lake.effect(repository, work)
        self._running[run.name] = run
        try:
            run.launch(lambda: self._run(run, branch, creation, who))
        except BaseException as error:
            run.ended = True
            if run.has_begun():  # interrupted: it ends by itself, and its record has the error
                raise
            self._end(run, run.record(error="import error: it could not be started; start it again"))
            if isinstance(error, RuntimeError):
                raise LakeResourceError(f"no thread for the import: {error}; let other work end first") from error
            raise
        return run.name

    def _not_the_lake(self, location: models.ImportLocation) -> None:
        try:
            source = Path(os.path.realpath(places.file_of(location.path)))
        except ValueError:
            return  # what is no path of ours fails when it is read, as in lakeFS
        lake = Path(self._lake.database.folder).resolve()
        if source.is_relative_to(lake) or lake.is_relative_to(source):
            raise BadRequestException(f"{location.path}: holds the lake itself: invalid import source")

    def status(self, repository: str, name: str) -> models.ImportStatus:
        """How far an import is; one whose process is gone has failed.

        Raises:
            NotFoundException: There is none of this id.
        """
        running = name in self._running  # looked at first: it may end between two looks
        with self._lake.read(repository) as snapshot:
            record = self._record(snapshot.reader, snapshot.repo, name)
            commit = None
            if record.commit is not None:
                commit = model(snapshot.repo, record.commit, snapshot.commit(record.commit))
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

        def work(transaction: Transaction) -> None:
            repo, writer = transaction.repo, transaction.writer
            record = self._record(writer, repo, name)
            if record.completed or record.error not in {None, _CANCELED}:
                raise ConflictException("conflict found")
            self._write(writer, repo, name, msgspec.structs.replace(record, updated=now(), error=_CANCELED))

        self._lake.effect(repository, work)
        run = self._running.get(name)
        if run is not None:
            run.ended = True

    def close(self) -> None:
        """Ends what runs. What does not come back in time ends by itself, when it does; it can change nothing more."""
        under_way = list(self._running.values())
        for run in under_way:
            run.ended = True
        until = time.monotonic() + PATIENCE
        for run in under_way:
            run.join(max(0.0, until - time.monotonic()))

    # -------------------------------------------------------------------------------------------------- the record

    def _record(self, reader: Reader, repo: Repo, name: str) -> ImportRecord:
        value = imports.get(reader, repo.id, name)
        if value is None:
            raise NotFoundException("not found")
        return records.read_import(value)

    def _write(self, writer: Writer, repo: Repo, name: str, record: ImportRecord) -> None:
        if repositories.exists(writer, repo.id):  # it may have been deleted meanwhile
            imports.put(writer, repo.id, name, records.encode(record))

    def _note(self, run: _Run) -> None:
        """Writes down how far an import is.

        Raises:
            _Canceled: Another process has ended it.
        """

        def work(writer: Writer) -> bool:
            if self._record(writer, run.repo, run.name).error == _CANCELED:
                return True
            self._write(writer, run.repo, run.name, run.record())
            return False

        if self._lake.submit(work):
            raise _Canceled

    def _end(self, run: _Run, record: ImportRecord) -> None:
        """Writes down how an import ended; it no longer runs."""
        with suppress(LakeFSException):  # the lake is closed, locked or gone: the record stays behind, unfinished
            self._lake.submit(lambda writer: self._write(writer, run.repo, run.name, record))
        self._running.pop(run.name, None)

    def _forget(self, writer: Writer, repo: Repo) -> None:
        """Removes the records that are too old."""
        known = imports.of_repository(writer, repo.id)
        old = [name for name, value in known if records.read_import(value).updated < now() - KEPT]
        imports.delete(writer, repo.id, old)

    # -------------------------------------------------------------------------------------------------- the thread

    def _run(self, run: _Run, branch: str, creation: models.ImportCreation, who: str) -> None:
        """Whatever happens ends in the import's record."""
        record = run.record(error="import error: a defect of the lake")
        lake = os.path.realpath(self._lake.database.folder)
        try:
            manner = sources.Manner(lake, run.check, self.hashing, self._lake.import_roots)
            replaced = [sources.under(one.destination) for one in creation.paths if one.type == "common_prefix"]
            items = run.counted(sources.entries(creation.paths, manner))
            commit = self.load(run.repo, branch, items, replaced, creation, who=who, run=run)
            record = run.record(completed=True, commit=commit)
        except _Canceled:
            record = run.record(error=_CANCELED)
        except (LakeFSException, OSError, ValueError) as error:
            record = run.record(error=_CANCELED if run.ended else f"import error: {error}")
        finally:
            self._end(run, record)

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
        run: _Run | None = None,
    ) -> bytes:
        """Puts many entries into a branch as one commit; what was under the replaced prefixes goes.

        Args:
            repo: The repository.
            branch: Which must have nothing staged.
            items: Keys and encoded entries, in order.
            replaced: Prefixes that hold nothing afterwards but what is in `items`.
            creation: Message and metadata of the commit.
            who: The committer.
            run: The import that this is for; one that is to end is not put on the branch.

        Returns:
            The commit's id.
        """
        lake = self._lake
        check = run.check if run is not None else _never
        self._clean(repo, branch, creation.force)  # fail early, not after an hour of hashing
        nodes = BulkNodes(lake)
        tree = Tree(nodes, lake.shape, lake.cache)  # an entry that differs in its time only is a new one here
        made = tree.build(items)

        def attempt() -> bytes:
            head, root = self._clean(repo, branch, creation.force)
            if root == lake.empty or replacement.is_all(replaced):
                combined = made
            else:
                combined = apply(tree, root, _asked(replacement.edits(tree, root, made, replaced), check))
            nodes.flush()
            check()
            return self._publish(repo, head, combined, creation, who, run)

        return retry(attempt)

    def _clean(self, repo: Repo, branch: str, force: bool | None) -> tuple[Head, bytes]:
        """The branch, which must have nothing staged that would be a change, and its tree."""
        with self._lake.read(repo.name) as snapshot:
            if snapshot.repo.id != repo.id:  # it was deleted, and another has its name
                raise NotFoundException("repository not found")
            snapshot.must_be_writable(force)
            head = snapshot.head(branch)
            must_be_clean(snapshot, head)
            return head, snapshot.root(head.head)

    def _publish(
        self, repo: Repo, seen: Head, root: bytes, creation: models.ImportCreation, who: str, run: _Run | None
    ) -> bytes:
        """Makes the commit.

        Raises:
            Moved: The branch is not as it was seen.
        """
        message = creation.commit.message or "Import objects"
        metadata = {STRATEGY: "source-wins", **(creation.commit.metadata or {})}

        def work(transaction: Transaction) -> bytes:
            if run is not None and (run.ended or self._record(transaction.reader, repo, run.name).error == _CANCELED):
                raise _Canceled
            head = must_stand(transaction, seen)
            taken = head.tokens if must_be_clean(transaction, head) else []
            generation = transaction.commit(head.head).generation + 1
            record = CommitRecord([head.head], root, who, message, now(), metadata, generation)
            commit = publish(transaction, head, record, taken=taken)
            stored = transaction.setting(METADATA)
            kept = {} if stored is None else records.read_metadata(stored)
            kept[_REPOSITORY_KEY] = str(seconds())
            transaction.set_setting(METADATA, records.encode(kept))
            return commit

        return self._lake.write(repo.name, work)


def _never() -> None:
    """What nobody can end."""


def _asked(edits: Iterable[replacement.Edit], check: Callable[[], None]) -> Iterator[replacement.Edit]:
    """Passes edits on, and asks now and then whether that is to end."""
    for number, edit in enumerate(edits):
        if not number % _ASKED:
            check()
        yield edit
