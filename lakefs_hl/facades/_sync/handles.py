# Generated from lakefs_hl/facades/aio/handles.py by tools/unasync.py: change that, not this.
"""One object of a reference as a file, with the calls of the class CloudFile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from lakefs_hl import _html
from lakefs_hl._progress import progress_of
from lakefs_hl.facades import arguments, items
from lakefs_hl.facades._sync import stores
from lakefs_hl.facades._sync.files import Files
from lakefs_hl.facades._sync.mapping import ObjectMapping
from lakefs_hl.facades._sync.moving import carry
from lakefs_hl.facades.backends import missing_error
from lakefs_hl.facades.paths import check_path
from lakefs_hl.facades.records import Range
from lakefs_hl.facades.reports import Tally
from lakefs_hl.facades.results import FileResult

if TYPE_CHECKING:
    import lakefs_hl as lakefs


class ObjectHandle(ObjectMapping):
    r"""One object of a reference, which need not exist. `ref.object(path)` returns it.

    Examples:
        >>> handle = branch.object("data/a.txt")
        >>> _ = handle.put(b"hello world")
        >>> handle.get(), handle.size()
        (b'hello world', 11)
    """

    __module__ = "lakefs_hl"

    def __init__(self, reference: lakefs.ReadIOBase, path: str) -> None:
        self._reference = reference
        self._path = check_path(items.path_of(path))
        self._files = Files(stores.store_of(reference), False)

    def __repr__(self) -> str:
        return f"<ObjectHandle {self.uri}>"

    def _repr_html_(self) -> str:
        return _html.describe("ObjectHandle", self.uri)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ObjectHandle):
            return NotImplemented
        return (self._reference, self._path) == (other._reference, other._path)

    def __hash__(self) -> int:
        return hash((self._reference, self._path))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._reference, self._path)

    def __dask_tokenize__(self) -> tuple[object, ...]:
        return type(self).__qualname__, self._reference.__dask_tokenize__(), self._path

    @property
    def path(self) -> str:
        """The path of the object."""
        return self._path

    @property
    def uri(self) -> str:
        """The URI of the object."""
        return f"{self._reference.uri}{self._path}"

    @overload
    def get(self, ranges: None = None, *, raw: bool = False) -> bytes | None: ...
    @overload
    def get(self, ranges: Iterable[slice | Range | Mapping[str, Any]], *, raw: bool = False) -> list[FileResult]: ...
    def get(
        self, ranges: Iterable[slice | Range | Mapping[str, Any]] | None = None, *, raw: bool = False
    ) -> bytes | list[FileResult] | None:
        """Read the object, or ranges of it, which are joined into few requests.

        Args:
            ranges: Slices such as `slice(0, 5)`, or dictionaries with `start` and `end`. Defaults to the whole object.
            raw: Return the content as it is stored, without decoding it.

        Returns:
            The content, None if there is no such object; of ranges the results, as of `Files.get`.

        Examples:
            >>> handle = branch.object("data/a.txt")
            >>> _ = handle.put(b"hello world")
            >>> [result["content"] for result in handle.get([slice(0, 5), {"start": 6, "end": 11}])]
            [b'hello', b'world']
        """
        if ranges is None:
            return self._files.get(self._path, raw=raw)
        return self._files.get([self._range(each) for each in items.several(ranges, "ranges")], raw=raw)

    def _dictionary(self, part: object) -> object:
        return {"path": self._path, **part} if isinstance(part, Mapping) else part

    def _range(self, part: slice | Range | Mapping[str, Any]) -> Range:
        if not isinstance(part, slice):
            given = items.range_of(self._dictionary(part), "ranges", among=True)
            if given.path != self._path:
                msg = f"a range of {self.uri} is one of {self._path!r}, not {given.path!r:.80}"
                raise ValueError(msg)
            return given
        if part.step not in (None, 1):
            msg = f"a range of bytes has no step, and this one has {part.step!r}: {part!r:.80}"
            raise ValueError(msg)
        return items.range_of({"path": self._path, "start": part.start, "end": part.stop})

    def get_json(self) -> Any:
        """Read the object as JSON. None if there is no such object.

        Examples:
            >>> handle = branch.object("data/a.json")
            >>> _ = handle.put_json([1, 2])
            >>> handle.get_json()
            [1, 2]
        """
        return self._files.get_json(self._path)

    def put(
        self,
        content: Any,
        content_type: str | None = None,
        compress: str | bool | None = None,
        compression_level: int | None = None,
        cache_control: str | None = None,
        raw: bool = False,
    ) -> lakefs.TransferReport:
        """Write the object. The parameters are those of `Files.put`.

        Args:
            content: Bytes, a string (stored as UTF-8) or a binary file.
            content_type: Media type. Defaults to the type of the path's suffix.
            compress: Encoding to store it in: "gzip", "br" or "zstd".
            compression_level: How hard to compress.
            cache_control: Text for `Cache-Control`, which is user metadata.
            raw: The content is encoded by `compress` already.
        """
        return self._files.put(self._path, content, content_type, compress, compression_level, cache_control, raw)

    def put_json(
        self,
        content: Any,
        content_type: str | None = None,
        compress: str | bool | None = None,
        compression_level: int | None = None,
        cache_control: str | None = None,
    ) -> lakefs.TransferReport:
        """Write a value as JSON. The parameters are those of `Files.put_json`.

        Args:
            content: The value.
            content_type: Media type. Defaults to `application/json`.
            compress: Encoding to store it in.
            compression_level: How hard to compress.
            cache_control: Text for `Cache-Control`, which is user metadata.
        """
        return self._files.put_json(self._path, content, content_type, compress, compression_level, cache_control)

    def exists(self) -> bool:
        """Return whether the object exists.

        Examples:
            >>> branch.object("missing.txt").exists()
            False
        """
        return self._files.exists(self._path)

    def size(self) -> int | None:
        """Return the size in bytes as it is stored. None if there is no such object."""
        return self._files.size(self._path)

    def head(self) -> dict[str, Any] | None:
        """Return what is known of the object, as `Files.head` does. None if there is no such object."""
        return self._files.head(self._path)

    def touch(self) -> lakefs.TransferReport:
        """Create the object, empty, if it does not exist."""
        return self._files.touch(self._path)

    def delete(self) -> lakefs.TransferReport:
        """Delete the object. One that does not exist is not an error."""
        return self._files.delete(self._path)

    def move(self, dest: str) -> lakefs.TransferReport:
        """Move the object, as `Files.move` does.

        Args:
            dest: Destination: a path of the same reference, or a URL.
        """
        return self._files.move(self._path, dest)

    def transfer_to(self, dest: str, *, reencode: str | bool | None = None) -> lakefs.TransferReport:
        """Copy the object to another place.

        Args:
            dest: URL of the destination, such as `file:///directory/a.txt`. One that ends with a slash is a place where
                the object keeps its name.
            reencode: Encoding that it gets: "gzip", "br" or "zstd"; "" for none. Defaults to the one it has.

        Raises:
            FileNotFoundError: There is no such object.

        Examples:
            >>> handle = branch.object("data/a.txt")
            >>> _ = handle.put(b"hello")
            >>> handle.transfer_to("mem://backup/b.txt").transferred
            1
        """
        store, name = _place_of(dest, self._path, "dest")
        return _transfer(self._files._store, self._path, store, name, reencode)

    def transfer_from(self, src: str, *, reencode: str | bool | None = None) -> lakefs.TransferReport:
        """Copy a file of another place to this object.

        Args:
            src: URL of the file, such as `file:///directory/a.txt`.
            reencode: Encoding that the object gets: "gzip", "br" or "zstd"; "" for none. Defaults to that of the file.

        Raises:
            FileNotFoundError: There is no such file.

        Examples:
            >>> _ = lakefs.files("mem://inbox").put("a.txt", b"hello")
            >>> branch.object("data/a.txt").transfer_from("mem://inbox/a.txt").transferred
            1
        """
        store, name = _place_of(src, self._path, "src")
        return _transfer(store, name, self._files._store, self._path, reencode)

    def open(self, mode: Literal["r", "rt", "rb", "w", "wt", "wb", "x", "xt", "xb"] = "r") -> Any:
        r"""Open the object, as `open` of its reference does. The content is not decoded.

        Args:
            mode: "r" for text, "rb" for bytes; on a branch "w", "wb", "x" and "xb" too.

        Examples:
            >>> handle = branch.object("data/a.txt")
            >>> _ = handle.put("a\nb\n")
            >>> with handle.open("rb") as file:
            ...     file.read()
            b'a\nb\n'
        """
        reference: Any = self._reference
        return reference.open(self._path, mode)

    def reader(self, mode: Literal["r", "rt", "rb"] = "rb") -> Any:
        """Open the object for reading. Same as `open`.

        Args:
            mode: "r" for text, "rb" for bytes.
        """
        return self.open(mode)

    def writer(self, mode: Literal["w", "wt", "wb", "x", "xt", "xb"] = "wb") -> Any:
        """Open the object for writing. Same as `open`.

        Args:
            mode: "w" for text, "wb" for bytes. "x" and "xb" create only.
        """
        return self.open(mode)


def _place_of(url: object, path: str, argument: str) -> tuple[stores.Store, str]:
    """Return the store that the URL of a file is in, and the path of the file there."""
    text = arguments.text(url, argument)
    if "://" not in text:
        msg = f"{argument} must be a URL with a scheme, such as file:///directory/a.txt, not {text!r:.80}"
        raise ValueError(msg)
    place, _, name = text.rpartition("/")
    return stores.store_of(f"{place}/"), name or path.rpartition("/")[2]


def _transfer(
    source: stores.Store, before: str, target: stores.Store, after: str, reencode: str | bool | None
) -> lakefs.TransferReport:
    reencode = arguments.encoding_name(reencode, "reencode")
    entry = source.stat(before)
    if entry is None:
        raise missing_error(source.url, before)
    with progress_of(False) as display:
        tally, outcome = Tally(display), carry(source, target, entry, after, reencode)
        if outcome.error is not None:
            raise outcome.error
        tally.write(outcome)
        return tally.report()
