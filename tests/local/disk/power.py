"""A disk that can lose its power: what was written to it, synced and renamed, and what may be left of that.

It stands below SQLite (a VFS that notes what it passes on) and below `disk/fs.py`. What it assumes of a disk: what was
synced stays; a name stays once its folder was synced; of the rest any part may be there. Sectors are written whole, and
names change in order.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import apsw
import pytest

from lakefs_hl.local.disk import fs
from lakefs_hl.local.disk.lock import FileLock

SECTOR: Final = 512
#: What may be left: nothing unsynced; names without their bytes; any half of it; all but the end of the last write.
WAYS: Final = ("lost", "names", "half", "torn")

Event = tuple[Any, ...]


class _File:
    """One file: what is safe, and what was done since."""

    def __init__(self) -> None:
        self.safe = b""
        self.since: list[tuple[int, bytes | None]] = []  # offset and data, or a length and None

    def sync(self) -> None:
        content = bytearray(self.safe)
        for at, data in self.since:
            _apply(content, at, data)
        self.safe, self.since = bytes(content), []

    def left(self, way: str, draw: random.Random, last: bool) -> bytes:
        content = bytearray(self.safe)
        if way in {"lost", "names"}:
            return self.safe
        for number, (at, data) in enumerate(self.since, 1):
            if way == "torn":
                torn = last and number == len(self.since) and data is not None
                kept = draw.randrange(0, len(data or b"") + 1, SECTOR) if torn else len(data or b"")
                _apply(content, at, None if data is None else data[:kept])
            elif data is None:
                if draw.random() < 0.5:
                    _apply(content, at, None)
            else:
                for start in range(0, len(data), SECTOR):
                    if draw.random() < 0.5:
                        _apply(content, at + start, data[start : start + SECTOR])
        return bytes(content)


def _apply(content: bytearray, at: int, data: bytes | None) -> None:
    if data is None:
        del content[at:]
    elif data:
        content.extend(bytes(max(0, at - len(content))))
        content[at : at + len(data)] = data


class Disk:
    """The folder of a lake on such a disk.

    Args:
        events: What happened to it, in order.
    """

    def __init__(self, events: list[Event]) -> None:
        self._now: dict[str, _File | None] = {}  # None: a folder
        self._safe: dict[str, _File | None] = {}
        self._since: list[tuple[str, _File | None, bool]] = []  # path, what it names, whether it appears
        self._last: _File | None = None
        for what, path, *rest in events:
            self._last = None
            getattr(self, f"_{what}")(path, *rest)

    def _note(self, path: str, file: _File | None, appears: bool) -> None:
        if appears:
            self._now[path] = file
        else:
            self._now.pop(path, None)
        self._since.append((path, file, appears))

    def _skip(self, path: str) -> None:
        """What was left out."""

    def _mkdir(self, path: str) -> None:
        self._note(path, None, True)

    def _create(self, path: str) -> None:
        self._note(path, _File(), True)

    def _unlink(self, path: str) -> None:
        self._note(path, None, False)

    def _rename(self, path: str, target: str) -> None:
        self._note(target, self._now[path], True)
        self._note(path, None, False)

    def _write(self, path: str, at: int, data: bytes | None) -> None:
        self._last = self._file(path)
        self._last.since.append((at, data))

    def _sync(self, path: str) -> None:
        self._file(path).sync()

    def _file(self, path: str) -> _File:
        file = self._now[path]
        assert file is not None
        return file

    def _sync_folder(self, path: str) -> None:
        kept = [one for one in self._since if os.path.dirname(one[0]) != path]
        self._change(self._safe, [one for one in self._since if os.path.dirname(one[0]) == path])
        self._since = kept

    def _sync_all(self, path: str) -> None:
        for file in self._now.values():
            if file is not None:
                file.sync()
        self._change(self._safe, self._since)
        self._since = []

    def _change(self, names: dict[str, _File | None], changes: list[tuple[str, _File | None, bool]]) -> None:
        for path, file, appears in changes:
            if appears:
                names[path] = file
            else:
                names.pop(path, None)

    def leave(self, folder: Path, way: str, draw: random.Random) -> None:
        """Makes what is left when the power goes now."""
        count = {"lost": 0, "half": draw.randint(0, len(self._since))}.get(way, len(self._since))
        names = dict(self._safe)
        self._change(names, self._since[:count])
        folder.mkdir(mode=0o700)
        for path, file in sorted(names.items()):
            place = folder / path
            if not path or not place.parent.is_dir():
                continue  # the lake's own, or its folder is lost
            if file is None:
                place.mkdir(mode=0o700)
            else:
                place.write_bytes(file.left(way, draw, file is self._last))
                place.chmod(0o600)


class Recorder:
    """Notes what happens to the files below a folder.

    Attributes:
        events: What happened, in order.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = f"{folder}/"
        self.events: list[Event] = []

    def moved(self, source: str, target: str) -> None:
        self.note("rename", source, target.removeprefix(self.folder))

    def note(self, what: str, path: str, *rest: object) -> None:
        if f"{path}/".startswith(self.folder):
            self.events.append((what, f"{path}/".removeprefix(self.folder)[:-1], *rest))


class _Base(apsw.VFSFile):
    """A file of SQLite's, noted."""

    def __init__(self, recorder: Recorder, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self._recorder = recorder
        self._fresh = not os.path.exists(self._path)
        super().__init__("unix", name, flags)
        if self._fresh:
            recorder.note("create", self._path)

    def xWrite(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self._recorder.note("write", self._path, offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:
        super().xTruncate(newsize)
        self._recorder.note("write", self._path, newsize, None)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._recorder.note("sync", self._path)
        if self._fresh:  # as SQLite does with a log or journal that it has made
            self._recorder.note("sync_folder", os.path.dirname(self._path))
            self._fresh = False


class _Vfs(apsw.VFS):
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        super().__init__("power", "unix", makedefault=True)

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> apsw.VFSFile:
        return _Base(self._recorder, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        self._recorder.note("unlink", filename)
        if syncdir:
            self._recorder.note("sync_folder", os.path.dirname(filename))


@contextmanager
def recorded(folder: Path) -> Iterator[Recorder]:
    """Notes what a lake does to its folder while the block runs; all of it, if it is closed at the end."""
    recorder = Recorder(folder)
    vfs = _Vfs(recorder)
    try:
        with pytest.MonkeyPatch.context() as patch:
            _watch_files(patch, recorder)
            _watch_lock(patch, recorder.note)
            yield recorder
    finally:
        vfs.unregister()


def _watch_files(patch: pytest.MonkeyPatch, recorder: Recorder) -> None:
    """Puts itself around the functions of `disk/fs.py`: each has happened once it is noted."""
    note = recorder.note
    paths: dict[int, str] = {}

    def wrap(name: str, told: Any) -> None:
        inner = getattr(fs, name)

        def outer(*args: Any, **options: Any) -> Any:
            found = inner(*args, **options)
            told(found, *args)
            return found

        patch.setattr(fs, name, outer)

    def created(fd: int, path: str, _what: str) -> None:
        paths[fd] = path
        note("create", path)

    def written(_none: None, fd: int, data: bytes, _what: str) -> None:
        note("write", paths[fd], os.lseek(fd, 0, os.SEEK_CUR) - len(data), bytes(data))

    wrap("make_folder", lambda new, path, _what: note("mkdir", path) if new else None)

    def copied(count: int, _source: int, _offset: int, fd: int, at: int, _length: int, _what: str) -> None:
        if count:
            note("write", paths[fd], at, os.pread(fd, count, at))

    wrap("create", created)
    wrap("copy_range", copied)
    wrap("overwrite", lambda _none, fd, data, at, _what: note("write", paths[fd], at, bytes(data)))
    wrap("write", written)
    wrap("fsync", lambda _none, fd, _what: note("sync", paths[fd]))
    wrap("rename", lambda _none, source, target, _what: recorder.moved(source, target))
    wrap("fsync_folder", lambda _none, path, _what: note("sync_folder", path))
    wrap("sync_all", lambda _none, fd, _what: note("sync_all", recorder.folder))
    wrap("unlink", lambda _none, path, _what: note("unlink", path))


def _watch_lock(patch: pytest.MonkeyPatch, note: Any) -> None:
    """The lock's file is made and written by the lock itself."""
    make, write = FileLock._open, FileLock.note

    def opened(self: FileLock) -> None:
        new = not os.path.exists(self._path)
        make(self)
        if new:
            note("create", self._path)

    def noted(self: FileLock, data: bytes) -> None:
        write(self, data)
        note("write", self._path, 0, data)

    patch.setattr(FileLock, "_open", opened)
    patch.setattr(FileLock, "note", noted)
