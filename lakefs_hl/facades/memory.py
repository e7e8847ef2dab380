"""The store in the memory of the process: `mem://`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO, Final

from lakefs_hl.compression import compress
from lakefs_hl.facades import checksums
from lakefs_hl.facades.backends import exists_error, missing_error, slice_of
from lakefs_hl.facades.paths import as_prefix, check_path
from lakefs_hl.facades.records import Content, Entry, Outcome, Put, Range

#: Name -> the objects of the store, by their whole paths. Each step on it is atomic, so that no lock is needed.
_STORES: Final = dict[str, dict[str, tuple[Entry, bytes]]]()
#: Smaller content is not compressed by itself, in bytes: it would hardly become smaller.
SMALL: Final = 64


class Memory:
    """Objects in the memory of this process, shared by all stores of the same name. Thread-safe.

    Content for which no encoding was given is compressed with gzip if that makes it smaller.

    Args:
        name: Name of the store.
        prefix: Prefix of the paths.
    """

    default_encoding: str | None = "gzip"
    read_only = False
    has_suffixes = False
    width = 1

    def __init__(self, name: str, prefix: str = "") -> None:
        self.name = name
        self.prefix = as_prefix(prefix)
        self._objects = _STORES.setdefault(name, {})

    @classmethod
    def of(cls, url: str, prefix: str = "") -> Memory:
        """Return the store of a URL: `mem://name/prefix`."""
        name, _, path = url[len("mem://") :].partition("/")
        return cls(name, as_prefix(path) + prefix)

    def __reduce__(self) -> tuple[type[Memory], tuple[str, str]]:
        return type(self), (self.name, self.prefix)

    @property
    def url(self) -> str:
        """The URL of the prefix."""
        return f"mem://{self.name}/{self.prefix}"

    @property
    def place(self) -> str:
        """The same: no other place has this URL."""
        return self.url

    def _find(self, path: str) -> tuple[Entry, bytes] | None:
        return self._objects.get(self.prefix + check_path(path))

    def _entry(self, path: str, entry: Entry) -> Entry:
        return entry._replace(path=path)

    def read(self, asked: Range) -> Content:
        """Read an object or a part of it."""
        byte_range = asked.start, asked.end
        try:
            found = self._find(asked.path)
        except ValueError as exc:
            return Content(asked.path, None, None, byte_range, exc)
        if found is None:
            return Content(asked.path, None, None, byte_range, missing_error(self.url, asked.path))
        entry, data = found
        start, end = slice_of(asked, len(data))
        return Content(asked.path, data[start:end], self._entry(asked.path, entry), byte_range)

    def save(self, path: str, file: BinaryIO) -> Entry:
        """Write the content of an object into a file."""
        found = self._find(path)
        if found is None:
            raise missing_error(self.url, path)
        file.seek(0)
        file.truncate()
        file.write(found[1])
        return self._entry(path, found[0])

    def write(self, put: Put, *, durable: bool = False) -> Outcome:
        """Write an object."""
        try:
            path = self.prefix + check_path(put.path)
            if isinstance(put.data, bytes):
                data = put.data
            else:
                put.data.seek(0)
                data = put.data.read()
        except (OSError, ValueError) as exc:
            return Outcome(put.path, 0, exc)
        encoding, automatic = put.encoding or None, False
        if put.encoding is None and len(data) >= SMALL:
            packed = compress(data, self.default_encoding)
            if len(packed) < len(data):
                data, encoding, automatic = packed, self.default_encoding, True
        now, md5 = datetime.now(UTC), checksums.md5(data)
        entry = Entry(path, len(data), encoding, md5, put.content_type, dict(put.metadata), now, automatic, md5)
        self._objects[path] = entry, data
        return Outcome(put.path, len(data))

    def create(self, path: str) -> Outcome:
        """Create an empty object."""
        try:
            full = self.prefix + check_path(path)
        except ValueError as exc:
            return Outcome(path, 0, exc)
        md5 = checksums.md5(b"")
        made = Entry(full, 0, None, md5, modified=datetime.now(UTC), etag=md5), b""
        return Outcome(path, 0, None if self._objects.setdefault(full, made) is made else exists_error(self.url, path))

    def stat(self, path: str) -> Entry | None:
        """Look up an object."""
        found = self._objects.get(self.prefix + path)
        return None if found is None else self._entry(path, found[0])

    def walk(self, prefix: str, *, flat: bool, after: str) -> Iterator[Entry]:
        """Yield the objects in byte order of their paths."""
        cut, last = len(self.prefix), ""
        begin, past = self.prefix + prefix, self.prefix + after
        paths = [path for path in list(self._objects) if path.startswith(begin)]
        for path in sorted(paths, key=_bytes):
            if after and _bytes(path) <= _bytes(past):
                continue
            slash = path.find("/", len(begin)) if flat else -1
            if slash >= 0:
                common = path[: slash + 1]
                if common != last and (not after or _bytes(common) > _bytes(past)):
                    last = common
                    yield Entry(common[cut:], 0)
            elif (found := self._objects.get(path)) is not None:
                yield self._entry(path[cut:], found[0])

    def delete(self, path: str) -> Outcome:
        """Delete an object."""
        try:
            self._objects.pop(self.prefix + check_path(path), None)
        except ValueError as exc:
            return Outcome(path, 0, exc)
        return Outcome(path)

    def copy(self, source: str, target: str) -> Outcome:
        """Copy an object."""
        try:
            found, path = self._find(source), self.prefix + check_path(target)
        except ValueError as exc:
            return Outcome(target, 0, exc)
        if found is None:
            return Outcome(target, 0, missing_error(self.url, source, "copying"))
        self._objects[path] = found[0]._replace(path=path, modified=datetime.now(UTC)), found[1]
        return Outcome(target, len(found[1]))

    def check_exists(self) -> None:
        """Do nothing: a place in memory exists when it is used."""

    def close(self) -> None:
        """Do nothing: the objects stay as long as the process."""


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogatepass")
