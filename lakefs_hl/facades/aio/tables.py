"""Table diffs: the objects of both versions, what of them is read, and copies of that on this machine."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lakefs_hl import aio as lakefs
from lakefs_hl import exceptions
from lakefs_hl.facades import table_arguments, tables
from lakefs_hl.facades.aio import threads
from lakefs_hl.facades.table_files import Piece

if TYPE_CHECKING:
    from lakefs_hl.facades.table_arguments import Arguments
    from lakefs_hl.facades.table_spill import Workspace

#: Bytes from which on it is worth while to copy a part of an object, for its columns.
_PART: Final = 1 << 20
#: Downloads that are under way at a time.
_WIDTH: Final = 8
_MD5: Final = re.compile("[0-9a-f]{32}")


class Table(NamedTuple):
    """One version of a table.

    Attributes:
        reference: Where it is.
        uri: Its URI.
        objects: Its objects. None if there is no such table.
        prefix: What the paths of the objects begin with. None if it is one object.
        format: What the objects are read as. None if there are none.
    """

    reference: lakefs.Reference
    uri: str
    objects: list[lakefs.ObjectInfo] | None
    prefix: str | None
    format: str | None

    def partition(self, info: lakefs.ObjectInfo) -> Mapping[str, str | None]:
        """Return the partition columns of an object, and their texts."""
        return {} if self.prefix is None else table_arguments.partition(info.path.removeprefix(self.prefix))


async def table_diff(ref: lakefs.Reference, other: lakefs.Reference, given: Arguments) -> tables.TableDiff:
    """Compare a table at two references.

    Args:
        ref: Where the first version is.
        other: Where the second version is.
        given: The arguments, checked.

    Raises:
        ObjectNotFoundException: There is no such table at either.
    """
    await threads.run(table_arguments.load)
    before = await _look_up(ref, given.path, given)
    after = await _look_up(other, given.other_path, given)
    if before.objects is None and after.objects is None:
        missing = "there is no object at either, and none under them"
        error = exceptions.ObjectNotFoundException(f"comparing {before.uri} with {after.uri}: {missing}")
        error.filename = before.uri
        raise error
    rest, skipped = _different(before, after)
    work: Workspace = table_arguments.workspace()
    try:
        versions = [await _fetch(work, *each, given) for each in zip((before, after), rest, ("a", "b"), strict=True)]
        needs_more: bool = bool(skipped) and await threads.run(table_arguments.needs_more_columns, versions, given)
        if needs_more:
            schemas = await _fetch_schemas(work, before, skipped)
            versions = [each._replace(schemas=schemas) for each in versions]
        return await threads.run(table_arguments.compare, work, versions, given, len(skipped))
    finally:
        work.close()


async def _look_up(ref: lakefs.Reference, path: str, given: Arguments) -> Table:
    """Find the object at a path, or the objects under it."""
    uri = f"{ref.uri}{path}"
    if path and not path.endswith("/"):
        with suppress(exceptions.ObjectNotFoundException):  # then it may be a prefix
            info = await ref.stat_object(path)
            return Table(ref, uri, [info], None, given.format or table_arguments.format_of_object(path, uri))
    prefix = path if path.endswith("/") or not path else f"{path}/"
    found = list[lakefs.ObjectInfo]()
    async for each in ref.list_objects(prefix=prefix, recursive=True):
        if isinstance(each, lakefs.ObjectInfo):
            found.append(each)
    if not found:
        return Table(ref, uri, None, None, None)
    parts = [each.path.removeprefix(prefix) for each in found]
    chosen, kind = table_arguments.data_files(parts, given.format, ref.uri + prefix)
    return Table(ref, ref.uri + prefix, [found[at] for at in chosen], prefix, kind)


def _different(before: Table, after: Table) -> tuple[tuple[_Rest, _Rest], list[lakefs.ObjectInfo]]:
    """Return what has to be read of each version, and what has not: what both have, with the same partition columns."""
    if before.format != after.format:
        return (_Rest(before.objects or [], None), _Rest(after.objects or [], None)), []
    keys = [[_identity(table, info) for info in table.objects or ()] for table in (before, after)]
    both = Counter(keys[0]) & Counter(keys[1])
    rests, skipped = list[_Rest](), list[list[lakefs.ObjectInfo]]()
    for table, own in zip((before, after), keys, strict=True):
        left, rest, known = both.copy(), list[lakefs.ObjectInfo](), list[lakefs.ObjectInfo]()
        for info, key in zip(table.objects or (), own, strict=True):
            if left[key]:
                left[key] -= 1
                known.append(info)
            else:
                rest.append(info)
        rests.append(_Rest(rest, known[0] if known and not rest else None))
        skipped.append(known)
    if not rests[0].objects and not rests[1].objects:
        rests = [_Rest([], None), _Rest([], None)]
    return (rests[0], rests[1]), skipped[0]


def _identity(table: Table, info: lakefs.ObjectInfo) -> tuple[Any, ...]:
    """Return what two objects with equal rows have in common. An object without a checksum has it with none."""
    checksum = info.checksum or (info.reference_id, info.path)
    return checksum, info.size_bytes, tuple(table.partition(info).items())


class _Rest(NamedTuple):
    """Objects to read, and one to read only the columns of."""

    objects: list[lakefs.ObjectInfo]
    schema_of: lakefs.ObjectInfo | None


async def _fetch(work: Workspace, table: Table, rest: _Rest, name: str, given: Arguments) -> Any:
    """Copy objects to this machine."""
    wanted = [*rest.objects, *([rest.schema_of] if rest.schema_of else [])]
    paths = [work.path / f"{name}{number}" for number in range(len(wanted))]

    async def fetch(number: int) -> Piece:
        info = wanted[number]
        await _download(table.reference, info, paths[number])
        return Piece(str(paths[number]), info.uri, table.partition(info))

    pieces = list[Piece]()
    found = threads.call_many(fetch, range(len(wanted)), _WIDTH)
    async with threads.close_after(found):
        async for piece in found:
            pieces.append(piece)
    schemas = [pieces.pop()] if rest.schema_of else []
    return table_arguments.version(table.uri, table.objects is not None, pieces, schemas, table.format, given)


async def _fetch_schemas(work: Workspace, table: Table, skipped: list[lakefs.ObjectInfo]) -> list[Piece]:
    """Copy so much of the objects that both versions have that their columns can be read.

    A column that one version has in these objects only is not removed from the table, and null in the others.
    """
    path = work.path / "schemas"
    path.mkdir()

    async def fetch(number: int) -> Piece:
        info, target = skipped[number], path / str(number)
        await _download_schema(table.reference, info, target, table.format)
        return Piece(str(target), info.uri, table.partition(info))

    found = threads.call_many(fetch, range(len(skipped)), _WIDTH)
    async with threads.close_after(found):
        return [piece async for piece in found]


async def _download_schema(
    reference: lakefs.Reference, info: lakefs.ObjectInfo, path: Path, format: str | None
) -> None:
    """Copy the end of a Parquet file, the beginning of a CSV file, or all of another one."""
    size = info.size_bytes
    if format == "parquet" and size > _PART:
        needed = table_arguments.footer_size(await reference.download(info.path, start=size - 8))
        if needed is not None and needed < size:
            await reference.download(info.path, path, start=size - needed)
            return
    elif format in ("csv", "tsv") and size > _PART and not info.path.endswith(table_arguments.COMPRESSED):
        await reference.download(info.path, path, end=_PART)
        return
    await _download(reference, info, path)


async def _download(reference: lakefs.Reference, info: lakefs.ObjectInfo, path: Path) -> None:
    """Copy an object to this machine, and check that it is the one that was looked up."""
    await reference.download_file(info.path, path, progress=False)
    if _MD5.fullmatch(info.checksum):
        found = await threads.run(_md5, path)
        if found == info.checksum:
            return
    now = await reference.stat_object(info.path)
    if (now.checksum, now.size_bytes) != (info.checksum, info.size_bytes):
        msg = (
            f"reading {info.uri}: the object was replaced since it was looked up; compare again, or compare commits "
            "(`branch.pin()`), which do not change"
        )
        raise exceptions.ObjectChangedError(msg)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def check_arguments(*given: Any) -> Arguments:
    """Return the arguments of a table diff, checked."""
    return table_arguments.check_arguments(*given)
