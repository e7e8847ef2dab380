"""`cat` and `pipe`: the contents of objects from and to memory, of many at a time."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lakefs_hl.exceptions import ObjectChangedError
from lakefs_hl.filesystem import places
from lakefs_hl.filesystem.copies import Copies
from lakefs_hl.filesystem.deferred import fill
from lakefs_hl.filesystem.names import COMMIT_ID, split, translated
from lakefs_hl.filesystem.transfers import Transfers
from lakefs_hl.filesystem.walks import can_be_omitted

if TYPE_CHECKING:
    from lakefs_hl import Branch


class BulkCalls(Transfers, Copies):
    """The part of the file system that moves many objects. Its subclass has look-ups, listings and references."""

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """Return the content of an object, or a range of it, by one request.

        Raises:
            FileNotFoundError: It does not exist.
        """
        name = split(path)
        pre_sign = kwargs.pop("pre_sign", self.pre_sign)
        with translated:
            if not name.path:
                raise IsADirectoryError(f"{name.uri} is a directory, not an object")
            found: bytes = self.reference(path).download(name.key, start=start, end=end, pre_signed=pre_sign)
        return found

    def cat(self, path: Any, recursive: bool = False, on_error: str = "raise", **kwargs: Any) -> Any:
        """Return the content of an object, or a dictionary of the contents of many, read concurrently.

        Args:
            path: A name, a pattern or a list of them.
            recursive: Whether to read all objects under directories.
            on_error: "raise"; "omit" leaves out what does not exist, or is a directory, and raises every other error;
                "return" has the exceptions in place of what cannot be read.
            **kwargs: `batch_size`.
        """
        batch_size = kwargs.pop("batch_size", None)
        found = self._expand(path, recursive, None)
        names = [name for name, kind in found.items() if kind != "directory"]
        if len(found) == 1 and not isinstance(path, list) and next(iter(found)) == self._strip_protocol(path):
            return self.cat_file(next(iter(found)), **kwargs)
        contents = self._read([(name, None, None) for name in names], batch_size)
        out = dict[str, Any]()
        for name, content in zip(names, contents, strict=True):
            if isinstance(content, Exception):
                if on_error == "raise" or (on_error != "return" and not can_be_omitted(content)):
                    raise content
                if on_error != "return":
                    continue
            out[name] = content
        return out

    def cat_ranges(
        self,
        paths: list[str],
        starts: Any,
        ends: Any,
        max_gap: int | None = None,
        on_error: str = "return",
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        """Return ranges of objects. Ranges of one object that touch or are close are read by one request.

        Args:
            paths: Names of the objects.
            starts: Offsets of the first bytes, or one for all. None is 0; negative ones count from the end.
            ends: Offsets after the last bytes, likewise. None is the end of the object.
            max_gap: Bytes between two ranges that are still read together. Defaults to 32 KiB.
            on_error: "return" has exceptions in place of what cannot be read; "raise" raises the first.
            batch_size: Maximum number of concurrent requests.
            **kwargs: Ignored.
        """
        if not isinstance(paths, list):
            raise TypeError(f"paths must be a list, not {type(paths).__name__}")
        firsts = starts if isinstance(starts, list) else [starts] * len(paths)
        lasts = ends if isinstance(ends, list) else [ends] * len(paths)
        if not len(firsts) == len(lasts) == len(paths):
            raise ValueError(f"{len(paths)} paths have {len(firsts)} starts and {len(lasts)} ends")
        names = [self._strip_protocol(path) for path in paths]
        requests, parts = places.join(list(zip(names, firsts, lasts, strict=True)), max_gap)
        contents = self._read_versions(requests, batch_size)
        out = list[Any]()
        for index, start, end in parts:
            content = contents[index]
            if isinstance(content, Exception):
                if on_error != "return":
                    raise content
                out.append(content)
            else:
                out.append(content if start is None else content[start:end])
        return out

    def _read_versions(self, asked: Sequence[tuple[str, int | None, int | None]], batch_size: int | None) -> list[Any]:
        """Return ranges, all of one object from one version of it: what several requests read is compared."""
        counts = Counter(path for path, _, _ in asked)
        several = [path for path, count in counts.items() if count > 1 and not self._is_pinned(path)]
        before = self._checksums(several)
        contents = self._read(asked, batch_size)
        after = self._checksums(several)
        for index, (path, _, _) in enumerate(asked):
            if path in before and before[path] != after[path] and not isinstance(contents[index], Exception):
                contents[index] = ObjectChangedError(f"{split(path).uri} was replaced while it was read; read it again")
        return contents

    def _is_pinned(self, path: str) -> bool:
        return COMMIT_ID.fullmatch(split(path).reference) is not None

    def _checksums(self, paths: list[str]) -> dict[str, str | None]:
        found = dict[str, str | None]()
        for root, names in itertools.groupby(sorted(map(split, paths)), key=lambda name: name.root):
            group = list(names)
            with translated:
                infos = self.reference(root).stat_many([name.key for name in group])
            found.update(
                (name.text, None if info is None else info.checksum) for name, info in zip(group, infos, strict=True)
            )
        return found

    def _read(self, asked: Sequence[tuple[str, int | None, int | None]], batch_size: int | None) -> list[Any]:
        """Return ranges of objects, or exceptions in their place."""
        groups = dict[str, list[int]]()
        out: list[Any] = [None] * len(asked)
        for index, (path, _, _) in enumerate(asked):
            try:
                name = split(path)
            except ValueError as exc:
                out[index] = exc
                continue
            if name.path:
                groups.setdefault(name.root, []).append(index)
            else:
                out[index] = IsADirectoryError(f"{name.uri} is a directory, not an object")
        for root, indexes in groups.items():
            items = [{"path": split(asked[at][0]).key, "start": asked[at][1], "end": asked[at][2]} for at in indexes]
            items = [{key: value for key, value in item.items() if value is not None} for item in items]
            found = self.reference(root).download_many(items, max_workers=self._workers(batch_size), progress=False)
            for at, result in zip(indexes, found, strict=True):
                out[at] = result.content if result.error is None else _as_os_error(result.error)
        return out

    def head(self, path: str, size: int = 1024) -> bytes:
        """Return the first bytes of an object, by one request."""
        return self.cat_file(path, 0, size)

    def tail(self, path: str, size: int = 1024) -> bytes:
        """Return the last bytes of an object."""
        return self.cat_file(path, -size) if size > 0 else b""

    def pipe_file(self, path: str, value: Any, mode: str = "overwrite", **kwargs: Any) -> None:
        """Write an object.

        Args:
            path: Its name.
            value: Bytes, or anything else that `Branch.upload` takes.
            mode: "create" makes an existing object an error.
            **kwargs: `content_type` and `metadata`.

        Raises:
            FileExistsError: It exists, and `mode` is "create".
            FileNotFoundError: The branch does not exist.
        """
        if self._intrans:
            with self.open(path, "xb" if mode == "create" else "wb", **kwargs) as file:
                fill(file, value)
            return
        branch, name = self.branch(path), split(path)
        pre_sign = kwargs.pop("pre_sign", self.pre_sign)
        with translated:
            branch.upload(value, name.path, if_none_match=mode == "create", pre_signed=pre_sign, **kwargs)
        self.invalidate_cache(name.text)

    def pipe(self, path: Any, value: Any = None, **kwargs: Any) -> None:
        """Write an object, or with a dictionary of names and contents many of them, concurrently."""
        if not isinstance(path, dict):
            self.pipe_file(self._strip_protocol(path), value, **kwargs)
            return
        batch_size = kwargs.pop("batch_size", None)
        if self._intrans or kwargs or len(path) == 1:
            for name, content in path.items():
                self.pipe_file(self._strip_protocol(name), content, **kwargs)
            return
        unique = {self._strip_protocol(name): content for name, content in path.items()}  # of one name, the last
        self._upload(list(unique.items()), batch_size)

    def _upload(self, items: list[tuple[str, Any]], batch_size: int | None, progress: Any = False) -> None:
        groups = dict[str, list[tuple[str, Any]]]()
        branches: dict[str, Branch] = {}
        for path, data in items:
            name = split(path)
            branches.setdefault(name.root, self.branch(path))
            groups.setdefault(name.root, []).append((name.path, data))
        for root, group in groups.items():
            try:
                with translated:
                    branches[root].upload_many(group, max_workers=self._workers(batch_size), progress=progress)
            finally:
                self.invalidate_cache(root)


def _as_os_error(error: Exception) -> Exception:
    try:
        with translated:
            raise error
    except Exception as found:  # noqa: BLE001 - it is returned in place of a content
        return found
