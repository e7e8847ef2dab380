"""Which cases a run leaves out because others do nearly the same: drawn by the printed seed, for each test anew.

`LAKEFS_HL_TEST_EVERY_WORLD=1` leaves out none.
"""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterable

import pytest

from tests.worlds import REAL

#: Set, a run leaves nothing out.
EVERY_WORLD = "LAKEFS_HL_TEST_EVERY_WORLD"


def parameters(item: pytest.Item) -> dict[str, object]:
    """Return the parameters of a test by their names."""
    found: dict[str, object] = getattr(getattr(item, "callspec", None), "params", {})
    return found


def deselect(config: pytest.Config, items: list[pytest.Item], is_left_out: Callable[[pytest.Item], bool]) -> None:
    """Leave tests out of this run, unless it is to leave out none."""
    if os.environ.get(EVERY_WORLD):
        return
    left_out = {item for item in items if is_left_out(item)}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


def repeats(items: Iterable[pytest.Item], seed: object, *names: str) -> set[pytest.Item]:
    """Return all but one of the cases that differ in these parameters only. Those on a lakeFS server all stay.

    Args:
        items: The tests.
        seed: The printed seed.
        names: Names of the parameters.
    """
    alike = defaultdict[tuple[object, ...], list[pytest.Item]](list)
    for item in items:
        params = parameters(item)
        if REAL in params.values() or not any(name in params for name in names):
            continue
        others = sorted((name, id(value)) for name, value in params.items() if name not in names)
        alike[item.nodeid.partition("[")[0], *others].append(item)
    left_out = set[pytest.Item]()
    for cases in alike.values():
        kept = random.Random(f"{seed}:{cases[0].nodeid}").choice(cases)
        left_out.update(case for case in cases if case is not kept)
    return left_out
