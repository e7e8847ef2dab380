"""Many objects from and to memory: `upload_many` and `download_many`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from lakefs_hl._bulk.atomic import Atomic, refuse_commit_message
from lakefs_hl._bulk.caller import Caller
from lakefs_hl._bulk.items import get_of, put_of
from lakefs_hl._bulk.places import is_in_transaction
from lakefs_hl._bulk.run import ON_ERROR, Run, max_workers_of, pace_of
from lakefs_hl._handles.paths import Item
from lakefs_hl._handles.transfers import GetResult, TransferReport
from lakefs_hl._progress import progress_of
from lakefs_hl.ops import bulk
from lakefs_hl.ops.bulk import Get, Put, Written
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments
from lakefs_hl.spec.uri import object_uri


class Uploading(NamedTuple):
    """An `upload_many` with its arguments checked."""

    place: Any
    items: Any
    total: int | None
    max_workers: int | None
    on_error: str
    message: str | None
    progress: Any

    def run(self, caller: Caller) -> TransferReport:
        """Upload the objects on this thread."""
        place, items = self.place, caller.iterate(self.items, "items")
        title, to = "Uploading", object_uri(place._repository_id, place._id)
        with progress_of(self.progress, total=self.total, title=title, destination=to) as progress:
            run = Run(caller, progress)
            if self.message is None:
                place._client._run_here(bulk.check_branch, place._repository_id, place._id)
                self._upload(run, items, place._id)
                return self._or_raise(run.report(), run)
            with Atomic(place, self.message, {}) as atomic:
                self._upload(run, items, atomic.branch)
                if run.tally.failed_count:
                    atomic.fail()
            return self._or_raise(run.report(atomic.commit_id), run, atomic.advice)

    def _upload(self, run: Run, items: Iterator[Any], branch: str) -> None:
        place = self.place
        one_branch = self.message is not None or is_in_transaction(place)

        def puts() -> Iterator[Put]:
            for item in items:
                put = put_of(item, place, run.caller, one_branch=one_branch)
                if (put.repository, put.branch) == (place._repository_id, place._id):
                    put.branch = branch
                run.start(put.path)
                yield put

        def note(put: Put, written: Written) -> None:
            run.caller.check()
            if isinstance(written, Exception):
                run.fail(put.path, written)
            elif written is not None:
                run.complete(put.path, written.size_bytes or 0)

        place._client._run_here(_upload, puts(), self.max_workers, note)

    def _or_raise(self, report: TransferReport, run: Run, advice: str = "") -> TransferReport:
        what = f"objects were not uploaded to {object_uri(self.place._repository_id, self.place._id)}"
        applied = run.tally.maybe_applied if self.message is None else False  # all or nothing
        return report._or_raise(self.on_error, what, advice, maybe_applied=applied)


def _upload(
    session: Session, puts: Iterator[Put], max_workers: int | None, note: Callable[[Put, Written], None]
) -> Op[None]:
    return bulk.upload_each(session, puts, pace_of(session, max_workers), note)


def upload_many(
    place: Any, items: Any, total: object, max_workers: object, on_error: object, commit_message: object, progress: Any
) -> Callable[[Caller], TransferReport]:
    """Check the arguments of `upload_many`, and return what uploads."""
    message = arguments.optional_text(commit_message, "commit_message")
    refuse_commit_message(place, message)
    return Uploading(
        place,
        items,
        arguments.optional_integer(total, "total", least=0),
        max_workers_of(max_workers),
        arguments.choice(on_error, "on_error", ON_ERROR),
        message,
        progress,
    ).run


class Downloading(NamedTuple):
    """A `download_many` with its arguments checked."""

    place: Any
    paths: Any
    total: int | None
    max_workers: int | None
    on_error: str
    progress: Any

    def run(self, caller: Caller) -> list[GetResult]:
        """Read the objects on this thread."""
        place = self.place
        uri = object_uri(place._repository_id, place._id)
        asked, found = list[Get](), dict[int, bytes | Exception]()
        with progress_of(self.progress, total=self.total, title="Downloading", source=uri) as progress:
            run = Run(caller, progress)

            def gets() -> Iterator[Get]:
                single = isinstance(self.paths, str | PurePath | Item | Mapping)
                for item in [self.paths] if single else caller.iterate(self.paths, "paths"):
                    get = get_of(item, place)
                    asked.append(get)
                    run.start(get.path)
                    yield get

            def note(index: int, content: bytes | Exception) -> None:
                caller.check()
                found[index] = content
                if isinstance(content, Exception):
                    run.fail(asked[index].path, content)
                else:
                    run.complete(asked[index].path, len(content))

            place._client._run_here(_read, gets(), self.max_workers, note)
            run.report()._or_raise(self.on_error, f"objects of {uri} were not downloaded", maybe_applied=False)
        return [_result(get, found.pop(index)) for index, get in enumerate(asked)]


def _read(
    session: Session, gets: Iterator[Get], max_workers: int | None, note: Callable[[int, bytes | Exception], None]
) -> Op[None]:
    return bulk.read_each(session, gets, pace_of(session, max_workers), note)


def _result(get: Get, content: bytes | Exception) -> GetResult:
    whole = get.start is None and get.end is None
    byte_range = None if whole else (get.start or 0, get.end)
    if isinstance(content, Exception):
        return GetResult(get.path, None, byte_range, content)
    return GetResult(get.path, content, byte_range)


def download_many(
    place: Any, paths: Any, total: object, max_workers: object, on_error: object, progress: Any
) -> Callable[[Caller], list[GetResult]]:
    """Check the arguments of `download_many`, and return what downloads."""
    expected = arguments.optional_integer(total, "total", least=0)
    chosen = arguments.choice(on_error, "on_error", ON_ERROR)
    return Downloading(place, paths, expected, max_workers_of(max_workers), chosen, progress).run
