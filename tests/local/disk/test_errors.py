"""What the machine ran out of: each number of the system has its error, which keeps the number."""

from __future__ import annotations

import copy
import errno
import pickle

import pytest

from lakefs_hl.local.disk.errors import (
    DiskError,
    LockTimeout,
    NoDescriptor,
    NoMemory,
    NoSpace,
    NoThread,
    Scarcity,
    scarcity,
)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, NoSpace),
        (errno.EDQUOT, NoSpace),
        (errno.EFBIG, NoSpace),
        (errno.ENOMEM, NoMemory),
        (errno.EAGAIN, NoThread),
        (errno.EMFILE, NoDescriptor),
        (errno.ENFILE, NoDescriptor),
    ],
)
def test_what_is_scarce(number: int, kind: type[Scarcity]) -> None:
    found = scarcity(number, "what was wrong")
    assert type(found) is kind
    assert isinstance(found, OSError)
    for one in (found, copy.copy(found), pickle.loads(pickle.dumps(found))):
        assert (type(one), one.errno, str(one)) == (kind, number, "what was wrong")


@pytest.mark.parametrize("number", [None, 0, errno.EIO, errno.EROFS, errno.EACCES, errno.ENOENT, errno.ETXTBSY])
def test_what_is_not(number: int | None) -> None:
    assert scarcity(number, "x") is None


def test_each_has_its_most_common_number_until_the_system_says_another() -> None:
    kinds = (NoSpace, NoMemory, NoThread, NoDescriptor)
    assert [kind("x").errno for kind in kinds] == [errno.ENOSPC, errno.ENOMEM, errno.EAGAIN, errno.EMFILE]
    scarcity(errno.EDQUOT, "x")
    assert NoSpace("x").errno == errno.ENOSPC, "one of them does not change the others"


def test_a_lock_that_was_not_given_in_time_is_a_timeout() -> None:
    with pytest.raises(TimeoutError) as caught:
        raise LockTimeout("x")
    assert isinstance(caught.value, DiskError)
