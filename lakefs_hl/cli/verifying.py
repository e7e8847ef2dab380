"""`lakefs-hl fs verify`: compare sizes and checksums of two directories, or of two files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from lakefs_hl.cli.addresses import Address, Local, Place
from lakefs_hl.cli.exits import ExitCode
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.transfers import resolve
from lakefs_hl.cli.verbs import Verb

if TYPE_CHECKING:
    import lakefs_hl

_MD5: Final = re.compile(r"[0-9a-f]{32}")


class Entry(NamedTuple):
    """A file or an object.

    Attributes:
        path: Path relative to what is compared.
        size: Size in bytes.
        checksum: Returns the MD5 of the content, as it is known.
        content: Returns the MD5 of the content after reading it: the checksum of an upload in parts looks like one.
    """

    path: str
    size: int
    checksum: Callable[[], str]
    content: Callable[[], str]


class Difference(NamedTuple):
    """A path that differs.

    Attributes:
        difference: `missing` at the destination, `extra` there, or another `size` or `content`.
        path: The path.
    """

    difference: str
    path: str


@click.command(cls=Verb)
@click.argument("source", type=Place())
@click.argument("destination", type=Place())
@click.option("--size-only", is_flag=True, help="Compare sizes, and read nothing.")
@click.option("--one-way", is_flag=True, help="Ignore what is at the destination only.")
@click.pass_obj
def verify(
    session: Session, source: Address | Local, destination: Address | Local, size_only: bool, one_way: bool
) -> None:
    """Compare files and objects: paths, sizes and checksums.

    The arguments are those of the `cp` or `sync` before it. Exit code 8 means that something differs. Content whose
    checksum is not known is read.
    """
    if Local("-") in (source, destination):
        msg = "standard input and output cannot be verified"
        raise click.UsageError(msg)
    ends = resolve(session, source, destination)
    output = session.output
    compared = [0]
    if ends.recursive:
        ours, theirs = _all(session, ends.source), _all(session, ends.destination)
    else:
        label = ends.source.path
        ours, theirs = (_one(session, place, label) for place in (ends.source, ends.destination))
    rows = differences(ours, theirs, compared, size_only=size_only)
    count = output.rows(
        (row for row in rows if not one_way or row.difference != "extra"),
        lambda row: f"{row.difference:<8} {output.display(row.path)}",
        ident=lambda row: row.path,
        record=lambda row: row._asdict(),
    )
    output.say(f"{compared[0]:,} compared, {count:,} differ")
    if count:
        raise click.exceptions.Exit(ExitCode.DIFFERENCES)


def differences(
    ours: Iterator[Entry], theirs: Iterator[Entry], compared: list[int], *, size_only: bool
) -> Iterator[Difference]:
    """Merge two streams in byte order of the path, and yield what differs.

    Args:
        ours: The source.
        theirs: The destination.
        compared: Its item counts the paths that are in both.
        size_only: Whether checksums are left out.
    """
    left, right = next(ours, None), next(theirs, None)
    while left is not None or right is not None:
        if left is not None and (right is None or _key(left.path) < _key(right.path)):
            yield Difference("missing", left.path)
            left = next(ours, None)
        elif right is not None and (left is None or _key(right.path) < _key(left.path)):
            yield Difference("extra", right.path)
            right = next(theirs, None)
        elif left is not None and right is not None:
            compared[0] += 1
            if left.size != right.size:
                yield Difference("size", left.path)
            elif not size_only and left.checksum() != right.checksum() and left.content() != right.content():
                yield Difference("content", left.path)
            left, right = next(ours, None), next(theirs, None)


def _key(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _one(session: Session, place: Address | Local, label: str) -> Iterator[Entry]:
    """Yield a file or an object, if it exists."""
    if isinstance(place, Local):
        path = Path(place.path)
        if path.exists():
            yield _file(path, label)
    elif session.reference(place).exists(place.path):
        yield _object(session.reference(place).stat_object(place.path), label)


def _all(session: Session, place: Address | Local) -> Iterator[Entry]:
    """Return the files or objects below a directory or prefix."""
    if isinstance(place, Address):
        return _objects(session.reference(place), place.path)
    return _files(Path(place.path), "") if Path(place.path).is_dir() else iter(())


def _objects(reference: lakefs_hl.Reference, prefix: str) -> Iterator[Entry]:
    for row in reference.list_objects(prefix=prefix, recursive=True):
        if row.path != prefix and isinstance(row, _object_info()):
            yield _object(row, row.path.removeprefix(prefix))


def _object_info() -> Any:
    import lakefs_hl

    return lakefs_hl.ObjectInfo


def _object(info: lakefs_hl.ObjectInfo, path: str) -> Entry:
    content = cache(partial(_hash_of, info))
    return Entry(path, info.size_bytes, lambda: info.checksum if _MD5.fullmatch(info.checksum) else content(), content)


class _Hasher:
    """A file that hashes what is written to it."""

    def __init__(self) -> None:
        self._hash = hashlib.md5(usedforsecurity=False)

    def write(self, data: bytes, /) -> int:
        """Hash bytes and return their number."""
        self._hash.update(data)
        return len(data)

    def hexdigest(self) -> str:
        """Return the MD5."""
        return self._hash.hexdigest()


def _hash_of(info: lakefs_hl.ObjectInfo) -> str:
    hasher = _Hasher()
    info.download(hasher, verify=False)
    return hasher.hexdigest()


def _files(root: Path, prefix: str) -> Iterator[Entry]:
    """Yield the regular files below a directory in byte order of their paths. Links are not followed."""
    with os.scandir(root) as found:
        entries = [(entry.name + "/" * entry.is_dir(follow_symlinks=False), entry) for entry in found]
    for name, entry in sorted(entries, key=lambda pair: _key(pair[0])):
        if name.endswith("/"):
            yield from _files(Path(entry.path), prefix + name)
        elif entry.is_file(follow_symlinks=False):
            yield _file(Path(entry.path), prefix + name)


def _file(path: Path, name: str) -> Entry:
    content = cache(partial(_digest, path))
    return Entry(name, path.stat().st_size, content, content)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
