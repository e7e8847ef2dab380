"""A lake's folder: what lies in it, where it may lie, and how it comes to be.

Rules of the room: `format.json` is written last, so a folder without it is no lake yet; making one can be interrupted
at any moment and is completed by whoever opens it next. Nothing is put into a folder that holds something else.
"""

from __future__ import annotations

import difflib
import itertools
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from lakefs_hl.local.disk import database, fs, lock, notes
from lakefs_hl.local.disk.database import Database, Writer
from lakefs_hl.local.disk.errors import Damaged, DiskError, NotALake, scarcity
from lakefs_hl.local.disk.tables import meta

FORMAT: Final = "format.json"
OBJECTS: Final = "objects"
TEMPORARY: Final = "tmp"
#: File systems on which locks or shared memory do not work as SQLite needs them.
REMOTE: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "coda", "fuse.sshfs", "fuse.glusterfs", "fuse.rclone"}
)
_SQLITE: Final = tuple(database.NAME + end for end in ("", "-wal", "-shm", "-journal"))
#: Bytes of the longest path of a file that SQLite opens.
LONGEST: Final = 512
_OURS: Final = frozenset({lock.NAME, OBJECTS, *_SQLITE})


def prepare(
    folder: str, *, tree: Mapping[str, Any], sync: bool = True, vfs: str | None = None, timeout: float = 30.0
) -> tuple[Database, dict[str, Any]]:
    """Opens a lake's folder, or makes a lake of an empty or missing one.

    Args:
        folder: Where; made absolute.
        tree: What a new lake notes about its tree (seed, bits, caps); an existing one keeps its own.
        sync: False for a lake that need not outlive its process.
        vfs: Name of an SQLite VFS, for fault tests.
        timeout: Seconds that a writer waits for the others.

    Returns:
        The open database, and the content of `format.json`.

    Raises:
        NotALake: The folder holds something else, is not ours, or is on a network file system.
        UnknownFormat: A newer release made it.
        Damaged: Part of it is missing.
        DiskError: It cannot be read or made.
    """
    folder = os.path.abspath(folder)
    _check_path(folder)
    try:
        return _prepare(folder, tree, sync, vfs, timeout)
    except DiskError:
        raise
    except OSError as error:
        message = f"{folder}: cannot be opened as a lake: {error}"
        raise scarcity(error.errno, message) or DiskError(message) from error


def _prepare(
    folder: str, tree: Mapping[str, Any], sync: bool, vfs: str | None, timeout: float
) -> tuple[Database, dict[str, Any]]:
    _make_folder(folder, sync)
    _check_place(folder)
    path = os.path.join(folder, FORMAT)
    if os.path.exists(path):
        noted = _read(path)
        if not os.path.exists(os.path.join(folder, database.NAME)):
            raise Damaged(f"{folder}: {database.NAME} is missing; restore it from a copy of the whole folder")
        opened = Database(folder, sync=sync, vfs=vfs, timeout=timeout)
        try:
            return opened, _check_noted(opened, noted, path)
        except BaseException:
            opened.close()
            raise
    _check_empty(folder)
    opened = Database(folder, sync=sync, vfs=vfs, timeout=timeout, create=True)
    try:
        return opened, _complete(opened, path, tree)
    except BaseException:
        opened.close()
        raise


def must_exist(folder: str) -> None:
    """Refuses a folder that holds no lake yet, and names lakes beside it or in it.

    Raises:
        NotALake: It holds none.
    """
    if os.path.lexists(os.path.join(folder, FORMAT)):
        return
    above, name = os.path.split(folder)
    inside = [os.path.join(folder, one) for one in _lakes_in(folder)[:3]]
    near = inside or [os.path.join(above, one) for one in difflib.get_close_matches(name, _lakes_in(above))]
    if os.path.isdir(folder):
        what = f"the directory holds no lake ({FORMAT} is missing)"
    elif os.path.lexists(folder):
        what = "it is not a directory"
    elif os.path.isdir(above):
        what = "there is no such directory"
    else:
        what = f"there is no such directory, nor {above}"
    meant = f"; did you mean {', or '.join(near)}?" if near else ""
    raise NotALake(f"{folder}: no lake here, and create=False makes none: {what}{meant}")


def _lakes_in(folder: str) -> list[str]:
    """The names of the lakes in a folder, of the first 1,000 entries."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in itertools.islice(entries, 1000)
                if os.path.exists(os.path.join(entry.path, FORMAT))
            )
    except OSError:  # not there, or not ours to look into
        return []


def _complete(opened: Database, path: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    """The last steps of making a lake. What it notes is decided under the writer's lock: others may be at it too."""
    objects = os.path.join(opened.folder, OBJECTS)

    def work(writer: Writer) -> str:
        text = meta.get(writer, meta.FORMAT)
        if text is None:
            text = notes.write(notes.make(datetime.now(UTC).isoformat(timespec="seconds"), tree))
            meta.put(writer, meta.FORMAT, text)
        fs.make_folder(objects, "lake")
        fs.make_folder(os.path.join(objects, TEMPORARY), "lake")
        if opened.sync:
            fs.fsync_folder(objects, "lake")
        return text

    text = opened.run(work)
    if not os.path.exists(path):
        fs.write_durably(path, text.encode(), "format", sync=opened.sync)
    return _read(path)


def _check_noted(opened: Database, noted: dict[str, Any], path: str) -> dict[str, Any]:
    """Refuses a format that is not this database's: with another shape, trees would be cut in two ways.

    The database is brought to this release's version first, and the file after it: here, if it is still to be done.
    """
    with opened.read() as reader:
        text = meta.get(reader, meta.FORMAT)
    known = None if text is None else notes.read(text, opened.path)
    if text is None or known is None or not notes.is_same(known, noted):
        raise Damaged(
            f"{path}: is not what {database.NAME} notes as the lake's format; if that is this lake's own, remove "
            f"{FORMAT}, and it is written anew"
        )
    if known != noted:
        fs.write_durably(path, text.encode(), "format", sync=opened.sync)
    return known


def _read(path: str) -> dict[str, Any]:
    with open(path, "rb") as file:
        return notes.read(file.read(), path)


def _make_folder(folder: str, sync: bool) -> None:
    missing = []
    at = folder
    while not os.path.lexists(at):
        missing.append(at)
        at = os.path.dirname(at)
    if not os.path.isdir(at):
        raise NotALake(f"{folder}: {at} is not a folder")
    for path in reversed(missing):
        fs.make_folder(path, "lake")
        if sync:
            fs.fsync_folder(os.path.dirname(path), "lake")


def _check_path(folder: str) -> None:
    """Refuses a path that SQLite cannot open, before anything is made there."""
    path = os.fsencode(folder)
    try:
        path.decode()
    except UnicodeDecodeError as error:
        raise NotALake(
            f"{path!r}: the path of a lake must be UTF-8, and its byte {error.start} is not; rename the folder"
        ) from error
    longest = LONGEST - max(len(f"/{name}") for name in _SQLITE)
    if len(path) > longest:
        raise NotALake(
            f"{folder}: the path has {len(path)} bytes, and that of a lake may have {longest}; choose a shorter one"
        )


def _check_place(folder: str) -> None:
    """Refuses what is not ours, what everyone may change, and network file systems."""
    status = os.stat(folder)
    if status.st_uid != os.geteuid():
        who = f"user {status.st_uid}, and we are user {os.geteuid()}"
        raise NotALake(f"{folder}: belongs to {who}; use a folder of your own")
    if status.st_mode & stat.S_IWOTH:
        mode = f"{stat.S_IMODE(status.st_mode):o}"
        raise NotALake(f"{folder}: everyone may write to it (mode {mode}); chmod o-w it first")
    kind = file_system(folder)
    if kind in REMOTE:
        raise NotALake(
            f"{folder}: lies on a network file system ({kind}), where locks cannot be relied on; "
            "use a local disk, or serve the lake from the machine that has the disk"
        )


def file_system(folder: str) -> str:
    """The type of the file system a folder lies on; empty where it cannot be known."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            lines = file.readlines()
    except OSError:
        return ""
    real, best, kind = os.path.realpath(folder), "", ""
    for line in lines:
        left, _, right = line.partition(" - ")
        point = left.split(" ")[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, right.split(" ")[0]
    return kind


def _check_empty(folder: str) -> None:
    """Accepts an empty folder, or one in which the making of a lake was interrupted."""
    names = set(os.listdir(folder))
    others = sorted(name for name in names - _OURS if not name.startswith(f"{FORMAT}."))
    if others or (names and lock.NAME not in names):
        shown = ", ".join(others[:3] or sorted(names)[:3])
        raise NotALake(f"{folder}: not a lake, and not empty (it holds {shown}); name a new or an empty folder")
