from __future__ import annotations

import doctest

from lakefs_hl.local import tree as package
from lakefs_hl.local.tree import tree as module


def test_the_example_runs() -> None:
    results = doctest.testmod(module)
    assert results.attempted > 5
    assert results.failed == 0


def test_the_public_names_are_there_and_sorted() -> None:
    assert all(hasattr(package, name) for name in package.__all__)
    assert sorted(package.__all__, key=lambda name: (not name.isupper(), name)) == package.__all__
