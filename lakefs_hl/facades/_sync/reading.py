# Generated from lakefs_hl/facades/aio/reading.py by tools/unasync.py: change that, not this.
"""The part of Files that reads."""

from __future__ import annotations

import builtins
import posixpath
from collections.abc import Iterator, Mapping, Sized
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, overload

from lakefs_hl import exceptions
from lakefs_hl._progress import progress_of
from lakefs_hl.facades import arguments, items, ranges
from lakefs_hl.facades._sync import threads
from lakefs_hl.facades.paths import as_prefix
from lakefs_hl.facades.records import Content, Entry, Range
from lakefs_hl.facades.reports import Tally, checked_on_error
from lakefs_hl.facades.results import FileResult

if TYPE_CHECKING:
    from datetime import datetime

    from lakefs_hl._progress import Progress
    from lakefs_hl.facades._sync.stores import Store
    from lakefs_hl.types import ProgressLike

_Path: TypeAlias = str | PurePosixPath
#: Paths and ranges that are read together: ranges of one file among them are joined.
WINDOW: Final = 1000
#: Content that is decoded off the loop, in bytes.
LARGE: Final = 256 << 10


class FileReads:
    """The part of `Files` that reads."""

    __module__ = "lakefs_hl"
    _store: Store
    _progress: Any

    @property
    def url(self) -> str:
        """The URL of the place, without secrets. Ends with a slash."""
        return self._store.url

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written here: the files are those of a commit, a tag or a web server."""
        return self._store.read_only

    def _watch(
        self, progress: ProgressLike | str | None, title: str, files: object = None, total: int | None = None
    ) -> Progress:
        """Return the progress of a call on many files."""
        chosen: Any = self._progress if progress is None else progress
        if isinstance(chosen, str):
            title, chosen = f"{title} {chosen}", True
        if total is not None:
            total = arguments.integer(total, "total", least=0)
        elif isinstance(files, Sized):
            total = len(files)
        return progress_of(chosen, total=total, title=title, source=self.url)

    # -- content -------------------------------------------------------------------------------------------------------

    @overload
    def get(  # type: ignore[overload-overlap] # a text is one path, not an iterable of texts
        self,
        paths: _Path | Range | Mapping[str, Any],
        *,
        total: int | None = None,
        raw: bool = False,
        on_error: Literal["raise", "return"] = "return",
        progress: ProgressLike | str | None = None,
    ) -> bytes | None: ...
    @overload
    def get(
        self,
        paths: threads.Items[items.GetItem],
        *,
        total: int | None = None,
        raw: bool = False,
        on_error: Literal["raise", "return"] = "return",
        progress: ProgressLike | str | None = None,
    ) -> builtins.list[FileResult]: ...
    def get(
        self,
        paths: _Path | Range | Mapping[str, Any] | threads.Items[items.GetItem],
        *,
        total: int | None = None,
        raw: bool = False,
        on_error: Literal["raise", "return"] = "return",
        progress: ProgressLike | str | None = None,
    ) -> bytes | builtins.list[FileResult] | None:
        r"""Read one file, or many.

        Files that are stored in gzip, br or zstd are decoded. A range is one of the decoded content. Ranges of one file
        that are close are read by one request.

        Args:
            paths: A path; a dictionary with `path`, `start` and `end`, or a `Range`, for a part of a file; or an
                iterable of these, such as a generator. `end` is the offset after the last byte. Negative offsets count
                from the end.
            total: Number of paths, for the progress of a generator.
            raw: Return the content as it is stored, without decoding it. A range is one of the stored content.
            on_error: Whether failures are raised after all files were tried, or returned in the results. A failure of a
                single file is raised in any case.
            progress: Takes events or shows a bar, which a string is the title of. Defaults to that of these files.

        Returns:
            The content of one file; None if there is no such file. Of many files the results in the order of `paths`:
            dictionaries with `path`, `content` (None if there is none), `byte_range` and `error`.

        Raises:
            PartialFailureError: Some files could not be read, and `on_error` is `raise`.
            IntegrityError: The content did not match its checksum or its encoding.
            NotFoundException: The repository or the reference does not exist.

        Examples:
            >>> files = branch.files("data")
            >>> _ = files.puts([("a.txt", b"hello world"), ("b.txt", b"two")])
            >>> files.get("a.txt"), files.get("missing.txt")
            (b'hello world', None)
            >>> files.get({"path": "a.txt", "start": 0, "end": 5})
            b'hello'
            >>> results = files.get(["b.txt"])
            >>> results[0]
            {'path': 'b.txt', 'content': b'two', 'byte_range': (None, None), 'error': None}
        """
        on_error, raw = checked_on_error(on_error), arguments.flag(raw, "raw")
        if items.is_single(paths):
            result = [each for each in self._read([items.range_of(paths)], raw=raw)][0]
            return _content_or_none(result, on_error)
        several = items.several(paths, "paths")
        with self._watch(progress, "Downloading", several, total) as display:
            tally, found = Tally(display), builtins.list[FileResult]()
            for result in self._read(several, raw=raw):
                if result.error is not None:
                    tally.fail(result.path, result.error)
                else:
                    display.complete(result.path, len(result.content or b""))
                found.append(result)
            tally.result(on_error, f"files of {self.url} were not read")
        return found

    def get_json(
        self,
        paths: _Path | threads.Items[items.GetItem],
        total: int | None = None,
        *,
        progress: ProgressLike | str | None = None,
    ) -> Any:
        """Read one JSON file, or many, and decode them.

        Args:
            paths: A path, or an iterable of paths.
            total: Number of paths, for the progress of a generator.
            progress: Takes events or shows a bar. Defaults to that of these files.

        Returns:
            The value of one file; None if there is no such file. Of many files the values in the order of `paths`.

        Raises:
            ValueError: A file is not JSON. The message names it.
            PartialFailureError: A file could not be read for another reason than that it does not exist.

        Examples:
            >>> files = branch.files("data")
            >>> _ = files.put_json("digits.json", [1, 2, 3])
            >>> files.get_json("digits.json"), files.get_json(["digits.json", "missing.json"])
            ([1, 2, 3], [[1, 2, 3], None])
        """
        if items.is_single(paths):
            content: Any = self.get(paths)
            return None if content is None else items.value_of(content, items.range_of(paths).path)
        several = items.several(paths, "paths")
        with self._watch(progress, "Downloading JSON", several, total) as display:
            tally, values = Tally(display), builtins.list[Any]()
            for result in self._read(several):
                if result.content is not None:
                    values.append(items.value_of(result.content, result.path))
                    display.complete(result.path, len(result.content))
                elif result.error is not None and not is_missing(result.error):
                    tally.fail(result.path, result.error)
                else:
                    values.append(None)
            tally.result("raise", f"files of {self.url} were not read")
        return values

    def _read(self, paths: Any, *, raw: bool = False) -> Iterator[FileResult]:
        """Yield the results of what is asked for, in its order."""
        for window in threads.batches(paths, WINDOW):
            asked = [items.range_of(each, among=True) for each in window]
            requests, parts = ranges.join(asked)
            last_use = {part.request: at for at, part in enumerate(parts)}
            reading, read = self._store.read_many(requests), 0
            contents, whole = dict[int, Content](), FileResult("")
            for at, (each, part) in enumerate(zip(asked, parts, strict=True)):
                while read <= part.request:
                    contents[read] = next(reading)
                    read += 1
                found = ranges.cut(contents[part.request], part, each)
                if last_use[part.request] == at:
                    del contents[part.request]
                if raw or found.data is None or not found.encoding or found.byte_range == (None, None):
                    yield self._decode_result(found, raw=raw)
                    continue
                if whole.path != each.path:  # a range of the decoded content: it takes all of the encoded one
                    whole = self._decode_result(self._store.read(each.path), raw=False)
                data = None if whole.content is None else whole.content[each.start : each.end]
                yield FileResult(each.path, data, found.byte_range, whole.error, compress=whole.compress)

    def _decode_result(self, content: Content, *, raw: bool) -> FileResult:
        """Return the result of what was read."""
        data, encoding, error = content.data, content.encoding, content.error
        if data is not None and encoding and not raw:
            try:
                data = _decode(data, encoding, content.path)
            except (exceptions.IntegrityError, ImportError, ValueError) as exc:
                data, error = None, exc
        return FileResult._of(content, data, error, raw=raw)

    # -- what there is -------------------------------------------------------------------------------------------------

    @overload
    def exists(  # type: ignore[overload-overlap] # a text is one path, not an iterable of texts
        self, paths: _Path, total: int | None = None, *, progress: ProgressLike | str | None = None
    ) -> bool: ...
    @overload
    def exists(
        self, paths: threads.Items[_Path], total: int | None = None, *, progress: ProgressLike | str | None = None
    ) -> dict[str, bool]: ...
    def exists(
        self,
        paths: _Path | threads.Items[_Path],
        total: int | None = None,
        *,
        progress: ProgressLike | str | None = None,
    ) -> bool | dict[str, bool]:
        """Return whether a file exists, or which of many do.

        Args:
            paths: A path, or an iterable of paths.
            total: Number of paths, for the progress of a generator.
            progress: Takes events or shows a bar. Defaults to that of these files.

        Returns:
            True or False for one path. A dictionary by path for many.

        Examples:
            >>> files = branch.files("data")
            >>> _ = files.put("a.txt", b"hello")
            >>> files.exists("a.txt"), files.exists(["a.txt", "b.txt"])
            (True, {'a.txt': True, 'b.txt': False})
        """
        if items.is_single(paths):
            return self._store.stat(items.path_of(paths, "paths")) is not None
        found = self._entries(paths, total, progress, "Looking up")
        return {path: entry is not None for path, entry in found}

    @overload
    def size(  # type: ignore[overload-overlap] # a text is one path, not an iterable of texts
        self, paths: _Path, total: int | None = None, *, progress: ProgressLike | str | None = None
    ) -> int | None: ...
    @overload
    def size(
        self, paths: threads.Items[_Path], total: int | None = None, *, progress: ProgressLike | str | None = None
    ) -> dict[str, int | None]: ...
    def size(
        self,
        paths: _Path | threads.Items[_Path],
        total: int | None = None,
        *,
        progress: ProgressLike | str | None = None,
    ) -> int | dict[str, int | None] | None:
        """Return the size of a file in bytes as it is stored, so of its encoded content, or the sizes of many.

        Args:
            paths: A path, or an iterable of paths.
            total: Number of paths, for the progress of a generator.
            progress: Takes events or shows a bar. Defaults to that of these files.

        Returns:
            The size of one file. A dictionary by path for many. None if there is no such file.

        Examples:
            >>> files = branch.files("data")
            >>> _ = files.puts([("a.txt", b"hello"), ("empty.txt", b"")])
            >>> files.size(["a.txt", "empty.txt", "missing.txt"])
            {'a.txt': 5, 'empty.txt': 0, 'missing.txt': None}
        """
        if items.is_single(paths):
            entry = self._store.stat(items.path_of(paths, "paths"))
            return None if entry is None else entry.size
        found = self._entries(paths, total, progress, "Measuring")
        return {path: None if entry is None else entry.size for path, entry in found}

    @overload
    def head(  # type: ignore[overload-overlap] # a text is one path, not an iterable of texts
        self, paths: _Path, total: int | None = None, *, progress: ProgressLike | str | None = None
    ) -> dict[str, Any] | None: ...
    @overload
    def head(
        self, paths: threads.Items[_Path], total: int | None = None, *, progress: ProgressLike | str | None = None
    ) -> dict[str, dict[str, Any] | None]: ...
    def head(
        self,
        paths: _Path | threads.Items[_Path],
        total: int | None = None,
        *,
        progress: ProgressLike | str | None = None,
    ) -> dict[str, Any] | None:
        """Return what is known of a file without its content, or of many.

        Args:
            paths: A path, or an iterable of paths.
            total: Number of paths, for the progress of a generator.
            progress: Takes events or shows a bar. Defaults to that of these files.

        Returns:
            A dictionary with the names of HTTP: `Content-Length`, `Content-Type`, `Content-Encoding`, `Cache-Control`,
            `ETag`, `Content-Md5` (hexadecimal), `Last-Modified` (an aware datetime), and `Metadata` (user metadata).
            What is not known is None. A dictionary of these by path for many files. None if there is no such file.

        Examples:
            >>> files = branch.files("data")
            >>> _ = files.put("a.txt", b"hello", cache_control="no-cache")
            >>> found = files.head("a.txt")
            >>> found["Content-Length"], found["Content-Type"], found["Cache-Control"]
            (5, 'text/plain', 'no-cache')
        """
        if items.is_single(paths):
            entry = self._store.stat(items.path_of(paths, "paths"))
            return None if entry is None else _headers(entry)
        found = self._entries(paths, total, progress, "Looking up")
        return {path: None if entry is None else _headers(entry) for path, entry in found}

    def _entries(
        self, paths: Any, total: int | None, progress: ProgressLike | str | None, title: str
    ) -> Iterator[tuple[str, Entry | None]]:
        """Yield paths and what the store knows of them."""
        several = items.several(paths, "paths")
        with self._watch(progress, title, several, total) as display:
            for window in threads.batches(several, WINDOW):
                names = list(dict.fromkeys(items.path_of(path, "paths", among=True) for path in window))
                reading = self._store.stat_many(names)
                for name in names:
                    yield name, next(reading)
                    display.complete(name)

    def list(self, prefix: str = "", flat: bool = False) -> Iterator[str]:
        """Iterate over the paths of the files, in byte order, lazily.

        Args:
            prefix: Only paths that begin with this. It need not be that of a directory.
            flat: Only one level: files, and for each directory one path that ends with a slash.

        Examples:
            >>> files = branch.files("data")
            >>> _ = files.puts([("a.txt", b"1"), ("sub/b.txt", b"2"), ("sub/c.txt", b"3")])
            >>> [path for path in files.list()]
            ['a.txt', 'sub/b.txt', 'sub/c.txt']
            >>> [path for path in files.list(flat=True)]
            ['a.txt', 'sub/']
        """
        return self._list(items.prefix_of(prefix), arguments.flag(flat, "flat"))

    def flat(self, prefix: str = "") -> Iterator[str]:
        """Iterate over the paths of one level. Same as `list(prefix, flat=True)`.

        Args:
            prefix: Only paths that begin with this. With a slash at its end it is a directory.

        Examples:
            >>> files = branch.files("data")
            >>> _ = files.puts([("a.txt", b"1"), ("sub/b.txt", b"2")])
            >>> [path for path in files.flat("sub/")]
            ['sub/b.txt']
        """
        return self.list(prefix, flat=True)

    def _list(self, prefix: str, flat: bool) -> Iterator[str]:
        for entry in self._store.list(prefix, flat=flat):
            yield entry.path

    def __iter__(self) -> Iterator[str]:
        return self.list()

    def isdir(self, prefix: str = "") -> bool:
        """Return whether there is any file below a path.

        Args:
            prefix: The path of the directory, with or without a slash at its end. "" is this place itself.

        Examples:
            >>> files = branch.files("data")
            >>> _ = files.put("sub/b.txt", b"2")
            >>> files.isdir("sub"), files.isdir("sub/b.txt")
            (True, False)
        """
        for _ in self._store.list(as_prefix(items.prefix_of(prefix))):
            return True
        return False

    def subtree_size(self, prefix: str | threads.Items[str] = "") -> dict[str, int]:
        """Return how many files there are below a prefix, and how many bytes they have as they are stored.

        Args:
            prefix: Beginning of the paths, or several.

        Returns:
            `N`, the number of files, and `num_bytes`.

        Examples:
            >>> files = branch.files("data")
            >>> _ = files.puts([("a.txt", b"hello"), ("sub/b.txt", b"two")])
            >>> files.subtree_size(), files.subtree_size("sub/")
            ({'N': 2, 'num_bytes': 8}, {'N': 1, 'num_bytes': 3})
        """
        count = size = 0
        for each in threads.each([prefix] if isinstance(prefix, str) else items.several(prefix, "prefix")):
            for entry in self._store.list(items.prefix_of(each)):
                count += 1
                size += entry.size
        return {"N": count, "num_bytes": size}

    # -- names ---------------------------------------------------------------------------------------------------------

    @property
    def sep(self) -> str:
        """What separates the parts of a path: "/"."""
        return "/"

    def join(self, *paths: str) -> str:
        """Join parts of a path.

        Examples:
            >>> branch.files().join("data", "2026", "a.csv")
            'data/2026/a.csv'
        """
        return posixpath.join(*map(items.path_of, paths)) if paths else ""

    def dirname(self, path: str) -> str:
        """Return the part of a path before its last slash.

        Examples:
            >>> branch.files().dirname("data/a.csv")
            'data'
        """
        return posixpath.dirname(items.path_of(path))

    def basename(self, path: str) -> str:
        """Return the part of a path behind its last slash.

        Examples:
            >>> branch.files().basename("data/a.csv")
            'a.csv'
        """
        return posixpath.basename(items.path_of(path))

    def abspath(self, path: str) -> str:
        """Return the URL of a file.

        Examples:
            >>> branch.files("data").abspath("a.csv")
            'lakefs://example/main/data/a.csv'
        """
        return self.url + items.path_of(path)


def is_missing(error: BaseException | None) -> bool:
    """Return whether an error says that there is no such file."""
    return isinstance(error, FileNotFoundError)


def _content_or_none(result: FileResult, on_error: str) -> bytes | None:
    """Return the content of a single file; None if there is no such file."""
    error = result.error
    if error is None or (is_missing(error) and on_error == "return"):
        return result.content
    try:
        raise error
    finally:
        del error, result  # the traceback refers to this frame


def _decode(data: bytes, encoding: str, path: str) -> bytes:
    if len(data) > LARGE:
        return threads.run(items.decode, data, encoding, path)
    return items.decode(data, encoding, path)


def _headers(entry: Entry) -> dict[str, Any]:
    """Return what is known of a file by the names of HTTP."""
    metadata = dict(entry.metadata)
    modified: datetime | None = entry.modified
    return {
        "Content-Length": entry.size,
        "Content-Type": entry.content_type,
        "Content-Encoding": entry.encoding,
        "Cache-Control": metadata.pop(items.CACHE_CONTROL, None),
        "ETag": entry.etag,
        "Content-Md5": entry.md5,
        "Last-Modified": modified,
        "Metadata": metadata,
    }
