"""Ways to write through a wrapper of one's own around an open file, and to forget to close it.

Run as a program with the name of a way, it keeps the wrapper to the end of the interpreter.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import importlib
import io
import lzma
import sys
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import lakefs_hl

_pyio: Any = importlib.import_module("_pyio")  # io in Python; has no stubs


class Closing(io.BufferedIOBase):
    """A file in Python whose `close()` closes what is below; its finaliser calls it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return int(self.inner.write(data))

    def close(self) -> None:
        if not self.closed:
            self.inner.close()
            super().close()


class Deleting:
    """An object that closes what it has when it goes."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.write = inner.write

    def close(self) -> None:
        self.inner.close()

    def __del__(self) -> None:
        self.close()


class Proxy:
    """Forwards everything, as progress bars do."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def text(inner: Any) -> Any:
    return io.TextIOWrapper(inner, "utf-8")


WAYS: dict[str, Callable[[Any], Any]] = {
    "bare": lambda inner: inner,
    "text": text,
    "buffered": io.BufferedWriter,
    "text over buffered": lambda inner: text(io.BufferedWriter(inner)),
    "pair": lambda inner: io.BufferedRWPair(io.BytesIO(), inner),
    "text over a proxy": lambda inner: text(Proxy(inner)),
    "gzip": lambda inner: gzip.GzipFile(fileobj=inner, mode="wb"),
    "text over gzip": lambda inner: text(gzip.GzipFile(fileobj=inner, mode="wb")),
    "bz2": lambda inner: bz2.BZ2File(inner, "wb"),
    "lzma": lambda inner: lzma.LZMAFile(inner, "wb"),  # noqa: SIM115 - left open on purpose
    "zip": lambda inner: zipfile.ZipFile(inner, "w"),
    "member of a zip": lambda inner: zipfile.ZipFile(inner, "w").open("member", "w"),  # noqa: SIM115 - left open on purpose
    "tar": lambda inner: tarfile.open(fileobj=inner, mode="w"),  # noqa: SIM115 - left open on purpose
    "tar stream": lambda inner: tarfile.open(fileobj=inner, mode="w|gz"),  # noqa: SIM115 - left open on purpose
    "codec": codecs.getwriter("utf-8"),
    "Python's own text": lambda inner: _pyio.TextIOWrapper(inner, "utf-8"),
    "closing": Closing,
    "closing over buffered": lambda inner: Closing(io.BufferedWriter(inner)),
    "deleting": Deleting,
}


def write(wrapper: Any) -> None:
    """Writes a little, in the way that the wrapper wants."""
    if isinstance(wrapper, zipfile.ZipFile):
        wrapper.writestr("member", "half")
    elif isinstance(wrapper, tarfile.TarFile):
        info = tarfile.TarInfo("member")
        info.size = 4
        wrapper.addfile(info, io.BytesIO(b"half"))
    elif isinstance(wrapper, io.TextIOBase | _pyio.TextIOBase | codecs.StreamWriter):
        wrapper.write("half")
    else:
        wrapper.write(b"half")


if __name__ == "__main__":
    branch = lakefs_hl.repository("example", client=lakefs_hl.Client(sys.argv[1])).create().branch("main")
    kept = [WAYS[way](branch.open(way, "wb")) for way in WAYS]
    for one in kept:
        write(one)
    branch.upload(b"whole", "whole")
