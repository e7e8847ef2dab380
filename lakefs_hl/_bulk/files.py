"""Single local files: `upload_file` and `download_file`."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from lakefs_hl._bulk import comparing
from lakefs_hl._bulk.arguments import local_path
from lakefs_hl._bulk.caller import Caller
from lakefs_hl._bulk.download import FileTarget, Wanted, can_continue, file_fetch, watch_file
from lakefs_hl._bulk.local import lake_directories, stat_file
from lakefs_hl._bulk.memory import Memory
from lakefs_hl._bulk.options import Update, update_of, user_metadata
from lakefs_hl._bulk.run import SMALL, Run
from lakefs_hl._bulk.upload import FileBody, file_put
from lakefs_hl._folders import reading
from lakefs_hl._folders.directories import Directories
from lakefs_hl._folders.found import Found
from lakefs_hl._folders.tree import Tree
from lakefs_hl._handles import paths
from lakefs_hl._handles.tagging import with_tags
from lakefs_hl._progress import progress_of
from lakefs_hl.ops import bulk, objects
from lakefs_hl.ops.bulk import Written
from lakefs_hl.ops.presign import MD5
from lakefs_hl.spec import arguments
from lakefs_hl.spec.models import ObjectStats
from lakefs_hl.spec.uri import object_uri


class UploadingFile(NamedTuple):
    """An upload of a file, with its arguments checked."""

    place: Any
    local: str
    path: str
    update: Update
    metadata: Mapping[str, str]
    verify: bool
    progress: Any

    def run(self, caller: Caller) -> ObjectStats:
        """Upload the file on this thread. Returns the record of the object, also of one that stays."""
        place = self.place
        above, name = os.path.split(os.path.realpath(self.local))
        lake_directories(place._client, above)
        with closing(Directories(above)) as source, self._memory() as memory:
            found = self._find(source, name)
            with progress_of(
                self.progress,
                total=1,
                total_bytes=found.size,
                title="Uploading",
                source=self.local,
                destination=object_uri(place._repository_id, place._id, self.path),
                single=True,
            ) as progress:
                run = Run(caller, progress)
                kept = self._find_kept(source, found, memory) if self.update else None
                if kept is not None:
                    run.skip(self.path, found.size)
                    return kept
                return self._upload(source, found, memory, run)

    def _memory(self) -> Memory:
        return Memory(self.place._client, self.local, "", None, {}, journal=False)

    def _find(self, source: Directories, name: str) -> Found:
        found = stat_file(source, name)
        if found is not None:
            return found
        if os.path.isdir(self.local):
            msg = "upload_file takes one file, and this is a directory; upload_dir() uploads it"
            raise IsADirectoryError(errno.EISDIR, msg, self.local)
        if os.path.exists(self.local):
            msg = "upload_file takes a regular file; open this with 'rb' and give the file object to upload()"
            raise OSError(errno.EINVAL, msg, self.local)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.local)

    def _find_kept(self, source: Directories, found: Found, memory: Memory) -> ObjectStats | None:
        """Return the object that is there, if it stays: it has the same content, or is newer."""
        place = self.place
        record: ObjectStats | None = place._client._run_here(objects.look, place._repository_id, place._id, self.path)
        if record is None:
            return None
        (md5,) = memory.checksums([found])
        verdict = comparing.compare(found, record, md5)
        if verdict == "unknown":
            body = FileBody(source, found, record.checksum, only_compare=True)
            with closing(body):
                body.open()
            verdict = "equal" if body.is_equal else "different"
            if body.is_equal:
                memory.learn(body.found, record.checksum, body.read_at_ns)
        if verdict == "equal":
            return record
        is_older = self.update is True and comparing.seconds_of(found) < comparing.modified_seconds(record)
        return record if is_older else None

    def _upload(self, source: Directories, found: Found, memory: Memory, run: Run) -> ObjectStats:
        place, outcome = self.place, list[Written]()
        on_move = run.on_move(self.path, found.size)
        at, to = place._id, self.path
        put = file_put(place, at, to, source, found, self.metadata, on_move=on_move, verify=self.verify)
        run.start(self.path, found.size)
        place._client._run_here(bulk.upload_each, [put], 1, lambda _, written: outcome.append(written))
        (written,) = outcome
        if isinstance(written, Exception):
            run.fail(self.path, written, self.local)
            raise written
        if not isinstance(written, ObjectStats):
            raise AssertionError  # noqa: TRY004 - a body that is not only compared is written
        run.complete(self.path, put.file.found.size)
        if self.verify and MD5.fullmatch(written.checksum):
            memory.learn(put.file.found, written.checksum, put.file.read_at_ns)
        return written


def upload_file(
    place: Any,
    local: Any,
    path: Any,
    update: object,
    progress: Any,
    verify: object,
    metadata: Mapping[str, str] | None,
    tags: object,
) -> Callable[[Caller], ObjectStats]:
    """Check the arguments of `upload_file`, and return what uploads."""
    source = local_path(local, "local_path")
    to = "" if path is None else paths.path_or_prefix(path, place)
    if not to or to.endswith("/"):
        to += os.path.basename(os.path.abspath(source))
    checks, found = arguments.flag(verify, "verify"), with_tags(user_metadata(metadata), tags) or {}
    return UploadingFile(place, source, to, update_of(update), found, checks, progress).run


class DownloadingFile(NamedTuple):
    """A download to a file, with its arguments checked."""

    place: Any
    path: str
    local: str
    update: Update
    continue_: bool
    verify: bool
    progress: Any

    def run(self, caller: Caller) -> Path:
        """Download the object on this thread. Returns the path of the file."""
        place = self.place
        local = self.local
        if local.endswith((os.sep, "/")) or os.path.isdir(local):
            local = os.path.join(local, self.path.rpartition("/")[2])
        record = place._client._run_here(objects.stat, place._repository_id, place._id, self.path)
        above, name = os.path.split(local)
        lake_directories(place._client, above or os.curdir)
        row = Wanted(self.path, name, record.checksum, record.size_bytes or 0, comparing.modified_seconds(record))
        with (
            Tree(above or os.curdir) as tree,
            Memory(place._client, self.path, local, None, {}, journal=False) as memory,
            progress_of(
                self.progress,
                total=1,
                total_bytes=row.size,
                title="Downloading",
                source=object_uri(place._repository_id, place._id, self.path),
                destination=local,
                single=True,
            ) as progress,
        ):
            run = Run(caller, progress)
            found = tree.stat(name)
            if found is not None and self.update and self._stays(found, record, tree, memory):
                run.skip(self.path, row.size)
            else:
                self._download(row, found, tree, run)
        return Path(local)

    def _stays(self, found: Found, record: ObjectStats, tree: Tree, memory: Memory) -> bool:
        """Return whether the local file stays: it has the same content, or is newer."""
        (md5,) = memory.checksums([found])
        if comparing.compare(found, record, md5) == "unknown":
            with reading.Watched(tree.directories, found.path) as file:
                md5 = comparing.md5_of_file(file.fd)
                in_parts = comparing.is_upload_in_parts(file.fd, record.checksum, md5)
                file.check()
            if in_parts:
                return True
        if comparing.compare(found, record, md5) == "equal":
            return True
        return self.update is True and comparing.is_newer(found, comparing.modified_seconds(record))

    def _download(self, row: Wanted, found: Found | None, tree: Tree, run: Run) -> None:
        place, outcome = self.place, list[Exception | None]()
        adopts, on_move = self.continue_ and can_continue(found, row), run.on_move(self.path, row.size)
        watch = partial(watch_file, tree, row.local, found, self.local) if self.update else None
        target = FileTarget(tree, row, adopts=adopts, verify=self.verify, watch=watch, on_move=on_move)
        fetch = file_fetch(place._repository_id, place._id, self.path, target)
        run.start(self.path, row.size)
        place._client._run_here(bulk.download_each, [fetch], 1, lambda _, error: outcome.append(error), small=SMALL)
        (error,) = outcome
        if error is not None:
            run.fail(self.path, error, self.local)
            raise error
        run.complete(self.path, row.size)


def download_file(
    place: Any, path: Any, local: Any, update: object, continue_: object, verify: object, progress: Any
) -> Callable[[Caller], Path]:
    """Check the arguments of `download_file`, and return what downloads."""
    return DownloadingFile(
        place,
        paths.object_path(path, place),
        local_path(local, "local_path"),
        update_of(update),
        arguments.flag(continue_, "continue_"),
        arguments.flag(verify, "verify"),
        progress,
    ).run
