"""A download of a prefix, from its arguments to its report."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any, NamedTuple, cast

import msgspec

from lakefs_hl._bulk.arguments import local_path
from lakefs_hl._bulk.caller import Caller
from lakefs_hl._bulk.download import Download, Wanted
from lakefs_hl._bulk.local import lake_directories
from lakefs_hl._bulk.memory import Memory
from lakefs_hl._bulk.options import ON_INVALID, Options, check_only, directory_prefix
from lakefs_hl._bulk.plan import Action, Expected, Task
from lakefs_hl._bulk.run import Run
from lakefs_hl._bulk.steps import CHECK, SEND, SKIP, Step
from lakefs_hl._folders.directories import Directories
from lakefs_hl._folders.found import Found
from lakefs_hl._folders.names import OnInvalid
from lakefs_hl._folders.tree import Tree
from lakefs_hl._handles import paths
from lakefs_hl._handles.transfers import TransferReport
from lakefs_hl._progress import progress_of
from lakefs_hl.ops import bulk
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import ObjectNotFoundException
from lakefs_hl.spec.uri import object_uri

RETRY = "the same call with only=report.failed tries them again"


class Downloading(NamedTuple):
    """A download of a prefix, with its arguments checked.

    Attributes:
        place: The reference.
        prefix: The prefix, "" or with a slash at its end.
        directory: The local directory.
        options: The options.
        on_invalid: What becomes of an object whose path is no safe local path.
        continue_: Whether shorter local files are continued.
        expected: The plan that is applied, if one is.
    """

    place: Any
    prefix: str
    directory: str
    options: Options
    on_invalid: OnInvalid
    continue_: bool
    expected: Expected | None = None

    @property
    def uri(self) -> str:
        """The prefix as a URI."""
        return object_uri(self.place._repository_id, self.place._id, self.prefix)

    def run(self, caller: Caller) -> TransferReport | tuple[Task, tuple[Action, ...]]:
        """Download the prefix on this thread; or plan it."""
        place, options = self.place, self.options
        ref = place._client._run_here(bulk.pin_unless_branch, place._repository_id, place._id)
        lakes = lake_directories(place._client, self.directory)
        if options.dry_run:
            with self._memory(journal=False) as memory:
                run = Run(caller, progress_of(False))
                files = Directories(self.directory) if os.path.isdir(self.directory) else None
                if files is not None:
                    files.closed = lakes
                download = Download(self, ref, files, None, memory, run)
                with closing(download.wanted):
                    return self._task(ref), tuple(self._plan(download))
        destination, existed = f"{self.directory}{os.sep}", os.path.isdir(self.directory)
        try:
            return self._download(ref, caller, destination, lakes)
        except ObjectNotFoundException:
            if not existed:
                with suppress(OSError):
                    os.rmdir(self.directory)  # only what this call has made, and only if it is empty
            raise

    def _download(
        self, ref: str, caller: Caller, destination: str, lakes: frozenset[tuple[int, int]]
    ) -> TransferReport:
        """Download the prefix into the directory, which is created if needed."""
        options = self.options
        with (
            progress_of(options.progress, title="Downloading", source=self.uri, destination=destination) as progress,
            Tree(self.directory) as tree,
            self._memory(journal=True) as memory,
        ):
            tree.directories.closed = lakes
            return self._transfer(ref, tree, memory, Run(caller, progress, len(self.prefix)))

    def _memory(self, *, journal: bool) -> Memory:
        client, options = self.place._client, self.options
        recalled = {**options.to_recall(), "on_invalid": self.on_invalid}
        as_read = msgspec.json.decode(msgspec.json.encode(recalled))
        to = os.path.realpath(self.directory)
        memory = Memory(client, f"{client._place} {self.uri}", to, None, as_read, journal=journal)
        if not options.resume:
            memory.start_anew()
        return memory

    def _transfer(self, ref: str, tree: Tree, memory: Memory, run: Run) -> TransferReport:
        resumes, advice = memory.resumes, RETRY
        memory.begin()
        download = Download(self, ref, tree.directories, tree, memory, run, resumes=resumes)
        with closing(download.wanted):
            try:
                if download.scan(fold=tree.folds_case()):
                    if not run.progress.silent:
                        run.progress.expect(download.wanted.count, download.wanted.size_bytes)
                    self._run(download)
                else:
                    advice = "nothing was downloaded"
            except BaseException:
                if not run.began:
                    memory.forget()
                raise
        if not run.tally.failed_count or not run.began:
            memory.forget()
        what = f"objects of {self.uri} were not downloaded to {self.directory!r}"
        return run.report()._or_raise(self.options.on_error, what, advice, maybe_applied=run.tally.maybe_applied)

    def _run(self, download: Download) -> None:
        steps = download.steps()
        if self.options.delete:
            download.note_extra()
        if self.expected is None:
            download.transfer(steps)
            if self.options.delete:
                download.delete(download.extra())
            return
        download.transfer(self._check(steps, download, self.expected))
        if self.options.delete:
            download.delete(self._check_deletions(download, self.expected))
        had_failures = bool(download.run.tally.failed_count)
        for action in self.expected.rest():
            if action.kind == "delete" and had_failures:  # then nothing was deleted
                continue
            if action.kind == "delete" and download.is_gone(action.path):
                download.run.skip(action.path)  # it is done
            else:
                download.run.fail(action.path, ValueError("it no longer exists as it was planned; make a new plan"))

    # -- plans ---------------------------------------------------------------------------------------------------------

    def _task(self, ref: str) -> Task:
        options = self.options
        return Task(
            direction="download",
            endpoint=self.place._client._place,
            repository_id=self.place._repository_id,
            reference_id=ref,
            prefix=self.prefix,
            directory=os.path.abspath(self.directory),
            arguments={
                "update": options.update,
                "delete": options.delete,
                "max_workers": options.max_workers,
                "on_invalid": self.on_invalid,
                "continue_": self.continue_,
            },
        )

    def _plan(self, download: Download) -> Iterator[Action]:
        """Yield what would be done; files whose content is not known are read."""
        fold = sys.platform in ("win32", "darwin")  # nothing is created to find that out
        download.scan(fold=fold)
        for step, row in download.steps():
            download.run.caller.check()
            yield self._action(download.settle(step) if step.kind == CHECK else step, row)
        if self.options.delete:
            for found in download.extra():
                yield self._deletion(found)
        for skip in download.run.tally.skips:
            yield Action("skip", skip.path, 0, skip.reason)
        for failure in download.run.tally.failed:
            yield Action("skip", failure.path, 0, failure.message)

    def _action(self, step: Step, row: Wanted) -> Action:
        kind: Any = "download" if step.kind in (SEND, CHECK) else step.kind
        reason = step.reason if step.kind == SKIP else ""
        mtime_ns = None if step.found is None else step.found.mtime_ns
        return Action(kind, self.prefix + row.path, row.size, reason, mtime_ns, row.checksum, row.modified)

    def _check(
        self, steps: Iterator[tuple[Step, Wanted]], download: Download, expected: Expected
    ) -> Iterator[tuple[Step, Wanted]]:
        """Yield the steps that are as they were planned; the others fail."""
        for step, row in steps:
            decided, now = step, self._action(step, row)
            why = expected.problem(now)
            if why is not None and step.kind == CHECK:  # it may be equal
                decided = download.settle(step)
                why = expected.problem(self._action(decided, row))
            if why is None:
                yield decided, row
            else:
                download.run.fail(now.path, ValueError(f"{why}; make a new plan"))

    def _check_deletions(self, download: Download, expected: Expected) -> Iterator[Found]:
        for found in download.extra():
            now = self._deletion(found)
            if (why := expected.problem(now)) is None:
                yield found
            else:  # then nothing is deleted
                download.run.fail(now.path, ValueError(f"{why}; make a new plan"))

    def _deletion(self, found: Found) -> Action:
        return Action("delete", self.prefix + found.path, found.size, mtime_ns=found.mtime_ns)


def download_dir(
    place: Any,
    prefix: Any,
    local_dir: Any,
    options: Options,
    on_invalid: object,
    continue_: object,
    expected: Expected | None = None,
) -> Callable[[Caller], Any]:
    """Check the arguments of a download of a prefix, and return what downloads it."""
    under = directory_prefix(paths.prefix(prefix, place))
    check_only(options.only, under)
    return Downloading(
        place,
        under,
        local_path(local_dir, "local_dir"),
        options,
        cast("OnInvalid", arguments.choice(on_invalid, "on_invalid", ON_INVALID)),
        arguments.flag(continue_, "continue_"),
        expected,
    ).run
