"""`lakefs-hl cache`: list, verify, delete and clear the snapshots on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lakefs_hl._handles.amounts import size_text
from lakefs_hl.cli.exits import ExitCode
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.text import moment
from lakefs_hl.cli.verbs import Verbs, human

if TYPE_CHECKING:
    import lakefs_hl

_directory = click.option(
    "--cache-dir",
    type=click.Path(),
    metavar="DIRECTORY",
    help="Directory that was given to snapshot_download. Defaults to that of LAKEFS_HL_CACHE_DIR.",
)


@click.group(cls=Verbs)
def cache() -> None:
    """List, verify, delete and clear the snapshots on this machine, which snapshot_download makes."""


def _cache(directory: str | None) -> lakefs_hl.SnapshotCache:
    import lakefs_hl

    return lakefs_hl.snapshot_cache(directory)


def _record(entry: lakefs_hl.types.CachedSnapshot) -> dict[str, Any]:
    return {**entry.to_dict(), "last_used": moment(entry.last_used)}


@cache.command("list")
@_directory
@human
@click.pass_obj
def list_(session: Session, cache_dir: str | None, human: bool) -> None:
    """List the snapshots, the one that was used least recently first: last use, size, files, URI, directory."""
    output = session.output

    def line(entry: lakefs_hl.types.CachedSnapshot) -> str:
        size = size_text(entry.size_bytes) if human else str(entry.size_bytes)
        fields = [moment(entry.last_used), size, str(entry.files), entry.uri, output.display(str(entry.path))]
        return "\t".join([*fields, *([] if entry.is_complete else ["incomplete"])])

    output.rows(_cache(cache_dir).entries(), line, ident=lambda entry: str(entry.path), record=_record)


@cache.command()
@_directory
@click.pass_obj
def verify(session: Session, cache_dir: str | None) -> None:
    """Read all files, and list those that are not as they were downloaded. Exits with 8 if there are any.

    Their snapshots are completed again when they are used.
    """
    output = session.output
    paths = [str(path) for path in _cache(cache_dir).verify()]
    output.rows(paths, output.display, ident=str, record=lambda path: {"path": path})
    if paths:
        raise click.exceptions.Exit(ExitCode.DIFFERENCES)


@cache.command()
@click.argument("path", type=click.Path())
@_directory
@click.pass_obj
def delete(session: Session, path: str, cache_dir: str | None) -> None:
    """Delete a snapshot, by its directory."""
    _cache(cache_dir).remove(path)
    session.output.done({"path": path, "deleted": True}, f"deleted {path}")


@cache.command()
@_directory
@click.pass_obj
def clear(session: Session, cache_dir: str | None) -> None:
    """Delete all snapshots but those that a running process uses."""
    stays = _cache(cache_dir).clear()
    fields = {"in_use": [str(entry.path) for entry in stays]}
    session.output.done(fields, f"cleared the cache; {len(stays):,} in use" if stays else "cleared the cache")
