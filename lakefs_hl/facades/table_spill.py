"""Rows of a table in memory, or in files of a temporary directory once they are too many."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Lock
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa

from lakefs_hl.facades.table_values import Numbers

R = TypeVar("R")
#: Partitions of one level, at least and at most. Each has an open file while it is written.
_LEAST: Final = 16
_MOST: Final = 128
#: Bits of a hash that choose the partition of a level.
_BITS: Final = 8


class Workspace:
    """A temporary directory of this user only. It is removed when its work ends, also when that is abandoned."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="lakefs-hl-diff-"))
        self._lock, self._stopped = Lock(), Event()
        self._is_busy = False

    def run(self, function: Callable[..., R], *args: Any) -> R:
        """Do the work, and remove the directory."""
        with self._lock:
            self.check()
            self._is_busy = True
        try:
            return function(*args)
        finally:
            self._stopped.set()
            self._remove()

    def check(self) -> None:
        """End the work if its caller was cancelled, which a thread does not notice."""
        if self._stopped.is_set():
            msg = "the comparison was cancelled"
            raise RuntimeError(msg)

    def close(self) -> None:
        """Remove the directory, or let the work do so that is under way on another thread."""
        with self._lock:
            self._stopped.set()
            if not self._is_busy:
                self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def directory(self) -> Path:
        """Make a directory in this one, and return it."""
        return Path(tempfile.mkdtemp(dir=self.path))


class Partitions:
    """Rows of one table in files, by a hash of what identifies them.

    Args:
        work: Where the files are written.
        schema: Columns of the rows.
        hasher: Returns the hash of each row of a table.
        number: How many partitions.
        level: 0, or 1 more than that of the partition that the rows come from.
        buffer: Bytes of rows that are in memory, about.
    """

    def __init__(
        self,
        work: Workspace,
        schema: Any,
        hasher: Callable[[Any], Numbers],
        number: int,
        level: int,
        buffer: int,
    ) -> None:
        self._work, self._schema, self._hasher = work, schema, hasher
        self._number, self._level, self._buffer = number, level, buffer
        self._directory = work.directory()
        self._writers: dict[int, Any] = {}
        self._waiting, self._bytes = list[Any](), 0

    def add(self, batch: Any) -> None:
        """Write a batch, or keep it until there are more."""
        self._waiting.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= self._buffer:
            self._flush()

    def _flush(self) -> None:
        self._work.check()
        if not self._waiting:
            return
        rows = pa.Table.from_batches(self._waiting, self._schema)
        self._waiting, self._bytes = [], 0
        chosen = (self._hasher(rows) >> np.uint64(self._level * _BITS)) % np.uint64(self._number)
        order = np.argsort(chosen, kind="stable")
        bounds = np.searchsorted(chosen[order], np.arange(self._number + 1, dtype=np.uint64))
        rows = rows.take(pa.array(order))
        for at in range(self._number):
            if bounds[at] < bounds[at + 1]:
                part = rows.slice(bounds[at], bounds[at + 1] - bounds[at])
                self._writer(at).write_table(part)
        pa.default_memory_pool().release_unused()  # which would be several times what is in use

    def _writer(self, at: int) -> Any:
        if at not in self._writers:
            self._writers[at] = pa.ipc.new_stream(str(self._path(at)), self._schema)
        return self._writers[at]

    def _path(self, at: int) -> Path:
        return self._directory / str(at)

    def close(self) -> None:
        """Write what is in memory."""
        self._flush()
        for writer in self._writers.values():
            writer.close()

    def size(self, at: int) -> int:
        """Return the bytes of a partition."""
        return self._path(at).stat().st_size if at in self._writers else 0

    def batches(self, at: int) -> Iterator[Any]:
        """Yield the rows of a partition, and remove its file."""
        if at in self._writers:
            with pa.memory_map(str(self._path(at))) as file, pa.ipc.open_stream(file) as rows:
                yield from rows
            self._path(at).unlink()


def number_of(size: int, limit: int) -> int:
    """Return the number of partitions for tables of a size, so that each has room in a limit. Sizes are guesses."""
    return max(_LEAST, min(_MOST, 4 * size // limit))


def is_last(level: int) -> bool:
    """Return whether all bits of a hash are used."""
    return (level + 1) * _BITS >= 64
