"""Errors of the rooms below in the words of the public tree: each has its class, and what ran out its number."""

from __future__ import annotations

import errno

import msgspec
import pytest

from lakefs_hl.local.disk import errors as disk
from lakefs_hl.local.disk import inspection
from lakefs_hl.local.engine.failures import BELOW, public, translated
from lakefs_hl.local.tree import TreeCorruptError
from lakefs_hl.spec.errors import (
    LakeCorruptError,
    LakeError,
    LakeFormatError,
    LakeLockedError,
    LakeReadOnlyError,
    LakeResourceError,
)

#: Each error of the disk, its public class, and its number if it has one.
ROWS: list[tuple[type[disk.DiskError], type[LakeError], int | None]] = [
    (disk.DiskError, LakeError, None),
    (inspection.Overtaken, LakeError, None),
    (disk.LockTimeout, LakeLockedError, None),
    (disk.NotALake, LakeFormatError, None),
    (disk.UnknownFormat, LakeFormatError, None),
    (disk.Damaged, LakeCorruptError, None),
    (disk.ReadOnly, LakeReadOnlyError, None),
    (disk.Scarcity, LakeError, None),
    (disk.NoSpace, LakeResourceError, errno.ENOSPC),
    (disk.NoMemory, LakeResourceError, errno.ENOMEM),
    (disk.NoThread, LakeResourceError, errno.EAGAIN),
    (disk.NoDescriptor, LakeResourceError, errno.EMFILE),
]
SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def below(kind: type[disk.DiskError]) -> set[type[disk.DiskError]]:
    return {kind}.union(*map(below, kind.__subclasses__()))


def test_every_error_of_the_disk_has_its_row() -> None:
    ours = {kind for kind in below(disk.DiskError) if kind.__module__.startswith("lakefs_hl.")}
    assert ours == {row[0] for row in ROWS}


@pytest.mark.parametrize(("kind", "expected", "number"), ROWS, ids=[row[0].__name__ for row in ROWS])
def test_its_class_its_words_and_its_number(
    kind: type[disk.DiskError], expected: type[LakeError], number: int | None
) -> None:
    found = translated(kind("/lake: what was wrong"))
    assert type(found) is expected
    assert str(found) == "/lake: what was wrong"
    assert not isinstance(found, LakeResourceError) or found.errno == number


def test_the_number_is_the_one_that_the_system_said() -> None:
    quota = disk.scarcity(errno.EDQUOT, "x")
    assert quota is not None
    found = translated(quota)
    assert isinstance(found, LakeResourceError)
    assert found.errno == errno.EDQUOT


@pytest.mark.parametrize("number", SCARCE, ids=errno.errorcode.get)
def test_what_ran_out_is_found_in_the_cause(number: int) -> None:
    error = disk.DiskError("x")
    error.__cause__ = OSError(number, "no")
    found = translated(error)
    assert isinstance(found, LakeResourceError)
    assert (str(found), found.errno) == ("x", number)


def test_a_cause_that_is_no_lack_is_none() -> None:
    error = disk.DiskError("x")
    for cause in (OSError(errno.EIO, "no"), ValueError(errno.ENOSPC)):
        error.__cause__ = cause
        assert type(translated(error)) is LakeError


@pytest.mark.parametrize("error", [msgspec.DecodeError("no"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no")])
def test_a_row_that_cannot_be_read_says_what_to_do(error: Exception) -> None:
    found = translated(error)
    assert type(found) is LakeCorruptError
    assert str(error) in str(found)
    assert "lakefs-hl fsck" in str(found)


def test_a_damaged_tree() -> None:
    error = TreeCorruptError(b"d" * 32, "cut short")
    found = translated(error)
    assert type(found) is LakeCorruptError
    assert str(found) == str(error)


def test_the_block_translates_what_is_below_and_nothing_else() -> None:
    error = disk.Damaged("x")
    with pytest.raises(LakeCorruptError) as caught, public():
        raise error
    assert caught.value.__cause__ is error
    for other in (ValueError("x"), OSError(errno.ENOSPC, "x"), LakeLockedError("x")):
        assert not isinstance(other, BELOW)
        with pytest.raises(type(other)) as passed, public():
            raise other
        assert passed.value is other
