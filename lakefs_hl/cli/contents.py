"""`lakefs-hl fs cat`, `head`, `stat` and `touch`: one object after another."""

from __future__ import annotations

import contextlib
import sys
from itertools import islice

import click

from lakefs_hl.cli.addresses import Address, LakeURI
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.verbs import Verb, human

_uris = click.argument("uris", metavar="URI...", type=LakeURI("object"), nargs=-1, required=True)


def _range(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int | None, int | None]:
    """Return the ends of a range such as `0:100`, `100:` or `-10:`; or `0-100`, as CloudFiles has it."""
    if value is None:
        return None, None
    start, mark, end = value.partition(":" if ":" in value else "-")
    try:
        if not mark or value == mark:
            raise ValueError
        return int(start) if start else None, int(end) if end else None
    except ValueError:
        msg = f"{value!r} is not a range: write START:END, such as 0:100 for the first 100 bytes"
        raise click.BadParameter(msg, ctx, param) from None


@click.command(cls=Verb, raw=True)
@_uris
@click.option(
    "-r",
    "--range",
    "ends",
    metavar="START:END",
    callback=_range,
    help="Print a range of bytes, 0:100 or 0-100. END is not part of it. With a colon, negative numbers count from "
    "the end.",
)
@click.pass_obj
def cat(session: Session, uris: tuple[Address, ...], ends: tuple[int | None, int | None]) -> None:
    """Print the content of objects."""
    for uri in uris:
        session.reference(uri).download(uri.path, sys.stdout.buffer, start=ends[0], end=ends[1])


@click.command(cls=Verb, raw=True)
@_uris
@click.option("-n", "--lines", type=click.IntRange(min=0), default=10, show_default=True, help="Number of lines.")
@click.option("-c", "--bytes", "amount", type=click.IntRange(min=0), help="Number of bytes, instead of lines.")
@click.pass_obj
def head(session: Session, uris: tuple[Address, ...], lines: int, amount: int | None) -> None:
    """Print the first lines or bytes of objects."""
    for uri in uris:
        with session.reference(uri).open(uri.path, "rb") as file:
            if amount is not None:
                sys.stdout.buffer.write(file.read(amount))
            else:
                sys.stdout.buffer.writelines(islice(file, lines))


@click.command(cls=Verb)
@click.argument("uri", type=LakeURI("object"))
@human
@click.pass_obj
def stat(session: Session, uri: Address, human: bool) -> None:
    """Print the size, the time, the checksum and the metadata of an object."""
    found = session.reference(uri).stat_object(uri.path)
    session.output.describe({"uri": found.uri, **found.to_dict()}, ident=found.path, human=human)


@click.command(cls=Verb)
@_uris
@click.option("--content-type", help="Media type. Defaults to the type of the path's suffix.")
@click.pass_obj
def touch(session: Session, uris: tuple[Address, ...], content_type: str | None) -> None:
    """Create empty objects. An object that exists is left as it is."""
    from lakefs_hl import exceptions

    created = list[Address]()
    for uri in uris:
        with contextlib.suppress(exceptions.ObjectExistsException):
            session.branch(uri).upload(b"", uri.path, content_type=content_type, if_none_match=True)
            created.append(uri)
    session.output.rows(
        created,
        lambda uri: session.output.display(uri.uri),
        ident=lambda uri: uri.path,
        record=lambda uri: {"path": uri.path, "uri": uri.uri},
    )
