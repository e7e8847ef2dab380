"""Copies of an object or a prefix to anywhere: within a repository on the server, else through this machine.

Rules of the room: it runs on the calling thread, for both colours. What is streamed is one version of each object, with
its content type and metadata; its checksum is compared when it is read and when it is stored. Small objects are read
and written concurrently, in batches of bounded size. A large one goes through a temporary file.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, cast

from lakefs_hl._files.bodies import SPOOL, Abandoned, body_of
from lakefs_hl._files.place import FileClient
from lakefs_hl._handles.calls import new_op_id
from lakefs_hl._handles.copies import Copying, Location, Watcher, add_progress
from lakefs_hl._handles.deletions import ON_ERROR
from lakefs_hl._handles.prefixes import workers
from lakefs_hl._handles.transfers import Tally, TransferReport
from lakefs_hl.ops import copies, objects, prefixes, refs, stream, upload
from lakefs_hl.ops.effects import Op, gather
from lakefs_hl.ops.retry import Session, attempt
from lakefs_hl.spec import arguments, errors
from lakefs_hl.spec.headers import OBJECT_OP_ID
from lakefs_hl.spec.limits import MAX_PAGE
from lakefs_hl.spec.models import ObjectPage, ObjectStats
from lakefs_hl.spec.wire import FileSlice

#: Largest batch of small objects, in objects and in bytes.
BATCH: Final = 256
BATCH_BYTES: Final = 32 << 20


class Plan(NamedTuple):
    """A copy with its arguments checked.

    Attributes:
        source: What to copy.
        target: Where to.
        limit: Maximum number of concurrent requests, as the caller gave it.
        on_error: "raise" or "return".
    """

    source: Location
    target: Location
    limit: int | None
    on_error: str

    @property
    def about(self) -> str:
        """What was asked, for messages."""
        return f"copying {self.source.uri} to {self.target.uri}"


def plan(source: Location, target: Location, max_workers: object, on_error: object) -> Plan:
    """Check the arguments of a copy, and complete the path of the target.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The source and the target are the same.
    """
    to = target.path
    if _is_prefix(source):
        to = to if not to or to.endswith("/") else f"{to}/"
    elif not to or to.endswith("/"):
        to += source.path.rpartition("/")[2]
    found = Plan(
        source, target._replace(path=to), workers(max_workers), arguments.choice(on_error, "on_error", ON_ERROR)
    )
    if _is_one_object(found):
        msg = f"{found.about}: the source and the destination are the same"
        raise ValueError(msg)
    return found


def copy(plan: Plan, watcher: Watcher, stopped: Callable[[], bool] = lambda: False) -> TransferReport:
    """Copy what a plan says, on this thread.

    Args:
        plan: What to copy.
        watcher: Progress of the copy.
        stopped: Asked after each batch; True ends the copy.
    """
    if not _is_prefix(plan.source):
        return _copy_object(plan, watcher, stopped)
    source, target = plan.source, plan.target
    if not _is_one_repository(plan):
        if _same_repository(plan):
            copies.check_overlap(target.at._id, source.at._id, source.path, target.path, plan.about)
        return _Streamed(plan, watcher, stopped).copy_prefix()
    copying = Copying(target.at, source.path, target.path, source.at._id, plan.limit, plan.on_error, moves=False)
    return _client(target)._run_here(copying.run, watcher)


def _is_prefix(location: Location) -> bool:
    return not location.path or location.path.endswith("/")


def _is_one_repository(plan: Plan) -> bool:
    """Return whether the server can copy: both sides are in one repository, for a client that may use both."""
    source, target = plan.source.at, plan.target.at
    return bool(source._repository_id == target._repository_id and source._client == target._client)


def _same_repository(plan: Plan) -> bool:
    """Return whether both sides are in one repository, maybe for clients with other options, credentials or scopes."""
    return _repository(plan.source) == _repository(plan.target)


def _is_one_object(plan: Plan) -> bool:
    source, target = plan.source, plan.target
    return _same_repository(plan) and (source.at._id, source.path) == (target.at._id, target.path)


def _repository(location: Location) -> tuple[str, str]:
    client = _client(location)
    return client.endpoint, client._full_name(location.at._repository_id)


def _client(location: Location) -> FileClient:
    return cast("FileClient", location.at._client)


def _copy_object(plan: Plan, watcher: Watcher, stopped: Callable[[], bool]) -> TransferReport:
    began, source, target = time.monotonic(), plan.source, plan.target
    row = _client(source)._run_here(_look_up, source, plan.about)
    if not _is_one_repository(plan):
        return _Streamed(plan, watcher, stopped).copy_object(row)
    _client(target)._run_here(
        objects.copy,
        target.at._repository_id,
        target.at._id,
        target.path,
        source.at._id,
        source.path,
        about=plan.about,
    )
    size = row.size_bytes or 0
    watcher.complete(row.path.rpartition("/")[2], size)
    return TransferReport(transferred=1, bytes=size, seconds=time.monotonic() - began)


def _look_up(session: Session, source: Location, about: str) -> Op[ObjectStats]:
    """Look up the object to copy.

    Raises:
        IsADirectoryError: There is none, but there are objects under its path.
    """
    place = source.at._repository_id, source.at._id
    try:
        return (yield from objects.stat(session, *place, source.path))
    except errors.ObjectNotFoundException as exc:
        if not (yield from prefixes.is_dir(session, *place, source.path)):
            raise
        raise prefixes.directory_error(
            f"{about}: no object has the path of the source, and there are objects under it; end it with '/' to copy "
            "them all",
            source.uri,
        ) from exc


class _Streamed:
    """A copy between repositories or lakes: what is read from one is written to the other."""

    def __init__(self, plan: Plan, watcher: Watcher, stopped: Callable[[], bool]) -> None:
        self._plan = plan
        self._watcher = watcher
        self._stopped = stopped
        self._source = plan.source.at._repository_id, plan.source.at._id
        self._reader, self._writer = _client(plan.source), _client(plan.target)
        self._tally = Tally()
        self._began = time.monotonic()

    def copy_object(self, row: ObjectStats) -> TransferReport:
        """Copy one object. Its failure is raised as it is."""
        self._copy_large(row)
        return self._tally.report(time.monotonic() - self._began)

    def copy_prefix(self) -> TransferReport:
        """Copy the objects of a prefix.

        Raises:
            ObjectNotFoundException: No object has the prefix.
            PartialFailureError: Some objects failed.
            LakeFSException: None of 1,000 objects could be copied.
        """
        plan = self._plan
        try:
            self._copy_pages()
        except errors.LakeFSException as exc:
            add_progress(exc, self._tally.transferred, "copied")
            raise
        report = self._tally.report(time.monotonic() - self._began)
        what = f"objects of {plan.source.uri} were not copied"
        return report._or_raise(
            plan.on_error, what, "the same call again tries all of them", maybe_applied=self._tally.maybe_applied
        )

    def _copy_pages(self) -> None:
        plan, target = self._plan, self._plan.target.at
        self._writer._run_here(prefixes.check_branch, target._repository_id, target._id, plan.about)
        self._source = self._source[0], self._reader._run_here(refs.pin_expression, *self._source)
        after, more = "", True
        while more:
            page = self._reader._run_here(objects.list_page, *self._source, after, MAX_PAGE, prefix=plan.source.path)
            if not page.results and not after:
                raise prefixes.not_found_error(plan.about, *self._source, plan.source.path)
            self._copy_page(page)
            more, after = page.pagination.has_more, page.pagination.next_offset

    def _copy_page(self, page: ObjectPage) -> None:
        before, failure = self._tally.transferred, None
        for batch in _batches(page.results):
            if self._stopped():
                raise Abandoned
            if len(batch) > 1 or (batch[0].size_bytes or 0) <= SPOOL:
                failure = self._copy_batch(batch) or failure
                continue
            try:
                self._copy_large(batch[0])
            except errors.LakeFSException as exc:
                failure = self._fail(batch[0], exc)
        if failure is not None and page.pagination.has_more and self._tally.transferred == before:
            failure.add_note(f"the copy ended here: {len(page.results):,} objects in a row failed")
            raise failure

    def _copy_batch(self, rows: list[ObjectStats]) -> errors.LakeFSException | None:
        """Read small objects, then write them. Returns one of the failures, if any."""
        failure = None
        contents = self._reader._run_here(_each, [(self._read, row) for row in rows], self._plan.limit)
        bodies = [(row, found) for row, found in zip(rows, contents, strict=True) if isinstance(found, bytes)]
        writes = [(self._write, row, body) for row, body in bodies]
        stored = iter(self._writer._run_here(_each, writes, self._plan.limit))
        for row, content in zip(rows, contents, strict=True):
            outcome = next(stored) if isinstance(content, bytes) else content
            if isinstance(outcome, errors.LakeFSException):
                failure = self._fail(row, outcome)
            else:
                self._complete(row)
        return failure

    def _copy_large(self, row: ObjectStats) -> None:
        """Copy an object through a temporary file."""
        with tempfile.SpooledTemporaryFile(SPOOL) as spool:

            def write(content: memoryview) -> None:
                if self._stopped():
                    raise Abandoned
                spool.write(content)

            def restart() -> None:
                spool.seek(0)
                spool.truncate()

            self._reader._run_here(self._fetch, row, write, restart)
            self._writer._run_here(self._write, row, body_of(spool))
        self._complete(row)

    def _fetch(
        self, session: Session, row: ObjectStats, write: Callable[[memoryview], object], restart: Callable[[], None]
    ) -> Op[int]:
        return stream.copy_to(
            session,
            *self._source,
            row.path,
            stream.ToFunction(write),
            etag=row.checksum or None,
            verify=True,
            restart=restart,
        )

    def _read(self, session: Session, row: ObjectStats) -> Op[bytes]:
        content = bytearray()
        yield from self._fetch(session, row, content.extend, content.clear)
        return bytes(content)

    def _write(self, session: Session, row: ObjectStats, body: bytes | FileSlice) -> Op[ObjectStats]:
        source, target = self._plan.source, self._plan.target
        path = target.path if not _is_prefix(source) else target.path + row.path[len(source.path) :]
        metadata = {key: value for key, value in (row.metadata or {}).items() if key != OBJECT_OP_ID}
        return upload.upload(
            session,
            target.at._repository_id,
            target.at._id,
            path,
            body,
            content_type=row.content_type,
            metadata=metadata,
            op_id=new_op_id(),
        )

    def _complete(self, row: ObjectStats) -> None:
        self._tally.transfer(row.size_bytes or 0)
        self._watcher.complete(self._name(row), row.size_bytes or 0)

    def _fail(self, row: ObjectStats, error: errors.LakeFSException) -> errors.LakeFSException:
        self._tally.fail(row.path, error)
        self._watcher.fail(self._name(row), error)
        return error

    def _name(self, row: ObjectStats) -> str:
        path = self._plan.source.path
        return row.path[len(path) :] if _is_prefix(self._plan.source) else row.path.rpartition("/")[2]


def _each(session: Session, calls: list[tuple[Any, ...]], limit: int | None) -> Op[list[Any]]:
    """Make calls concurrently, and return their results or failures in order."""
    return gather((attempt(call(session, *rest)) for call, *rest in calls), session.width.within(limit))


def _batches(rows: list[ObjectStats]) -> Iterator[list[ObjectStats]]:
    """Yield rows in batches that are read at a time. A large object is a batch of its own."""
    batch, size = list[ObjectStats](), 0
    for row in rows:
        length = row.size_bytes or 0
        if batch and (len(batch) == BATCH or size + length > BATCH_BYTES or length > SPOOL):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += length
        if length > SPOOL:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
