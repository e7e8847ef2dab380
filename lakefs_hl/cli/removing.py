"""`lakefs-hl fs rm`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import click

from lakefs_hl.cli.addresses import Address, LakeURI
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.verbs import Verb, dry_run, no_progress, yes


@click.command(cls=Verb)
@click.argument("uris", metavar="URI...", type=LakeURI("prefix"), nargs=-1, required=True)
@click.option("-r", "--recursive", is_flag=True, help="Delete all objects below a prefix.")
@click.option("-C", "--concurrency", type=click.IntRange(min=1), help="Maximum number of concurrent requests.")
@dry_run
@no_progress
@yes
@click.pass_obj
def rm(
    session: Session, uris: tuple[Address, ...], recursive: bool, concurrency: int | None, dry_run: bool, yes: bool
) -> None:
    """Delete objects from a branch. The deletion is uncommitted: `branch reset` restores committed objects."""
    for uri in uris:
        if not uri.path and not recursive:
            msg = f"{uri.uri} is a whole branch: give -r to delete all of its objects"
            raise click.UsageError(msg)
        if not uri.path and not dry_run:
            session.confirm(f"Delete all objects of the branch {uri.reference}?", yes=yes)
    output = session.output
    if dry_run:
        output.rows(
            chain.from_iterable(_candidates(session, uri, recursive=recursive) for uri in uris),
            lambda row: f"delete {output.display(row['uri'])}",
            ident=lambda row: str(row["path"]),
            record=lambda row: {"action": "delete", **row},
        )
        return
    output.rows(
        (_remove(session, uri, recursive=recursive, concurrency=concurrency) for uri in uris),
        lambda row: f"deleted {row['requested']:,} objects of {output.display(row['uri'])}",
        ident=lambda row: row["uri"],
        record=lambda row: row,
    )


def _remove(session: Session, uri: Address, *, recursive: bool, concurrency: int | None) -> dict[str, Any]:
    branch = session.branch(uri).with_options(max_concurrency=concurrency)
    if uri.path and not recursive and branch.is_dir(uri.path) and not branch.is_file(uri.path):
        msg = f"{uri.uri} is a prefix: give -r to delete all objects under it"
        raise click.UsageError(msg)
    if uri.path:
        report = branch.remove(uri.path, recursive=recursive, progress=session.progress)
    else:
        report = branch.delete_objects(branch.list_objects(recursive=True))
    return {"uri": uri.uri, **report.to_dict()}


def _candidates(session: Session, uri: Address, *, recursive: bool) -> Iterator[dict[str, str]]:
    """Yield what `rm` would delete."""
    branch = session.branch(uri)
    if not recursive:
        found = branch.stat_object(uri.path)
        yield {"path": found.path, "uri": found.uri}
        return
    if uri.path and not uri.path.endswith("/") and branch.exists(uri.path):
        yield {"path": uri.path, "uri": uri.uri}
    for row in branch.list_objects(prefix=uri.path and f"{uri.path.rstrip('/')}/", recursive=True):
        yield {"path": row.path, "uri": row.uri}
