"""An upload of a directory, from its arguments to its report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import msgspec

from lakefs_hl._bulk.arguments import local_path
from lakefs_hl._bulk.atomic import Atomic, refuse_commit_message
from lakefs_hl._bulk.caller import Caller
from lakefs_hl._bulk.local import lake_directories
from lakefs_hl._bulk.memory import Memory
from lakefs_hl._bulk.options import Options, check_only, directory_prefix, user_metadata
from lakefs_hl._bulk.plan import Action, Expected, Task
from lakefs_hl._bulk.run import Run
from lakefs_hl._bulk.steps import CHECK, SEND, SKIP, Step
from lakefs_hl._bulk.upload import Upload, discard_branch
from lakefs_hl._folders.directories import Directories
from lakefs_hl._folders.walk import walk
from lakefs_hl._handles import paths
from lakefs_hl._handles.transfers import TransferReport
from lakefs_hl._progress import Progress, progress_of
from lakefs_hl.ops import bulk
from lakefs_hl.spec import arguments
from lakefs_hl.spec.uri import object_uri

RETRY = "the same call with only=report.failed tries them again"


class Uploading(NamedTuple):
    """An upload of a directory, with its arguments checked.

    Attributes:
        place: The branch.
        directory: The local directory.
        prefix: The prefix, "" or with a slash at its end.
        options: The options.
        metadata: User metadata of each object.
        message: Message of the commit. None for no commit.
        commit_metadata: Metadata of the commit.
        expected: The plan that is applied, if one is.
    """

    place: Any
    directory: str
    prefix: str
    options: Options
    metadata: Mapping[str, str]
    message: str | None
    commit_metadata: Mapping[str, str]
    expected: Expected | None = None

    @property
    def uri(self) -> str:
        """The prefix as a URI."""
        return object_uri(self.place._repository_id, self.place._id, self.prefix)

    def run(self, caller: Caller) -> TransferReport | tuple[Task, tuple[Action, ...]]:
        """Upload the directory on this thread; or plan it."""
        options = self.options
        lakes = lake_directories(self.place._client, self.directory)
        with closing(Directories(self.directory, follow_symlinks=options.follow_symlinks)) as source:
            source.closed = lakes
            if options.dry_run:
                with self._memory(source, journal=False) as memory:
                    run = Run(caller, progress_of(False))
                    return self._task(), tuple(self._plan(Upload(self, source, self.place._id, memory, run)))
            title, root = "Uploading", f"{self.directory}{os.sep}"
            with (
                progress_of(options.progress, title=title, source=root, destination=self.uri) as progress,
                self._memory(source, journal=True) as memory,
            ):
                self._expect(source, progress)
                return self._transfer(source, memory, Run(caller, progress, len(self.prefix)))

    def _memory(self, source: Directories, *, journal: bool) -> Memory:
        client, options = self.place._client, self.options
        recalled = {**options.to_recall(), "metadata": dict(self.metadata)}
        as_read = msgspec.json.decode(msgspec.json.encode(recalled))  # tuples as lists, to be compared with those read
        to = f"{client._place} {self.uri}"
        memory = Memory(client, os.path.realpath(source.root), to, self.message, as_read, journal=journal)
        if not options.resume:
            memory.start_anew()
        return memory

    def _expect(self, source: Directories, progress: Progress) -> None:
        """Count what is to come, for a bar; not if a filter of the caller would be asked twice."""
        options = self.options
        if progress.silent or options.filter is not None or options.only is not None:
            return
        count = size = 0
        for found in walk(source, options.choice(None), on_error=lambda *_: None):
            count, size = count + 1, size + found.size
        progress.expect(count, size)

    def _transfer(self, source: Directories, memory: Memory, run: Run) -> TransferReport:
        place, commit_id, advice = self.place, None, RETRY
        if memory.abandoned is not None:
            discard_branch(place, memory.abandoned)
        resumes = memory.resumes
        memory.begin()
        try:
            if self.message is None:
                place._client._run_here(bulk.check_branch, place._repository_id, place._id)
                self._run(Upload(self, source, place._id, memory, run, resumes=resumes))
            else:
                with Atomic(
                    place, self.message, self.commit_metadata, memory.remember, memory.kept, self.prefix
                ) as atomic:
                    upload = Upload(self, source, atomic.branch, memory, run, resumes=resumes)
                    upload.drops = atomic.resumed
                    self._run(upload)
                    if atomic.resumed:
                        upload.reset_others()
                    if run.tally.failed_count:
                        atomic.fail()
                commit_id, advice = atomic.commit_id, atomic.advice or RETRY
        except BaseException:
            if not run.began and memory.kept is None:
                memory.forget()  # nothing was left that could be continued
            raise
        if not run.tally.failed_count or (not run.began and memory.kept is None):
            memory.forget()
        what = f"files of {self.directory!r} were not uploaded to {self.uri}"
        report = run.report(commit_id)
        applied = run.tally.maybe_applied if self.message is None else False  # all or nothing
        return report._or_raise(self.options.on_error, what, advice, maybe_applied=applied)

    def _run(self, upload: Upload) -> None:
        upload.transfer(upload.steps() if self.expected is None else self._check(upload, self.expected))
        upload.delete()

    # -- plans ---------------------------------------------------------------------------------------------------------

    def _task(self) -> Task:
        options = self.options
        return Task(
            direction="upload",
            endpoint=self.place._client._place,
            repository_id=self.place._repository_id,
            reference_id=self.place._id,
            prefix=self.prefix,
            directory=os.path.abspath(self.directory),
            arguments={
                "update": options.update,
                "delete": options.delete,
                "follow_symlinks": options.follow_symlinks,
                "max_workers": options.max_workers,
                "commit_message": self.message,
                "commit_metadata": dict(self.commit_metadata),
                "metadata": dict(self.metadata),
            },
        )

    def _plan(self, upload: Upload) -> Iterator[Action]:
        """Yield what would be done; files whose content is not known are read."""
        for step in upload.steps():
            upload.run.caller.check()
            yield self._action(upload.settle(step) if step.kind == CHECK else step)
        for skip in upload.run.tally.skips:
            yield Action("skip", skip.path, 0, skip.reason)
        for failure in upload.run.tally.failed:
            yield Action("skip", failure.path, 0, failure.message)

    def _action(self, step: Step) -> Action:
        found, record = step.found, step.record
        size = found.size if found is not None else (record.size_bytes or 0) if record is not None else 0
        kind: Any = "upload" if step.kind in (SEND, CHECK) else step.kind
        return Action(
            kind,
            self.prefix + step.path,
            size,
            step.reason if step.kind == SKIP else "",
            None if found is None else found.mtime_ns,
            None if record is None else record.checksum,
        )

    def _check(self, upload: Upload, expected: Expected) -> Iterator[Step]:
        """Yield the steps that are as they were planned; the others fail."""
        run = upload.run
        for step in upload.steps():
            decided, now = step, self._action(step)
            why = expected.problem(now)
            if why is not None and step.kind == CHECK:  # it may be equal
                decided = upload.settle(step)
                why = expected.problem(self._action(decided))
            if why is None:
                yield decided
            else:
                run.fail(now.path, ValueError(f"{why}; make a new plan"))
        for action in expected.rest():
            if action.kind == "delete" and upload.is_gone(action.path):
                run.skip(action.path)  # it is done
            else:
                run.fail(action.path, ValueError("it no longer exists as it was planned; make a new plan"))


def upload_dir(
    place: Any,
    local_dir: Any,
    prefix: Any,
    options: Options,
    metadata: Mapping[str, str] | None,
    commit_message: object,
    commit_metadata: object,
    expected: Expected | None = None,
) -> Callable[[Caller], Any]:
    """Check the arguments of an upload of a directory, and return what uploads it."""
    message = arguments.optional_text(commit_message, "commit_message")
    refuse_commit_message(place, message)
    described = arguments.optional_metadata(commit_metadata, "commit_metadata") or {}
    if described and message is None:
        msg = "commit_metadata is for the commit that commit_message makes, and there is no commit_message"
        raise ValueError(msg)
    to = directory_prefix(paths.prefix(prefix, place))
    check_only(options.only, to)
    return Uploading(
        place, local_path(local_dir, "local_dir"), to, options, user_metadata(metadata), message, described, expected
    ).run
