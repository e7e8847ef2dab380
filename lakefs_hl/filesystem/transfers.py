"""`get` and `put`: objects from and to local files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.implementations.local import LocalFileSystem, make_path_posix, trailing_sep
from fsspec.utils import isfilelike

from lakefs_hl.filesystem import places
from lakefs_hl.filesystem.names import split, translated
from lakefs_hl.filesystem.sources import Sources
from lakefs_hl.filesystem.telling import Lines

if TYPE_CHECKING:
    from fsspec.callbacks import Callback


class Transfers(Sources):
    """The part of the file system that moves objects from and to local files."""

    def get_file(
        self, rpath: str, lpath: Any = None, callback: Callback = DEFAULT_CALLBACK, outfile: Any = None, **kwargs: Any
    ) -> None:
        """Download an object to a local file, which appears under its name when it is complete and verified.

        Args:
            rpath: Name of the object. Of a directory, a local directory is made.
            lpath: The local file, whose directories are made; or a file object.
            callback: Gets the size and what was downloaded.
            outfile: A file object to write to.
            **kwargs: Ignored.
        """
        name = split(rpath)
        target = lpath if outfile is None and isfilelike(lpath) else outfile
        if not name.path or (name.has_slash and target is None):
            Path(lpath).mkdir(parents=True, exist_ok=True)
            return
        with translated:
            at = self.reference(rpath)
            if target is None:
                places.make_parents(lpath)
                target = os.fspath(lpath)
            try:
                places.download(at, name.key, target, callback, self.pre_sign)
            except FileNotFoundError:
                if isinstance(target, str) and at.is_dir(name.prefix):
                    Path(target).mkdir(parents=True, exist_ok=True)
                    return
                raise

    def get(
        self,
        rpath: Any,
        lpath: Any,
        recursive: bool = False,
        callback: Callback = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Download objects to local files, concurrently.

        Args:
            rpath: A name, a pattern, or a list of them.
            lpath: The local file or directory; or a list of local files, one for each of a list of names.
            recursive: Whether to download directories with all that is in them.
            callback: Gets the number of objects, and one of its own for each of them.
            maxdepth: Maximum number of levels of directories.
            batch_size: Maximum number of concurrent downloads.
            **kwargs: Ignored.

        Raises:
            FileNotFoundError: Nothing matches.
            ValueError: The path of an object would leave the local directory, or is not a name for a local file; or two
                objects would be one local file. Nothing was downloaded.
        """
        if isinstance(lpath, list) and isinstance(rpath, list):
            pairs: list[tuple[Any, Any, str | None]] = [(*pair, None) for pair in zip(rpath, lpath, strict=True)]
        else:
            sources = self._sources(rpath, recursive, maxdepth)
            if not sources:
                return
            target = make_path_posix(lpath) if isinstance(lpath, str | os.PathLike) else lpath
            locals_ = self._targets(rpath, list(sources), target, LocalFileSystem().isdir)
            if isinstance(target, str):
                places.check_inside(target, locals_)
            pairs = [(*pair, sources[pair[0]]) for pair in zip(sources, locals_, strict=True)]
        places.check_distinct(os.fspath(local) for _, local, kind in pairs if kind != "directory")
        told = Lines(callback, len(pairs))

        def one(remote: str, local: str, kind: str | None) -> None:
            if kind == "directory":
                Path(local).mkdir(parents=True, exist_ok=True)
                told.add()
                return
            with told.child(remote, local) as child:
                self.get_file(remote, local, callback=child)

        self._each([(one, pair) for pair in pairs], batch_size)

    def put_file(
        self, lpath: Any, rpath: str, callback: Callback = DEFAULT_CALLBACK, mode: str = "overwrite", **kwargs: Any
    ) -> None:
        """Upload a local file. A local directory makes nothing: directories are virtual.

        Raises:
            FileExistsError: The object exists, and `mode` is "create".
            FileNotFoundError: The file or the branch does not exist.
        """
        local = Path(lpath)
        if local.is_dir():
            return
        kwargs.pop("precheck", None)  # lakefs-spec compares checksums first; `upload_dir(update="checksum")` does that
        size = local.stat().st_size
        callback.set_size(size)
        self.pipe_file(rpath, local, mode=mode, **kwargs)
        callback.relative_update(size)

    def put(
        self,
        lpath: Any,
        rpath: Any,
        recursive: bool = False,
        callback: Callback = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Upload local files, concurrently.

        Args:
            lpath: A local path, a pattern, or a list of them.
            rpath: Name of the object or the directory; or a list of names, one for each of a list of local paths.
            recursive: Whether to upload directories with all that is in them.
            callback: Gets the number of files, and one of its own for each of them.
            maxdepth: Maximum number of levels of directories.
            batch_size: Maximum number of concurrent uploads.
            **kwargs: `mode`, `content_type` and `metadata`, as for `put_file`.

        Raises:
            ValueError: Two files would be one object. Nothing was uploaded.
        """
        if isinstance(lpath, list) and isinstance(rpath, list):
            pairs = list(zip(lpath, rpath, strict=True))
        else:
            local = LocalFileSystem()
            source = make_path_posix(lpath) if isinstance(lpath, str | os.PathLike) else lpath
            paths = local.expand_path(source, recursive=recursive, maxdepth=maxdepth)
            if isinstance(source, str) and (not recursive or maxdepth is not None):
                paths = [path for path in paths if not (trailing_sep(path) or local.isdir(path))]
                if not paths:
                    return
            pairs = list(zip(paths, self._targets(source, paths, rpath, self.isdir), strict=True))
        places.check_distinct(split(remote).text for local_file, remote in pairs if not Path(local_file).is_dir())
        told = Lines(callback, len(pairs))

        def one(local_path: str, remote: str) -> None:
            with told.child(local_path, remote) as child:
                self.put_file(local_path, remote, callback=child, **kwargs)

        self._each([(one, pair) for pair in pairs], batch_size)
