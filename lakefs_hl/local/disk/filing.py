"""The files of many blobs at once: all are written, then synced together, then renamed, then their folders synced.

Rules of the room: no file gets its name before its bytes are on the disk, and whoever is given one finds that name on
the disk too. A body that cannot be read fails alone; what the disk will not keep, none of them has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from lakefs_hl.local.disk import copying, fs
from lakefs_hl.local.disk.copying import Hashed
from lakefs_hl.local.disk.group import again

if TYPE_CHECKING:
    from lakefs_hl.local.disk.blobs import Blobs
    from lakefs_hl.local.disk.copying import Body

#: Files that are open at a time, at most.
OPEN: Final = 64
#: From so many files on, one sync of the whole file system takes the place of one of each.
MANY: Final = 16
#: What was kept, or why it was not.
Kept: TypeAlias = "Hashed | Exception"


class _Draft:
    """A file that has no name of its own yet."""

    __slots__ = ("fd", "hashed", "index", "path")

    def __init__(self, index: int, fd: int, path: str, hashed: Hashed) -> None:
        self.index, self.fd, self.path, self.hashed = index, fd, path, hashed

    def close(self) -> None:
        """Closes the file; once is enough, more does no harm."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            fs.close(fd)


def keep(blobs: Blobs, bodies: Sequence[Body]) -> list[Kept]:
    """Makes files of bodies; each is in its place, and on the disk, when this returns."""
    found: list[Kept] = []
    for start in range(0, len(bodies), OPEN):
        found += _keep(blobs, bodies[start : start + OPEN])
    return found


def _keep(blobs: Blobs, bodies: Sequence[Body]) -> list[Kept]:
    found: list[Kept | None] = [None] * len(bodies)
    drafts: list[_Draft] = []
    together = blobs.database.sync and len(bodies) >= MANY and fs.can_sync_all()
    root = fs.open_folder(blobs.objects) if together else -1  # before they are written: it is told of their errors only
    try:
        for index, body in enumerate(bodies):
            try:
                drafts.append(_write(blobs, index, body))
            except Exception as error:  # noqa: BLE001 - the outcome of this body
                found[index] = error
        if blobs.database.sync:
            _sync_files(drafts, root)
        for draft in drafts:
            draft.close()
        _place(blobs, drafts, root)
        for draft in drafts:
            found[draft.index] = draft.hashed
    except Exception as error:  # noqa: BLE001 - the outcome of all that were written
        for draft in drafts:
            found[draft.index] = again(error)
            _drop(draft)
    except BaseException:
        for draft in drafts:
            _drop(draft)
        raise
    finally:
        if root >= 0:
            fs.close(root)
    return [one for one in found if one is not None]


def _write(blobs: Blobs, index: int, body: Body) -> _Draft:
    fd, path = blobs.temporary()
    try:
        hashed = copying.copy(body, fd, blobs.database)
    except BaseException:
        fs.close(fd)
        fs.unlink(path, "blob")
        raise
    return _Draft(index, fd, path, hashed)


def _drop(draft: _Draft) -> None:
    draft.close()
    fs.unlink(draft.path, "blob")


def _sync_files(drafts: list[_Draft], root: int) -> None:
    """Makes the bytes of files durable. A sync of all that fails says nothing of ours: then each is asked."""
    if root >= 0:
        try:
            fs.sync_all(root, "blob")
        except fs.SyncFailed:
            pass
        else:
            return
    for draft in drafts:
        if not draft.hashed.synced:
            fs.fsync(draft.fd, "blob")


def _place(blobs: Blobs, drafts: list[_Draft], root: int) -> None:
    """Gives synced files their names, and makes the names durable."""
    folders: set[str] = set()
    for draft in drafts:
        folders.add(blobs.rename(draft.path, draft.hashed.sha256))
    if not blobs.database.sync:
        return
    if root >= 0 and len(folders) >= MANY:
        try:
            fs.sync_all(root, "blob")
        except fs.SyncFailed:
            pass
        else:
            return
    for folder in sorted(folders):
        blobs.sync_folder(folder)
