"""Files that were never closed: where they were opened, and whether a finaliser is at work."""

from __future__ import annotations

import gc
import warnings

import pytest

from lakefs_hl._files import unclosed
from lakefs_hl._files.unclosed import Opened


def test_the_place_is_that_of_the_users_code() -> None:
    found = unclosed.find_open_call("async with")
    assert (found.file, found.module, found.form, found.in_finaliser) == (__file__, __name__, "async with", False)
    assert found.line == test_the_place_is_that_of_the_users_code.__code__.co_firstlineno + 1


def test_a_call_from_a_finaliser_is_known_as_one() -> None:
    seen: list[bool] = []

    class Dropped:
        def __del__(self) -> None:
            seen.append(unclosed.in_finaliser())

    assert not unclosed.in_finaliser()
    Dropped()
    gc.collect()
    assert seen == [True]


def test_a_watch_knows_when_the_collector_found_the_file_unreachable() -> None:
    class File:
        own: object = None

    file = File()
    file.own = file  # only the collector ends it
    watch = unclosed.watch(file)
    gc.collect()
    assert not watch.unreachable
    del file
    gc.collect()
    assert watch.unreachable


def test_a_watch_does_not_keep_the_file() -> None:
    class File:
        pass

    before = len(unclosed._watched)
    watch = unclosed.watch(File())
    assert watch.unreachable
    assert len(unclosed._watched) == before


def test_the_warning_names_file_and_advice_where_it_was_opened() -> None:
    opened = Opened("user.py", 7, "user", "with", in_finaliser=False)
    with pytest.warns(UserWarning, match=r"a was opened for writing and never closed: nothing was written .* Do it\."):
        unclosed.warn("a", "never closed", "Do it.", opened)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        unclosed.warn("a", "never closed", "Do it.", opened)
    assert (caught[0].filename, caught[0].lineno) == ("user.py", 7)
