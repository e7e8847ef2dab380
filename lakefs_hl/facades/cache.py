"""The cache of snapshots: read-only directories, each with the objects of one version.

    snapshots/                        mode 0700
        index-1.db                    what is complete, with each file; the last use; what branches and tags were
        .locks/KEY.lock, KEY.use      exclusive: who fills or removes a snapshot; shared: the processes that use it
        REPOSITORY/COMMIT-KEY         a snapshot
        REPOSITORY/COMMIT-KEY.part    one that is being filled

A snapshot is complete when it has a row in the index, which is written last. It is given out only if its files have the
sizes and times of the index. Content that another snapshot has is copied from there, and verified like a download.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from lakefs_hl.exceptions import InvalidConfigError
from lakefs_hl.facades import readonly
from lakefs_hl.facades.holds import READ_ONLY, USES, Hold
from lakefs_hl.facades.records import CachedSnapshot
from lakefs_hl.facades.snapshot_index import File, Index, Row

#: Size of the cache unless something else is configured, in bytes.
DEFAULT_SIZE: Final = 10 << 30
#: How long after its last use a snapshot is not evicted, whether a process uses it or not, in seconds.
GRACE_SECONDS: Final = 600.0
#: How long what an interrupted call has left is kept to be continued, in seconds.
KEPT_SECONDS: Final = 86_400.0
#: How old the noted time of the last use may get, in seconds: writing it takes longer than the rest of a call.
COARSE_SECONDS: Final = 60.0
PART: Final = ".part"
_MD5: Final = re.compile(r"[0-9a-f]{32}")
_UNSAFE: Final = re.compile(r"[^a-z0-9-]")
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class Choice(NamedTuple):
    """What of a repository a snapshot has, whatever the commit.

    Attributes:
        endpoint: Endpoint of the lake.
        caller: What tells the callers of an endpoint apart. "" if they share the cache.
        repository: Name of the repository at the endpoint.
        prefix: The prefix, "" or with a slash at its end.
        include: Globs of the objects, or None for all.
        exclude: Globs of what is left out, or None for nothing.
        on_invalid: What becomes of an object whose path is no safe local path.
    """

    endpoint: str
    caller: str
    repository: str
    prefix: str
    include: tuple[str, ...] | None
    exclude: tuple[str, ...] | None
    on_invalid: str

    def key(self, version: str) -> str:
        """Return a name that reveals nothing, for a commit or another reference."""
        return hashlib.sha256(json.dumps([*self, version]).encode()).hexdigest()[:32]

    def directory(self, commit_id: str) -> str:
        """Return the directory of a snapshot, relative to the cache."""
        name = _UNSAFE.sub("_", self.repository)[:100]
        return f"{name}/{_UNSAFE.sub('_', commit_id)[:12]}-{_lock_name(self.key(commit_id))}"


def _lock_name(key: str) -> str:
    """Return the name of the locks of a snapshot, which its directory ends with."""
    return key[:16]


class Wanted(NamedTuple):
    """A file that a snapshot is to have.

    Attributes:
        path: Its path in the directory.
        size: Its size in bytes.
        md5: The MD5 of its content.
        seconds: Its modification time, in Unix seconds.
    """

    path: str
    size: int
    md5: str
    seconds: int


class Reused(NamedTuple):
    """A file that was copied from another snapshot.

    Attributes:
        target: The copy.
        inode: Its inode. Another one later means that it was wrong and was replaced.
        source: The file that it was copied from.
        key: The snapshot of that.
    """

    target: Path
    inode: int
    source: Path
    key: str


class Cache:
    """The cache of snapshots in a directory. It holds nothing open: it is thread-safe and fork-safe.

    Args:
        root: The directory, which `open` creates.
        clock: Returns the time in Unix seconds.
    """

    def __init__(self, root: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.root = root
        self._locks = root / ".locks"
        self._index = Index(root / "index-1.db", self._locks / "index")
        self._clock = clock

    def open(self) -> None:
        """Create the directory if needed.

        Raises:
            InvalidConfigError: It cannot be created, belongs to another user, or others may write to it.
        """
        try:
            self.root.parent.mkdir(parents=True, exist_ok=True)
            for path in (self.root, self._locks):
                path.mkdir(mode=0o700, exist_ok=True)
                _check(path)
        except OSError as exc:
            msg = f"the cache of snapshots {self.root} cannot be used: {exc.strerror or exc}; give another cache_dir"
            raise InvalidConfigError(msg) from exc

    def hold(self, key: str) -> Hold | None:
        """Lock a snapshot to fill or remove it. None while another process or thread does.

        Raises:
            InvalidConfigError: The cache is read-only.
        """
        try:
            return Hold.take(self._locks / f"{_lock_name(key)}.lock")
        except OSError as exc:
            if exc.errno not in READ_ONLY:
                raise
            msg = f"the cache of snapshots {self.root} is read-only: give another cache_dir ({exc.strerror})"
            raise InvalidConfigError(msg) from exc

    def _use(self, key: str) -> Path:
        return self._locks / f"{_lock_name(key)}.use"

    # -- looking up ----------------------------------------------------------------------------------------------------

    def find(self, choice: Choice, commit_id: str, *, verify: bool = False) -> Path | None:
        """Return the directory of a snapshot that is complete, and use it. None if there is none.

        Args:
            choice: What of the repository it has.
            commit_id: The commit.
            verify: Whether to read all files and compare them with their checksums.
        """
        key = choice.key(commit_id)
        if self._index.get(key) is None or not USES.add(self._use(key)):  # there is none, or it is being removed
            return None
        row = self._index.get(key)
        if row is None or not row.is_complete or not self._is_whole(row, verify=verify):
            return None
        if abs(self._clock() - row.used) > COARSE_SECONDS:
            self._index.use(key, self._clock())
        return self.root / row.directory

    def _is_whole(self, row: Row, *, verify: bool) -> bool:
        files, directory = self._index.files(row.key), self.root / row.directory
        expected = {file.path: (file.size, file.mtime_ns) for file in files}
        is_whole = not _is_linked(directory) and readonly.is_as(directory, expected)
        if is_whole and not (verify and self._damage_of(directory, files)):
            return True
        self._index.distrust(row.key)
        return False

    def find_damage(self, key: str) -> list[Path]:
        """Return the files of a snapshot that are not as they were downloaded, after reading all of them."""
        row = self._index.get(key)
        if row is None:
            return []
        found = self._damage_of(self.root / row.directory, self._index.files(key))
        if found:
            self._index.distrust(key)
        return found

    @staticmethod
    def _damage_of(directory: Path, files: Sequence[File]) -> list[Path]:
        paths = [(directory / file.path, file.md5) for file in files]
        if _is_linked(directory):
            return [path for path, _ in paths]
        return [path for path, md5 in paths if not readonly.is_intact(path, md5)]

    # -- references ----------------------------------------------------------------------------------------------------

    def recall(self, choice: Choice, reference: str) -> tuple[str, datetime] | None:
        """Return the commit that a branch or tag was when its snapshot was asked for last, and when that was."""
        found = self._index.reference(choice.key(f"reference {reference}"))
        return None if found is None else (found[0], datetime.fromtimestamp(found[1], UTC))

    def note(self, choice: Choice, reference: str, commit_id: str) -> None:
        """Note the commit that a branch or tag is now."""
        key, now = choice.key(f"reference {reference}"), self._clock()
        known = self._index.reference(key)
        if known is None or known[0] != commit_id or abs(now - known[1]) > COARSE_SECONDS:
            self._index.note(key, commit_id, now)

    # -- filling -------------------------------------------------------------------------------------------------------

    def begin(self, choice: Choice, commit_id: str) -> Path:
        """Return the directory to fill. What an interrupted call has left is in it. The snapshot is locked."""
        directory = self.root / choice.directory(commit_id)
        part = directory.with_name(directory.name + PART)
        _remove_links(directory)
        target = directory if directory.exists() else part  # a directory that processes use keeps its name
        directory.parent.mkdir(mode=0o700, exist_ok=True)
        if target.exists():
            readonly.unseal(target)
            os.utime(target)
            if target == directory and (files := self._index.files(choice.key(commit_id))):
                readonly.prune(target, {file.path for file in files})
        return target

    def has_others(self, key: str) -> bool:
        """Return whether there is another snapshot, whose files could be used again."""
        return self._index.has_others(key)

    def reuse(self, key: str, target: Path, wanted: Sequence[Wanted]) -> list[Reused]:
        """Copy what other snapshots have. What cannot be copied is left out.

        Args:
            key: The snapshot that is filled.
            target: Its directory.
            wanted: The files.
        """
        copied = list[Reused]()
        missing = [file for file in wanted if not os.path.lexists(target / file.path)]
        sources = self._index.sources(key, [(file.md5, file.size) for file in missing])
        for file, found in zip(missing, sources, strict=True):
            for source_key, source in found:
                try:
                    readonly.copy(self.root / source, target / file.path, file.seconds)
                except OSError as exc:
                    if exc.errno in _FULL:
                        return copied
                    continue
                inode = (target / file.path).lstat().st_ino
                copied.append(Reused(target / file.path, inode, self.root / source, source_key))
                break
        return copied

    def check_reused(self, reused: Sequence[Reused]) -> None:
        """Distrust the snapshots whose files turned out to be wrong: the copy was replaced by a download."""
        for one in reused:
            if not one.target.exists() or one.target.lstat().st_ino != one.inode:
                readonly.touch(one.source)
                self._index.distrust(one.key)

    def publish(self, choice: Choice, commit_id: str, target: Path, checksums: Mapping[str, str]) -> Path:
        """Make a directory that was filled a snapshot, and use it.

        Args:
            choice: What of the repository it has.
            commit_id: The commit.
            target: The directory that `begin` has returned.
            checksums: MD5 of each file, as far as it is known.
        """
        key, name = choice.key(commit_id), choice.directory(commit_id)
        target.mkdir(exist_ok=True)  # nothing was chosen
        files = [
            File(path, found.st_size, found.st_mtime_ns, checksums.get(path) or readonly.md5_of(target / path))
            for path, found in readonly.walk(target)
        ]
        readonly.sync(target, [file.path for file in files])
        readonly.seal(target)
        directory = self.root / name
        if target != directory:
            target.rename(directory)
        uri = f"lakefs://{choice.repository}/{commit_id}/{choice.prefix}"
        size = sum(file.size for file in files)
        self._index.put(Row(key, name, choice.endpoint, uri, len(files), size, self._clock(), True), files)
        USES.add(self._use(key))
        return directory

    # -- what is there, and its removal --------------------------------------------------------------------------------

    def entries(self) -> list[tuple[str, CachedSnapshot]]:
        """Return the snapshots with their keys, the one that was used least recently first."""
        return [(row.key, self._entry(row)) for row in self._index.rows()]

    def _entry(self, row: Row) -> CachedSnapshot:
        used = datetime.fromtimestamp(row.used, UTC)
        return CachedSnapshot(
            self.root / row.directory, row.uri, row.endpoint, row.files, row.size_bytes, used, row.is_complete
        )

    def evict(self, max_size: int) -> list[CachedSnapshot]:
        """Remove the snapshots that were used least recently until the rest is small enough. Return them.

        What a process uses, or was used in the last minutes, stays.
        """
        self._remove_leftovers(KEPT_SECONDS)
        rows = self._index.rows()
        total = sum(row.size_bytes for row in rows)
        removed = []
        for row in rows:
            if total <= max_size:
                break
            if self._clock() - row.used > GRACE_SECONDS and self._remove(row):
                total -= row.size_bytes
                removed.append(self._entry(row))
        return removed

    def remove(self, key: str) -> bool:
        """Remove a snapshot, also if this process was given it. Return False if another process uses or fills it."""
        row = self._index.get(key)
        if row is None:
            return True
        USES.drop(self._use(key))
        return self._remove(row, only_if_unused=False)

    def _remove(self, row: Row, *, only_if_unused: bool = True) -> bool:
        hold = self.hold(row.key)
        if hold is None:
            return False
        alone = Hold.take(self._use(row.key))
        try:
            if alone is None:
                return False
            now = self._index.get(row.key)
            if only_if_unused and (now is None or now.used != row.used):
                return False
            is_forgotten = self._forget(row.key)
            directory = self.root / row.directory
            part = directory.with_name(directory.name + PART)
            _remove_links(directory)
            readonly.remove(part)
            if directory.exists():  # under the other name, what is left of it is never taken for a snapshot
                directory.rename(part)
                readonly.remove(part)
            with suppress(OSError):  # there are others of the repository
                directory.parent.rmdir()
            if not is_forgotten:
                self._index.delete(row.key)
            return True
        finally:
            if alone is not None:
                alone.release(remove=True)
            hold.release(remove=True)

    def _forget(self, key: str) -> bool:
        """Remove the row of a snapshot. Return False if that needs space which its files have."""
        try:
            self._index.delete(key)
        except OSError as exc:
            if exc.errno not in _FULL:
                raise
            return False
        return True

    def _remove_leftovers(self, age: float) -> None:
        """Remove what interrupted calls have left, if it was not continued.

        Args:
            age: For how long it was not, in seconds.
        """
        known = {self.root / row.directory for row in self._index.rows()}
        for directory in list(self.root.glob("[!.]*/*-*")):
            whole = directory.with_name(directory.name.removesuffix(PART))
            if directory in known or _is_linked(directory) or not directory.is_dir():
                continue
            hold = self.hold(whole.name.rpartition("-")[2])
            if hold is None:
                continue
            try:
                if directory.exists() and self._clock() - directory.stat().st_mtime >= age:
                    readonly.remove(directory)
            finally:
                hold.release(remove=True)

    def clear(self) -> list[CachedSnapshot]:
        """Remove all snapshots that no other process uses, and what interrupted calls have left. Return what stays."""
        if not self.root.exists():
            return []
        self.open()
        self._remove_leftovers(0)  # first: to forget a snapshot needs a little space
        return [self._entry(row) for row in self._index.rows() if not self.remove(row.key)]


def _is_linked(directory: Path) -> bool:
    """Return whether a snapshot is somewhere else: what is there belongs to others, who may change or need it."""
    return directory.is_symlink() or directory.parent.is_symlink()


def _remove_links(directory: Path) -> None:
    """Remove links in the place of a snapshot, and not what they lead to."""
    for path in (directory.parent, directory, directory.with_name(directory.name + PART)):
        if path.is_symlink():
            path.unlink(missing_ok=True)


def is_md5(checksum: str | None) -> bool:
    """Return whether a checksum is an MD5, which means the same everywhere."""
    return checksum is not None and _MD5.fullmatch(checksum) is not None


def _check(path: Path) -> None:
    """Refuse a directory that others could change the files in."""
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "it is not a directory", str(path))
    if os.name != "posix":
        return
    if found.st_uid != os.geteuid():
        msg = f"the cache of snapshots {path} belongs to another user (uid {found.st_uid}); give another cache_dir"
        raise InvalidConfigError(msg)
    mode = stat.S_IMODE(found.st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        msg = (
            f"others may write to the cache of snapshots {path} (mode {mode:03o}): delete it, or give another cache_dir"
        )
        raise InvalidConfigError(msg)
