"""Arguments of a table diff, and what names of objects say of a table. pyarrow is loaded when there is work for it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

from lakefs_hl import exceptions
from lakefs_hl.facades import arguments, table_files

if TYPE_CHECKING:
    from lakefs_hl.facades.table_files import Piece
    from lakefs_hl.facades.table_job import Version
    from lakefs_hl.facades.table_spill import Workspace
    from lakefs_hl.facades.tables import TableDiff

_MIB: Final = 1 << 20
_LEAST: Final = 16 * _MIB
#: Memory with which several threads decode a file.
_THREADS: Final = 256 * _MIB
#: What the names of CSV files end with that are compressed.
COMPRESSED: Final = tuple(table_files.COMPRESSED)
#: The text of Hive that stands for null.
_NULL: Final = "__HIVE_DEFAULT_PARTITION__"
#: What says that files under a prefix belong to a table whose own log says which of them do.
_LOGS: Final = {"Delta": "_delta_log/", "Hudi": ".hoodie/"}
_ICEBERG: Final = re.compile(r"metadata/[^/]+\.metadata\.json(\.gz)?")


class Arguments(NamedTuple):
    """Arguments that were checked. They are those of `table_diff`."""

    path: str
    other_path: str
    keys: tuple[str, ...] | None
    format: str | None
    delimiter: str | None
    ignore: tuple[str, ...]
    tolerance: float
    max_rows: int | None
    memory: int


def check_arguments(
    path: str,
    other_path: str,
    keys: Any,
    format: Any,
    delimiter: Any,
    ignore: Any,
    tolerance: Any,
    max_rows: Any,
    memory: Any,
) -> Arguments:
    """Return arguments that were checked.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: An argument has a value that is not possible.
    """
    names = None if keys is None else _names(keys, "keys")
    if names is not None and not names:
        msg = "keys must have a name of a column at least; leave it out to compare whole rows"
        raise ValueError(msg)
    ignored = _names(ignore, "ignore")
    if both := [name for name in ignored if name in (names or ())]:
        msg = f"ignore and keys both have column {both[0]!r}: rows are identified by it"
        raise ValueError(msg)
    allowed = _tolerance(tolerance)
    if allowed and names is None:
        msg = "tolerance needs keys: without them, whole rows are compared, which are equal or not"
        raise ValueError(msg)
    return Arguments(
        path,
        other_path,
        names,
        None if format is None else arguments.choice(format, "format", table_files.FORMATS),
        None if delimiter is None else _character(delimiter),
        ignored,
        allowed,
        None if max_rows is None else arguments.integer(max_rows, "max_rows", least=0),
        arguments.integer(memory, "memory", least=_LEAST),
    )


def load() -> None:
    """Import what compares tables, which takes a moment.

    Raises:
        ImportError: pyarrow is not installed.
    """
    for package in ("pyarrow", "numpy"):
        try:
            import_module(package)
        except ImportError as exc:
            msg = f"table_diff() needs {package}, which cannot be imported: pip install 'lakefs-hl[tables]'"
            raise ImportError(msg, name=package) from exc
    import_module("lakefs_hl.facades.table_job")


def _names(value: Any, argument: str) -> tuple[str, ...]:
    if value is None or isinstance(value, bytes | bytearray):
        msg = f"{argument} must be names of columns, not {type(value).__name__}"
        raise TypeError(msg)
    rows = arguments.series(value, argument)
    if not isinstance(rows, Iterable):
        msg = f"{argument} must be an iterable of names of columns, not {type(value).__name__}"
        raise TypeError(msg)
    found = tuple(arguments.text(name, f"each of {argument}") for name in rows)
    for at, name in enumerate(found):
        if name in found[:at]:
            msg = f"{argument} has column {name!r} more than once"
            raise ValueError(msg)
    return found


def _tolerance(value: Any) -> float:
    if isinstance(value, str | bytes | bool) or not (hasattr(value, "__float__") or hasattr(value, "__index__")):
        msg = f"tolerance must be a number, not {type(value).__name__}: {value!r:.80}"
        raise TypeError(msg)
    if getattr(getattr(value, "dtype", None), "kind", "f") not in "iuf" or getattr(value, "shape", ()) != ():
        msg = f"tolerance must be a number, not {type(value).__name__}: {value!r:.80}"
        raise TypeError(msg)
    found = float(value)
    if not 0 <= found < math.inf:
        msg = f"tolerance must be a number from 0, not {found}"
        raise ValueError(msg)
    return found


def _character(value: Any) -> str:
    found = arguments.text(value, "delimiter")
    if len(found) != 1 or not found.isascii() or found in '"\r\n':
        msg = f"delimiter must be one ASCII character, such as ';', not {found!r:.80}"
        raise ValueError(msg)
    return found


def format_of_object(path: str, uri: str) -> str:
    """Return the format that the name of an object says.

    Raises:
        ValueError: It says none.
    """
    found = table_files.format_of(path)
    if found is None:
        known = ", ".join(sorted(table_files.SUFFIXES))
        formats = ", ".join(map(repr, table_files.FORMATS))
        msg = (
            f"the name of {uri} does not say its format: it has none of the suffixes {known}; set format= to {formats}"
        )
        raise ValueError(msg)
    return found


def data_files(parts: Sequence[str], given: str | None, uri: str) -> tuple[list[int], str | None]:
    """Return which objects under a prefix are the files of a table, and their format.

    Args:
        parts: Their paths, relative to the prefix.
        given: The format, if it was given. Files without a suffix are of it, those with another one are left out.
        uri: URI of the prefix, for messages.

    Raises:
        UnsupportedOperationException: They are of a Delta, Iceberg or Hudi table.
        ValueError: They are of no known format, or of several.
    """
    _check_logs(parts, uri)
    shown = [at for at, part in enumerate(parts) if not part.endswith("/") and not _is_hidden(part)]
    if given is not None:
        kinds = {at: table_files.format_of(parts[at]) for at in shown}
        chosen = [at for at in shown if kinds[at] == given or not table_files.has_suffix(parts[at])]
        if not chosen:
            msg = f"there is no file of the format {given!r} under {uri}"
            raise ValueError(msg)
        return chosen, given
    found = dict[str, str]()
    for at in shown:
        found.setdefault(format_of_object(parts[at], f"{uri}{parts[at]}"), parts[at])
    if len(found) > 1:
        examples = ", ".join(f"{part!r} ({kind})" for kind, part in found.items())
        msg = f"the files under {uri} have several formats: {examples}; set format= to that of the table"
        raise ValueError(msg)
    return shown, next(iter(found), None)


def _check_logs(parts: Sequence[str], uri: str) -> None:
    for part in parts:
        kind = next((name for name, start in _LOGS.items() if part.startswith(start)), None)
        if kind is None and _ICEBERG.fullmatch(part):
            kind = "Iceberg"
        if kind is not None:
            msg = (
                f"{uri} is a {kind} table, whose log says which files are part of it: comparing all of them would "
                f"compare deleted rows too. Read both versions by a library for {kind}; table_diff() compares single "
                "files and directories of files"
            )
            raise exceptions.UnsupportedOperationException(msg)


def _is_hidden(part: str) -> bool:
    """Return whether readers of partitioned tables leave a file out, such as `_SUCCESS`."""
    return any(name.startswith(("_", ".")) and "=" not in name for name in part.split("/"))


def partition(part: str) -> dict[str, str | None]:
    """Return the names and texts of the directories `name=text` in a path."""
    found = dict[str, str | None]()
    for name in part.split("/")[:-1]:
        key, equals, text = name.partition("=")
        if equals and key:
            found[_decode(key)] = None if text == _NULL else _decode(text)
    return found


def _decode(text: str) -> str:
    """Return a percent-encoded text. What is no UTF-8 stays encoded, so that two texts stay different."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text


def footer_size(end: bytes) -> int | None:
    """Return the bytes at the end of a Parquet file that have its schema. None if it has no such end.

    Args:
        end: Its last 8 bytes.
    """
    return int.from_bytes(end[:4], "little") + 8 if end[4:] == b"PAR1" else None


def needs_more_columns(versions: Sequence[Version], given: Arguments) -> bool:
    """Return whether the objects that both versions have could have columns that matter, and that others do not have.

    So it is if the files that are read of one version have a column that those of the other have not, or if none has
    one that an argument names.
    """
    from lakefs_hl.facades import table_job

    before, after = (table_job.columns_of(version) for version in versions)
    named = {*(given.keys or ()), *given.ignore} if before else set[str]()  # without files, there are no differences
    return before != after or not named <= {name for name, _ in before}


def workspace() -> Workspace:
    """Make a temporary directory."""
    from lakefs_hl.facades.table_spill import Workspace

    return Workspace()


def version(
    uri: str,
    exists: bool,
    pieces: Sequence[Piece],
    schemas: Sequence[Piece],
    format: str | None,
    given: Arguments,
) -> Version:
    """Return one version of a table."""
    from lakefs_hl.facades.table_job import Version

    block = max(_MIB, min(given.memory // 16, 32 * _MIB))
    reading = None if format is None else table_files.Reading(format, given.delimiter, block, given.memory >= _THREADS)
    return Version(uri, exists, pieces, schemas, reading)


def compare(work: Workspace, versions: Sequence[Version], given: Arguments, skipped: int) -> TableDiff:
    """Compare both versions."""
    from lakefs_hl.facades import table_job
    from lakefs_hl.facades.table_compare import Options

    options = Options(given.keys, given.ignore, given.tolerance, given.max_rows, given.memory)
    found: TableDiff = work.run(table_job.compare, work, versions[0], versions[1], options, skipped)
    return found
