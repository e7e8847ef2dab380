"""Copies on this machine, for libraries that read no file objects, such as the readers of Polars.

What is committed comes from the cache of snapshots, where files are kept by checksum. Uncommitted changes are in no
snapshot: where a branch has some, the objects are copied to a directory that is removed when the process ends. It is
never read from one version in part and from another in part as far as versions exist: a snapshot is one commit.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import stat
import tempfile
import threading
from glob import iglob
from pathlib import Path
from typing import Any, Final, NamedTuple

import lakefs_hl
from lakefs_hl import exceptions

_WILD: Final = re.compile(r"[*?\[]")
#: Characters of references that are no branches, such as `main~1`.
_EXPRESSION: Final = re.compile(r"[~^@]|[0-9a-f]{64}")


class Selection(NamedTuple):
    """The objects that a path means, as a directory and what is in it.

    Attributes:
        prefix: The prefix that is copied, "" or with a slash at its end.
        include: The glob of `download_dir` that chooses objects below it. None for all.
        rest: What the library is to read below the prefix: a name, a glob, or "" for all.
    """

    prefix: str
    include: str | None
    rest: str


def select(reference: Any, path: str, *, glob: bool) -> Selection:
    """Return the objects that a path means.

    Args:
        reference: The reference.
        path: Path of an object, a prefix, or a glob.
        glob: Whether `*`, `?` and `[` have a meaning.
    """
    wild = _WILD.search(path) if glob else None
    if wild is not None:
        cut = path.rfind("/", 0, wild.start()) + 1
        return Selection(path[:cut], "/" + path[cut:].replace("\\", "\\\\"), path[cut:])
    if not path or path.endswith("/"):
        return Selection(path, None, "")
    try:
        reference.stat(path)
    except exceptions.ObjectNotFoundException:
        if not reference.list_objects(prefix=f"{path}/", max_amount=1).to_list():
            raise  # it names the path that was given
        return Selection(f"{path}/", None, "")
    cut = path.rfind("/") + 1
    return Selection(path[:cut], "/" + re.sub(r"([\\*?\[ ])", r"\\\1", path[cut:]), path[cut:])


def local_copy(reference: Any, path: str, *, glob: bool = True) -> str:
    """Return the path on this machine of a read-only copy of an object, a prefix or the objects that a glob names.

    Args:
        reference: The reference.
        path: Path of an object, a prefix, or a glob.
        glob: Whether `*`, `?` and `[` have a meaning.

    Raises:
        NotFoundException: Nothing is there.
    """
    chosen = select(reference, path, glob=glob)
    root = (_copy_staged if _has_changes(reference, chosen.prefix) else _snapshot)(reference, chosen)
    place = str(root)
    if glob and _WILD.search(chosen.rest):
        place = re.sub(r"([*?\[])", r"[\1]", place)
        every = iglob(f"{place}/{chosen.rest}", recursive=True, include_hidden=True)  # noqa: PTH207 - `**` finds files
        if next(every, None) is None:  # Polars would name the copy
            msg = f"copying {reference.uri}{path}: no object matches it"
            raise exceptions.ObjectNotFoundException(msg)
    return f"{place}/{chosen.rest}"


def _has_changes(reference: Any, prefix: str) -> bool:
    """Return whether the reference is a branch with uncommitted changes under a prefix."""
    if isinstance(reference, lakefs_hl.Commit | lakefs_hl.Tag) or _EXPRESSION.search(reference.id):
        return False
    branch = lakefs_hl.Branch(reference.repository_id, reference.id, reference._given)
    try:
        return bool(branch.list_uncommitted(1, prefix=prefix).to_list())
    except exceptions.NotFoundException:  # a tag, or the beginning of a commit ID
        return False


def _snapshot(reference: Any, chosen: Selection) -> Path:
    at = lakefs_hl.Reference(reference.repository_id, reference.id, reference._given)
    return at.snapshot_download(chosen.prefix, include=chosen.include)


# -- what is not committed ---------------------------------------------------------------------------------------------


class _Copies:
    """The directory of this process for copies. A child process has one of its own, and leaves that of its parent."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin without a directory and with a lock of its own: in a child, a thread of the parent may hold it."""
        self._lock = threading.Lock()
        self._root: str | None = None

    def directory(self) -> Path:
        """Return a new directory, which is removed when the process ends."""
        with self._lock:
            if self._root is None:
                self._root = tempfile.mkdtemp(prefix="lakefs-hl-")
                atexit.register(self._remove, self._root, os.getpid())
            return Path(tempfile.mkdtemp(dir=self._root))

    @staticmethod
    def _remove(root: str, owner: int) -> None:
        if os.getpid() == owner:
            shutil.rmtree(root, ignore_errors=True)


_COPIES: Final = _Copies()
os.register_at_fork(after_in_child=_COPIES.renew)


def _copy_staged(reference: Any, chosen: Selection) -> Path:
    """Copy objects with their uncommitted changes."""
    root = _COPIES.directory()
    reference.download_dir(chosen.prefix, root, include=chosen.include)
    for directory, _, names in os.walk(root):
        for name in names:
            Path(directory, name).chmod(stat.S_IRUSR)
    return root
