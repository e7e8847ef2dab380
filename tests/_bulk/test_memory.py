"""What transfers keep between calls."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from lakefs_hl._bulk.memory import Memory
from lakefs_hl._folders.found import Found
from lakefs_hl.spec.errors import InvalidConfigError

MD5 = "d41d8cd98f00b204e9800998ecf8427e"


class Client:
    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def _cache_directory(self) -> Path:
        if self._directory is None:
            raise InvalidConfigError("no home")
        return self._directory


def memory(directory: Path | None, options: dict[str, Any] | None = None, *, journal: bool = True) -> Memory:
    return Memory(Client(directory), "source", "destination", None, options or {"a": 1}, journal=journal)


def test_an_interrupted_transfer_is_found_with_its_transaction(tmp_path: Path) -> None:
    with memory(tmp_path) as first:
        assert (first.resumes, first.kept) == (False, None)
        first.begin()
        first.remember("tx")
    with memory(tmp_path) as second:
        assert (second.resumes, second.kept, second.abandoned) == (True, "tx", None)
        second.forget()
    with memory(tmp_path) as third:
        assert not third.resumes


def test_other_options_and_a_new_start_abandon_it(tmp_path: Path) -> None:
    with memory(tmp_path) as first:
        first.remember("tx")
    with memory(tmp_path, {"a": 2}) as other:
        assert (other.resumes, other.kept, other.abandoned) == (False, None, "tx")
    with memory(tmp_path) as again:
        again.start_anew()
        assert (again.resumes, again.kept, again.abandoned) == (False, None, "tx")


def test_a_plan_takes_and_leaves_no_journal(tmp_path: Path) -> None:
    with memory(tmp_path) as first, memory(tmp_path, journal=False) as plan:
        plan.begin()
        assert not plan.resumes
        first.forget()


def test_checksums_are_kept_for_other_transfers(tmp_path: Path) -> None:
    old = Found("a", 0, 1, 2, 3, 1)
    with memory(tmp_path) as first:
        assert first.checksums([]) == []
        for number in range(2500):
            first.learn(Found("a", 0, 1, number + 2, 3, 1), MD5, time.time_ns())
    with memory(tmp_path) as second:
        assert second.checksums([old, Found("a", 1, 1, 2, 3, 1)]) == [MD5, None]
        assert second.checksums([Found("a", 0, 1, 2501, 3, 1)]) == [MD5]


def test_without_a_directory_nothing_is_kept_and_nothing_fails() -> None:
    with pytest.warns(RuntimeWarning, match="transfers keep no checksums and no journals.*no home"):
        found = memory(None)
    with found:
        found.begin()
        found.remember("tx")
        found.learn(Found("a", 0, 1, 2, 3, 1), MD5, 5)
        assert found.checksums([Found("a", 0, 1, 2, 3, 1)]) == [None]
        found.forget()


def test_a_file_that_changed_just_before_it_was_read_is_not_kept_for_the_sake_of_earlier_ones(tmp_path: Path) -> None:
    """As on Windows, where the only time of change is that of the content."""
    start = time.time_ns() - 60_000_000_000
    old = Found("old", 0, 1, 1, 1, 1)
    racy = Found("racy", 0, start + 10_000_000_000, 2, 1, 1)
    with memory(tmp_path) as first:
        first.learn(old, MD5, start)
        first.learn(racy, MD5, start + 10_500_000_000)
    with memory(tmp_path) as second:
        assert second.checksums([old, racy]) == [MD5, None]


def begun(directory: Path) -> Memory:
    found = memory(directory)
    found.begin()
    return found


@pytest.mark.parametrize("moment", ["open", "write"])
def test_a_transfer_goes_on_without_a_journal(tmp_path: Path, moment: str, mocker: MockerFixture) -> None:
    """A full disk of the cache is no reason not to transfer; that the same transfer is running still is."""
    error = OSError(errno.ENOSPC, "No space left on device")
    mocker.patch(f"lakefs_hl._folders.journal.os.{'open' if moment == 'open' else 'fdopen'}", side_effect=error)
    with pytest.warns(RuntimeWarning, match="keeps no journal, so that it is not resumed if interrupted: .*No space"):
        first = begun(tmp_path)
    with first:
        first.remember("tx")
        first.remember(None)
        if moment == "write":
            with pytest.raises(OSError, match="the same transfer"):
                memory(tmp_path)
        first.forget()
    mocker.stopall()
    with memory(tmp_path) as second:
        assert (second.resumes, second.kept) == (False, None)
