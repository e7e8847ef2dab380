"""What calls for many objects work on: paths, patterns and directories, their destinations, and threads."""

from __future__ import annotations

import os
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from glob import has_magic
from typing import TYPE_CHECKING, Any, Final

from fsspec.implementations.local import trailing_sep
from fsspec.spec import AbstractFileSystem
from fsspec.utils import other_paths, stringify_path

from lakefs_hl.filesystem.names import Name, not_found, split, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Calls of one object that run at a time, unless `batch_size` says otherwise.
_AT_A_TIME: Final = 16


class Sources(AbstractFileSystem):  # type: ignore[misc]
    """The part of the file system that finds out what a call for many objects works on."""

    def expand_path(
        self,
        path: Any,
        recursive: bool = False,
        maxdepth: int | None = None,
        assume_literal: bool = False,
        **kwargs: Any,
    ) -> list[str]:
        """Return the names that some paths, patterns and directories stand for, in order.

        A pattern that matches nothing is also looked up as it is: paths of lakeFS may have asterisks and brackets.

        Raises:
            FileNotFoundError: Nothing matches.
        """
        return list(self._expand(path, recursive, maxdepth, assume_literal=assume_literal))

    def _expand(
        self, path: Any, recursive: bool, maxdepth: int | None, *, assume_literal: bool = False
    ) -> dict[str, str | None]:
        """Return the types of the names that some paths stand for. None is a type that was not looked up."""
        if maxdepth is not None and maxdepth < 1:
            raise ValueError(f"maxdepth must be at least 1, not {maxdepth}")
        out = dict[str, str | None]()
        given = [path] if isinstance(path, str | os.PathLike) else list(path)
        for each in given:
            name = self._strip_protocol(each)
            if not assume_literal and has_magic(name):
                found = self.glob(name, maxdepth=maxdepth, detail=True)
                out.update({key: info["type"] for key, info in found.items()})
                if not found and self.exists(name):
                    out[name] = None
                if recursive and found and (maxdepth is None or maxdepth > 1):
                    below = maxdepth - 1 if maxdepth is not None else None
                    out.update(self._expand(list(found), recursive, below, assume_literal=True))
                continue
            if recursive:
                below_it = self.find(name, maxdepth=maxdepth, withdirs=True, detail=True)
                out.update({key: info["type"] for key, info in below_it.items()})
            if name not in out and (not recursive or self.exists(name)):
                out[name] = None
        if not out:
            raise not_found(split(given[0]) if given else Name("", "", ""), "does not exist, and nothing matches it")
        return dict(sorted(out.items()))

    def _is_directory(self, name: str, kind: str | None) -> bool:
        return self.isdir(name) if kind is None else kind == "directory"

    def _sources(self, path: Any, recursive: bool, maxdepth: int | None) -> dict[str, str | None]:
        """Return the sources of `get` and `cp`. As fsspec has it, one directory without `recursive` is left out."""
        found = self._expand(path, recursive, maxdepth)
        if isinstance(path, str) and (not recursive or maxdepth is not None):
            types = {name: "directory" if self._is_directory(name, kind) else "file" for name, kind in found.items()}
            return {name: kind for name, kind in types.items() if kind == "file"}
        return found

    def _targets(self, source: Any, sources: list[str], target: Any, is_dir: Callable[[str], bool]) -> list[str]:
        """Return the destinations of some sources, by the rules of fsspec for slashes at the end and directories."""
        is_text = isinstance(source, str)
        into = isinstance(target, str) and (trailing_sep(target) or is_dir(target))
        magic = is_text and has_magic(stringify_path(source))
        exists = is_text and ((magic and len(sources) == 1) or (not magic and into and not trailing_sep(source)))
        found: list[str] = other_paths(sources, target, exists=exists, flatten=not is_text)
        return found

    def _look_up(self, found: dict[str, str | None]) -> dict[str, str]:
        """Return the types of some names, looked up together where they are unknown.

        Raises:
            FileNotFoundError: One does not exist.
        """
        unknown = dict[str, list[Name]]()
        for text, kind in found.items():
            name = split(text)
            if kind is None and name.path:
                unknown.setdefault(name.root, []).append(name)
        types = {text: kind or "directory" for text, kind in found.items()}
        for root, names in unknown.items():
            at = self.reference(root)
            with translated:
                for name, info in zip(names, at.stat_many([name.key for name in names]), strict=True):
                    if info is not None:
                        types[name.text] = "file"
                    elif not at.is_dir(name.prefix):
                        raise not_found(name, "does not exist")
        return types

    def _workers(self, batch_size: int | None) -> int | None:
        chosen = batch_size or self.batch_size
        return chosen if chosen is None or chosen > 0 else None  # fsspec: -1 is no limit

    def _each(self, calls: Iterable[tuple[Callable[..., None], tuple[Any, ...]]], batch_size: int | None) -> None:
        """Make calls of one object each, some at a time. After a failure no more are started, and it is raised."""
        todo = list(calls)
        at_a_time = min(len(todo), self._workers(batch_size) or _AT_A_TIME)
        if at_a_time <= 1:
            for call, arguments in todo:
                call(*arguments)
            return
        with ThreadPoolExecutor(at_a_time, thread_name_prefix="lakefs-filesystem") as pool:
            futures = [pool.submit(call, *arguments) for call, arguments in todo]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            if any(future.exception() is not None for future in done):
                pool.shutdown(wait=True, cancel_futures=True)
        for future in futures:
            if not future.cancelled():
                future.result()
