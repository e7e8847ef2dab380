"""`lakefs-hl fs cp` and `mv`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any, cast

import click

from lakefs_hl.cli.addresses import Address, Local, Place, split_uri
from lakefs_hl.cli.bulk import Bulk, apply_plan, bulk_options, run_bulk
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.transfers import Ends, finish, finish_one, resolve
from lakefs_hl.cli.verbs import Verb, no_progress, parallelism


@click.command(cls=Verb)
@click.argument("source", type=Place(), required=False)
@click.argument("destination", type=Place(), required=False)
@click.option("-r", "--recursive", is_flag=True, help="Copy directories and prefixes.")
@click.option("--content-type", help="Media type of an uploaded file. Defaults to the type of the path's suffix.")
@click.option("--continue", "continue_", is_flag=True, help="Continue files that were downloaded in part.")
@click.option("--to-lake", metavar="ENDPOINT", help="Lake of the destination, if it is another one.")
@bulk_options
@click.pass_obj
def cp(
    session: Session,
    source: Address | Local | None,
    destination: Address | Local | None,
    recursive: bool,
    content_type: str | None,
    continue_: bool,
    to_lake: str | None,
    bulk: Bulk,
) -> None:
    """Copy a file, an object, a directory or a prefix: to a lake, from it, or within it.

    A trailing slash on SOURCE means its contents: `data/` copies what is in data, `data` copies the directory itself.
    `-` is standard input or output.
    """
    if bulk.apply_file is not None:
        apply_plan(session, bulk.apply_file, (source, destination))
        return
    if source is None or destination is None:
        msg = "SOURCE and DESTINATION are missing"
        raise click.UsageError(msg)
    ends = resolve(session, source, destination)
    if ends.recursive and not recursive:
        msg = f"{ends.source.uri} is a directory: give -r to copy it"
        raise click.UsageError(msg)
    if continue_ and not isinstance(ends.source, Address):
        msg = "--continue is for downloads: an upload is continued by the same command"
        raise click.UsageError(msg)
    if content_type is not None and (ends.recursive or isinstance(ends.source, Address) or bulk.skips_equal):
        msg = "--content-type is for the upload of a single file, without --update and --checksum"
        raise click.UsageError(msg)
    if isinstance(ends.source, Address) and isinstance(ends.destination, Address):
        _within(session, ends, to_lake, bulk)
    elif to_lake is not None:
        msg = "--to-lake is for copies from one lake to another: give --lake"
        raise click.UsageError(msg)
    elif ends.recursive:
        run_bulk(session, ends, bulk, continue_=continue_ or None)
    else:
        bulk.refuse_for_one()
        _one(session, ends, bulk, content_type, continue_=continue_)


def _one(session: Session, ends: Ends, bulk: Bulk, content_type: str | None, *, continue_: bool) -> None:
    """Copy a single file to the lake, or an object from it."""
    source, destination = ends.source, ends.destination
    bulk.check()
    if isinstance(source, Local):
        destination = cast("Address", destination)
        if bulk.message is None:
            size = _upload(session.branch(destination), source, destination.path, bulk, content_type, session)
        else:
            with session.branch(destination).transaction(bulk.message, metadata=bulk.meta) as tx:
                size = _upload(tx, source, destination.path, bulk, content_type, session)
        finish_one(session, source.path, destination.uri, size)
        return
    reference: Any = session.reference(source)
    if bulk.message is not None:
        msg = "-m makes a commit, and a download commits nothing"
        raise click.UsageError(msg)
    if Local("-") == destination:
        reference.download(source.path, sys.stdout.buffer)
        return
    written: Path = reference.download_file(
        source.path, destination.path, update=_update(bulk), continue_=continue_, progress=session.progress
    )
    finish_one(session, source.uri, str(written), written.stat().st_size)


def _upload(branch: Any, source: Local, path: str, bulk: Bulk, content_type: str | None, session: Session) -> int:
    if source.is_stream:
        info = branch.upload(sys.stdin.buffer, path, content_type=content_type)
    elif content_type is not None:
        info = branch.upload(Path(source.path), path, content_type=content_type)
    else:
        info = branch.upload_file(source.path, path, update=_update(bulk), progress=session.progress)
    size: int = info.size_bytes
    return size


def _update(bulk: Bulk) -> bool | str:
    return "checksum" if bulk.checksum else bulk.update


def _within(session: Session, ends: Ends, to_lake: str | None, bulk: Bulk) -> None:
    """Copy an object or a prefix to a place in the same lake, or in another one."""
    import lakefs_hl

    source, destination = cast("Address", ends.source), cast("Address", ends.destination)
    bulk.refuse_within()
    bulk.check()
    client = session.client if to_lake is None else session.connect(to_lake)
    copy = partial(
        lakefs_hl.copy,
        source.uri,
        src_client=session.client,
        dst_client=client,
        max_workers=bulk.parallelism,
        on_error="return",
        progress=session.progress,
    )
    if bulk.message is None:
        report = copy(destination.uri)
    else:
        branch = lakefs_hl.repository(destination.repository, client=client).branch(destination.reference)
        with branch.transaction(bulk.message, metadata=bulk.meta) as tx:
            to = split_uri(tx.uri)._replace(path=destination.path)
            report = copy(to.uri, on_error="raise")
        report = report._replace(commit_id=tx.merge_commit_id)
    finish(session, report)


@click.command(cls=Verb)
@click.argument("source", type=Place())
@click.argument("destination", type=Place())
@click.option("-r", "--recursive", is_flag=True, help="Move prefixes.")
@parallelism
@no_progress
@click.pass_obj
def mv(
    session: Session,
    source: Address | Local,
    destination: Address | Local,
    recursive: bool,
    parallelism: int | None,
) -> None:
    """Move an object or a prefix within a branch.

    A trailing slash on SOURCE means its contents, as for `cp`. What changes while it is copied is not deleted.
    """
    if not isinstance(source, Address) or not isinstance(destination, Address) or source[:2] != destination[:2]:
        msg = "mv works within one branch: use cp, and then rm"
        raise click.UsageError(msg)
    ends = resolve(session, source, destination)
    branch: Any = session.branch(source)
    if not ends.recursive:
        info = branch.move_object(ends.source.path, ends.destination.path)
        finish_one(session, source.uri, info.uri, info.size_bytes)
        return
    if not recursive:
        msg = f"{source.uri} is a prefix: give -r to move it"
        raise click.UsageError(msg)
    report = branch.move_prefix(
        ends.source.path,
        ends.destination.path,
        max_workers=parallelism,
        on_error="return",
        progress=session.progress,
    )
    finish(session, report)
