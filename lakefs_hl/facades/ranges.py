"""Ranges of files, joined into few requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from lakefs_hl.facades.records import Content, Range

#: Ranges that are so many bytes apart are read by one request: they are there sooner than another request.
GAP: Final = 32 << 10
#: Bytes that a request reads for several ranges, at most, unless the ranges overlap.
JOINED: Final = 8 << 20


class Part(NamedTuple):
    """Where what was asked for is in what is read.

    Attributes:
        request: Index of the request.
        start: Offset in what the request returns. None if it is all of it.
        end: Offset after the last byte, likewise.
    """

    request: int
    start: int | None = None
    end: int | None = None


class _User(NamedTuple):
    at: int
    start: int | None = None
    end: int | None = None


def join(asked: Sequence[Range]) -> tuple[list[Range], list[Part]]:
    """Return the requests for some ranges, and where each of the ranges is in them.

    Ranges of one file that touch or are close are read by one request. What is asked for twice is read once. Whole
    files and offsets from the end are requests of their own.
    """
    shared = dict[Range, list[int]]()
    plain = dict[str, list[tuple[int, int, int]]]()
    for at, each in enumerate(asked):
        start, end = each.start or 0, each.end
        if end is not None and 0 <= start <= end:
            plain.setdefault(each.path, []).append((start, end, at))
        else:
            shared.setdefault(each, []).append(at)
    found = [(each[0], path, [_User(at) for at in each]) for path, each in shared.items()]
    for path, parts in plain.items():
        for group in _groups(sorted(parts)):
            first, last = group[0][0], max(end for _, end, _ in group)
            users = [_User(at, start - first, end - first) for start, end, at in group]
            found.append((min(each.at for each in users), Range(path, first, last), users))
    found.sort(key=lambda each: each[0])  # in the order of their first use
    places = {at: Part(index, start, end) for index, (_, _, users) in enumerate(found) for at, start, end in users}
    return [each for _, each, _ in found], [places[at] for at in range(len(asked))]


def _groups(ranges: list[tuple[int, int, int]]) -> list[list[tuple[int, int, int]]]:
    """Return sorted ranges in groups of one request each."""
    groups = list[list[tuple[int, int, int]]]()
    first = last = 0
    for each in ranges:
        start, end, _ = each
        if groups and (start < last or (start - last <= GAP and max(end, last) - first <= JOINED)):
            groups[-1].append(each)
            last = max(last, end)
        else:
            groups.append([each])
            first, last = start, end
    return groups


def cut(content: Content, part: Part, asked: Range) -> Content:
    """Return the part of what was read that was asked for."""
    data = content.data
    if data is not None and part.end is not None:
        data = data[part.start : part.end]
    return content._replace(path=asked.path, data=data, byte_range=(asked.start, asked.end))
