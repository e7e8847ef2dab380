"""The store of any URL that fsspec opens: `s3://`, `gs://`, `https://`, `memory://`, `sftp://` and so on."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from inspect import signature
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

from lakefs_hl.exceptions import IntegrityError
from lakefs_hl.facades import checksums
from lakefs_hl.facades.backends import (
    Name,
    absent,
    candidates,
    encoded_name,
    exists_error,
    missing_error,
    walk,
    web_failure,
)
from lakefs_hl.facades.infos import entry_of
from lakefs_hl.facades.paths import as_prefix, check_path
from lakefs_hl.facades.records import Content, Entry, Outcome, Put, Range
from lakefs_hl.facades.s3 import S3Reads

#: Protocols that are read only, and whose names are never suffixes: a server may have anything at any address.
_WEB: Final = frozenset({"http", "https"})
#: Protocols of S3, which keeps the encoding of an object.
_S3: Final = frozenset({"s3", "s3a"})
#: Protocols whose writes are atomic.
_OBJECTS: Final = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "ocilake", "oss", "memory"})
_ATTEMPTS: Final = 3
_BLOCK: Final = 8 << 20
_HIDDEN: Final = "***"
#: Options that say which server a URL is of.
_ENDPOINTS: Final = frozenset({"endpoint_url", "endpoint_override", "host", "port", "account_name"})
#: Shortest value of an option that is taken for a secret. A shorter one would hide half of a message.
_SECRET: Final = 5


class Remote(S3Reads):
    """The files of a file system of fsspec.

    S3 has the encoding of an object in its own field. Elsewhere it is in the suffix, as in a local directory; over http
    there is none. Listings go through one directory after the other; those of S3 have no encodings.

    Args:
        url: The URL.
        storage_options: Options of the file system. They may be secrets: they are never shown, and not pickled.
        prefix: Prefix below the URL.
    """

    default_encoding: str | None = None
    width = 20

    def __init__(self, url: str, storage_options: Mapping[str, Any] | None = None, prefix: str = "") -> None:
        self._given = url, dict(storage_options or {}), as_prefix(prefix)
        self._protocol = protocol = url.partition("://")[0].split("::")[-1].lower()
        self.read_only = protocol in _WEB
        self._has_encodings = protocol in _S3
        self.has_suffixes = not self.read_only and not self._has_encodings
        self._is_atomic = protocol in _OBJECTS
        self._secrets = _secrets_of(url, self._given[1])
        self.url = _without_secrets(url).rstrip("/") + "/" + self._given[2]
        self.place = f"{_endpoint_of(self._given[1])}{self.url}"
        self._fs, self._root = self._open(url)

    def _open(self, url: str) -> tuple[Any, str]:
        try:
            core = import_module("fsspec.core")
        except ImportError as exc:
            msg = f"{self._protocol}:// needs fsspec: pip install 'lakefs-hl[fsspec]'"
            raise ImportError(msg, name="fsspec") from exc
        error: Exception
        try:
            # An instance of its own: fsspec would keep options, with their secrets, in a cache of the process.
            fs, root = core.url_to_fs(url, **{"skip_instance_cache": True, **self._given[1]})
        except ImportError as exc:  # the message of fsspec names the package
            msg = f"{self._protocol}:// needs a package that is not installed: {self._hide(exc)}"
            error = ImportError(msg, name=exc.name)
        except (ValueError, TypeError) as exc:
            error = ValueError(f"{self.url} cannot be opened: {self._hide(exc)}")
        else:
            return fs, root.rstrip("/") + "/" + self._given[2]
        raise error  # here, where it has no context: that may show a secret

    def __reduce__(self) -> tuple[Any, ...]:
        url, options, prefix = self._given
        if self._secrets or options:
            msg = f"{self.url} has storage_options, which may be secrets and are not pickled: make it where it is used"
            raise TypeError(msg)
        return type(self), (url, None, prefix)

    def __repr__(self) -> str:
        return f"<Remote {self.url}>"

    def _hide(self, error: BaseException) -> str:
        text = str(error) or type(error).__name__
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text

    def _clean(self, error: Exception) -> Exception:
        """Return an error without secrets: itself, if it has none."""
        if isinstance(error, FileNotFoundError | ValueError | IntegrityError) and self._hide(error) == str(error):
            return error
        shown = f"{self.url}: {type(error).__name__}: {self._hide(error)}"
        return PermissionError(shown) if isinstance(error, PermissionError) else OSError(shown)

    # -- reading -------------------------------------------------------------------------------------------------------

    def _check(self, path: str) -> str:
        """Return the path of an object. Only S3 takes any key: a path must not lead out of a directory elsewhere."""
        check_path(path)
        if not self._has_encodings and {"", ".", ".."} & set(path.split("/")):
            msg = f"no file can have the path {path!r:.200}: its parts must be names, not '..', '.' or nothing"
            raise ValueError(msg)
        return path

    def _find(self, path: str) -> tuple[str, Entry] | None:
        """Return the full path and the entry of an object."""
        self._check(path)
        if self._has_encodings:
            return self._find_in_s3(path)
        for real, encoding in candidates(path) if self.has_suffixes else [(path, None)]:
            try:
                info = self._fs.info(self._root + real, **({} if self._protocol in _WEB else {"refresh": True}))
            except TypeError:  # a file system without the option
                info = self._info(self._root + real)
            except (FileNotFoundError, NotADirectoryError) as exc:
                absent(exc, self.url)
                info = None
            if info is not None and info.get("type") == "file":
                return self._root + real, entry_of(path, info, encoding)
        return None

    def _name(self, path: str, encoding: str | None) -> str:
        """Return the full path of an object in an encoding."""
        return self._root + (encoded_name(path, encoding) if self.has_suffixes else path)

    def _info(self, full: str) -> dict[str, Any] | None:
        try:
            return dict(self._fs.info(full))
        except (FileNotFoundError, NotADirectoryError) as exc:
            failure = web_failure(exc, self.url)
        if failure is not None:
            raise self._clean(failure)
        return None

    def read(self, asked: Range) -> Content:
        """Read an object or a part of it."""
        byte_range = asked.start, asked.end
        try:
            found = self._find(asked.path)
            if found is None:
                raise missing_error(self.url, asked.path)
            full, entry = found
            data = self._read_whole(full, entry) if byte_range == (None, None) else self._part(full, asked, entry.size)
        except Exception as exc:  # noqa: BLE001 - a file system of another package may raise anything
            return Content(asked.path, None, None, byte_range, self._clean(exc))
        return Content(asked.path, data, entry, byte_range)

    def _part(self, full: str, asked: Range, size: int) -> bytes:
        start, end, _ = slice(asked.start, asked.end).indices(size)
        if end <= start:
            return b""
        data = bytes(self._fs.cat_file(full, start=start, end=end))
        if len(data) == size != end - start:  # from a web server that ignores ranges
            data = data[start:end]
        if len(data) != end - start:
            msg = f"reading {self.url}{asked.path}: {len(data):,} bytes were received of {end - start:,}"
            raise IntegrityError(msg)
        return data

    def _read_whole(self, full: str, entry: Entry) -> bytes:
        """Read an object and compare its checksum, where the store has one.

        An ETag that looks like an MD5 is none if the store encrypts with a key of its own: content that was read twice
        with the same result is right.
        """
        before = ""
        for _ in range(_ATTEMPTS):
            data = bytes(self._fs.cat_file(full))
            found = checksums.md5(data) if entry.md5 is not None else ""
            if len(data) == entry.size and found in {entry.md5 or "", before}:
                return data
            before = found or "-"
        msg = f"reading {self.url}{entry.path}: size or checksum did not match in {_ATTEMPTS} attempts"
        raise IntegrityError(msg)

    def save(self, path: str, file: BinaryIO) -> Entry:
        """Write the content of an object into a file."""
        try:
            found = self._find(path)
            if found is None:
                raise missing_error(self.url, path)
            full, entry = found
            file.seek(0)
            file.truncate()
            with self._fs.open(full, "rb") as source:
                while block := source.read(_BLOCK):
                    file.write(block)
        except Exception as exc:  # noqa: BLE001
            failure: Exception | None = self._clean(exc)
        else:
            failure = None
        if failure is not None:
            raise failure
        if file.tell() != entry.size:
            msg = f"reading {self.url}{path}: {file.tell():,} bytes were received of {entry.size:,}"
            raise IntegrityError(msg)
        return entry

    def stat(self, path: str) -> Entry | None:
        """Look up an object."""
        try:
            found = self._find(path)
        except ValueError:
            return None
        except Exception as exc:  # noqa: BLE001
            failure = self._clean(exc)
        else:
            return None if found is None else found[1]
        raise failure

    def walk(self, prefix: str, *, flat: bool, after: str) -> Iterator[Entry]:
        """Yield the objects in byte order of their paths."""
        if self._has_encodings:
            return self._walk_s3(prefix, flat=flat, after=after)
        self._fs.invalidate_cache()
        rows = dict[str, dict[str, Any]]()

        def names(directory: str) -> list[Name]:
            found = list[Name]()
            for info in self._list(self._root + directory):
                name = info["name"].rstrip("/").rpartition("/")[2]
                if name:
                    rows[directory + name] = info
                    found.append(Name(name, info.get("type") == "directory"))
            return found

        def entry(path: str, real: str, encoding: str | None) -> Entry | None:
            info: dict[str, Any] | None = rows.pop(real)
            if info is not None and info.get("size") is None:  # the listing of a web server has names only
                info = self._info(self._root + real)
            return None if info is None else entry_of(path, info, encoding)

        return walk(names, entry, prefix, flat=flat, after=after, has_suffixes=self.has_suffixes)

    def _list(self, directory: str) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = self._fs.ls(directory.rstrip("/") or "/", detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except Exception as exc:  # noqa: BLE001
            failure = self._clean(exc)
        else:
            return [info for info in found if info["name"].rstrip("/") != directory.rstrip("/")]
        raise failure

    # -- writing -------------------------------------------------------------------------------------------------------

    def write(self, put: Put, *, durable: bool = False) -> Outcome:
        """Write an object."""
        try:
            target = self._name(self._check(put.path), put.encoding)
            before = self._find(put.path)
            if before is not None and before[0] != target and self._info(target) is not None:
                shown = f"{self.url}{put.path}"
                raise FileExistsError(17, "writing: the file of this encoding is that of another object", shown)
            size = self._put(target, put)
            left = None
            if before is not None and before[0] != target:  # the same object in another encoding
                if put.keeps and before[0] != self._root + put.path:
                    left = before[0][len(self._root) :]
                else:
                    self._fs.rm_file(before[0])
        except Exception as exc:  # noqa: BLE001
            return Outcome(put.path, 0, self._clean(exc))
        return Outcome(put.path, size, left=left)

    def _put(self, target: str, put: Put) -> int:
        to = target if self._is_atomic else f"{target}.{secrets.token_hex(8)}.tmp"
        options = _write_options(self._protocol, put)
        size: int = self._in_directory(to, lambda: _send(self._fs, to, put.data, options))
        if to != target:
            self._fs.mv(to, target)
        self._fs.invalidate_cache()
        return size

    def _in_directory(self, target: str, write: Callable[[], Any]) -> Any:
        """Write a file, and create its directory if that is missing."""
        try:
            return write()
        except FileNotFoundError:
            if self._is_atomic and self._protocol != "memory":
                raise  # the bucket does not exist, and is not created on the way
            self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            return write()

    def create(self, path: str) -> Outcome:
        """Create an empty object. Atomic where the file system has such a call."""
        try:
            if self._find(path) is not None:
                raise exists_error(self.url, path)
            full = self._root + check_path(path)
            if not self._is_atomic:
                self._fs.makedirs(full.rpartition("/")[0], exist_ok=True)
            takes_mode = "mode" in signature(self._fs.pipe_file).parameters
            self._fs.pipe_file(full, b"", **({"mode": "create"} if takes_mode else {}))
            self._fs.invalidate_cache()
        except FileExistsError:
            return Outcome(path, 0, exists_error(self.url, path))
        except Exception as exc:  # noqa: BLE001
            return Outcome(path, 0, self._clean(exc))
        return Outcome(path)

    def delete(self, path: str) -> Outcome:
        """Delete an object."""
        try:
            found = self._find(path)
            if found is not None:
                self._fs.rm_file(found[0])
        except FileNotFoundError:
            return Outcome(path)
        except Exception as exc:  # noqa: BLE001
            return Outcome(path, 0, self._clean(exc))
        return Outcome(path)

    def copy(self, source: str, target: str) -> Outcome:
        """Copy an object."""
        try:
            found = self._find(source)
            if found is None:
                raise missing_error(self.url, source, "copying")
            full, to = found[0], self._name(self._check(target), found[1].encoding)
            self._in_directory(to, lambda: self._fs.cp_file(full, to))
        except Exception as exc:  # noqa: BLE001
            return Outcome(target, 0, self._clean(exc))
        return Outcome(target, found[1].size)

    def check_exists(self) -> None:
        """Do nothing: a listing says it."""

    def close(self) -> None:
        """Do nothing: file systems of fsspec have no such call."""


def _send(fs: Any, to: str, data: bytes | BinaryIO, options: Mapping[str, Any]) -> int:
    """Write an object, and return its size."""
    if isinstance(data, bytes):
        fs.pipe_file(to, data, **options)
        return len(data)
    data.seek(0)
    name = getattr(data, "name", None)
    if isinstance(name, str):
        fs.put_file(name, to, **options)
        return data.seek(0, 2)
    content = data.read()
    fs.pipe_file(to, content, **options)
    return len(content)


def _write_options(protocol: str, put: Put) -> dict[str, Any]:
    """Return the options of a write that keep the media type and the metadata, where the file system has some."""
    if protocol in _S3:
        metadata = dict(put.metadata)
        found = {"ContentType": put.content_type, "ContentEncoding": put.encoding, "Metadata": metadata}
    elif protocol in {"gs", "gcs"}:
        found = {"content_type": put.content_type, "metadata": dict(put.metadata)}
    else:
        found = {}
    return {name: value for name, value in found.items() if value}


def _secrets_of(url: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the texts that are not to be shown, the longest first."""
    parts = urlsplit(url)
    found = {parts.password or "", parts.query}
    waiting: list[Any] = [options]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, str | bytes):
            found.add(value if isinstance(value, str) else value.decode("utf-8", "replace"))
    return tuple(sorted((each for each in found if len(each) >= _SECRET), key=len, reverse=True))


def _endpoint_of(options: Mapping[str, Any]) -> str:
    """Return which server options lead to, without secrets, before a space. "" if they do not say it."""
    found, waiting = list[str](), [options]
    while waiting:
        for name, value in waiting.pop().items():
            if isinstance(value, Mapping):
                waiting.append(value)
            elif name in _ENDPOINTS and value is not None:
                shown = _without_secrets(str(value)).rstrip("/") if "://" in str(value) else str(value)
                found.append(f"{name}={shown}")
    return " ".join([*sorted(found), ""])


def _without_secrets(url: str) -> str:
    """Return a URL without a password, a query and a fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
