"""What commits and branches hold: trees, entries, staged entries, and the bytes of all of them."""

from __future__ import annotations

import stat
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lakefs_hl.local.disk import layout, parts
from lakefs_hl.local.disk.blobs import INLINE
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.nodes import NodeStore
from lakefs_hl.local.disk.rows import Reader
from lakefs_hl.local.disk.tables import blobs, nodes, staging, uploads
from lakefs_hl.local.engine import records
from lakefs_hl.local.engine.fsck.report import Report
from lakefs_hl.local.engine.places import file_of
from lakefs_hl.local.engine.records import Entry
from lakefs_hl.local.tree import Cache, Shape, Tree, TreeCorruptError

if TYPE_CHECKING:
    from lakefs_hl.local.engine.fsck.rows import Rows
    from lakefs_hl.local.engine.fsck.subset import Subset
    from lakefs_hl.local.tree import Span


class Contents:
    """One going-over of what a lake holds.

    Args:
        folder: The lake.
        reader: Its database.
        shape: Where its trees are cut.
        report: Takes what is found.
        data: Which blobs are read; None: no content is.
    """

    def __init__(self, folder: Path, reader: Reader, shape: Shape, report: Report, data: Subset | None) -> None:
        self._folder = folder
        self._reader = reader
        self._report = report
        self._fault = report.add_damage
        self._data = data
        self._tree = Tree(NodeStore(reader), shape, Cache(), records.same)
        self._nodes: dict[bytes, Span | None] = {}
        self._blobs: dict[bytes, int | None] = {}
        self._outside: set[tuple[str, int | None, int]] = set()

    def check(self, rows: Rows) -> None:
        """All that the rows name, and then what nothing names."""
        empty = self._tree.empty()
        if nodes.exists(self._reader, empty):  # whoever opens the lake for writing makes it
            self._walk(empty, "the empty tree")
        for root, where in rows.trees():
            self._walk(root, where)
        self._check_staging(rows)
        self._check_uploads()
        self._count_left_over()

    def _walk(self, root: bytes, where: str) -> None:
        """A tree: each node once, and each entry of its leaves."""

        def on_fault(error: TreeCorruptError) -> None:
            self._fault(f"node {error.digest.hex()}, first met in {where}: {error.reason}")

        for visit in self._tree.walk(root, seen=self._nodes, on_fault=on_fault):
            self._report.count("nodes")
            if visit.level == 0:
                self._report.count("entries", len(visit.keys))
                for key, value in zip(visit.keys, visit.values, strict=True):
                    self._check_entry(key, value, where)

    def _check_staging(self, rows: Rows) -> None:
        """Every staged entry; those of tokens that no branch names are left over, once they are known to be sound."""
        for token, path, value in staging.scan(self._reader):
            where = rows.tokens.get(token)
            try:
                content = staging.unseal(token, path, value)
            except Damaged as error:
                self._fault(f"{where or f'staging token {token}'}: {error}")
                continue
            if where is None:
                self._report.leave("staged entries of no branch")
                continue
            self._report.count("staged entries")
            if content is not None:
                self._check_entry(path, content, where)

    def _check_uploads(self) -> None:
        """What was put at an address and may still be linked."""
        for address, value in uploads.scan(self._reader):
            where = f"upload at {address}"
            try:
                upload = records.read_upload(value)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                self._fault(f"{where}: cannot be decoded: {error}")
                continue
            self._report.count("uploads")
            self._check_named(upload.sha256, upload.size, where)

    def _check_entry(self, path: bytes, value: bytes, where: str) -> None:
        try:
            entry = records.read_entry(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._fault(f"{where}: {path!r} cannot be decoded: {error}")
            return
        name = path.decode(errors="backslashreplace")
        if isinstance(entry.address, str):
            self._check_outside(entry, f"{where}: {name}")
            return
        self._check_named(entry.address, entry.size, f"{where}: {name}")

    def _check_named(self, blob: bytes, expected: int, where: str) -> None:
        """A blob that something names, once."""
        size = self._blobs.get(blob, -1)
        if size == -1:
            size = self._blobs[blob] = self._check_blob(blob, expected)
        if size != expected:
            found = "is missing" if size is None else f"has {size} bytes"
            self._fault(f"{where}: its blob {blob.hex()} of {expected} bytes {found}")

    def _check_outside(self, entry: Entry, where: str) -> None:
        """An entry whose bytes lie outside of the lake, which promised nothing of them: says if nobody has them."""
        known = (entry.address, entry.stamp, entry.size)
        if known in self._outside:
            return
        self._outside.add(known)
        self._report.count("files outside the lake")
        if entry.stamp is None:
            self._report.add_outside(f"{where}: its bytes are at {entry.address}, which the lake does not read")
            return
        try:
            path = Path(file_of(entry.address))
            found = path.stat()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._report.add_outside(f"{where}: the imported file {entry.address} cannot be read: {reason}")
            return
        if (found.st_size, records.stamp_of(found.st_mtime_ns)) != (entry.size, entry.stamp):
            self._report.add_outside(f"{where}: the imported file {path} has changed since: import it again")

    # -------------------------------------------------------------------------------------------------------- blobs

    def _check_blob(self, name: bytes, size: int) -> int | None:
        """The size of a blob, read if that was asked for; None if it is missing."""
        self._report.count("blobs")
        found = blobs.size(self._reader, name) if size <= INLINE else self._file_size(name)
        if found is not None and self._data is not None and self._data.covers(name):
            self._check_content(name, size)
        return found

    def _path(self, name: bytes) -> Path:
        return self._folder / layout.OBJECTS / name.hex()[:2] / name.hex()

    def _file_size(self, name: bytes) -> int | None:
        """The size of a large blob's file; None, and a fault if it is there, if it cannot be read as one."""
        try:
            status = self._path(name).lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._fault(f"blob {name.hex()}: {error}")
            return None
        if not stat.S_ISREG(status.st_mode):
            self._fault(f"blob {name.hex()}: is no regular file")
            return None
        return status.st_size

    def _check_content(self, name: bytes, size: int) -> None:
        if size <= INLINE:
            data = blobs.get(self._reader, name) or b""
            digest, length = sha256(data).digest(), len(data)
        else:
            try:
                with self._path(name).open("rb") as file:
                    digest = file_digest(file, "sha256").digest()
                    length = file.tell()
            except OSError as error:
                self._fault(f"blob {name.hex()}: cannot be read: {error}")
                return
        self._report.count("bytes read", length)
        if digest != name:
            self._fault(f"blob {name.hex()}: its content has the hash {digest.hex()}")

    # ----------------------------------------------------------------------------------------------------- left over

    def _count_left_over(self) -> None:
        """What is stored and named by nothing that was gone over."""
        leave = self._report.leave
        leave("nodes", sum(1 for name in nodes.scan(self._reader) if name not in self._nodes))
        leave("small blobs", sum(1 for name in blobs.scan(self._reader) if name not in self._blobs))
        objects = self._folder / layout.OBJECTS
        try:
            for folder in objects.iterdir():
                for file in folder.iterdir() if folder.is_dir() else [folder]:
                    if folder.name == layout.TEMPORARY:
                        leave("temporary files")
                    elif not _is_blob(folder.name, file.name):
                        leave("foreign files")
                    elif bytes.fromhex(file.name) not in self._blobs:
                        leave("large blobs")
        except OSError as error:
            self._fault(f"{objects}: cannot be listed: {error}")
        for _ in (self._folder / parts.NAME).glob("*/[0-9]*"):
            leave("parts of uploads")


def _is_blob(folder: str, name: str) -> bool:
    """Whether a file lies where a blob of its name would."""
    return len(name) == 64 and name.startswith(folder) and set(name) <= set("0123456789abcdef")
