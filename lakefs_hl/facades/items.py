"""What the calls of Files take: paths, ranges, and what is written."""

from __future__ import annotations

import io
import json
import operator
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import PurePath, PurePosixPath
from typing import Any, BinaryIO, Final, NamedTuple, TypeAlias

from lakefs_hl import exceptions
from lakefs_hl.compression import compress as encode
from lakefs_hl.compression import decompress, normalize
from lakefs_hl.facades import arguments
from lakefs_hl.facades.records import Put, Range

#: What names a file, or a part of one: a path, a `Range`, or a dictionary with `path`, `start` and `end`.
GetItem: TypeAlias = str | PurePosixPath | Range | Mapping[str, Any]
#: A file to write: its path and its content, or a dictionary of the parameters of `Files.put`.
PutItem: TypeAlias = tuple[str, Any] | Mapping[str, Any]

#: Metadata key of the `Cache-Control` of a file.
CACHE_CONTROL: Final = "cache-control"
_GET_FIELDS: Final = frozenset({"path", "start", "end"})
_PUT_FIELDS: Final = frozenset(
    {
        "path",
        "content",
        "content_type",
        "compress",
        "compression",
        "compression_level",
        "cache_control",
        "metadata",
        "raw",
        "byte_range",  # of what `get` returned
        "error",
    }
)
#: What may be wrong with one file.
FAILURES: Final = (exceptions.LakeFSException, OSError, ValueError, ImportError, MemoryError)
_STORAGE_CLASS: Final = "storage_class"
JSON: Final = "application/json"


def several(values: Any, argument: str) -> Iterable[Any]:
    """Return an iterable of several.

    Raises:
        TypeError: It is a single one, or none.
    """
    if values is None or isinstance(values, str):
        msg = f"{argument} must be an iterable, not {type(values).__name__}: {values!r:.80}"
        raise TypeError(msg)
    found: Iterable[Any] = arguments.series(values, argument)
    return found


def path_of(path: object, argument: str = "path", *, among: bool = False) -> str:
    """Return the path of a file.

    Args:
        path: The path.
        argument: Name of the parameter.
        among: Whether it is one of several.

    Raises:
        TypeError: It is neither a text nor a `PurePosixPath`.
    """
    if isinstance(path, str):
        return str.__str__(path)
    if isinstance(path, PurePosixPath) and not hasattr(path, "exists"):  # a `Path` names a local file
        return str(path)
    hint = ": path.as_posix() is its text" if isinstance(path, PurePath) else ""
    wanted = "hold paths, which are strings" if among else "be a string"
    msg = f"{argument} must {wanted}, not {type(path).__name__}: {path!r:.80}{hint}"
    raise TypeError(msg)


def prefix_of(prefix: object) -> str:
    """Return the beginning of paths.

    Raises:
        TypeError: It is not a text.
    """
    return arguments.text(prefix, "prefix")


def is_single(item: object) -> bool:
    """Return whether this is one path or range, and not several."""
    return isinstance(item, str | PurePath | Range | Mapping)


def range_of(item: object, argument: str = "paths", *, among: bool = False) -> Range:
    """Return what names a file or a part of one as a range.

    Raises:
        TypeError: It is none of what `GetItem` lists.
        ValueError: A dictionary has other keys.
    """
    if isinstance(item, str):
        return Range(str.__str__(item))
    if isinstance(item, Range):
        start, end, path = item.start, item.end, path_of(item.path, argument, among=among)
    elif isinstance(item, Mapping):
        if unknown := set(item) - _GET_FIELDS:
            msg = f"a file to read is named by path, start and end, not {_names(unknown)}: {_text_of(item)}"
            raise ValueError(msg)
        if "path" not in item:
            msg = f"a file to read needs a path: {_text_of(item)}"
            raise ValueError(msg)
        start, end, path = item.get("start"), item.get("end"), path_of(item["path"], argument, among=among)
    else:
        return Range(path_of(item, argument, among=among))
    return Range(path, _offset(start, "start"), _offset(end, "end"))


def _offset(value: Any, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        msg = f"{name} must be an integer or None, not {type(value).__name__}: {value!r:.80}"
        raise TypeError(msg)
    return operator.index(value)


class Defaults(NamedTuple):
    """Parameters of a call of `puts`, which the fields of a file win over.

    Attributes:
        content_type: Media type.
        encoding: Encoding to write in. "" for none; None leaves it to the store.
        own: Encoding of the files themselves, for those that say by None that no parameter holds for them.
        level: How hard to compress.
        cache_control: Text of `Cache-Control`.
        raw: Whether content is encoded already.
        json: Whether content is to be written as JSON.
    """

    content_type: str | None = None
    encoding: str | None = None
    level: int | None = None
    cache_control: str | None = None
    raw: bool = False
    json: bool = False
    own: str | None = None


def encoding_of(compress: Any, compression: Any, default: str | None) -> str | None:
    """Return the encoding that was asked for: its name, "" for none, and the default if nothing was asked for.

    Raises:
        ValueError: `compress` and `compression` contradict each other, or there is no such encoding.
    """
    compress, compression = (
        arguments.encoding_name(compress, "compress"),
        arguments.encoding_name(compression, "compression"),
    )
    if compress is not None and compression is not None and normalize(compress) != normalize(compression):
        msg = f"compress={compress!r} and compression={compression!r} mean the same and differ: give one of them"
        raise ValueError(msg)
    chosen = compression if compress is None else compress
    return default if chosen is None else normalize(chosen) or ""


def is_one_put(item: object) -> bool:
    """Return whether this is one file to write, and not several."""
    return isinstance(item, Mapping) or (
        isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str | PurePath)
    )


def put_of(item: object, defaults: Defaults, argument: str = "files") -> Put:
    """Return a file to write, encoded.

    Raises:
        TypeError: It is neither a pair nor a dictionary, or its content cannot be written.
        ValueError: It lacks a field, or has one that nothing is known of.
        UnsupportedOperationException: It has a storage class.
    """
    fields = _fields(item)
    path = path_of(fields["path"], argument, among=argument == "files")
    content, error = fields["content"], fields.get("error")
    if error is not None or (content is None and not defaults.json):
        msg = f"{path!r} has no content to write" + (f": {error}" if error is not None else "")
        raise ValueError(msg)
    raw, level = fields.get("raw", defaults.raw), fields.get("compression_level", defaults.level)
    # A field wins over the parameter also if it is None. Of content that is encoded already, None says that it is not:
    # so are results of `get(raw=True)`.
    default = defaults.encoding
    if not {"compress", "compression"}.isdisjoint(fields):
        default = "" if raw else defaults.own
    encoding = encoding_of(fields.get("compress"), fields.get("compression"), default)
    data = json_of(content) if defaults.json and not raw else data_of(content, path)
    if raw:
        encoding = encoding or ""
        if encoding and tuple(fields.get("byte_range") or (None, None)) != (None, None):
            msg = f"{path!r} is a part of content in {encoding}, which cannot be decoded: read all, or without raw=True"
            raise ValueError(msg)
    elif encoding:
        data = encode(_read(data), encoding, level)
    content_type = fields.get("content_type", defaults.content_type)
    if content_type is None and defaults.json:
        content_type = JSON
    return Put(path, data, content_type, encoding, _metadata(fields, defaults))


def _fields(item: Any) -> Mapping[str, Any]:
    if isinstance(item, Mapping):
        if _STORAGE_CLASS in item and item[_STORAGE_CLASS] is not None:
            msg = (
                f"writing {item.get('path')!r}: lakeFS has no storage classes; set one at the object store, by a rule "
                "for the storage namespace of the repository"
            )
            raise exceptions.UnsupportedOperationException(msg)
        if unknown := set(item) - _PUT_FIELDS - {_STORAGE_CLASS}:
            known = ", ".join(sorted(_PUT_FIELDS - {"byte_range", "error"}))
            msg = f"a file to write has no field {_names(unknown)}: it takes {known}"
            raise ValueError(msg)
        if missing := {"path", "content"} - set(item):
            msg = f"a file to write needs path and content, and {_names(missing)} is missing: {_text_of(item)}"
            raise ValueError(msg)
        return item
    if isinstance(item, tuple | list) and len(item) == 2:
        return {"path": item[0], "content": item[1]}
    msg = f"files must hold pairs (path, content) or dictionaries, not {type(item).__name__}: {item!r:.80}"
    raise TypeError(msg)


def _metadata(fields: Mapping[str, Any], defaults: Defaults) -> dict[str, str]:
    metadata = dict(fields.get("metadata") or {})
    cache_control = fields.get("cache_control", defaults.cache_control)
    if cache_control is not None:
        metadata[CACHE_CONTROL] = cache_control
    return metadata


def data_of(content: object, path: str) -> bytes | BinaryIO:
    """Return content as bytes, or as a binary file that is read from its beginning.

    Raises:
        TypeError: It is neither bytes, a text, a buffer nor a binary file.
    """
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, bytearray | memoryview):
        return bytes(content)
    if isinstance(content, io.TextIOBase):
        msg = f"the content of {path!r} is a text file: open it with 'rb'"
        raise TypeError(msg)
    read = getattr(content, "read", None)
    if callable(read):
        if callable(getattr(content, "seekable", None)) and content.seekable() and content.tell() == 0:  # type: ignore[attr-defined]
            return content  # type: ignore[return-value]
        rest = read()  # from its position, as everywhere
        if isinstance(rest, bytes):
            return rest
    msg = (
        f"the content of {path!r} must be bytes, a string or a binary file, not {type(content).__name__}: "
        "put_json writes other values, and `upload` of a branch takes iterables"
    )
    raise TypeError(msg)


def decode(data: bytes, encoding: str | None, path: str) -> bytes:
    """Return content without its encoding."""
    return decompress(data, encoding, name=path)


def reencode(data: bytes, before: str | None, after: str | None, path: str) -> bytes:
    """Return content in another encoding."""
    return encode(decode(data, before, path), after)


def _read(data: bytes | BinaryIO) -> bytes:
    return data if isinstance(data, bytes) else data.read()


def json_of(content: object) -> bytes:
    """Return a value as JSON, compact and in UTF-8.

    Raises:
        TypeError: JSON has no such value.
        ValueError: It contains NaN or an infinity, which JSON does not have.
    """
    dumps = partial(json.dumps, content, separators=(",", ":"), allow_nan=False, default=_plain)
    try:
        return dumps(ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a surrogate, which JSON can only have as an escape
        return dumps().encode()


def _plain(value: Any) -> Any:
    """Return what numpy's numbers and arrays hold."""
    convert = getattr(value, "tolist", None)
    if callable(convert):
        return convert()
    msg = f"content cannot be written as JSON: it has a value of type {type(value).__name__}: {value!r:.80}"
    raise TypeError(msg)


def value_of(content: bytes, path: str) -> Any:
    """Return the value of a file of JSON.

    Raises:
        ValueError: It is not JSON. The message names the file.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as exc:
        reason = "it is nested too deeply" if isinstance(exc, RecursionError) else exc
        msg = f"{path!r} is not JSON: {reason}"
        raise ValueError(msg) from exc


def _names(names: set[Any]) -> str:
    return ", ".join(sorted(map(repr, names)))


def _text_of(item: Mapping[str, Any]) -> str:
    return f"{ {key: value for key, value in item.items() if key != 'content'}!r:.120}"
