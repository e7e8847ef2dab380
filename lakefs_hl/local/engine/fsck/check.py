"""Opening what is to be checked, and going through it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lakefs_hl.local.disk import database, layout, lock, migration, notes
from lakefs_hl.local.disk.errors import DiskError, UnknownFormat
from lakefs_hl.local.disk.inspection import Overtaken, inspect
from lakefs_hl.local.disk.rows import Reader
from lakefs_hl.local.disk.tables import meta
from lakefs_hl.local.engine.failures import public
from lakefs_hl.local.engine.fsck.contents import Contents
from lakefs_hl.local.engine.fsck.report import Report
from lakefs_hl.local.engine.fsck.rows import Rows
from lakefs_hl.local.engine.fsck.subset import Subset
from lakefs_hl.local.keys import Keys
from lakefs_hl.local.tree import Shape
from lakefs_hl.spec.errors import LakeCorruptError, LakeLockedError

if TYPE_CHECKING:
    from lakefs_hl.local.engine import Engine

#: How often a lake that others open and close meanwhile is gone over again.
_TRIES: Final = 5


def fsck(lake: Engine | str | os.PathLike[str], read_data: bool = False, subset: Subset | None = None) -> Report:
    """Goes over a whole lake, and changes no file of it.

    Args:
        lake: An open lake, or the folder of one that this process has not opened. The latter may lie on a read-only
            mount, and may be of an older format.
        read_data: Read every blob and hold it against its hash, too; else only its size.
        subset: Read these blobs only. Without `read_data` as well.

    Returns:
        What is wrong, what is outside of the lake, and what is left over.

    Raises:
        LakeFormatError: There is no lake, or it is of a later format.
        LakeLockedError: Others keep opening and closing it.
        LakeError: It cannot be read.

    Example:
        >>> from lakefs_hl.local.engine import Engine
        >>> engine = Engine.open(getfixture("tmp_path") / "lake")
        >>> fsck(engine).exit_code
        0
        >>> engine.close()
        >>> fsck(engine.folder).exit_code
        0
    """
    folder = Path(os.path.abspath(lake if isinstance(lake, (str, os.PathLike)) else lake.folder))  # noqa: PTH100
    data = subset or (Subset(1, 0, 1) if read_data else None)
    report = Report()
    try:
        if not isinstance(lake, (str, os.PathLike)):
            note = _read_note(folder)
            with public(), lake.lake.database.read() as reader:
                _check(folder, reader, migration.version_of(reader), note, report, data)
            return report
        with public():
            if not (folder / database.NAME).exists():
                layout.must_exist(str(folder))
            for _ in range(_TRIES):
                report = Report()
                note = _read_note(folder)
                with suppress(Overtaken), inspect(str(folder)) as found:
                    _check(folder, found.reader, found.version, note, report, data)
                    return report
    except LakeCorruptError as error:  # SQLite itself could not go on
        report.add_damage(str(error))
        return report
    raise LakeLockedError(f"{folder}: other processes opened the lake during each of {_TRIES} checks; check it later")


def _read_note(folder: Path) -> bytes:
    """What the lock's file says of the number of transactions. It is read before the database, which may go on."""
    try:
        return (folder / lock.NAME).read_bytes()
    except OSError:
        return b""


def _check(folder: Path, reader: Reader, version: int, note: bytes, report: Report, data: Subset | None) -> None:
    rows = Rows(reader, version, report)
    sound = rows.check_structure()
    noted = _check_format(folder, reader, version, report)
    _check_keys(folder, report)
    if not sound:
        return
    rows.check_rows()
    rows.check_count(note)
    try:
        shape = None if noted is None else Shape.restore(noted["tree"])
    except (msgspec.ValidationError, ValueError, KeyError) as error:
        report.add_damage(f"{layout.FORMAT}: it notes no shape of trees: {error}")
        return
    if shape is not None:
        Contents(folder, reader, shape, report, data).check(rows)


def _check_format(folder: Path, reader: Reader, version: int, report: Report) -> dict[str, Any] | None:
    """What the lake notes about its trees, from the database or the file, whichever is sound; both are to be the same.

    Raises:
        UnknownFormat: Both are of a later release.
    """
    found: list[dict[str, Any]] = []
    later: list[UnknownFormat] = []
    for where in (database.NAME, layout.FORMAT):
        try:
            text = meta.get(reader, meta.FORMAT) if where == database.NAME else (folder / layout.FORMAT).read_bytes()
            found.append(notes.read(text or "", where))
        except UnknownFormat as error:
            later.append(error)
        except (OSError, DiskError) as error:
            report.add_damage(f"the lake's format: {error}")
    if len(later) == 2 or (later and version not in migration.KNOWN):
        raise later[0]
    for unknown in later:
        report.add_damage(f"the lake's format: {unknown}")
    if len(found) == 2 and not notes.is_same(*found):
        report.add_damage(f"{layout.FORMAT}: is not what the database notes as the lake's format")
    return found[0] if found else None


def _check_keys(folder: Path, report: Report) -> None:
    """The keys of a served lake, if it has been served."""
    try:
        Keys(folder).check()
    except LakeCorruptError as error:
        report.add_damage(str(error))
    except OSError as error:
        report.add_damage(f"the keys cannot be read: {error}")
