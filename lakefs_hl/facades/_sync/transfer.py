# Generated from lakefs_hl/facades/aio/transfer.py by tools/unasync.py: change that, not this.
"""Transfers between stores: `lakefs.transfer`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import lakefs_hl as lakefs
from lakefs_hl import TransferReport, exceptions
from lakefs_hl._progress import progress_of
from lakefs_hl.compression import compress, normalize
from lakefs_hl.facades import arguments, checksums
from lakefs_hl.facades._sync import threads
from lakefs_hl.facades._sync.lake import LakeStore
from lakefs_hl.facades._sync.moves import Options, Transfer
from lakefs_hl.facades._sync.stores import Store, store_of
from lakefs_hl.facades.directories import Directory
from lakefs_hl.facades.jobs import Job
from lakefs_hl.facades.reports import checked_on_error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from lakefs_hl.types import ProgressLike

#: What to do about failures.
ADVICE: Final = "; the same call with `paths=[each.path for each in report.failed]` tries them again"


def transfer(
    src: Any,
    dst: Any,
    *,
    storage_options: Mapping[str, Any] | None = None,
    job: str | PathLike[str] | None = None,
    paths: str | threads.Items[str] | None = None,
    block_size: int = 64,
    reencode: str | bool | None = None,
    update: bool = False,
    max_workers: int | None = None,
    checksum: Literal["crc32c"] | None = None,
    on_error: Literal["raise", "return"] = "raise",
    progress: ProgressLike | None = None,
    src_client: lakefs.Client | None = None,
    dst_client: lakefs.Client | None = None,
) -> TransferReport:
    r"""Copy objects from one store to another: lakes, local directories, S3 and everything else that fsspec opens.

    Within a repository the server copies. Between lakes, objects keep their content type and metadata. Everywhere they
    keep their encoding (gzip, br, zstd) without being decoded. An interrupted transfer without `job` starts anew.

    With `job`, the same call again continues an interrupted transfer, and several processes can make the same call to
    share the work. No object is transferred twice, unless a process ends while it transfers it. The file stays when the
    transfer is complete, and then the same call does nothing: remove the file to transfer everything again.

    Args:
        src: The source: a URL such as `lakefs://repository/main/data`, `file:///directory`, `mem://name`, or any that
            fsspec opens, such as `s3://bucket/path`; a branch or another reference; or a `Files`.
        dst: The destination, likewise. It can be written only if it is a branch or a transaction, not a commit.
        storage_options: Options of the file systems of fsspec, such as credentials. They are never shown or stored.
        job: Local file that keeps what is done. It is not in the source or the destination.
        paths: Paths of the objects, relative to the source. Defaults to all.
        block_size: Maximum number of objects in memory.
        reencode: Encoding that the objects get: "gzip", "br" or "zstd"; "" for none. Defaults to the one they have.
        update: Whether to transfer only what is missing at the destination, or different and not newer there.
        max_workers: Maximum number of concurrent requests. Defaults to what the stores take.
        checksum: "crc32c" to keep the CRC32C of each object in the metadata of a destination in a lake. It is compared
            when it is read.
        on_error: Whether failures are raised after all objects were tried, or only returned.
        progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.
        src_client: Client of a `lakefs://` URL of the source. Defaults to the default client.
        dst_client: Client of such a destination, likewise.

    Returns:
        What was transferred by this call, what was skipped because it was done or equal, and what failed.

    Raises:
        PartialFailureError: Some objects failed; they are in its `report`.
        NotFoundException: A repository, the source reference or the destination branch does not exist.
        FileNotFoundError: The source is a local directory that does not exist.
        NotADirectoryError: The source is a local file.
        UnsupportedOperationException: The destination is read-only.
        ValueError: The source and the destination overlap, a URL has no meaning, or the job file is of another
            transfer, or in one of the two.
        ImportError: A URL or an encoding needs a package that is not installed.

    Examples:
        >>> branch = lakefs.repository("example").branch("main")
        >>> _ = branch.upload(b"1,2\n", "raw/a.csv")
        >>> lakefs.transfer("lakefs://example/main/raw", "file://copy", job="copy.job").transferred
        1
        >>> lakefs.transfer("lakefs://example/main/raw", "file://copy", job="copy.job").skipped
        1
    """
    storage_options = arguments.options(storage_options, "storage_options")  # no traceback with variables shows them
    options = _options(block_size, reencode, update, durable=job is not None)
    on_error = checked_on_error(on_error)
    some = arguments.series(paths, "paths")
    file = None if job is None else arguments.local_path(job, "job")
    width = None if max_workers is None else arguments.integer(max_workers, "max_workers", least=1)
    mine, theirs = _client(src_client, "src_client"), _client(dst_client, "dst_client")
    source = store_of(src, client=mine, storage_options=storage_options, max_workers=width, argument="src")
    target = store_of(
        dst, client=theirs, storage_options=storage_options, max_workers=width, checksum=checksum, argument="dst"
    )
    _check(source, target, checksum)
    _check_job(file, source, target)
    if some is None:
        source.check_exists()
    simple = file is None and some is None and not update and not options.reencodes and checksum is None
    if simple and _is_lake(source) and _is_lake(target):
        return _copy(source, target, width, on_error, progress)
    on_server = not options.reencodes and checksum is None and _is_one_repository(source, target)
    with progress_of(progress, title="Transferring", source=source.url, destination=target.url) as display:
        work = Transfer(source, target, options._replace(on_server=on_server), display)
        if file is None:
            work.run(some)
        else:
            shared = Job(file, _identity(source, target, options, checksum, some))
            threads.run(shared.open)
            try:
                work.run_job(shared, some)
            finally:
                threads.run(shared.close)
    what = f"objects were not transferred from {source.url} to {target.url}"
    return work.tally.result(on_error, what, ADVICE)


def _client(value: object, argument: str) -> Any:
    return arguments.instance(value, argument, lakefs.Client)


def _options(block_size: object, reencode: object, update: object, *, durable: bool) -> Options:
    size = arguments.integer(block_size, "block_size", least=1)
    wanted = arguments.encoding_name(reencode, "reencode")
    reencodes = wanted is not None and wanted is not False
    encoding = normalize(wanted) if reencodes else None
    if encoding is not None:
        compress(b"", encoding)  # an ImportError now, not for every object
    return Options(size, reencodes, encoding, arguments.flag(update, "update"), durable, on_server=False)


def _check(source: Store, target: Store, checksum: str | None) -> None:
    """Refuse a transfer that cannot be.

    Raises:
        UnsupportedOperationException: The destination is read-only.
        ValueError: The stores overlap, so that objects would be read that were just written; or the destination has no
            place for a checksum.
    """
    if checksums.check_name(checksum) is not None and not isinstance(target, LakeStore):
        msg = f"transferring to {target.url}: checksum is kept in the metadata of objects of a lake, and this is none"
        raise ValueError(msg)
    if target.read_only:
        msg = f"transferring to {target.url}: it is read-only; a branch can be written: `repository.branch(name)`"
        raise exceptions.UnsupportedOperationException(msg)
    mine, theirs = source.place, target.place
    if mine.startswith(theirs) or theirs.startswith(mine):
        what = f"transferring {source.url} to {target.url}"
        msg = f"{what}: the source and the destination overlap; choose another destination"
        raise ValueError(msg)


def _check_job(file: str | None, *stores: Store) -> None:
    """Refuse a job file in a directory of its own transfer, which would be copied or replaced while it is in use.

    Raises:
        ValueError: It is in one.
    """
    if file is None:
        return
    directory = Directory(str(Path(file).resolve().parent)).place
    for store in stores:
        if directory.startswith(store.place):
            msg = f"job={file!r} is in {store.url}, which is transferred itself; choose a file elsewhere"
            raise ValueError(msg)


def _is_lake(store: Store) -> bool:
    return isinstance(store, LakeStore) and type(store.reference) in (
        lakefs.Branch,
        lakefs.Reference,
        lakefs.Tag,
        lakefs.Commit,
    )


def _is_one_repository(source: Store, target: Store) -> bool:
    """Return whether a server can copy."""
    if not isinstance(source, LakeStore) or not isinstance(target, LakeStore):
        return False
    mine, theirs = source.reference, target.reference
    return mine.repository_id == theirs.repository_id and mine._client == theirs._client


def _identity(source: Store, target: Store, options: Options, checksum: str | None, paths: Any) -> dict[str, Any]:
    """Return what a job is, for its file. No secrets."""
    return {
        "source": source.place,
        "destination": target.place,
        "encoding": (options.encoding or "none") if options.reencodes else "kept",
        "update": options.update,
        "paths": "all" if paths is None else "given",
        "checksum": checksum,
    }


def _copy(source: Any, target: Any, max_workers: int | None, on_error: Any, progress: Any) -> TransferReport:
    """Copy from lake to lake, as `lakefs.copy` does. No objects are no error."""
    try:
        return lakefs.copy(
            _place(source), _place(target), max_workers=max_workers, on_error=on_error, progress=progress
        )
    except exceptions.ObjectNotFoundException:
        return TransferReport()


def _place(store: LakeStore) -> Any:
    at = store.reference
    return lakefs.CommonPrefix(at.repository_id, at.id, store.prefix, at._given) if store.prefix else at


transfer.__module__ = "lakefs_hl"
