"""A local directory to a prefix: one pass over both in byte order, then what the source does not have is deleted."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, Final, Protocol

import msgspec

from lakefs_hl._bulk import comparing
from lakefs_hl._bulk.local import look
from lakefs_hl._bulk.memory import Memory
from lakefs_hl._bulk.merging import merge
from lakefs_hl._bulk.options import DirectoryJob, is_chosen
from lakefs_hl._bulk.run import Run, pace_of
from lakefs_hl._bulk.steps import CHECK, DELETE, SEND, SKIP, Step, decide
from lakefs_hl._bulk.upload_journal import UploadJournal
from lakefs_hl._folders import reading
from lakefs_hl._folders.choice import Choice, Paths
from lakefs_hl._folders.directories import Directories
from lakefs_hl._folders.found import Found
from lakefs_hl._folders.walk import walk
from lakefs_hl.ops import branches, bulk, ephemeral, kept, objects, parts
from lakefs_hl.ops.bulk import Put, Written
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.presign import MD5
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec.headers import CLIENT_MTIME
from lakefs_hl.spec.models import Diff, ObjectStats
from lakefs_hl.spec.multipart import is_one_part
from lakefs_hl.spec.wire import FileSlice

#: Files whose checksums are looked up together.
CHUNK: Final = 512
NEWER: Final = "the object is newer, and has other content"


class FileBody(msgspec.Struct, eq=False, gc=False):
    """The content of a local file, opened when its turn has come.

    Attributes:
        source: The local directory.
        found: The file, as it was when it was read.
        expected: MD5 of the object that is there, if the file may have the same content.
        only_compare: Whether it is not sent in any case.
        metadata: Metadata of the object, which gets the modification time of the content that is read.
        on_move: Takes how much of a large file was read to be sent.
        read_at_ns: When it was read.
        is_equal: Whether it has the content of the object that is there.
        watched: A large file while it is open.
        journal: Keeps what was sent of a large file.
    """

    source: Directories
    found: Found
    expected: str | None = None
    only_compare: bool = False
    metadata: dict[str, str] | None = None
    on_move: Callable[[int], None] | None = None
    read_at_ns: int = 0
    is_equal: bool = False
    watched: reading.Watched | None = None
    journal: UploadJournal | None = None

    @property
    def size(self) -> int | None:
        """Number of bytes to expect in memory. None if it is a large file, which is sent while it is open."""
        return self.found.size if self.found.size <= reading.SMALL else None

    def open(self) -> bytes | FileSlice | None:
        """Return the content. None if it is that of the object that is there, or is not sent in any case."""
        content = self._read()
        if self.metadata is not None:
            self.metadata[CLIENT_MTIME] = str(comparing.seconds_of(self.found))
        if self.journal is not None:
            self.journal.found = self.found
        return content

    def _read(self) -> bytes | FileSlice | None:
        self.read_at_ns = time.time_ns()
        if self.found.size <= reading.SMALL:
            content, self.found = reading.read(self.source, self.found)
            if self.expected is not None:
                md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
                self.is_equal = md5 == self.expected or is_one_part(self.expected, md5)
            return None if self.is_equal or self.only_compare else content
        watched = self.watched = reading.Watched(self.source, self.found.path)
        self.found = watched.found
        if self.expected is not None:
            md5 = comparing.md5_of_file(watched.fd)
            self.is_equal = md5 == self.expected or comparing.is_upload_in_parts(watched.fd, self.expected, md5)
            watched.check()
        if self.is_equal or self.only_compare:
            return None
        return FileSlice(watched.fd, 0, watched.found.size, watched.check, self.on_move)

    def close(self) -> None:
        """Close the file, and its journal."""
        if self.watched is not None:
            self.watched.close()
        if self.journal is not None:
            self.journal.close()


class FilePut(Put, eq=False, gc=False, kw_only=True):
    """A local file to write as an object. Its metadata tells the modification time of the content that is sent.

    It refers to nothing that refers to it, so that it is gone with its last use.

    Attributes:
        file: The file.
        expected: MD5 of the object that is there, if the file may have the same content.
        reason: Why it is not sent in any case; "" if it is.
    """

    file: FileBody
    expected: str = ""
    reason: str = ""


def file_put(
    at: Any,
    branch: str,
    path: str,
    source: Directories,
    found: Found,
    metadata: Mapping[str, str],
    *,
    expected: str = "",
    reason: str = "",
    on_move: Callable[[int], None] | None = None,
    verify: bool = True,
) -> FilePut:
    """Return a local file to write as an object.

    Args:
        at: The branch's handle.
        branch: The branch to write to.
        path: Path of the object.
        source: The local directory.
        found: The file.
        metadata: User metadata.
        expected: MD5 of the object that is there, if the file may have the same content.
        reason: Why it is not sent in any case; "" if it is.
        on_move: Takes how much of a large file was read to be sent.
        verify: Whether to compare what was stored with what was sent.
    """
    told = dict(metadata)
    repository, journal = at._repository_id, None
    if found.size > parts.THRESHOLD:
        client = at._client
        journal = UploadJournal(lambda: client.cache_directory, client._place, repository, branch, path)
    file = FileBody(source, found, expected or None, bool(reason), told, on_move, journal=journal)
    return FilePut(
        repository, branch, path, file, None, told, verify, journal, file=file, expected=expected, reason=reason
    )


class Job(DirectoryJob, Protocol):
    """The upload that is run."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """User metadata of each object."""


class Upload:
    """One run of an upload of a directory.

    Args:
        job: What to upload.
        source: The local directory.
        branch: The branch to write to: that of the transaction, if there is one.
        memory: What earlier runs have left.
        run: Counts and tells.
        resumes: Whether an earlier run of the same was interrupted: what it has sent is not sent again.

    Attributes:
        drops: Whether all that is staged on the branch was sent by that run, so that it can be reset.
    """

    def __init__(
        self, job: Job, source: Directories, branch: str, memory: Memory, run: Run, *, resumes: bool = False
    ) -> None:
        self._job, self._source, self._branch = job, source, branch
        self._memory, self.run = memory, run
        self._resumes = resumes
        self.drops = False
        self._kept = set[str]()  # what is there and no file to upload: not deleted
        options = job.options
        self._choice: Choice = options.choice(run.caller.wait)
        self._remote: Paths | None = None
        self._deletions = list[str]()
        self._is_chosen = is_chosen(options.only)

    # -- what is to be done --------------------------------------------------------------------------------------------

    def steps(self) -> Iterator[Step]:
        """Yield what is to be done, in the order of the paths. Deletions come where they stand in that order."""
        options = self._job.options
        if not (options.update or options.delete or self._resumes):
            for found in self._files():
                yield Step(SEND, found.path, found, None)
            return
        pairs = merge(self._files(), self._objects(), _path_of_file, self._path_of_object)
        while chunk := list(islice(pairs, CHUNK)):
            yield from self._decide(chunk)

    def _decide(self, chunk: list[tuple[Found | None, ObjectStats | None]]) -> Iterator[Step]:
        options = self._job.options
        compares = bool(options.update) or self._resumes
        alike = [
            found
            for found, record in chunk
            if compares and found is not None and record is not None and found.size == (record.size_bytes or 0)
        ]
        known = dict(zip((found.path for found in alike), self._memory.checksums(alike), strict=True))
        for found, record in chunk:
            if found is None:
                if record is not None and options.delete:
                    path = self._path_of_object(record)
                    if self._is_deletable(path):
                        yield Step(DELETE, path, None, record)
            elif record is None or not compares:
                yield Step(SEND, found.path, found, None)
            else:
                yield self._decide_on(found, record, known.get(found.path))

    def _decide_on(self, found: Found, record: ObjectStats, md5: str | None) -> Step:
        is_older = self._job.options.update is True and comparing.seconds_of(found) < comparing.modified_seconds(record)
        step = decide(found.path, found, record, md5, NEWER if is_older else "")
        if step.reason and self.drops and (now := self._drop(record)) != record:
            return Step(SEND, found.path, found, None) if now is None else self._decide_on(found, now, md5)
        return step

    def _drop(self, record: ObjectStats) -> ObjectStats | None:
        """Reset what an interrupted run may have sent, and return what was there before it: the file is older again."""
        client, at = self._job.place._client, (self._job.place._repository_id, self._branch, record.path)
        client._run_here(branches.reset, *at)
        found: ObjectStats | None = client._run_here(objects.look, *at)
        return found

    def _files(self, *, reports: bool = True) -> Iterator[Found]:
        """Yield the files that are chosen, and report what is no file unless that was done before."""
        only, prefix = self._job.options.only, self._job.prefix
        if only is not None and not any(path.endswith("/") for path in only):
            return self._look_at(sorted(path[len(prefix) :] for path in only), reports=reports)
        if reports:
            found = walk(self._source, self._choice, on_skip=self._note_skip, on_error=self._note_error)
        else:
            found = walk(self._source, self._choice)
        return found if only is None else (each for each in found if self._is_chosen(prefix + each.path))

    def _look_at(self, paths: list[str], *, reports: bool) -> Iterator[Found]:
        """Yield the files of these paths."""
        chosen = self._paths()
        for path in paths:
            if not chosen.takes(path):
                continue
            try:
                found = look(self._source, path)
            except OSError as exc:
                if reports:
                    self.run.fail(self._job.prefix + path, exc, os.path.join(self._source.root, path))
                continue
            if isinstance(found, str):
                if reports:
                    self._note_skip(path, found)
            elif found is not None:
                yield found

    def _paths(self) -> Paths:
        return Paths(self._choice, partial(reading.read_if_regular, self._source))

    def _note_skip(self, path: str, reason: str) -> None:
        self._kept.add(path)
        self.run.skip(self._job.prefix + path, None, reason)

    def _note_error(self, path: str, error: OSError) -> None:
        self.run.fail(f"{self._job.prefix}{path}/", error, os.path.join(self._source.root, path))

    def _objects(self) -> Iterator[ObjectStats]:
        """Yield the objects under the prefix."""
        job = self._job
        client, repository = job.place._client, job.place._repository_id
        page = partial(objects.list_page, client._session, repository, self._branch, prefix=job.prefix)
        for record in client._pages_here(page):
            path = self._path_of_object(record)
            if path and not path.endswith("/") and self._is_chosen(record.path):
                yield record

    def _path_of_object(self, record: Diff | ObjectStats) -> str:
        return record.path[len(self._job.prefix) :]

    def _is_deletable(self, path: str) -> bool:
        """Return whether an object without a file is deleted: not one that is left out, or stands for a link.

        The directory is looked at again: what is there now, and was not when it was read, keeps its object.
        """
        if path in self._kept or any(path.startswith(f"{kept}/") for kept in self._kept):
            return False
        try:
            if look(self._source, path) is not None:
                return False
        except OSError:  # what cannot be looked at may be there
            return False
        if self._remote is None:
            self._remote = self._paths()
        return self._remote.takes(path)

    def settle(self, step: Step) -> Step:
        """Return what is done with a file whose content is not known, after reading it."""
        found, record = step.found, step.record
        if found is None or record is None:
            return step
        file = FileBody(self._source, found, record.checksum, only_compare=bool(step.reason))
        try:
            sends = file.open() is not None
        finally:
            file.close()
        if file.is_equal:
            self._memory.learn(file.found, record.checksum, file.read_at_ns)
            return msgspec.structs.replace(step, kind=SKIP, reason="")
        return msgspec.structs.replace(step, kind=SEND if sends else SKIP)

    # -- doing it ------------------------------------------------------------------------------------------------------

    def transfer(self, steps: Iterator[Step]) -> None:
        """Upload files. Deletions are kept for `delete`."""
        job = self._job
        job.place._client._run_here(_upload, self._puts(steps), job.options.max_workers, self._note)

    def _puts(self, steps: Iterator[Step]) -> Iterator[FilePut]:
        run, prefix = self.run, self._job.prefix
        for step in steps:
            path = prefix + step.path
            if step.kind == DELETE:
                self._deletions.append(path)
            elif step.kind == SKIP or step.found is None:
                run.skip(path, step.found.size if step.found is not None else None, step.reason)
            else:
                run.start(path, step.found.size)
                yield self._put(path, step.found, step)
        run.leave()

    def _put(self, path: str, found: Found, step: Step) -> FilePut:
        record = step.record if step.kind == CHECK else None
        return file_put(
            self._job.place,
            self._branch,
            path,
            self._source,
            found,
            self._job.metadata,
            expected=record.checksum if record is not None else "",
            reason=step.reason,
            on_move=self.run.on_move(path, found.size),
        )

    def _note(self, put: FilePut, written: Written) -> None:
        run, found = self.run, put.file.found
        run.caller.check()
        if isinstance(written, Exception):
            run.fail(put.path, written, os.path.join(self._source.root, found.path), began=True)
        elif written is None:
            run.skip(put.path, found.size, "" if put.file.is_equal else put.reason, began=True)
            if put.file.is_equal:
                self._memory.learn(found, put.expected, put.file.read_at_ns)
        else:
            run.complete(put.path, found.size)
            if MD5.fullmatch(written.checksum):
                self._memory.learn(found, written.checksum, put.file.read_at_ns)

    def is_gone(self, path: str) -> bool:
        """Return whether there is no object at a path."""
        place = self._job.place
        found: ObjectStats | None = place._client._run_here(objects.look, place._repository_id, self._branch, path)
        return found is None

    def delete(self) -> None:
        """Delete the objects that the directory does not have, unless anything failed."""
        run = self.run
        if run.tally.failed_count or not self._deletions:
            return
        place = self._job.place
        run.caller.check()
        failed = place._client._run_here(_delete, place._repository_id, self._branch, self._deletions)
        reasons = {error.path: error for error in failed}
        for path in self._deletions:
            if (error := reasons.get(path)) is not None:
                run.fail(path, OSError(error.message))
            else:
                run.delete(path)
        self._deletions = []

    def reset_others(self) -> None:
        """Reset what an interrupted run has written and the directory no longer has, unless anything failed."""
        if self.run.tally.failed_count:
            return
        client, repository = self._job.place._client, self._job.place._repository_id
        page = partial(branches.uncommitted_page, client._session, repository, self._branch, prefix=self._job.prefix)
        staged = client._pages_here(page)
        others = [
            change.path
            for found, change in merge(self._files(reports=False), staged, _path_of_file, self._path_of_object)
            if found is None and change is not None and change.type != "removed"
        ]
        for path in others:
            self.run.caller.check()
            client._run_here(branches.reset, repository, self._branch, path)


def discard_branch(place: Any, tx_id: str) -> None:
    """Delete the branch of a transaction that is not continued."""
    branch = ephemeral.name_of(place._id, tx_id).branch
    place._client._run_here(kept.discard, place._repository_id, branch)


def _path_of_file(found: Found) -> str:
    return found.path


def _upload(
    session: Session, puts: Iterator[FilePut], max_workers: int | None, note: Callable[[FilePut, Written], None]
) -> Op[None]:
    return bulk.upload_each(session, puts, pace_of(session, max_workers), note)


def _delete(session: Session, repository: str, branch: str, paths: list[str]) -> Op[list[Any]]:
    return objects.delete_all(session, repository, branch, paths, known=True)
