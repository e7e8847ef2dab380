"""`lakefs-hl fs sync`."""

from __future__ import annotations

import click

from lakefs_hl.cli.addresses import Address, Local, Place
from lakefs_hl.cli.bulk import Bulk, apply_plan, bulk_options, run_bulk
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.transfers import resolve
from lakefs_hl.cli.verbs import Verb


@click.command(cls=Verb)
@click.argument("source", type=Place(), required=False)
@click.argument("destination", type=Place(), required=False)
@click.option("--delete", is_flag=True, help="Delete what is at the destination only: last, and never after an error.")
@bulk_options
@click.pass_obj
def sync(
    session: Session,
    source: Address | Local | None,
    destination: Address | Local | None,
    delete: bool,
    bulk: Bulk,
) -> None:
    """Make a prefix like a local directory, or a local directory like a prefix.

    What differs is transferred, as with --checksum. A trailing slash on SOURCE means its contents, as for `cp`.
    """
    if bulk.apply_file is not None:
        apply_plan(session, bulk.apply_file, (source, destination))
        return
    if source is None or destination is None:
        msg = "SOURCE and DESTINATION are missing"
        raise click.UsageError(msg)
    ends = resolve(session, source, destination)
    if isinstance(ends.source, Address) and isinstance(ends.destination, Address):
        msg = "one of them has to be a local directory: use cp -r within a lake"
        raise click.UsageError(msg)
    if not ends.recursive:
        msg = f"{ends.source.path} is a single file: use cp"
        raise click.UsageError(msg)
    if not bulk.update:
        bulk = bulk._replace(checksum=True)
    run_bulk(session, ends, bulk, delete=delete or None)
