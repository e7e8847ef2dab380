"""Where objects go: ranges joined into requests, local paths that stay inside a directory, and what may be deleted."""

from __future__ import annotations

import os
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fsspec.utils import isfilelike

from lakefs_hl.exceptions import ObjectChangedError
from lakefs_hl.filesystem.names import Name
from lakefs_hl.filesystem.telling import Told

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fsspec.callbacks import Callback

    from lakefs_hl import Branch, ObjectInfo, Reference

#: Ranges that are so many bytes apart are read by one request: they are there sooner than another request.
GAP: Final = 32 << 10
#: Bytes that a request reads for several ranges, at most, unless the ranges overlap.
JOINED: Final = 8 << 20

Range = tuple[str, int | None, int | None]


class Part(NamedTuple):
    """Where a range is in what was read. `start` is None if it is all of it."""

    request: int
    start: int | None = None
    end: int | None = None


def join(asked: Sequence[Range], gap: int | None = None) -> tuple[list[Range], list[Part]]:
    """Return the requests for some ranges, and where each of the ranges is in them.

    Ranges to the end of an object, or from its end, are requests of their own.
    """
    most = GAP if gap is None else gap
    requests, parts = list[Range](), dict[int, Part]()
    plain = dict[str, list[tuple[int, int, int]]]()
    for at, (path, start, end) in enumerate(asked):
        first = start or 0
        if end is not None and 0 <= first <= end:
            plain.setdefault(path, []).append((first, end, at))
        else:
            parts[at] = Part(len(requests))
            requests.append((path, start, end))
    for path, ranges in plain.items():
        group = list[tuple[int, int, int]]()
        reach = 0
        for first, end, at in [*sorted(ranges), (-1, -1, -1)]:
            apart = not group or at < 0 or first > reach + most or (first >= reach and end - group[0][0] > JOINED)
            if apart and group:
                base = group[0][0]
                for one, last, index in group:
                    parts[index] = Part(len(requests), one - base, last - base)
                requests.append((path, base, reach))
                group, reach = [], 0
            if at >= 0:
                group.append((first, end, at))
                reach = max(reach, end)
    return requests, [parts[at] for at in range(len(asked))]


def check_distinct(targets: Iterable[str]) -> None:
    """Check that no two sources have the same destination: one of them would be lost.

    Raises:
        ValueError: Two have. Nothing was written.
    """
    seen = set[str]()
    for target in targets:
        if target in seen:
            raise ValueError(
                f"two sources have the destination {target!r}; nothing was written: give lists of sources and of "
                "destinations, which are all different"
            )
        seen.add(target)


def check_pairs(sources: Sequence[Any], targets: Sequence[Any]) -> None:
    """Check that there is one destination for each source, and none twice.

    Raises:
        ValueError: It is not so. Nothing was written.
    """
    if len(sources) != len(targets):
        raise ValueError(f"{len(sources)} sources have {len(targets)} destinations; nothing was written")
    check_distinct(map(os.fspath, targets))


def in_rounds(pairs: Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Return sources with their destinations in rounds, so that each source is read before it is written over.

    Args:
        pairs: Names of sources and destinations. Those that are the same are left out.

    Raises:
        ValueError: Two sources have the same destination, or they would change places.
    """
    todo = [(source, target) for source, target in dict.fromkeys(pairs) if source != target]
    check_distinct([target for _, target in todo])
    targets = dict[str, list[str]]()
    for source, target in todo:
        targets.setdefault(source, []).append(target)
    order = TopologicalSorter(
        {source: [each for each in found if each in targets] for source, found in targets.items()}
    )
    try:
        order.prepare()
    except CycleError as error:
        shown = " -> ".join(reversed(error.args[1]))
        raise ValueError(f"nothing was written: these would change places: {shown}") from None
    rounds = list[list[tuple[str, str]]]()
    while order.is_active():
        ready = order.get_ready()
        rounds.append([(source, target) for source in ready for target in targets[source]])
        order.done(*ready)
    return rounds


def check_inside(directory: str, paths: list[str]) -> None:
    """Check that local paths, which come from paths of objects, stay inside a directory.

    Raises:
        ValueError: One does not, or no local file can have its name. Nothing was downloaded.
    """
    root = os.path.abspath(directory)  # noqa: PTH100 - as it is written, whatever links it has
    for path in paths:
        inner = path.removeprefix(directory)
        segments = inner.replace(os.sep, "/").split("/")
        whole = os.path.abspath(path)  # noqa: PTH100
        if ".." in segments or "\0" in path or os.path.commonpath([root, whole]) != root:
            raise ValueError(
                f"{path!r} would be outside of {directory!r}, or is no name of a local file; nothing was downloaded: "
                "give lists of names and of local paths to choose another"
            )


def make_parents(path: Any) -> None:
    """Make the directories of a local file."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)


def download(at: Reference, key: str, target: Any, callback: Callback, pre_signed: bool | None) -> None:
    """Download an object to a local file or a file object, and tell a callback."""
    if isfilelike(target):
        count = at.download(key, target, pre_signed=pre_signed)
        callback.set_size(count)
        callback.relative_update(count)
        return
    if Path(target).is_dir():
        raise IsADirectoryError(f"{target!r} is a local directory: give the name of a file in it")
    at.download_file(key, target, progress=Told(callback))


def check_deletable(name: Name, *, whole_branch: bool) -> None:
    """Check that a name is not that of a whole branch or repository.

    Raises:
        PermissionError: It is.
    """
    if not name.reference:
        what = f"repository({name.repository!r}).delete()" if name.repository else "delete() of each repository"
        raise PermissionError(
            f"{name.uri or 'lakefs://'} is not deleted by its path; {what} of the SDK deletes repositories"
        )
    if not name.path and not whole_branch:
        raise PermissionError(
            f"{name.uri} is a whole branch: rm(…, recursive=True, whole_branch=True) deletes all of its objects; "
            f"repository({name.repository!r}).branch({name.reference!r}).delete() deletes the branch"
        )


def check_unchanged(branch: Branch, source: Name, before: ObjectInfo) -> None:
    """Check that an object is still what was copied, before it is deleted.

    Raises:
        ObjectChangedError: It is not.
    """
    now = branch.stat(source.key)
    if (now.checksum, now.modified_time) != (before.checksum, before.modified_time):
        raise ObjectChangedError(
            f"{source.uri} was written while it was copied; it was not deleted, and both objects exist"
        )
