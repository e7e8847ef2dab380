r"""Encodings of content: gzip, brotli and zstd.

gzip needs nothing; "br" and "zstd" need `pip install 'lakefs-hl[compression]'`.

Examples:
    >>> from lakefs_hl.compression import compress, decompress, transcode
    >>> decompress(compress(b"hello", "gzip"), "gzip")
    b'hello'
    >>> [file["compress"] for file in transcode([{"path": "a.txt", "content": b"hello"}], "gzip")]
    ['gzip']
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, MutableMapping, Sized
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from lakefs_hl.exceptions import IntegrityError

if TYPE_CHECKING:
    from lakefs_hl.types import ProgressLike

__all__ = ["ENCODINGS", "MAX_BYTES", "compress", "decompress", "normalize", "transcode"]

#: Names of the encodings, as in the HTTP header `Content-Encoding`.
ENCODINGS: Final = ("gzip", "br", "zstd")
#: Largest content that `decompress` returns by default, in bytes.
MAX_BYTES: Final = 1 << 30
_ALIASES: Final = {"gz": "gzip", "brotli": "br", "zst": "zstd", "identity": None}
#: Encoding -> (lowest, highest and default level).
_LEVELS: Final = {"gzip": (0, 9, 6), "br": (0, 11, 5), "zstd": (1, 22, 3)}
_PACKAGES: Final = {"br": "brotli", "zstd": "zstandard"}
#: Bytes of input per step. A step of zstd may return 32,768 times as much.
_STEP: Final = 4096
_GZIP: Final = 31  # the parameter `wbits` of zlib for the format of gzip


def normalize(encoding: str | bool | None) -> str | None:
    """Return the name of an encoding.

    Args:
        encoding: "gzip", "br" or "zstd", or another name of one ("gz", "brotli", "zst"). None, "" and False mean no
            encoding, True means gzip.

    Raises:
        TypeError: It is neither a text nor one of these.
        ValueError: There is no such encoding.

    Examples:
        >>> normalize("brotli"), normalize("")
        ('br', None)
    """
    if encoding is None or encoding is False:
        return None
    if encoding is True:
        return "gzip"
    name: Any = encoding  # annotations bind no caller
    if not isinstance(name, str):
        msg = f"encoding must be one of {', '.join(map(repr, ENCODINGS))}, not {type(encoding).__name__}"
        raise TypeError(msg)
    known = name.strip().lower()
    found = _ALIASES.get(known, known) or None
    if found is not None and found not in ENCODINGS:
        msg = (
            f"encoding must be one of {', '.join(map(repr, ENCODINGS))}, or None for no encoding, not {encoding!r:.80}"
        )
        raise ValueError(msg)
    return found


def compress(content: bytes, encoding: str | bool | None = "gzip", level: int | None = None) -> bytes:
    """Encode content. Equal content has equal results: nothing depends on the time.

    Args:
        content: The content.
        encoding: The encoding, as for `normalize`.
        level: How hard to try: 0 to 9 for gzip (6 by default), 0 to 11 for br (5), 1 to 22 for zstd (3).

    Raises:
        ImportError: The encoding needs a package that is not installed.
        TypeError: The content is not bytes.
        ValueError: There is no such encoding or level.

    Examples:
        >>> len(compress(b"a" * 1000, "gzip")) < 50
        True
    """
    name = normalize(encoding)
    data = _bytes_of(content)
    if name is None:
        return data
    at = _level(name, level)
    if name == "gzip":
        return zlib.compress(data, at, wbits=_GZIP)
    module = _load(name)
    found: bytes = module.compress(data, quality=at) if name == "br" else module.ZstdCompressor(level=at).compress(data)
    return found


def decompress(
    content: bytes, encoding: str | bool | None, *, max_bytes: int | None = MAX_BYTES, name: str = ""
) -> bytes:
    """Decode content.

    Args:
        content: The encoded content.
        encoding: The encoding, as for `normalize`.
        max_bytes: Largest result in bytes: a few kilobytes can be gigabytes of zeros. None for no limit.
        name: What it is, for the messages of errors, such as a path.

    Raises:
        ImportError: The encoding needs a package that is not installed.
        IntegrityError: The content is not in this encoding, truncated or damaged.
        TypeError: The content is not bytes.
        ValueError: There is no such encoding, or the result is larger than `max_bytes`.

    Examples:
        >>> decompress(b"hello", None)
        b'hello'
    """
    kind, data = normalize(encoding), _bytes_of(content)
    if kind is None:
        return data
    if max_bytes is not None and (isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 0):
        msg = f"max_bytes must be an integer of at least 0 or None, not {max_bytes!r:.80}"
        raise ValueError(msg)
    about, parts = f"{name}: " if name else "", _PARTS[kind](data)
    result = bytearray()
    try:
        for part in parts:
            result += part
            if max_bytes is not None and len(result) > max_bytes:
                msg = (
                    f"{about}the decompressed content is larger than {max_bytes:,} bytes; if that is right, read it "
                    "raw and call lakefs_hl.compression.decompress with a larger max_bytes"
                )
                raise ValueError(msg)
    except _BrokenError as exc:
        msg = f"{about}the content ({len(data):,} bytes) cannot be decompressed as {kind}: {exc}"
        raise IntegrityError(msg) from exc.__cause__
    return bytes(result)


class _BrokenError(Exception):
    """The content is not what its encoding says."""


def _gunzip(data: bytes) -> Iterator[bytes]:
    rest = data
    while rest:  # a file of gzip has one member or several
        member = zlib.decompressobj(_GZIP)
        while rest and not member.eof:
            try:
                yield member.decompress(rest, 1 << 20)
            except zlib.error as exc:
                raise _BrokenError(str(exc)) from exc
            rest = member.unconsumed_tail
        if not member.eof:
            raise _BrokenError("it is truncated")
        rest = member.unused_data.lstrip(b"\0")  # padding of tapes, which gzip ignores too
    if not data:
        raise _BrokenError("it is empty")


def _unbrotli(data: bytes) -> Iterator[bytes]:
    module = _load("br")
    decoder, at = module.Decompressor(), 0
    try:
        while not decoder.is_finished():
            step = data[at : at + _STEP] if decoder.can_accept_more_data() else b""
            at += len(step)
            part = decoder.process(step, output_buffer_limit=1 << 20)
            if not part and not step and not decoder.is_finished():  # all input is taken, and no output is left
                raise _BrokenError("it is truncated")
            yield part
    except module.error as exc:
        raise _BrokenError(str(exc)) from exc
    if at < len(data):
        raise _BrokenError("something follows its end")


def _unzstd(data: bytes) -> Iterator[bytes]:
    module = _load("zstd")
    at = 0
    while at < len(data) or not data:
        frame = module.ZstdDecompressor().decompressobj()
        while not frame.eof:
            if at >= len(data):
                raise _BrokenError("it is truncated" if data else "it is empty")
            step = data[at : at + _STEP]
            at += len(step)
            try:
                yield frame.decompress(step)
            except module.ZstdError as exc:
                raise _BrokenError(str(exc)) from exc
        at -= len(frame.unused_data)


_PARTS: Final[Mapping[str, Callable[[bytes], Iterator[bytes]]]] = {
    "gzip": _gunzip,
    "br": _unbrotli,
    "zstd": _unzstd,
}


def transcode(
    files: Iterable[Any],
    encoding: str | bool | None,
    in_place: bool = False,
    progress: ProgressLike | None = None,
    level: int | None = None,
) -> Iterator[Any]:
    """Change the encoding of files, such as those that `Files.get` returns, one at a time.

    A file is a dictionary with `path`, `content`, `compress` (its encoding) and `raw` (whether the content is encoded
    accordingly). What is in the encoding already is passed through as it is, and so is a file without content. The
    results can be passed to `Files.puts`.

    Args:
        files: The files, or one of them.
        encoding: The new encoding, as for `normalize`. None for content that is not encoded.
        in_place: Change the files themselves, which saves memory. Otherwise they stay as they are.
        progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.
        level: As for `compress`.

    Returns:
        An iterator over the files in their new encoding.

    Raises:
        IntegrityError: The content of a file is not in its encoding. Raised by the iteration, as those below.
        ImportError: An encoding needs a package that is not installed.
        ValueError: A file is a part of encoded content, which cannot be decoded.

    Examples:
        >>> files = [{"path": "a.txt", "content": compress(b"hello", "gzip"), "compress": "gzip", "raw": True}]
        >>> [file["content"] for file in transcode(files, None)]
        [b'hello']
    """
    wanted = normalize(encoding)
    if wanted is not None:
        _level(wanted, level)
    if isinstance(files, Mapping) or hasattr(files, "_replace"):
        files = [files]
    if isinstance(files, AsyncIterable) or not isinstance(files, Iterable):
        msg = f"files must be an iterable of dictionaries with 'path' and 'content', not {type(files).__name__}"
        raise TypeError(msg)
    return _transcode_each(files, wanted, in_place, progress, level)


def _transcode_each(
    files: Iterable[Any], encoding: str | None, in_place: bool, progress: ProgressLike | None, level: int | None
) -> Iterator[Any]:
    from lakefs_hl._progress import progress_of

    total = len(files) if isinstance(files, Sized) else None
    with progress_of(progress, total=total, title="Transcoding") as display:
        for file in files:
            found = _transcode(file, encoding, in_place, level)
            display.complete(str(_field(found, "path", "")), len(_field(found, "content") or b""))
            yield found


def _transcode(file: Any, encoding: str | None, in_place: bool, level: int | None) -> Any:
    content, path = _field(file, "content"), _field(file, "path", "")
    if content is None or _field(file, "error") is not None:
        return file
    before = normalize(_field(file, "compress")) if _field(file, "raw", False) else None
    if before == encoding:
        return file
    if before is not None:
        if any(each is not None for each in _field(file, "byte_range") or ()):
            msg = f"{path}: a part of content in {before} cannot be decoded; get the whole of it, or without raw=True"
            raise ValueError(msg)
        content = decompress(content, before, name=path)
    changes = {"content": compress(content, encoding, level), "compress": encoding, "raw": encoding is not None}
    if isinstance(file, MutableMapping):
        if in_place:
            file.update(changes)
            return file
        return {**file, **changes}
    if isinstance(file, Mapping):
        return {**file, **changes}
    return {**file._asdict(), **changes}  # a record never changes


def _field(file: Any, name: str, default: Any = None) -> Any:
    if isinstance(file, Mapping):
        return file.get(name, default)
    if hasattr(file, "_asdict"):
        return getattr(file, name, default)
    msg = f"files must hold dictionaries with 'path' and 'content', not {type(file).__name__}: {file!r:.80}"
    raise TypeError(msg)


def _bytes_of(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, bytearray | memoryview):
        return bytes(content)
    msg = f"content must be bytes, not {type(content).__name__}"
    raise TypeError(msg)


def _level(encoding: str, level: Any) -> int:
    lowest, highest, default = _LEVELS[encoding]
    if level is None:
        return default
    if isinstance(level, bool) or not isinstance(level, int) or not lowest <= level <= highest:
        msg = f"the level of {encoding} must be an integer from {lowest} to {highest}, not {level!r:.80}"
        raise ValueError(msg)
    return level


def _load(encoding: str) -> Any:
    package = _PACKAGES[encoding]
    try:
        return import_module(package)
    except ImportError as exc:
        msg = f"the encoding {encoding!r} needs {package}: pip install 'lakefs-hl[compression]'"
        raise ImportError(msg, name=package) from exc
