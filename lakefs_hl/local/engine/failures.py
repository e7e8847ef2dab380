"""Errors of disk and tree as errors of the public tree: here, and only here."""

from __future__ import annotations

import errno
from typing import Final

import msgspec

from lakefs_hl.local.disk import errors as disk
from lakefs_hl.local.tree import TreeCorruptError
from lakefs_hl.spec import errors

_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
#: What the rooms below raise.
BELOW: Final = (disk.DiskError, TreeCorruptError, msgspec.DecodeError, UnicodeDecodeError)


def translated(error: BaseException) -> errors.LakeError:
    """An error of the rooms below, as one of the public tree."""
    if isinstance(error, disk.LockTimeout):
        return errors.LakeLockedError(str(error))
    if isinstance(error, (disk.NotALake, disk.UnknownFormat)):
        return errors.LakeFormatError(str(error))
    if isinstance(error, (disk.Damaged, TreeCorruptError)):
        return errors.LakeCorruptError(str(error))
    if isinstance(error, (msgspec.DecodeError, UnicodeDecodeError)):
        return errors.LakeCorruptError(f"a row of the database cannot be read ({error}); run `lakefs-hl fsck`")
    if isinstance(error, disk.ReadOnly):
        return errors.LakeReadOnlyError(str(error))
    lacking = _lacking(error)
    if lacking is None:
        return errors.LakeError(str(error))
    found = errors.LakeResourceError(str(error))
    found.errno = lacking
    return found


def _lacking(error: BaseException) -> int | None:
    """The errno of what the machine ran out of, if that is what an error tells."""
    if isinstance(error, disk.Scarcity):
        return error.errno
    cause = error.__cause__
    return cause.errno if isinstance(cause, OSError) and cause.errno in _RESOURCES else None


class _Public:
    """Makes errors of the rooms below those of the public tree. It has no state, so that one serves all."""

    __slots__ = ()

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BELOW):
            raise translated(error) from error


_PUBLIC: Final = _Public()


def public() -> _Public:
    """Errors of the rooms below become those of the public tree."""
    return _PUBLIC
