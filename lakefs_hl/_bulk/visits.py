"""Directories of a transfer, as events: entered before the first of their files, left after the last one has ended."""

from __future__ import annotations

from lakefs_hl._progress import Progress


class Visits:
    """Follows the paths of a transfer, which come in order, and the ends of their transfers, which do not.

    Args:
        progress: Takes the events.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._inside = list[str]()
        self._pending = dict[str, int]()  # files under way, by the directory that they are in or below

    def begin(self, path: str) -> None:
        """Note the next path."""
        directory = path[: path.rfind("/") + 1]
        while self._inside and not directory.startswith(self._inside[-1]):
            self._go_out()
        while directory != (at := self._inside[-1] if self._inside else ""):
            entered = directory[: directory.index("/", len(at)) + 1]
            self._inside.append(entered)
            self._pending[entered] = 1  # the walk itself
            self._progress.enter(entered)
        for entered in self._inside:
            self._pending[entered] += 1

    def end(self, path: str) -> None:
        """Note that the transfer of a path has ended."""
        at = path.rfind("/")
        while at >= 0:
            self._count_down(path[: at + 1])
            at = path.rfind("/", 0, at)

    def close(self) -> None:
        """Note that there are no more paths."""
        while self._inside:
            self._go_out()

    def _go_out(self) -> None:
        self._count_down(self._inside.pop())

    def _count_down(self, directory: str) -> None:
        left = self._pending[directory] = self._pending[directory] - 1
        if not left:
            del self._pending[directory]
            self._progress.leave(directory)
