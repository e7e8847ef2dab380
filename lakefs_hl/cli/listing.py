"""`lakefs-hl fs ls`, `find`, `glob` and `du`."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from lakefs_hl._handles.amounts import size_text
from lakefs_hl.cli.addresses import Address, ArgumentType, LakeURI
from lakefs_hl.cli.exits import ExitCode
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.text import moment, parse_size
from lakefs_hl.cli.verbs import Verb, amount, human, paging_options

if TYPE_CHECKING:
    import lakefs_hl

    Entry: TypeAlias = lakefs_hl.ObjectInfo | lakefs_hl.CommonPrefix


class Size(ArgumentType):
    """A number of bytes, such as `10M`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes."""
        if isinstance(value, int):
            return value
        try:
            return parse_size(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


class When(ArgumentType):
    """A time in ISO 8601. It is in UTC unless it has an offset."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the time."""
        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time: write 2026-01-31 or 2026-01-31T12:00:00Z", param, ctx)
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


@click.command(cls=Verb)
@click.argument("uri", type=LakeURI("prefix"))
@click.option("-r", "--recursive", is_flag=True, help="List all objects whose path starts with this, without prefixes.")
@human
@paging_options
@click.pass_obj
def ls(session: Session, uri: Address, recursive: bool, human: bool, amount: int | None, after: str) -> None:
    """List the objects and prefixes whose path starts with that of the URI.

    lakefs://example/main/data/ lists what is below data/. Without the slash, data/ itself is listed, and data.csv.
    """
    rows = session.reference(uri).list_objects(amount, after, uri.path, recursive=recursive)
    count = session.output.rows(rows, _long(session, human=human), ident=_path, record=_record)
    if not count and uri.path and amount != 0 and not after:
        session.output.fail(f"nothing is at {uri.uri}")
        raise click.exceptions.Exit(ExitCode.NOT_FOUND)


@click.command(cls=Verb)
@click.argument("uri", type=LakeURI("prefix"))
@click.option("--name", metavar="GLOB", help="Only objects whose last part of the path matches this pattern.")
@click.option("--min-size", type=Size(), metavar="SIZE", help="Only objects of this size or more, such as 10M.")
@click.option("--max-size", type=Size(), metavar="SIZE", help="Only objects of this size or less.")
@click.option("--newer", type=When(), metavar="TIME", help="Only objects that were written after this time.")
@click.option("--older", type=When(), metavar="TIME", help="Only objects that were written before this time.")
@amount
@click.pass_obj
def find(
    session: Session,
    uri: Address,
    name: str | None,
    min_size: int | None,
    max_size: int | None,
    newer: datetime | None,
    older: datetime | None,
    amount: int | None,
) -> None:
    """Print the URIs of the objects whose path starts with that of the URI, and that match all options."""

    def fits(info: lakefs_hl.ObjectInfo) -> bool:
        return (
            (name is None or fnmatch.fnmatchcase(info.name, name))
            and (min_size is None or info.size_bytes >= min_size)
            and (max_size is None or info.size_bytes <= max_size)
            and (newer is None or info.modified_time > newer)
            and (older is None or info.modified_time < older)
        )

    rows: Iterable[Any] = session.reference(uri).list_objects(prefix=uri.path, recursive=True)
    _print_uris(session, islice(filter(fits, rows), amount))


@click.command(cls=Verb)
@click.argument("pattern", type=LakeURI("object"))
@amount
@click.pass_obj
def glob(session: Session, pattern: Address, amount: int | None) -> None:
    """Print the URIs of the objects whose path matches a pattern.

    ** matches any number of directories, * and ? match within one, [abc] matches one character. Quote the pattern, so
    that the shell leaves it as it is.
    """
    _print_uris(session, session.reference(pattern).glob(pattern.path, max_amount=amount))


@click.command(cls=Verb)
@click.argument("uri", type=LakeURI("prefix"))
@click.option("--by", type=click.Choice(["directory", "extension"]), help="Add up for each of these.")
@human
@click.pass_obj
def du(session: Session, uri: Address, by: str | None, human: bool) -> None:
    """Print the number and the size of the objects whose path starts with that of the URI.

    The sizes are those of the objects. An object store may hold content once that several objects share.
    """
    usage: Any = session.reference(uri).usage
    found = {uri.uri: usage(uri.path)} if by is None else usage(uri.path, by=by)
    output = session.output
    rows = [
        {"name": name, "total_bytes": each.total_bytes, "object_count": each.object_count}
        for name, each in found.items()
    ]

    def line(row: Mapping[str, Any]) -> str:
        size = size_text(row["total_bytes"]) if human else str(row["total_bytes"])
        return f"{size:>12}  {row['object_count']:>9}  {output.display(row['name'])}"

    output.rows(rows, line, ident=lambda row: str(row["total_bytes"]), record=lambda row: row)


def _print_uris(session: Session, rows: Iterable[lakefs_hl.ObjectInfo]) -> None:
    output = session.output
    output.rows(
        rows, lambda row: output.display(row.uri), ident=_path, record=lambda row: {"uri": row.uri, **_record(row)}
    )


def _path(row: Entry) -> str:
    return row.path


def _record(row: Entry) -> Mapping[str, Any]:
    return row.to_dict()


def _long(session: Session, *, human: bool) -> Callable[[Any], str]:
    output = session.output

    def line(row: Any) -> str:
        if row.is_dir():
            return f"{'-':>12}  {'-':<20}  {output.paint(output.display(row.path), 'bold')}"
        size = size_text(row.size_bytes) if human else str(row.size_bytes)
        return f"{size:>12}  {moment(row.modified_time)}  {output.display(row.path)}"

    return line
