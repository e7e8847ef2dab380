# Generated from lakefs_hl/facades/aio/files.py by tools/unasync.py: change that, not this.
"""Files: the objects under a prefix, with the calls of CloudFiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from lakefs_hl import _html, exceptions
from lakefs_hl.facades import arguments, items
from lakefs_hl.facades._sync import stores, threads
from lakefs_hl.facades._sync.mapping import FilesMapping
from lakefs_hl.facades._sync.moving import ENDS, WIDTH, FileTransfers, clear
from lakefs_hl.facades._sync.reading import LARGE, WINDOW
from lakefs_hl.facades.opening import opening_of, workers_of
from lakefs_hl.facades.records import Outcome, Put
from lakefs_hl.facades.reports import Tally, checked_on_error

if TYPE_CHECKING:
    import lakefs_hl as lakefs
    from lakefs_hl.types import ProgressLike

#: Files that are written before a path may come again without waiting, at most: their paths are in memory.
RUN: Final = 50_000


class Files(FileTransfers, FilesMapping):
    r"""The files under a prefix of a reference, or in another place: a directory, memory, or a URL that fsspec opens.

    `branch.files(prefix)` and `lakefs.files(url)` return it. Paths are relative to the place. It can be used by several
    threads at a time.

    Examples:
        >>> files = branch.files("data")
        >>> _ = files.put("a.txt", b"hello world")
        >>> files.get("a.txt")
        b'hello world'
        >>> [path for path in files]
        ['a.txt']
    """

    __module__ = "lakefs_hl"

    def __init__(self, store: stores.Store, progress: Any = None, encoding: str | None = None) -> None:
        self._store = store
        self._progress = progress
        self._encoding = encoding
        self._watch(None, "").close()  # a TypeError now if it is none

    def __repr__(self) -> str:
        return f"<Files {self.url}>"

    def _repr_html_(self) -> str:
        return _html.describe("Files", self.url)

    def __reduce__(self) -> tuple[Any, ...]:
        progress = self._progress if self._progress is None or isinstance(self._progress, bool | str) else None
        return type(self), (self._store, progress, self._encoding)

    # -- writing -------------------------------------------------------------------------------------------------------

    def put(
        self,
        path: str,
        content: Any,
        content_type: str | None = None,
        compress: str | bool | None = None,
        compression_level: int | None = None,
        cache_control: str | None = None,
        raw: bool = False,
        *,
        compression: str | bool | None = None,
    ) -> lakefs.TransferReport:
        r"""Write a file.

        Args:
            path: The path.
            content: Bytes, a string (stored as UTF-8) or a binary file.
            content_type: Media type. Defaults to the type of the path's suffix.
            compress: Encoding to store it in: "gzip", "br" or "zstd". "" stores it as it is. Defaults to that of these
                files. `get` decodes it; other clients see encoded content.
            compression_level: How hard to compress, as for `lakefs_hl.compression.compress`.
            cache_control: Text for `Cache-Control`. It is user metadata: lakeFS sends no such header.
            raw: The content is encoded by `compress` already.
            compression: Same as `compress`.

        Returns:
            The number of files, 1, and of bytes as they are stored.

        Raises:
            UnsupportedOperationException: These files are read-only.

        Examples:
            >>> files = branch.files("data")
            >>> files.put("a.txt", b"a" * 1000, compress="gzip").bytes < 100
            True
            >>> files.get("a.txt") == b"a" * 1000
            True
        """
        item = {"path": path, "content": content}
        defaults = self._defaults(content_type, compress, compression, compression_level, cache_control, raw)
        return self._put_one(item, defaults)

    def puts(
        self,
        files: items.PutItem | threads.Items[items.PutItem],
        content_type: str | None = None,
        compress: str | bool | None = None,
        compression_level: int | None = None,
        cache_control: str | None = None,
        total: int | None = None,
        raw: bool = False,
        *,
        compression: str | bool | None = None,
        on_error: Literal["raise", "return"] = "raise",
        progress: ProgressLike | str | None = None,
    ) -> lakefs.TransferReport:
        r"""Write many files, or one. A generator is read only as far as files are under way.

        Args:
            files: A pair (path, content), a dictionary, or an iterable of these. A dictionary has `path` and `content`,
                and optionally `content_type`, `compress`, `compression_level`, `cache_control`, `metadata` and `raw`,
                which win over the parameters, also with None, which stands for the default of the parameter. Results of
                `get` and of `transcode` are such dictionaries. Of several with the same path the last one wins.
            content_type: Media type. Defaults to the type of the path's suffix.
            compress: Encoding to store the files in, as for `put`.
            compression_level: How hard to compress.
            cache_control: Text for `Cache-Control`.
            total: Number of files, for the progress of a generator.
            raw: The content is encoded by `compress` already.
            compression: Same as `compress`.
            on_error: Whether failures are raised after all files were tried, or only returned.
            progress: Takes events or shows a bar. Defaults to that of these files.

        Returns:
            The number of files and of bytes as they are stored, and the failures.

        Raises:
            PartialFailureError: Some files were not written; they are in its `report`.
            UnsupportedOperationException: These files are read-only.
            ValueError: An item has no content, or a field that nothing is known of.

        Examples:
            >>> files = branch.files("data")
            >>> report = files.puts([
            ...     ("a.txt", b"one"),
            ...     {"path": "b.txt", "content": b"two", "compress": "gzip"},
            ... ])
            >>> report.transferred
            2
        """
        defaults = self._defaults(content_type, compress, compression, compression_level, cache_control, raw)
        return self._put_many(files, defaults, total, on_error, progress)

    def put_json(
        self,
        path: str,
        content: Any,
        content_type: str | None = None,
        compress: str | bool | None = None,
        compression_level: int | None = None,
        cache_control: str | None = None,
        raw: bool = False,
        *,
        compression: str | bool | None = None,
    ) -> lakefs.TransferReport:
        r"""Write a value as a JSON file. The parameters are those of `put`.

        Args:
            path: The path.
            content: The value. Arrays and numbers of numpy are written as lists and numbers.
            content_type: Media type. Defaults to `application/json`.
            compress: Encoding to store it in.
            compression_level: How hard to compress.
            cache_control: Text for `Cache-Control`.
            raw: The content is the text of JSON already, in bytes encoded by `compress`.
            compression: Same as `compress`.

        Raises:
            TypeError: JSON has no such value.
            ValueError: The value contains NaN or an infinity, which JSON does not have.

        Examples:
            >>> files = branch.files("data")
            >>> _ = files.put_json("digits.json", [1, 2, 3, 4, 5])
            >>> files.get("digits.json")
            b'[1,2,3,4,5]'
        """
        item = {"path": path, "content": content}
        given = items.JSON if content_type is None else content_type
        defaults = self._defaults(given, compress, compression, compression_level, cache_control, raw, json=True)
        return self._put_one(item, defaults)

    def put_jsons(
        self,
        files: items.PutItem | threads.Items[items.PutItem],
        content_type: str | None = None,
        compress: str | bool | None = None,
        compression_level: int | None = None,
        cache_control: str | None = None,
        total: int | None = None,
        raw: bool = False,
        *,
        compression: str | bool | None = None,
        on_error: Literal["raise", "return"] = "raise",
        progress: ProgressLike | str | None = None,
    ) -> lakefs.TransferReport:
        r"""Write values as JSON files. The parameters are those of `puts`.

        Args:
            files: A pair (path, value), a dictionary with `path` and `content`, or an iterable of these.
            content_type: Media type. Defaults to `application/json`.
            compress: Encoding to store the files in.
            compression_level: How hard to compress.
            cache_control: Text for `Cache-Control`.
            total: Number of files, for the progress of a generator.
            raw: The content is the text of JSON already, in bytes encoded by `compress`.
            compression: Same as `compress`.
            on_error: Whether failures are raised after all files were tried, or only returned.
            progress: Takes events or shows a bar. Defaults to that of these files.

        Examples:
            >>> files = branch.files("data")
            >>> files.put_jsons([("a.json", {"n": 1}), ("b.json", None)]).transferred
            2
        """
        given = items.JSON if content_type is None else content_type
        defaults = self._defaults(given, compress, compression, compression_level, cache_control, raw, json=True)
        return self._put_many(files, defaults, total, on_error, progress)

    def _defaults(
        self,
        content_type: str | None,
        compress: str | bool | None,
        compression: str | bool | None,
        level: int | None,
        cache_control: str | None,
        raw: bool,
        *,
        json: bool = False,
    ) -> items.Defaults:
        raw = arguments.flag(raw, "raw")
        return items.Defaults(
            None if content_type is None else arguments.text(content_type, "content_type"),
            items.encoding_of(compress, compression, None if raw else self._encoding),
            None if level is None else arguments.integer(level, "compression_level", least=0),
            None if cache_control is None else arguments.text(cache_control, "cache_control"),
            raw,
            json,
            self._encoding,
        )

    def _check_writable(self) -> None:
        if self.read_only:
            msg = f"writing to {self.url}: it is read-only."
            if self.url.startswith("lakefs://"):
                msg += (
                    " Commits, tags and ref expressions never change; write to a branch: "
                    "`repository.branch(name).files(prefix)`"
                )
            else:
                msg += " Web servers are; write to another place, such as a directory, or s3:// without use_https"
            raise exceptions.UnsupportedOperationException(msg)

    def _put_one(self, item: object, defaults: items.Defaults) -> lakefs.TransferReport:
        self._check_writable()
        with self._watch(False, "Uploading") as display:
            tally = Tally(display)
            outcome = self._store.write(_prepare_one(item, defaults, "path"))
            _raise(outcome)
            tally.write(outcome)
            return tally.report()

    def _put_many(
        self,
        files: Any,
        defaults: items.Defaults,
        total: int | None,
        on_error: str,
        progress: ProgressLike | str | None,
    ) -> lakefs.TransferReport:
        self._check_writable()
        on_error = checked_on_error(on_error)
        files = [files] if items.is_one_put(files) else items.several(files, "files")
        with self._watch(progress, "Uploading", files, total) as display:
            tally = Tally(display)
            runs = _Runs(files, defaults)
            while not runs.ended:
                for outcome in self._store.write_many(runs.take()):
                    tally.write(clear(self._store, outcome, runs.ends))
            return tally.result(on_error, f"files were not written to {self.url}")

    def touch(
        self,
        paths: str | threads.Items[str],
        total: int | None = None,
        *,
        progress: ProgressLike | str | None = None,
    ) -> lakefs.TransferReport:
        """Create empty files where there are none. Existing files stay as they are, also if others create them now.

        Args:
            paths: A path, or an iterable of paths.
            total: Number of paths, for the progress of a generator.
            progress: Takes events or shows a bar. Defaults to that of these files.

        Returns:
            The number of files that were created.

        Examples:
            >>> files = branch.files("data")
            >>> files.touch(["a.txt", "b.txt"]).transferred, files.touch("a.txt").transferred
            (2, 0)
        """
        self._check_writable()
        single = items.is_single(paths)
        given: Any = [items.path_of(paths, "paths")] if single else items.several(paths, "paths")
        with self._watch(False if single else progress, "Creating", given, total) as display:
            tally = Tally(display)
            for window in threads.batches(given, WINDOW):
                names = [items.path_of(path, "paths", among=True) for path in window]
                for outcome in threads.call_many(self._store.create, names, WIDTH):
                    if isinstance(outcome.error, FileExistsError):
                        display.skip(outcome.path)
                        continue
                    if single:
                        _raise(outcome)
                    tally.write(outcome)
            return tally.result("raise", f"files were not created in {self.url}")

    def delete(
        self,
        paths: str | threads.Items[str],
        total: int | None = None,
        *,
        on_error: Literal["raise", "return"] = "raise",
        progress: ProgressLike | str | None = None,
    ) -> lakefs.TransferReport:
        """Delete a file, or many. A path that does not exist is not an error.

        Args:
            paths: A path, or an iterable of paths.
            total: Number of paths, for the progress of a generator.
            on_error: Whether failures are raised after all paths were tried, or only returned.
            progress: Takes events or shows a bar. Defaults to that of these files.

        Returns:
            The number of paths, in `deleted`, and the failures.

        Raises:
            PartialFailureError: Some files were not deleted; they are in its `report`.
            UnsupportedOperationException: These files are read-only.

        Examples:
            >>> files = branch.files("data")
            >>> _ = files.puts([("a.txt", b"1"), ("b.txt", b"2")])
            >>> files.delete(["a.txt", "b.txt"]).deleted
            2
        """
        self._check_writable()
        on_error = checked_on_error(on_error)
        single = items.is_single(paths)
        given: Any = [items.path_of(paths, "paths")] if single else items.several(paths, "paths")
        with self._watch(False if single else progress, "Deleting", given, total) as display:
            tally = Tally(display)
            for outcome in self._store.delete_many(_paths(given)):
                tally.delete(outcome)
                if single and on_error == "raise":
                    _raise(outcome)
            return tally.result(on_error, f"files were not deleted from {self.url}")


def _raise(outcome: Outcome) -> None:
    """Raise the failure of a single file."""
    if outcome.error is not None:
        raise outcome.error


def _paths(paths: threads.Items[Any]) -> Iterator[str]:
    for path in threads.each(paths):
        yield items.path_of(path, "paths", among=True)


class _Runs:
    """What is to be written, encoded one at a time, in runs without a path twice: stores write at the same time.

    Attributes:
        ended: Whether there is nothing more.
        ends: The paths so far that look like the file of another object in an encoding.
    """

    def __init__(self, files: Any, defaults: items.Defaults) -> None:
        self._files = threads.each(files)
        self._defaults = defaults
        self._next: Put | None = None
        self.ended = False
        self.ends = set[str]()

    def take(self) -> Iterator[Put]:
        """Yield what is to be written, up to a path that was there already."""
        seen = set[str]()
        if self._next is not None:
            seen.add(self._next.path)
            yield self._next
            self._next = None
        for item in self._files:
            put = _prepare_one(item, self._defaults)._replace(keeps=True)
            if put.path.endswith(ENDS):
                self.ends.add(put.path)
            if put.path in seen or len(seen) == RUN:
                self._next = put
                return
            seen.add(put.path)
            yield put
        self.ended = True


def _prepare_one(item: object, defaults: items.Defaults, argument: str = "files") -> Put:
    """Return what is to be written. Large content is encoded off the loop."""
    content: Any = item.get("content") if isinstance(item, Mapping) else None
    if isinstance(item, tuple | list) and item:
        content = item[-1]
    if hasattr(content, "read") or (isinstance(content, bytes) and len(content) > LARGE):
        return threads.run(items.put_of, item, defaults, argument)
    return items.put_of(item, defaults, argument)


def files_of(
    reference: lakefs.ReadIOBase,
    prefix: str,
    progress: Any,
    max_workers: Any,
    num_threads: Any,
    compress: Any,
    green: Any,
    checksum: Any,
) -> Files:
    """Return the files under a prefix of a reference."""
    store = stores.store_of(
        reference,
        prefix,
        max_workers=workers_of(max_workers, num_threads),
        green=threads.checked_green(green),
        checksum=checksum,
    )
    return Files(store, progress, items.encoding_of(compress, None, None))


def files(
    url: str | lakefs.ReadIOBase,
    progress: ProgressLike | str | None = None,
    green: bool | None = None,
    secrets: Mapping[str, Any] | None = None,
    num_threads: int | None = None,
    use_https: bool = False,
    endpoint: str | None = None,
    *,
    client: lakefs.Client | None = None,
    storage_options: Mapping[str, Any] | None = None,
    max_workers: int | None = None,
    compress: str | bool | None = None,
    checksum: Literal["crc32c"] | None = None,
) -> Files:
    """Return the files under a prefix of a lake, in a local directory, in memory, or at any URL that fsspec opens.

    Sends no request. The first seven parameters are those of `CloudFiles`.

    Args:
        url: `lakefs://repository/reference/prefix`, `file:///directory`, `mem://name/prefix` for files in the memory of
            this process, or a URL that fsspec opens, such as `s3://bucket/prefix` or `https://host/path`, which needs
            the extra `fsspec`. Or a reference.
        progress: Takes events or shows a bar, which a string is the title of. Defaults to a bar in a terminal and in a
            notebook.
        green: Make concurrent calls in greenlets, for a program that gevent has patched.
        secrets: Credentials of `s3://` (a dictionary with `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and perhaps
            `AWS_SESSION_TOKEN` and `AWS_DEFAULT_REGION`) or of `gs://` (that of a service account). For a lake give a
            client.
        num_threads: Same as `max_workers`.
        use_https: Read a public bucket of `s3://` or `gs://` over https, without credentials.
        endpoint: Endpoint of another store than that of Amazon, for `s3://`. Host of the lake, for `lakefs://`.
        client: Client of a `lakefs://` URL, such as `lakefs.Client(profile="name")`. Defaults to the default client.
        storage_options: Options of the file system of fsspec. They are never shown.
        max_workers: Maximum number of concurrent requests. Defaults to what the place takes.
        compress: Encoding that `put` stores files in. Defaults to none; `mem://` compresses by itself.
        checksum: "crc32c" to store the CRC32C of what is written to a lake with it, and compare it with what is read.
            It needs the extra `checksums`. An MD5 is compared in any case, where the place has one.

    Raises:
        ImportError: The URL needs a package that is not installed.
        RuntimeError: `green` is True, and gevent has not patched the sockets.
        ValueError: It is no such URL, or a parameter means nothing for it.

    Examples:
        >>> files = lakefs.files("mem://scratch/results")
        >>> _ = files.put("a.txt", b"hello")
        >>> files.get("a.txt")
        b'hello'
    """
    import lakefs_hl as lakefs

    client = arguments.instance(client, "client", lakefs.Client)
    # under their own names, so that no traceback with variables shows them
    secrets = arguments.options(secrets, "secrets")
    storage_options = arguments.options(storage_options, "storage_options")
    found = opening_of(url, secrets, use_https, endpoint, client, storage_options)
    if found.host is not None:
        client = lakefs.Client(found.host)
    store = stores.store_of(
        found.place,
        client=client,
        storage_options=found.storage_options,
        max_workers=workers_of(max_workers, num_threads),
        green=threads.checked_green(green),
        checksum=checksum,
        argument="url",
    )
    return Files(store, progress, items.encoding_of(compress, None, None))


files.__module__ = "lakefs_hl"
