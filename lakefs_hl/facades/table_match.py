"""Which rows of two tables belong together, by their keys or as a multiset."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lakefs_hl.facades.table_values import Numbers


class Pairs(NamedTuple):
    """Rows of two tables, by their indexes.

    Attributes:
        before: Rows of the first table that belong to one of the second.
        after: The rows that they belong to.
        removed: Rows of the first table that belong to none.
        added: Rows of the second table that belong to none.
    """

    before: Numbers
    after: Numbers
    removed: Numbers
    added: Numbers


class Repeated(NamedTuple):
    """Keys that more than one row of a table has.

    Attributes:
        side: 0 for the first table, 1 for the second.
        keys: How many there are.
        row: A row with one of them.
        rows: How many rows have that one.
    """

    side: int
    keys: int
    row: int
    rows: int


def find_repeated(codes: tuple[Numbers, Numbers], count: int) -> list[Repeated]:
    """Return the keys that do not identify a row, of each table that has such."""
    found = []
    for side, each in enumerate(codes):
        numbers = np.bincount(each, minlength=count)
        many = np.flatnonzero(numbers > 1)
        if len(many):
            row = int(np.flatnonzero(numbers[each] > 1)[0])
            found.append(Repeated(side, len(many), row, int(numbers[each[row]])))
    return found


def by_keys(codes: tuple[Numbers, Numbers], count: int) -> Pairs:
    """Return the rows that belong together because their codes are equal, which no two rows of one table share."""
    first, second = codes
    places = np.full(count, -1, np.int64)
    places[first] = np.arange(len(first))
    before = places[second]
    is_paired = before >= 0
    places[:] = 0
    places[second] = 1
    return Pairs(
        before[is_paired], np.flatnonzero(is_paired), np.flatnonzero(places[first] == 0), np.flatnonzero(~is_paired)
    )


def as_multiset(codes: tuple[Numbers, Numbers], count: int) -> Pairs:
    """Return the rows of each table that the other has not as often. Of equal rows, the last ones are left over."""
    first, second = codes
    both = np.minimum(np.bincount(first, minlength=count), np.bincount(second, minlength=count))
    removed, added = _left_over(first, both), _left_over(second, both)
    nothing = np.zeros(0, np.int64)
    return Pairs(nothing, nothing, removed, added)


def _left_over(codes: Numbers, paired: Numbers) -> Numbers:
    counts = np.bincount(codes, minlength=len(paired))
    rows = np.flatnonzero((counts > paired)[codes])
    order = rows[np.argsort(codes[rows], kind="stable")]
    ordered = codes[order]
    starts = np.flatnonzero(np.concatenate([np.ones(min(len(order), 1), bool), ordered[1:] != ordered[:-1]]))
    sizes = np.diff(np.concatenate([starts, [len(order)]]))
    rank = np.arange(len(order)) - np.repeat(starts, sizes)
    return np.sort(order[rank >= paired[ordered]])
