"""Journals of transfers that are under way: by them the same call finds what an interrupted one has left.

A journal has a key (source, destination, message), and one small file that is replaced as a whole. It is locked while
its transfer runs, so that two equal calls at once do not continue each other's work.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from lakefs_hl._folders.locks import try_lock

_VERSION: Final = 1
_FLAGS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_TRIES: Final = 100


class Entry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a journal says.

    Attributes:
        source: What is transferred.
        destination: To where.
        message: Message of the commit. None without one.
        started: When the transfer began, in seconds since 1970.
        transaction: What finds the kept transaction again: the name of its branch. None before there is one.
        options: The options that must be the same for the work to be continued.
        version: Form of the file.
    """

    source: str
    destination: str
    message: str | None
    started: float
    transaction: str | None = None
    options: dict[str, Any] = {}
    version: int = _VERSION


class TransferRunningError(OSError):
    """The same transfer is running already."""


class Journal:
    """The journal of one transfer, locked until it is closed.

    Args:
        directory: The directory of the cache, which exists.
        source: What is transferred.
        destination: To where.
        message: Message of the commit.

    Raises:
        TransferRunningError: The same transfer is running, in this or another process.
        OSError: The files cannot be written.
    """

    def __init__(
        self, directory: str | os.PathLike[str], source: str, destination: str, message: str | None = None
    ) -> None:
        self._key = (source, destination, message)
        folder = Path(directory) / "transfers"
        folder.mkdir(mode=0o700, exist_ok=True)
        name = hashlib.sha256(msgspec.json.encode(self._key)).hexdigest()[:32]
        self._path = folder / f"{name}.json"
        self._lock_path = folder / f"{name}.lock"
        self._fd = self._take_lock()

    def _take_lock(self) -> int:
        """Lock the file that its name has now: the one that was opened may have been removed before it was locked."""
        for _ in range(_TRIES):
            fd = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
            try:
                if not try_lock(fd):
                    source, destination, _ = self._key
                    msg = f"the same transfer from {source} to {destination} is running; wait until it has ended"
                    raise TransferRunningError(errno.EAGAIN, msg)
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(fd), self._lock_path.lstat()):
                        return fd
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)
        raise TransferRunningError(errno.EAGAIN, "others lock and remove the journal", str(self._lock_path))

    def read(self) -> Entry | None:
        """Return what an interrupted transfer has left. None if there is nothing, or nothing that can be read."""
        try:
            fd = os.open(self._path, os.O_RDONLY | _FLAGS)
        except OSError:
            return None
        with os.fdopen(fd, "rb") as file:
            content = file.read()
        try:
            found = msgspec.json.decode(content, type=Entry)
        except msgspec.DecodeError:
            return None
        is_ours = (found.source, found.destination, found.message) == self._key and found.version == _VERSION
        return found if is_ours else None

    def write(self, started: float, transaction: str | None = None, **options: Any) -> Entry:
        """Replace what the journal says, as a whole: an interrupted call leaves the old or the new content.

        Args:
            started: When the transfer began, in seconds since 1970.
            transaction: What finds the kept transaction again.
            options: The options that must be the same for the work to be continued. Values of JSON.

        Returns:
            What was written.
        """
        source, destination, message = self._key
        entry = Entry(
            source=source,
            destination=destination,
            message=message,
            started=started,
            transaction=transaction,
            options=options,
        )
        draft = self._path.with_name(f"{self._path.name}.{secrets.token_hex(8)}")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(msgspec.json.encode(entry))
            draft.replace(self._path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        return entry

    def remove(self) -> None:
        """Remove the journal: the transfer is complete."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let the same transfer run again. Only a journal that was not removed is left."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with suppress(OSError):  # Windows removes no file that is open; the next transfer uses it
                self._lock_path.unlink()
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()
