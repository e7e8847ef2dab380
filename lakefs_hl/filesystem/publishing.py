"""Publishing the files of a transaction on their branch: all of them, or as it was before.

lakeFS has no call that stages several objects at once. So the state of the branch is noted first, the files are
uploaded, and if one fails the branch is brought back:

1. The uncommitted changes under the common prefix of the files are listed, in one request if there are up to 1,000.
2. Staged objects that files replace are copied to a hidden branch, on the server. Everything else needs no copy: what
   is committed, or missing, comes back when the staged change of its path is dropped.
3. The files are uploaded concurrently.
4. After a failure each path that has the content of its file is restored. One that another client has written since is
   left alone.

What is not covered: readers see the first files some moments before the last, and if the process or the machine dies
between 3 and 4, the files that were uploaded by then stay, each of them whole. Staged objects that they replaced are on
the hidden branch then.
"""

from __future__ import annotations

import os.path
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import uuid4

from lakefs_hl import Branch, exceptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lakefs_hl.filesystem.deferred import DeferredWriter

S = TypeVar("S")
T = TypeVar("T")

#: Up to this many uncommitted changes are listed; of more, those of each path are looked up.
LISTED: Final = 1_000
_WORKERS: Final = 8
_SHOWN: Final = 5


class Publication:
    """One attempt to publish the files of a transaction.

    Args:
        place: The branch.
        files: Closed files, each with a path of its own.
    """

    def __init__(self, place: Branch, files: Sequence[DeferredWriter]) -> None:
        self._place = place
        self._files = files
        self._staged: dict[str, str] = {}
        self._hold: Branch | None = None

    def run(self) -> None:
        """Publish the files.

        Raises:
            TransactionException: A file could not be uploaded. The message says what became of the others.
        """
        try:
            self._prepare()
            failures = self._upload()
        except Exception as exc:
            raise self._undo([exc]) from exc
        except BaseException as interruption:
            interruption.add_note(str(self._undo([interruption])))
            raise
        if failures:
            raise self._undo(failures) from failures[0]
        self._release()

    def _prepare(self) -> None:
        """Note the staged changes of the paths, and keep copies of the objects that the files replace."""
        self._staged = self._find_staged()
        replaced = [path for path, change in self._staged.items() if change != "removed"]
        if not replaced:
            return
        place = self._place
        hold = Branch(place.repository_id, f"replaced-{uuid4().hex}", place._given)
        self._hold = hold.create(place, hidden=True)
        _each(lambda path: hold.copy_object(place, path, path), replaced)

    def _find_staged(self) -> dict[str, str]:
        """Return the uncommitted changes of the paths of the files: path to type."""
        place, paths = self._place, {file.key for file in self._files}
        prefix = os.path.commonprefix(list(paths))  # noqa: RUF071 - of texts, not of paths
        found = list(islice(place.list_uncommitted(prefix=prefix), LISTED + 1))
        if len(found) > LISTED:
            lists = _each(lambda path: place.list_uncommitted(prefix=path, max_amount=1).to_list(), paths)
            found = [change for changes in lists for change in changes]
        return {change.path: change.type for change in found if change.path in paths}

    def _upload(self) -> list[Exception]:
        """Upload the files. Returns what failed."""

        def upload(file: DeferredWriter) -> Exception | None:
            try:
                file.upload()
            except Exception as exc:  # noqa: BLE001 - all failures are reported together
                return exc
            return None

        return [failure for failure in _each(upload, self._files) if failure is not None]

    def _undo(self, failures: Sequence[BaseException]) -> exceptions.TransactionException:
        """Bring the branch back, and return the error that says what became of it."""
        place, kept = self._place, self._restore()
        if kept:
            names = ", ".join(sorted(kept)[:_SHOWN]) + (f" and {len(kept) - _SHOWN} more" if len(kept) > _SHOWN else "")
            end = f"it may still have these of them, which you have to check: {names}"
            if self._hold is not None:
                end += f". What was staged there before is on the hidden branch {self._hold.id!r}"
        else:
            self._release()
            end = "it is as before"
        what = "; ".join(str(failure) or type(failure).__name__ for failure in failures[:_SHOWN])
        msg = f"publishing {len(self._files)} files of a transaction on {place.uri}: {what}; {end}"
        error = exceptions.TransactionException(msg)
        error.state, error.maybe_applied = "UNKNOWN" if kept else "ABORTED", None if kept else False
        cause = failures[0]
        if isinstance(cause, exceptions.LakeFSException):
            error.attempts, error.op_id = cause.attempts, cause.op_id
        return error

    def _restore(self) -> list[str]:
        """Restore the paths that have the content of their file. Returns those for which that failed."""
        files = list(self._files)
        try:
            found = self._place.stat_many([file.key for file in files])
        except exceptions.LakeFSException:
            return [file.key for file in files]
        ours = [file for file, stats in zip(files, found, strict=True) if stats and file.is_content_of(stats)]
        return [path for path in _each(self._restore_one, [file.key for file in ours]) if path]

    def _restore_one(self, path: str) -> str:
        """Restore what was at a path before. Returns the path if that failed."""
        place, before = self._place, self._staged.get(path)
        try:
            if before is None:
                place.reset(path)
            elif before == "removed":
                place.delete_objects(path)
            elif self._hold is not None:
                place.copy_object(self._hold, path, path)
        except exceptions.LakeFSException:
            return path
        return ""

    def _release(self) -> None:
        """Delete the branch with the copies. One that is left over loses nothing."""
        if self._hold is None:
            return
        try:
            self._hold.delete()
        except exceptions.LakeFSException as exc:
            msg = f"branch {self._hold.uri} with copies of replaced objects is left over: {exc}"
            warnings.warn(msg, RuntimeWarning, stacklevel=2)


def _each(call: Callable[[S], T], items: Iterable[S]) -> list[T]:
    """Call a function with each item, concurrently, and return the results. An interruption starts no more calls."""
    pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="lakefs_hl-transaction")
    try:
        return list(pool.map(call, items))
    finally:
        pool.shutdown(cancel_futures=True)
