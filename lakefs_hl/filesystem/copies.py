"""`cp`, `mv` and `rm`: objects on the server."""

from __future__ import annotations

import os
from glob import has_magic
from typing import TYPE_CHECKING, Any

from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.local import trailing_sep
from fsspec.utils import other_paths

import lakefs_hl
from lakefs_hl.filesystem import places
from lakefs_hl.filesystem.names import not_found, split, translated
from lakefs_hl.filesystem.sources import Sources

if TYPE_CHECKING:
    from lakefs_hl import Branch, ObjectInfo


class Copies(Sources):
    """The part of the file system that copies, moves and deletes objects."""

    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        """Copy an object, within a repository on the server. A directory makes nothing: directories are virtual.

        Raises:
            FileNotFoundError: The source, or the branch of the destination, does not exist.
        """
        source = split(path1)
        try:
            self._copy(path1, path2)
        except FileNotFoundError:
            if not source.path or self.reference(path1).is_dir(source.prefix):
                return
            raise

    def _copy(self, path1: str, path2: str) -> ObjectInfo | None:
        source, target = split(path1), split(path2)
        if source.text == target.text:
            return None
        branch = self.branch(path2)
        with translated:
            if not source.path:
                raise not_found(source, "is not the path of an object")
            self.reference(path1)
            if source.repository == target.repository:
                found: ObjectInfo | None = branch.copy_object(source.reference, source.key, target.path)
            else:
                lakefs_hl.copy(
                    f"{source.uri}", f"{target.uri}", src_client=self._given, dst_client=self._given, progress=False
                )
                found = None
        self.invalidate_cache(target.text)
        return found

    def _rounds(self, path1: Any, path2: Any, recursive: bool, maxdepth: int | None) -> list[list[tuple[str, str]]]:
        """Return the objects to copy, with their destinations, in the order that reads each before it is replaced."""
        pairs = self._pairs(path1, path2, recursive, maxdepth)
        return places.in_rounds([(split(source).text, split(target).text) for source, target in pairs])

    def _pairs(self, path1: Any, path2: Any, recursive: bool, maxdepth: int | None) -> list[tuple[str, str]]:
        if isinstance(path1, list) and isinstance(path2, list):
            return list(zip(path1, path2, strict=True))
        sources = self._sources(path1, recursive, maxdepth)
        if not sources:
            return []
        targets = self._targets(path1, list(sources), path2, self.isdir)
        pairs = zip(sources, targets, strict=True)
        return [(source, target) for source, target in pairs if sources[source] != "directory"]

    def copy(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,
        maxdepth: int | None = None,
        on_error: str | None = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Copy objects, concurrently: within a repository on the server, else through this machine.

        Args:
            path1: A name, a pattern, or a list of them.
            path2: Name of the object or the directory; or a list of names, one for each of a list of sources.
            recursive: Whether to copy directories with all that is in them.
            maxdepth: Maximum number of levels of directories.
            on_error: "raise", or "ignore" to leave out sources that do not exist, which is the default of `recursive`.
            batch_size: Maximum number of concurrent requests.
            **kwargs: Ignored.

        Raises:
            ValueError: Two sources have the same destination, or they would change places. Nothing was copied.
        """
        ignore = (on_error or ("ignore" if recursive else "raise")) == "ignore"

        def one(source: str, target: str) -> None:
            try:
                self.cp_file(source, target)
            except FileNotFoundError:
                if not ignore or self.exists(source):
                    raise

        for pairs in self._rounds(path1, path2, recursive, maxdepth):
            self._each([(one, pair) for pair in pairs], batch_size)

    def mv(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,
        maxdepth: int | None = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Move objects: each is copied, and then deleted if it is still what was copied.

        An interrupted call has lost nothing: every object is at its source, at its destination, or at both.

        Raises:
            FileNotFoundError: A source does not exist.
            IsADirectoryError: It is a directory, and `recursive` is False. Nothing was moved.
            ValueError: Two sources have the same destination, or they would change places. Nothing was moved.
            ObjectChangedError: A source was written while it was copied. It was not deleted.
        """
        if path1 == path2:
            return
        rounds = self._rounds(path1, path2, recursive, maxdepth)
        if not rounds and not recursive and isinstance(path1, str | os.PathLike) and self.isdir(str(path1)):
            raise IsADirectoryError(
                f"{split(path1).uri} is a directory: recursive=True moves it with all that is in it"
            )
        for pairs in rounds:
            self._each([(self._move, pair) for pair in pairs], batch_size)

    def _move(self, path1: str, path2: str) -> None:
        source, target = split(path1), split(path2)
        if source.text == target.text:
            return
        branch = self.branch(path1)
        if source.root == target.root:
            with translated:
                branch.move_object(source.key, target.path)
        else:
            with translated:
                before = branch.stat(source.key)
                self._copy(path1, path2)
                places.check_unchanged(branch, source, before)
                branch.delete_objects([source.key])
        self.invalidate_cache(source.text)
        self.invalidate_cache(target.text)

    def rm_file(self, path: str) -> None:
        """Delete an object.

        Raises:
            FileNotFoundError: It does not exist.
            IsADirectoryError: It is a directory.
        """
        self.rm(path)

    def _rm(self, path: str) -> None:
        self.rm(path)

    def rm(
        self, path: Any, recursive: bool = False, maxdepth: int | None = None, *, whole_branch: bool = False
    ) -> None:
        """Delete objects, 1,000 per request.

        Args:
            path: A name, a pattern, or a list of them.
            recursive: Whether to delete directories with all that is in them.
            maxdepth: Maximum number of levels of directories.
            whole_branch: Whether a name without a path, such as "repository/branch", deletes all objects of the branch.
                The branch itself, and repositories, are never deleted by this call.

        Raises:
            FileNotFoundError: Nothing matches.
            IsADirectoryError: It is a directory, and `recursive` is False. Nothing was deleted.
            PermissionError: It is a branch, and `whole_branch` is False, or a repository; or not on a branch.
        """
        given = [path] if isinstance(path, str | os.PathLike) else list(path)
        for each in given:
            places.check_deletable(split(each), whole_branch=whole_branch and recursive)
        found = self._expand(given, recursive, maxdepth)
        types = self._look_up(found)
        directories = [name for name, kind in types.items() if kind == "directory"]
        if directories and not recursive:
            raise IsADirectoryError(
                f"{split(directories[0]).uri} is a directory: recursive=True deletes it with all that is in it"
            )
        groups = dict[str, list[str]]()
        for text, kind in types.items():
            name = split(text)
            places.check_deletable(name, whole_branch=whole_branch and recursive)
            if kind != "directory":
                groups.setdefault(name.root, []).append(name.key)
            elif maxdepth is None:
                groups.setdefault(name.root, [])
        branches = {root: self.branch(f"{root}-") for root in groups}  # before anything is deleted
        for root, keys in groups.items():
            branch = branches[root]
            markers = self._markers(branch, types, root) if maxdepth is None else ()
            try:
                with translated:
                    branch.delete_objects([*keys, *markers])
            finally:
                self.invalidate_cache(root)

    def _markers(self, branch: Branch, types: dict[str, str], root: str) -> list[str]:
        """Return the paths of the objects that mark directories: they end with a slash, and no name of fsspec does."""
        paths = [
            f"{split(name).path}/" for name, kind in types.items() if kind == "directory" and name.startswith(root)
        ]
        found = branch.stat_many([path for path in paths if path != "/"])
        return [info.path for info in found if info is not None]


class AsyncCopies(AsyncFileSystem):  # type: ignore[misc]
    """For asyncio: the pairs of sources and destinations of calls for many objects, checked before anything is done."""

    async def _copy(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,
        on_error: str | None = None,
        maxdepth: int | None = None,
        batch_size: int | None = None,
        **_: Any,
    ) -> None:
        """Copy objects, concurrently, as `LakeFSFileSystem.copy` does.

        Args:
            path1: A name, a pattern, or a list of them.
            path2: Name of the object or the directory; or a list of names, one for each of a list of sources.
            recursive: Whether to copy directories with all that is in them.
            on_error: "raise", or "ignore" to leave out sources that do not exist, which is the default of `recursive`.
            maxdepth: Maximum number of levels of directories.
            batch_size: Maximum number of concurrent requests.

        Raises:
            ValueError: Two sources have the same destination, or they would change places. Nothing was copied.
        """
        sources, targets = path1, path2
        if not (isinstance(path1, list) and isinstance(path2, list)):
            sources = await self._expand_path(path1, recursive=recursive, maxdepth=maxdepth)
            if isinstance(path1, str) and (not recursive or maxdepth is not None):
                sources = [each for each in sources if not await self._isdir(each)]
            into = isinstance(path2, str) and (trailing_sep(path2) or await self._isdir(path2))
            magic = isinstance(path1, str) and has_magic(path1)
            exists = isinstance(path1, str) and (
                (magic and len(sources) == 1) or (not magic and into and not trailing_sep(path1))
            )
            targets = other_paths(sources, path2, exists=exists, flatten=not isinstance(path1, str)) if sources else []
        pairs = zip(sources, targets, strict=True)
        for part in places.in_rounds([(split(source).text, split(target).text) for source, target in pairs]):
            firsts, seconds = [source for source, _ in part], [target for _, target in part]
            how = on_error or ("ignore" if recursive else "raise")
            await super()._copy(firsts, seconds, on_error=how, batch_size=batch_size)

    async def _get(self, rpath: Any, lpath: Any, recursive: bool = False, **options: Any) -> Any:
        """Download objects to local files, as `LakeFSFileSystem.get` does."""
        if isinstance(rpath, list) and isinstance(lpath, list):
            places.check_pairs(rpath, lpath)
        return await super()._get(rpath, lpath, recursive, **options)

    async def _put(self, lpath: Any, rpath: Any, recursive: bool = False, **options: Any) -> Any:
        """Upload local files, as `LakeFSFileSystem.put` does."""
        if isinstance(rpath, list) and isinstance(lpath, list):
            places.check_pairs(lpath, [split(each).text for each in rpath])
        return await super()._put(lpath, rpath, recursive, **options)
