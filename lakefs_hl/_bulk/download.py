"""A prefix to a local directory: all names are checked first, then objects are fetched, then the rest is deleted."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Final, Protocol

import msgspec

from lakefs_hl._bulk import comparing
from lakefs_hl._bulk.local import stat_file
from lakefs_hl._bulk.memory import Memory
from lakefs_hl._bulk.options import DirectoryJob, is_chosen
from lakefs_hl._bulk.partial import Partial
from lakefs_hl._bulk.run import SMALL, SMALL_IN_PROCESS, Run, pace_of
from lakefs_hl._bulk.steps import CHECK, SEND, SKIP, Step, decide
from lakefs_hl._folders import names, reading
from lakefs_hl._folders.choice import Paths
from lakefs_hl._folders.directories import Directories
from lakefs_hl._folders.found import Found, is_same
from lakefs_hl._folders.tree import Tree
from lakefs_hl._folders.walk import walk
from lakefs_hl.ops import bulk, objects
from lakefs_hl.ops.bulk import Fetch
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.prefixes import not_found_error
from lakefs_hl.ops.presign import MD5
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec.models import ObjectStats
from lakefs_hl.spec.multipart import is_one_part
from lakefs_hl.spec.uri import object_uri

#: Objects whose files are looked at together.
CHUNK: Final = 512
#: Records of a listing that are kept in memory, in bytes; more go to a temporary file.
IN_MEMORY: Final = 16 << 20
NEWER: Final = "the local file is newer, and has other content"


class Wanted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An object to download.

    Attributes:
        path: Path below the prefix.
        local: Path below the directory.
        checksum: Its ETag.
        size: Its size in bytes.
        modified: Its modification time, in Unix seconds.
    """

    path: str
    local: str
    checksum: str
    size: int
    modified: int


class Spool:
    """Any number of records in order, in memory and then in a temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed by `close`
        self._rows = list[Wanted]()
        self._encode = msgspec.msgpack.Encoder().encode
        self.count = 0
        self.size_bytes = 0

    def add(self, row: Wanted) -> None:
        """Append a record."""
        self._rows.append(row)
        self.count += 1
        self.size_bytes += row.size
        if len(self._rows) == CHUNK:
            self._flush()

    def _flush(self) -> None:
        block = self._encode(self._rows)
        self._file.write(len(block).to_bytes(4, "big") + block)
        self._rows = []

    def __iter__(self) -> Iterator[Wanted]:
        if self._rows:
            self._flush()
        decode = msgspec.msgpack.Decoder(list[Wanted]).decode
        at = 0
        while True:
            self._file.seek(at)
            length = int.from_bytes(self._file.read(4), "big")
            if not length:
                return
            rows = decode(self._file.read(length))
            at += 4 + length
            yield from rows

    def close(self) -> None:
        """Remove the temporary file."""
        self._file.close()


class FileTarget(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Where an object is written to.

    Attributes:
        tree: The local directory.
        wanted: The object.
        adopts: Whether a shorter file that is there is its beginning.
        verify: Whether to compare the content with the checksum.
        watch: Raises if the file that is there must not be replaced after all.
        on_move: Takes how many bytes of a large object are there.
    """

    tree: Tree
    wanted: Wanted
    adopts: bool
    verify: bool = True
    watch: Callable[[], None] | None = None
    on_move: Callable[[int], None] | None = None

    def save(self, content: bytes) -> None:
        """Write the file at once."""
        wanted = self.wanted
        if self.watch is not None:
            self.watch()
        self.tree.write(wanted.local, content, wanted.modified * 1_000_000_000)

    def place(self) -> Partial:
        """Open the file to be fetched in parts. What an earlier call has left of this version is there already."""
        wanted = self.wanted
        start = self.tree.adopt if self.adopts else self.tree.resume
        part = start(wanted.local, wanted.checksum, wanted.size)
        mtime_ns = wanted.modified * 1_000_000_000
        return Partial(part, wanted.size, wanted.checksum, mtime_ns, watch=self.watch, on_move=self.on_move)


class FileFetch(Fetch, eq=False, gc=False, kw_only=True):
    """An object to read into a local file. Nothing that it refers to refers to it.

    Attributes:
        wanted: The object.
    """

    wanted: Wanted


def file_fetch(repository: str, ref: str, path: str, target: FileTarget) -> FileFetch:
    """Return an object to read into a local file."""
    wanted = target.wanted
    return FileFetch(
        repository,
        ref,
        path,
        etag=wanted.checksum,
        size=wanted.size,
        target=target,
        verify=target.verify,
        wanted=wanted,
    )


class Job(DirectoryJob, Protocol):
    """The download that is run."""

    @property
    def on_invalid(self) -> names.OnInvalid:
        """What becomes of an object whose path is no safe local path."""

    @property
    def continue_(self) -> bool:
        """Whether shorter local files are continued."""

    @property
    def expected(self) -> object:
        """The plan that is applied. None without one."""


class Download:
    """One run of a download of a prefix.

    Args:
        job: What to download.
        ref: The reference to read: a branch, or a commit.
        files: The local directory. None if it does not exist, and nothing is to be written.
        tree: The same, to be written. None if nothing is to be written.
        memory: What earlier runs have left.
        run: Counts and tells.
        resumes: Whether an earlier run of the same was interrupted: what it has fetched is not fetched again.
    """

    def __init__(
        self,
        job: Job,
        ref: str,
        files: Directories | None,
        tree: Tree | None,
        memory: Memory,
        run: Run,
        *,
        resumes: bool = False,
    ) -> None:
        self._job, self._ref = job, ref
        self._files, self._tree = files, tree
        self._memory, self.run = memory, run
        self._resumes = resumes
        self.wanted = Spool()
        self._folds = False
        self._listed = False
        self._kept = set[str]()
        self._extra_before: frozenset[str] | None = None  # with the ignore files as they were

    # -- names ---------------------------------------------------------------------------------------------------------

    def scan(self, *, fold: bool) -> bool:
        """List the objects and check their names. Return whether all of them can be local files.

        Args:
            fold: Whether the file system takes names for equal that differ in case or accents.

        Raises:
            ObjectNotFoundException: No object is under the prefix. The root may be empty.
        """
        self._folds = fold
        local_name = names.local_names(self._job.on_invalid)
        collisions, encoded = names.Collisions(fold=fold), list[str]()
        ok, encodes = True, self._job.on_invalid == "encode"
        for record in self._objects():
            path = record.path[len(self._job.prefix) :]
            local, problem = local_name(path)
            if problem is None and not encodes and (collision := collisions.add(local)) is not None:
                problem = collision.reason
            if problem is not None:
                ok = self._refuse(record.path, problem) and ok
                continue
            if encodes:
                encoded.append(local)
            modified = comparing.modified_seconds(record)
            self.wanted.add(Wanted(path, local, record.checksum, record.size_bytes or 0, modified))
            if self._job.options.delete:
                self._kept.add(self._key(local))
        for collision in names.collisions(encoded, fold=fold):
            self.run.fail(self._job.prefix + collision.path, ValueError(collision.reason))
            ok = False
        if self._job.prefix and not self._listed:
            # A mistyped prefix must not empty the directory with `delete`.
            place, prefix = self._job.place, self._job.prefix
            about = f"downloading {object_uri(place._repository_id, place._id, prefix)}"
            raise not_found_error(about, place._repository_id, place._id, prefix)
        return ok

    def _refuse(self, path: str, problem: str) -> bool:
        """Note an object that cannot be a local file. Return whether the others are downloaded."""
        if self._job.on_invalid == "skip":
            self.run.skip(path, None, f"it cannot be a local file: {problem}")
            return True
        advice = "" if self._job.on_invalid == "encode" else "; on_invalid='skip' or 'encode' downloads the others"
        self.run.fail(path, ValueError(f"it cannot be a local file: {problem}{advice}"))
        return False

    def _objects(self) -> Iterator[ObjectStats]:
        """Yield the objects that are chosen."""
        job = self._job
        client, is_asked, chosen = job.place._client, is_chosen(job.options.only), self._paths()
        page = partial(objects.list_page, client._session, job.place._repository_id, self._ref, prefix=job.prefix)
        for record in client._pages_here(page):
            self.run.caller.check()
            self._listed = True
            path = record.path[len(job.prefix) :]
            if not path or (path.endswith("/") and not record.size_bytes):  # the marker of a directory
                continue
            if is_asked(record.path) and chosen.takes(path):
                yield record

    def _paths(self) -> Paths:
        choice = self._job.options.choice(self.run.caller.wait)
        files = self._files
        return Paths(choice) if files is None else Paths(choice, partial(reading.read_if_regular, files))

    # -- what is to be done --------------------------------------------------------------------------------------------

    def steps(self) -> Iterator[tuple[Step, Wanted]]:
        """Yield what is to be done with each object, in the order of the listing."""
        rows = iter(self.wanted)
        options = self._job.options
        planned = options.dry_run or self._job.expected is not None
        looks = self._files is not None and (bool(options.update) or self._resumes or planned)
        looks = looks or self._job.continue_
        while chunk := list(islice(rows, CHUNK)):
            if not looks:
                for row in chunk:
                    yield Step(SEND, row.path, None, None), row
                continue
            pairs = [(row, self._stat(row.local)) for row in chunk]
            alike = [found for row, found in pairs if found is not None and found.size == row.size]
            known = dict(zip((found.path for found in alike), self._memory.checksums(alike), strict=True))
            for row, found in pairs:
                yield self._decide(row, found, known.get(row.local)), row

    def _stat(self, local: str) -> Found | None:
        try:
            return None if self._files is None else stat_file(self._files, local)
        except OSError:  # the object fails when it is written there
            return None

    def _decide(self, row: Wanted, found: Found | None, md5: str | None) -> Step:
        options = self._job.options
        if found is None or not (options.update or self._resumes):
            return Step(SEND, row.path, found, None)
        record = record_of(row)
        is_older = options.update is True and comparing.is_newer(found, row.modified)
        return decide(row.path, found, record, md5, NEWER if is_older else "")

    def settle(self, step: Step) -> Step:
        """Return what is done with a file whose content is not known, after reading it."""
        found, record, files = step.found, step.record, self._files
        if found is None or record is None or files is None:
            return step
        read_at_ns = time.time_ns()
        if found.size <= reading.SMALL:
            content, now = reading.read(files, found)
            md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
            in_parts = is_one_part(record.checksum, md5)
        else:
            with reading.Watched(files, found.path) as file:
                md5, now = comparing.md5_of_file(file.fd), file.found
                in_parts = comparing.is_upload_in_parts(file.fd, record.checksum, md5)
                file.check()
        md5 = record.checksum if in_parts else md5
        self._memory.learn(now, md5, read_at_ns)
        if md5 == record.checksum:
            return msgspec.structs.replace(step, kind=SKIP, reason="")
        return msgspec.structs.replace(step, kind=SKIP if step.reason else SEND)

    def note_extra(self) -> None:
        """Note what may be deleted before ignore files are downloaded: what only the old ones leave out is kept too."""
        if self._job.options.ignore_file_names:
            self._extra_before = frozenset(found.path for found in self.extra())

    def extra(self) -> Iterator[Found]:
        """Yield the local files that the prefix does not have. What was left out is not among them."""
        files, prefix = self._files, self._job.prefix
        if files is None:
            return
        is_asked = is_chosen(self._job.options.only)
        choice = self._job.options.choice(self.run.caller.wait)
        chosen = self._paths() if self._job.on_invalid == "encode" and not choice.takes_all else None
        for found in walk(files, choice, on_error=self._note_error):
            path = found.path
            if self._extra_before is not None and path not in self._extra_before:
                continue
            if self._key(path) in self._kept or not is_asked(prefix + path):
                continue
            if chosen is None or chosen.takes(_decode(path)):  # its object may be left out by its own name
                yield found

    def _key(self, local: str) -> str:
        """Return what is the same for all names that the file system takes for equal."""
        return names.fold(local) if self._folds else local

    def _note_error(self, path: str, error: OSError) -> None:
        self.run.fail(f"{self._job.prefix}{path}/", error, self._local(path))

    # -- doing it ------------------------------------------------------------------------------------------------------

    def transfer(self, steps: Iterable[tuple[Step, Wanted]]) -> None:
        """Download the objects."""
        job = self._job
        job.place._client._run_here(_download, self._fetches(steps), job.options.max_workers, self._note)

    def _fetches(self, steps: Iterable[tuple[Step, Wanted]]) -> Iterator[FileFetch]:
        run, job, tree = self.run, self._job, self._tree
        if tree is None:
            return
        for step, row in steps:
            path = job.prefix + row.path
            run.caller.check()
            try:
                decided = self.settle(step) if step.kind == CHECK else step
            except OSError as exc:
                run.fail(path, exc, self._local(row.local))
                continue
            if decided.kind == SKIP:
                run.skip(path, row.size, decided.reason)
                continue
            adopts = job.continue_ and can_continue(step.found, row)
            watch = None
            if job.options.update or job.expected is not None:
                watch = partial(watch_file, tree, row.local, step.found, self._local(row.local))
            run.start(path, row.size)
            target = FileTarget(tree, row, adopts=adopts, watch=watch, on_move=run.on_move(path, row.size))
            yield file_fetch(job.place._repository_id, self._ref, path, target)
        run.leave()

    def _note(self, fetch: FileFetch, error: Exception | None) -> None:
        self.run.caller.check()
        if error is None:
            self.run.complete(fetch.path, fetch.size)
        else:
            self.run.fail(fetch.path, error, self._local(fetch.wanted.local), began=True)

    def _local(self, path: str) -> str:
        root = self._files.root if self._files is not None else ""
        return os.path.join(root, *path.split("/"))

    def is_gone(self, path: str) -> bool:
        """Return whether there is no local file at the path that a deletion has."""
        return self._stat(path[len(self._job.prefix) :]) is None

    def delete(self, files: Iterable[Found]) -> None:
        """Delete local files, and directories that become empty, unless anything failed."""
        run, tree = self.run, self._tree
        found = list(files) if tree is not None and not run.tally.failed_count else []
        if run.tally.failed_count or tree is None:  # also a directory that could not be read
            return
        for path in (file.path for file in found):
            run.caller.check()
            try:
                if tree.remove(path):
                    run.delete(self._job.prefix + path)
                tree.remove_empty(path.rpartition("/")[0])
            except OSError as exc:
                run.fail(self._job.prefix + path, exc, self._local(path))


def _decode(local: str) -> str:
    """Return the path of the object that a local file has, as far as its name tells: not all files come from a lake."""
    try:
        return names.decode(local)
    except ValueError:
        return local


def can_continue(found: Found | None, row: Wanted) -> bool:
    """Return whether a local file may be the beginning of an object: it is shorter, and not older.

    Without an MD5 nothing would show that it is another file.
    """
    if found is None or not MD5.fullmatch(row.checksum):
        return False
    return found.size < row.size and comparing.seconds_of(found) >= row.modified


def watch_file(tree: Tree, local: str, before: Found | None, shown: str) -> None:
    """Check that a local file is what was decided on, since what was written to it meanwhile may be newer.

    Args:
        tree: The local directory.
        local: Path of the file in it.
        before: The file when it was compared with its object. None if there was none.
        shown: Its path, for messages.

    Raises:
        FileChangedError: It is not.
    """
    now = tree.stat(local)
    if now is before or (now is not None and before is not None and is_same(now, before)):
        return
    raise reading.FileChangedError(
        errno.EBUSY, "the file changed while its object was downloaded, and was not replaced; run the call again", shown
    )


def record_of(row: Wanted) -> ObjectStats:
    """Return the record of an object, as far as it is compared."""
    return ObjectStats(row.path, "object", "", row.checksum, row.modified, row.size)


def _download(
    session: Session,
    fetches: Iterator[FileFetch],
    max_workers: int | None,
    note: Callable[[FileFetch, Exception | None], None],
) -> Op[None]:
    small = SMALL if session.remote else SMALL_IN_PROCESS
    return bulk.download_each(session, fetches, pace_of(session, max_workers), note, small=small)
