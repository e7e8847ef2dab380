"""What transfers share: which files and objects an argument means, and how a report is printed.

A trailing slash on a source means its contents, as rsync has it: `data/` to `backup/` writes `backup/t.csv`, and `data`
to `backup/` writes `backup/data/t.csv`. It does not matter whether the destination exists, so that the same command
again writes to the same paths. A single file or object is written to the destination itself; to a directory, which a
trailing slash or an existing local directory is, under its own name.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from lakefs_hl._handles.amounts import size_text
from lakefs_hl.cli.addresses import Address, Local
from lakefs_hl.cli.exits import ExitCode
from lakefs_hl.cli.failures import failures, some
from lakefs_hl.cli.session import Session

if TYPE_CHECKING:
    import lakefs_hl


class Ends(NamedTuple):
    """Source and destination of a transfer, in full.

    Attributes:
        source: A file, an object; or a directory or prefix, with a slash at its end.
        destination: A file, an object; or a directory or prefix, with a slash at its end.
        recursive: Whether these are directories or prefixes.
    """

    source: Address | Local
    destination: Address | Local
    recursive: bool


def resolve(session: Session, source: Address | Local, destination: Address | Local) -> Ends:
    """Return what is transferred, and where to.

    Raises:
        click.UsageError: Neither end, or a directory, is in a lake.
        FileNotFoundError: The source does not exist.
    """
    if isinstance(source, Local) and isinstance(destination, Local):
        msg = "both are local paths: one of them has to be a lakefs:// URI"
        raise click.UsageError(msg)
    recursive = _is_directory(session, source)
    name = _name(source)
    if not recursive:
        return Ends(source, destination if not _takes_name(destination) else _below(destination, name), recursive)
    if isinstance(destination, Local) and destination.is_stream:
        msg = "a directory cannot be written to standard output"
        raise click.UsageError(msg)
    if not _means_contents(source):
        destination = _below(destination, name)
    return Ends(_with_slash(source), _with_slash(destination), recursive)


def _is_directory(session: Session, source: Address | Local) -> bool:
    if isinstance(source, Local):
        if source.is_stream:
            return False
        found = Path(source.path)
        found.stat()  # a missing file is an error here
        return found.is_dir()
    if not source.path or source.path.endswith("/"):
        return True
    reference = session.reference(source)
    if reference.exists(source.path):
        return False
    if reference.list_objects(1, prefix=f"{source.path}/", recursive=True).to_list():
        return True
    reference.stat_object(source.path)  # raises the error of a missing object
    return False


def _means_contents(source: Address | Local) -> bool:
    if isinstance(source, Address):
        return not source.path or source.path.endswith("/")
    return _ends_with_slash(source.path) or Path(source.path).name in ("", "..")


def _name(source: Address | Local) -> str:
    """Return the name that a file or a directory keeps at its destination."""
    if isinstance(source, Local):
        return Path(source.path).name
    return source.path.rstrip("/").rpartition("/")[2]


def _takes_name(destination: Address | Local) -> bool:
    if isinstance(destination, Address):
        return not destination.path or destination.path.endswith("/")
    if destination.is_stream:
        return False
    return _ends_with_slash(destination.path) or Path(destination.path).is_dir()


def _below(destination: Address | Local, name: str) -> Address | Local:
    """Return a path below a directory.

    Raises:
        ValueError: The name would lead out of a local directory.
    """
    if isinstance(destination, Address):
        path = destination.path and f"{destination.path.rstrip('/')}/"
        if not name or name == "-":
            msg = f"give the destination a name: {destination.uri} is a prefix"
            raise click.UsageError(msg)
        return destination._replace(path=f"{path}{name}")
    separators = {"/", os.sep, os.altsep or "/"}
    if name in ("", ".", "..") or "\0" in name or any(mark in name for mark in separators):
        msg = f"{name!r} cannot be the name of a local file: give the destination another name"
        raise click.UsageError(msg)
    return Local(str(Path(destination.path) / name))


def _with_slash(place: Address | Local) -> Address | Local:
    if isinstance(place, Local):
        return place if _ends_with_slash(place.path) else Local(f"{place.path}/")
    return place if not place.path or place.path.endswith("/") else place._replace(path=f"{place.path}/")


def _ends_with_slash(path: str) -> bool:
    return path.endswith(("/", os.sep))


# -- results -----------------------------------------------------------------------------------------------------------


def finish(session: Session, report: lakefs_hl.TransferReport) -> None:
    """Print the report of a transfer, and end the command with 6 if something failed."""
    output = session.output
    output.record(report.to_dict, lambda: (), ident=report.commit_id or "")
    counts = [
        (report.transferred, "transferred"),
        (report.skipped, "skipped"),
        (report.deleted, "deleted"),
        (report.failed_count, "failed"),
    ]
    words = ", ".join(f"{count:,} {word}" for count, word in counts if count or word == "transferred")
    commit = f"; commit {report.commit_id}" if report.commit_id else ""
    for line in some(report.skips, lambda skip: f"skipped: {skip.path}: {skip.reason}"):
        output.say(line)
    output.say(f"{words} ({size_text(report.bytes)}) in {report.seconds:.1f} s{commit}")
    if not report.ok:
        for line in failures(report):
            output.fail(line)
        raise click.exceptions.Exit(ExitCode.PARTLY_FAILED)


def finish_one(session: Session, source: str, destination: str, size: int | None = None) -> None:
    """Print the result of the transfer of one file or object."""
    output = session.output
    fields: dict[str, Any] = {"source": source, "destination": destination, "size_bytes": size}
    output.record(lambda: fields, lambda: ())
    output.say(f"{source} -> {destination}")
