# Generated from lakefs_hl/facades/aio/cached.py by tools/unasync.py: change that, not this.
"""Snapshots on disk: the objects of one version in a read-only directory of the cache."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import lakefs_hl as lakefs
from lakefs_hl import _html, exceptions
from lakefs_hl._progress import progress_of
from lakefs_hl.facades import arguments
from lakefs_hl.facades._sync import threads
from lakefs_hl.facades.cache import DEFAULT_SIZE, PART, Cache, Choice, Reused, Wanted, is_md5
from lakefs_hl.facades.records import CachedSnapshot

if TYPE_CHECKING:
    from os import PathLike

    from lakefs_hl.facades.holds import Hold
    from lakefs_hl.types import Request, Response

#: Directory of the snapshots in the cache directory.
DIRECTORY: Final = "snapshots"
#: How often to look whether another process has filled a snapshot, in seconds.
POLL_SECONDS: Final = 0.1
#: Files that are copied from other snapshots at a time.
BATCH: Final = 500
#: Size from which files are copied from other snapshots, in bytes: reading a small one from an embedded lake is faster.
REUSED: Final = 1
REUSED_IN_PROCESS: Final = 1 << 20
_COMMIT_ID: Final = re.compile(r"[0-9a-f]{64}")
_LOG: Final = logging.getLogger("lakefs_hl")


class Options(NamedTuple):
    """The arguments of `snapshot_download`, checked.

    Attributes:
        prefix: The prefix, "" or with a slash at its end.
        include: Globs of the objects. None for all.
        exclude: Globs of what is left out. None for nothing.
        on_invalid: What becomes of an object whose path is no safe local path.
        cache_dir: Directory of the cache. None for that of the client.
        max_size: Size of the cache in bytes. None for that of the client.
        verify: Whether to read the files that are there.
        local_files_only: Whether to send nothing.
        max_workers: Maximum number of concurrent requests.
        progress: Takes events or shows a bar.
    """

    prefix: str
    include: tuple[str, ...] | None
    exclude: tuple[str, ...] | None
    on_invalid: Literal["error", "skip", "encode"]
    cache_dir: Path | None
    max_size: int | None
    verify: bool
    local_files_only: bool
    max_workers: int | None
    progress: Any


def options_of(prefix: str, given: dict[str, Any]) -> Options:
    """Check the arguments of `snapshot_download`.

    Raises:
        TypeError: One has the wrong type.
        ValueError: One is out of range.
    """
    progress_of(given["progress"]).close()  # a TypeError now if it is none
    max_workers = given["max_workers"]
    on_invalid: Any = arguments.choice(given["on_invalid"], "on_invalid", ("error", "skip", "encode"))
    return Options(
        prefix if not prefix or prefix.endswith("/") else f"{prefix}/",
        _globs(given["include"], "include"),
        _globs(given["exclude"], "exclude"),
        on_invalid,
        _directory(given["cache_dir"]),
        given["max_size"],
        arguments.flag(given["verify"], "verify"),
        arguments.flag(given["local_files_only"], "local_files_only"),
        None if max_workers is None else arguments.integer(max_workers, "max_workers", least=1),
        given["progress"],
    )


def _globs(value: Any, argument: str) -> tuple[str, ...] | None:
    found = arguments.series(value, argument)
    if found is not None and not isinstance(found, Iterable):
        msg = f"{argument} must be an iterable of strings, not {type(value).__name__}"
        raise TypeError(msg)
    return None if found is None else tuple(arguments.text(each, argument) for each in found)


def _directory(value: Any) -> Path | None:
    return None if value is None else _absolute(value, "cache_dir")


def _absolute(value: Any, argument: str) -> Path:
    found = arguments.local_path(value, argument)
    if not found or "\0" in found:
        msg = f"{argument} must be the path of a directory, not {found!r:.80}"
        raise ValueError(msg)
    return Path(found).absolute()


def snapshot_download(reference: lakefs.Reference, options: Options) -> Path:
    """Return the directory of a snapshot, and fill it if needed."""
    return Download(reference, options, *threads.run(_place, reference, options)).run()


def _place(reference: lakefs.Reference, options: Options) -> tuple[Cache, Choice]:
    """Return the cache, and what is wanted of it."""
    client: lakefs.Client = reference._client
    caller = ""
    root = options.cache_dir
    if root is None:
        directory = client.cache_directory
        root, caller = directory.parent, directory.name
    cache = Cache(root / DIRECTORY)
    cache.open()
    name = client._full_name(reference.repository_id)
    choice = Choice(client.endpoint, caller, name, options.prefix, options.include, options.exclude, options.on_invalid)
    return cache, choice


class Download:
    """One call of `snapshot_download`.

    Args:
        reference: The reference.
        options: The arguments.
        cache: The cache, which is open.
        choice: What is wanted of it.
    """

    def __init__(self, reference: lakefs.Reference, options: Options, cache: Cache, choice: Choice) -> None:
        self._reference = reference
        self._options = options
        self._cache = cache
        self._choice = choice

    def run(self) -> Path:
        """Return the directory, and fill it if needed."""
        client: lakefs.Client = self._reference._client
        if client.offline or self._options.local_files_only:
            return self._find_offline()
        pinned = self._pin()
        found = self._find(pinned.id)
        if found is None:
            found = self._fill_alone(pinned)
        if pinned is not self._reference:
            threads.run(self._cache.note, self._choice, self._reference.id, pinned.id)
        return found

    def _find(self, commit_id: str) -> Path | None:
        def find() -> Path | None:
            return self._cache.find(self._choice, commit_id, verify=self._options.verify)

        return threads.run(find)

    def _is_commit(self) -> bool:
        """Return whether the reference is a commit already, so that nothing is to be looked up."""
        reference = self._reference
        return not isinstance(reference, lakefs.Branch | lakefs.Tag) and bool(_COMMIT_ID.fullmatch(reference.id))

    def _pin(self) -> lakefs.Reference:
        """Return the commit of the reference. A full commit ID needs no request."""
        return self._reference if self._is_commit() else self._reference.get_commit()

    # -- without a server ----------------------------------------------------------------------------------------------

    def _find_offline(self) -> Path:
        """Return the directory of a snapshot that was downloaded before.

        Raises:
            NotCachedException: It was not, or it is damaged.
        """
        commit_id = self._reference.id
        if not self._is_commit():
            known = threads.run(self._cache.recall, self._choice, commit_id)
            if known is None:
                raise self._not_cached_error("it was never downloaded with these arguments")
            commit_id, seen = known
            _LOG.info("offline: %s is taken for commit %s, as of %s", self._reference.uri, commit_id, seen.isoformat())
        found = self._find(commit_id)
        if found is None:
            of = "" if commit_id == self._reference.id else f" of commit {commit_id}"
            raise self._not_cached_error(
                f"the snapshot{of} was removed, changed, or never downloaded with these arguments"
            )
        return found

    def _not_cached_error(self, why: str) -> exceptions.NotCachedException:
        client: lakefs.Client = self._reference._client
        reason = "local_files_only=True" if self._options.local_files_only else "the client is offline"
        return exceptions.NotCachedException(
            f"{self._reference.uri}{self._choice.prefix} is not in the cache {str(self._cache.root)!r}, and {reason}: "
            f"{why}; make the same call once while {client.endpoint} can be reached"
        )

    # -- filling -------------------------------------------------------------------------------------------------------

    def _fill_alone(self, pinned: lakefs.Reference) -> Path:
        """Fill the directory, unless another process or thread does: then wait for it."""
        key = self._choice.key(pinned.id)
        hold = self._cache.hold(key)
        if hold is None:
            _LOG.info("%s is being downloaded by another call: waiting for it", pinned.uri)
        while hold is None:
            threads.pause(POLL_SECONDS)
            hold = self._cache.hold(key)
        found = self._fill_locked(pinned, key, hold)
        limit = self._options.max_size
        if limit is None:
            limit = self._reference._client.cache_size
        threads.run_to_end(self._cache.evict, DEFAULT_SIZE if limit is None else limit)
        return found

    def _fill_locked(self, pinned: lakefs.Reference, key: str, hold: Hold) -> Path:
        try:
            return self._find(pinned.id) or self._fill(pinned, key)
        finally:
            hold.release(remove=True)

    def _fill(self, pinned: lakefs.Reference, key: str) -> Path:
        cache, options = self._cache, self._options
        target = threads.run_to_end(cache.begin, self._choice, pinned.id)
        patterns: Any = {"include": options.include, "exclude": options.exclude, "on_invalid": options.on_invalid}
        plan = pinned.download_dir(
            options.prefix, target, update="checksum", dry_run=True, max_workers=options.max_workers, **patterns
        )
        cut = len(options.prefix)
        # A file of a snapshot that is repaired may have looked damaged because the server's checksum is not its MD5, as
        # that of an upload in parts: then the MD5 is read from the file.
        checksums = {
            action.path[cut:]: action.checksum
            for action in plan.actions
            if action.checksum and is_md5(action.checksum) and target.name.endswith(PART)
        }
        reused = list[Reused]()
        in_process = self._choice.endpoint.startswith(("local:", "mem:"))
        least = REUSED_IN_PROCESS if in_process else REUSED
        if threads.run(cache.has_others, key):
            wanted = [
                Wanted(action.path[cut:], action.size, action.checksum or "", action.modified or 0)
                for action in plan.actions
                if action.kind == "download"
                and action.size >= least
                and is_md5(action.checksum)
                and is_plain(action.path[cut:])
            ]
            for start in range(0, len(wanted), BATCH):
                reused += threads.run_to_end(cache.reuse, key, target, wanted[start : start + BATCH])
        del plan
        pinned.download_dir(
            options.prefix,
            target,
            update="checksum",
            delete=True,
            max_workers=options.max_workers,
            progress=options.progress,
            **patterns,
        )
        threads.run(cache.check_reused, reused)
        return threads.run_to_end(cache.publish, self._choice, pinned.id, target, checksums)


def is_plain(path: str) -> bool:
    """Return whether a path is that of a local file on every system, as it is."""
    return path.isprintable() and not set(path) & set('%\\:<>"|?*') and not {"", ".", ".."} & set(path.split("/"))


# -- the cache ---------------------------------------------------------------------------------------------------------


class SnapshotCache:
    """The snapshots on this machine that `snapshot_download` has made.

    `lakefs.snapshot_cache()` returns it.

    Examples:
        >>> branch = lakefs.repository("example").branch("main")
        >>> _ = branch.upload(b"1,2", "raw/a.csv")
        >>> _ = branch.commit_changes("Add raw data")
        >>> path = branch.snapshot_download("raw/", cache_dir="cache")
        >>> cache = lakefs.snapshot_cache("cache")
        >>> [(found.files, found.size_bytes) for found in cache.entries()]
        [(1, 3)]
        >>> cache.remove(path)
        >>> cache.entries()
        []
    """

    __module__ = "lakefs_hl"

    def __init__(self, directory: str | PathLike[str]) -> None:
        self._cache = Cache(_absolute(directory, "directory") / DIRECTORY)

    @property
    def directory(self) -> Path:
        """The directory that the snapshots are in."""
        return self._cache.root

    def __repr__(self) -> str:
        return f"<SnapshotCache {str(self.directory)!r}>"

    def _repr_html_(self) -> str:
        return _html.describe("SnapshotCache", str(self.directory))

    def entries(self) -> list[CachedSnapshot]:
        """Return the snapshots, the one that was used least recently first."""
        return [entry for _, entry in threads.run(self._cache.entries)]

    def verify(self) -> list[Path]:
        """Read all files, and return those that are not as they were downloaded.

        A snapshot with such a file is completed again by the next `snapshot_download` of it.
        """
        found = list[Path]()
        for key, _ in threads.run(self._cache.entries):
            found += threads.run(self._cache.find_damage, key)
        return found

    def remove(self, snapshot: str | PathLike[str] | CachedSnapshot) -> None:
        """Remove a snapshot.

        Args:
            snapshot: Its directory, as `snapshot_download` returned it, or what `entries` has of it.

        Raises:
            NotCachedException: There is no such snapshot.
            OSError: Another process uses it.
        """
        wanted = snapshot.path if isinstance(snapshot, CachedSnapshot) else _absolute(snapshot, "snapshot")
        for key, entry in threads.run(self._cache.entries):
            if entry.path == wanted:
                if not threads.run_to_end(self._cache.remove, key):
                    msg = f"{str(wanted)!r} is used by another process: remove it when that has ended"
                    raise OSError(msg)
                return
        msg = f"{str(wanted)!r} is no snapshot of the cache {str(self.directory)!r}"
        raise exceptions.NotCachedException(msg)

    def clear(self) -> list[CachedSnapshot]:
        """Remove all snapshots but those that other processes use, and what interrupted calls have left.

        Returns:
            The snapshots that stay.
        """
        return threads.run_to_end(self._cache.clear)


def snapshot_cache(cache_dir: str | PathLike[str] | None = None) -> SnapshotCache:
    """Return the cache of snapshots on this machine, to look at it and to clear it. Sends no request.

    Args:
        cache_dir: The directory that was given to `snapshot_download`. Defaults to the cache directory of the user,
            which `LAKEFS_HL_CACHE_DIR` names.

    Raises:
        InvalidConfigError: There is no cache directory that can be used.

    Examples:
        >>> lakefs.snapshot_cache("cache").entries()
        []
    """
    if cache_dir is None:
        return SnapshotCache(lakefs.Client(transport=_refuse).cache_directory.parent)
    return SnapshotCache(arguments.local_path(cache_dir, "cache_dir"))


def _refuse(request: Request) -> Response:
    """Stand for a server: the cache directory of the user is the same for all endpoints, and needs no credentials."""
    raise ConnectionRefusedError(request.describe())


snapshot_cache.__module__ = "lakefs_hl"
