"""A table diff, from files on this machine to the result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from lakefs_hl.exceptions import UnsupportedOperationException
from lakefs_hl.facades import table_files, table_texts, table_types
from lakefs_hl.facades.table_compare import Comparison, Options, Side, missing_column
from lakefs_hl.facades.table_files import Piece, Reading
from lakefs_hl.facades.table_spill import Workspace
from lakefs_hl.facades.tables import RowCounts, SchemaDiff, TableDiff


class Version(NamedTuple):
    """One version of a table.

    Attributes:
        uri: Its URI.
        exists: Whether there is one.
        pieces: Its files. Those that the other version has too are left out.
        schemas: Files that are read for their columns only. The other version has them too.
        reading: How files are read. None if there are none.
    """

    uri: str
    exists: bool
    pieces: Sequence[Piece]
    schemas: Sequence[Piece]
    reading: Reading | None


class Columns(NamedTuple):
    """The columns of a version.

    Attributes:
        fields: Fields by name, as they are in the files.
        types: Plain types by name.
        metadata: Metadata of the schema.
    """

    fields: dict[str, Any]
    types: dict[str, Any]
    metadata: dict[str, bytes]


def compare(work: Workspace, before: Version, after: Version, options: Options, skipped: int) -> TableDiff:
    """Compare two versions of a table.

    Args:
        work: Where rows are written that have no room in memory.
        before: The first version.
        after: The second version. One of both has files.
        options: What is compared, and how.
        skipped: Number of objects that both have.

    Raises:
        ValueError: A file is damaged, or the keys do not identify rows.
        UnsupportedOperationException: A column has a type whose values are not compared.
    """
    versions = (before, after)
    if not any(map(_files, versions)):
        return _empty_diff(versions, options, skipped)
    partitions = [piece.partition for each in versions for piece in _files(each)]
    kinds = table_texts.partition_types(partitions)
    columns = [_columns(each, kinds, options) if each.exists else None for each in versions]
    known = [each if each is not None else columns[1 - at] for at, each in enumerate(columns)]
    for name in options.ignore:
        if not any(each is not None and name in each.fields for each in columns):
            both = " and ".join(each.uri for each in versions if each.exists)
            raise missing_column(
                "ignore", name, both, [*dict.fromkeys(key for each in columns if each for key in each.fields)]
            )
    readings = [each.reading or versions[1 - at].reading for at, each in enumerate(versions)]
    if len({each.is_text for each in readings if each}) > 1:
        formats = " and ".join(f"{each.uri} is {each.reading.format}" for each in versions if each.reading)
        msg = f"{formats}: texts of a CSV file have no types, and are not compared with values that have"
        raise ValueError(msg)
    first, second = (
        Side(version.uri, version.pieces, reading, pa.schema(list(each.types.items())))
        for version, each, reading in zip(versions, known, readings, strict=True)
        if each is not None and reading is not None
    )
    size = sum(Path(piece.path).stat().st_size for each in versions for piece in each.pieces)
    found = Comparison(work, (first, second), options, size).run()
    return TableDiff(
        before=before.uri,
        after=after.uri,
        keys=options.keys or (),
        schema=_schema_diff(columns, (first, second)),
        counts=RowCounts(found.added, found.removed, found.changed, found.unchanged),
        columns={name: found.columns[name] for name in first.schema.names if found.columns[name]},
        skipped=skipped,
        is_truncated=found.is_truncated,
        tables=_with_types(found.tables(), (first, second)),
    )


def _files(version: Version) -> list[Piece]:
    return [*version.pieces, *version.schemas]


def columns_of(version: Version) -> set[tuple[str, str]]:
    """Return the names and types of the columns of the files."""
    files = _files(version)
    schemas = (table_files.schema_of(piece, _require(version.reading)) for piece in files)
    found = {(field.name, str(field.type)) for schema in schemas for field in schema}
    return found | {(name, "") for piece in files for name in piece.partition}


def _empty_diff(versions: tuple[Version, Version], options: Options, skipped: int) -> TableDiff:
    empty = pa.table({name: pa.nulls(0) for name in options.keys or ()})
    names = pa.chunked_array([], pa.large_list(pa.large_string()))
    return TableDiff(
        before=versions[0].uri,
        after=versions[1].uri,
        keys=options.keys or (),
        schema=SchemaDiff(None, None, {}, {}, {}, {}, (), is_reordered=False),
        counts=RowCounts(0, 0, 0, 0),
        columns={},
        skipped=skipped,
        is_truncated=False,
        tables=(empty, empty, empty, empty, names),
    )


def _columns(version: Version, partition_types: dict[str, Any], options: Options) -> Columns:
    """Return the columns of all files of a version. A column that is not compared may have any type."""
    fields, types, homes = dict[str, Any](), dict[str, Any](), dict[str, str]()
    metadata = dict[str, bytes]()
    for number, piece in enumerate(_files(version)):
        schema = table_files.schema_of(piece, _require(version.reading))
        if not number:
            metadata = {key.decode(errors="replace"): value for key, value in (schema.metadata or {}).items()}
        own = set(schema.names)
        parts = [pa.field(name, partition_types[name]) for name in piece.partition if name not in own]
        for field in [*schema, *parts]:
            known = fields.get(field.name)
            if known is None:
                fields[field.name] = field
            try:
                kind = table_types.plain(field.type, field.name)
            except UnsupportedOperationException:
                if field.name not in options.ignore:
                    raise
                continue
            if field.name in types:
                kind = _merge(field.name, (types[field.name], kind), (homes[field.name], piece.uri))
            if types.get(field.name) != kind:
                types[field.name], homes[field.name] = kind, piece.uri
            if known is not None:
                merged = known if known.type.equals(field.type) else pa.field(field.name, kind)
                fields[field.name] = merged.with_nullable(known.nullable or field.nullable)
    return Columns(fields, types, metadata)


def _merge(name: str, kinds: tuple[Any, Any], homes: tuple[str, str]) -> Any:
    found = table_types.common(*kinds, exact=False)
    if found is None:
        msg = (
            f"column {name!r} is {kinds[0]} in {homes[0]} and {kinds[1]} in {homes[1]}: files of one table must have "
            "types that go together; compare the files one by one"
        )
        raise ValueError(msg)
    return found


def _require(reading: Reading | None) -> Reading:
    if reading is None:
        msg = "a version with files has a format"
        raise AssertionError(msg)
    return reading


def _schema_diff(columns: Sequence[Columns | None], sides: tuple[Side, Side]) -> SchemaDiff:
    nothing = Columns({}, {}, {})
    kinds = _text_types(sides)
    before, after = (
        {name: str(_type(name, field, side, kinds)) for name, field in (each or nothing).fields.items()}
        for each, side in zip(columns, sides, strict=True)
    )
    both = [name for name in before if name in after]
    first, second = (each or nothing for each in columns)
    nulls = {name: (first.fields[name].nullable, second.fields[name].nullable) for name in both}
    keys = dict.fromkeys([*first.metadata, *second.metadata]) if all(columns) else {}
    schemas = [_schema(each, side, kinds) if each else None for each, side in zip(columns, sides, strict=True)]
    return SchemaDiff(
        schemas[0],
        schemas[1],
        added={name: kind for name, kind in after.items() if name not in before},
        removed={name: kind for name, kind in before.items() if name not in after},
        changed={name: (before[name], after[name]) for name in both if before[name] != after[name]},
        nullable={name: pair for name, pair in nulls.items() if pair[0] != pair[1]},
        metadata=tuple(
            sorted(key for key in keys if key != "pandas" and first.metadata.get(key) != second.metadata.get(key))
        ),
        is_reordered=both != [name for name in after if name in before],
    )


def _schema(columns: Columns, side: Side, kinds: dict[str, Any]) -> Any:
    return pa.schema([field.with_type(_type(name, field, side, kinds)) for name, field in columns.fields.items()])


def _text_types(sides: tuple[Side, Side]) -> dict[str, Any]:
    """Return the types of the columns of CSV files that have one value for each text of both."""
    found = dict[str, Any]()
    for name in {**sides[0].seen, **sides[1].seen}:
        both = [side.seen[name] for side in sides if name in side.seen]
        found[name] = both[0].join(both[-1]).type
    return found


def _type(name: str, field: Any, side: Side, kinds: dict[str, Any]) -> Any:
    """Return the type of a column, which for a CSV file is that of its texts. Without any, it is that of both files."""
    kind = field.type
    if name in side.seen:
        kind = kinds[name] if side.seen[name].is_empty else side.seen[name].type
    return pa.string() if side.is_text and kind == pa.large_string() else kind


def _with_types(tables: tuple[Any, ...], sides: tuple[Side, Side]) -> tuple[Any, Any, Any, Any, Any]:
    """Return the rows that were found, with numbers in the columns of CSV files that have nothing else."""
    added, removed, before, after, names = tables
    types = _text_types(sides)

    def convert(table: Any) -> Any:
        fields = [pa.field(field.name, types.get(field.name, field.type)) for field in table.schema]
        return table.cast(pa.schema(fields))

    return convert(added), convert(removed), convert(before), convert(after), names
