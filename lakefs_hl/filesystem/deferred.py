"""Files of a transaction: complete when they are closed, and published at its end."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lakefs_hl.filesystem.files import LakeFSWriter
from lakefs_hl.filesystem.names import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from lakefs_hl import Branch, ObjectInfo
    from lakefs_hl.filesystem.system import LakeFSFileSystem

#: Bytes of a closed file that are kept in memory; more are kept in a local file. A transaction may have many.
HELD_BYTES: Final = 1 << 16
_MD5_DIGITS: Final = 32


class DeferredWriter(LakeFSWriter):
    """An object, open for writing. `close()` keeps what was written, `commit()` publishes it.

    Args:
        fs: The file system.
        name: Name of the object in it.
        branch: Branch of the object.
        path: Path of the object.
        local: Returns the path of a new local file, for content that is larger than `HELD_BYTES`.
        create_only: Whether an object that exists is an error.
        pre_signed: Whether to use a pre-signed URL.
        content_type: Media type of the object.
        metadata: User metadata of the object.
    """

    def __init__(
        self,
        fs: LakeFSFileSystem,
        name: str,
        branch: Branch,
        path: str,
        local: Callable[[], Path],
        *,
        create_only: bool = False,
        pre_signed: bool | None = None,
        content_type: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        self._local = local
        self._content: bytes | Path | None = None
        self.branch, self.key, self.create_only = branch, path, create_only
        self._options: dict[str, Any] = {"content_type": content_type, "metadata": metadata, "pre_signed": pre_signed}
        super().__init__(fs, name, branch, path, autocommit=False, create_only=create_only, **self._options)

    @property
    def is_complete(self) -> bool:
        """Whether there is content to publish: it was closed, and neither discarded nor published."""
        return self._content is not None

    def upload(self) -> ObjectInfo:
        """Write the object, as a staged change of its branch."""
        with translated:
            return self.branch.upload(self.content, self.key, if_none_match=self.create_only, **self._options)

    def commit(self) -> None:
        """Publish this file alone. A second call does nothing.

        Raises:
            ValueError: The file is still open.
        """
        if not self.closed:
            msg = f"{self.name} is still open; close it before the transaction ends"
            raise ValueError(msg)
        if self.is_complete:
            try:
                self.upload()
            finally:
                self.discard()
                self.fs.invalidate_cache(self.path)

    def discard(self) -> None:
        """Close the file and drop what was written."""
        content, self._content = self._content, None
        if isinstance(content, Path):
            content.unlink(missing_ok=True)
        super().discard()

    @property
    def content(self) -> bytes | Path:
        """What was written: bytes, or the local file that has them."""
        if self._content is None:
            msg = f"{self.name} has no content: it is not closed, or it was discarded or published"
            raise ValueError(msg)
        return self._content

    def is_content_of(self, found: ObjectInfo) -> bool:
        """Return whether an object has the content of this file, as far as its size and checksum tell."""
        content = self.content
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        if found.size_bytes != size:
            return False
        if len(found.checksum) != _MD5_DIGITS:
            return True  # an ETag that is no MD5, such as that of an upload in parts
        if isinstance(content, bytes):
            return hashlib.md5(content, usedforsecurity=False).hexdigest() == found.checksum
        with content.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        return digest.hexdigest() == found.checksum

    def _keep(self, session: Any, body: Any) -> Generator[Any, Any, Any]:
        """Keep what was written in place of sending it: in memory if it is little, else in a file that is not open."""
        if isinstance(body, bytes) and len(body) <= HELD_BYTES:
            self._content = body
        else:
            local = self._local()
            with local.open("wb") as file:
                if isinstance(body, bytes):
                    file.write(body)
                else:
                    with os.fdopen(os.dup(body.fd), "rb") as spool:
                        spool.seek(body.offset)
                        shutil.copyfileobj(spool, file, 1 << 20)
            self._content = local
        yield from ()


def fill(file: DeferredWriter, data: Any) -> None:
    """Write data to a file, in the forms that `Branch.upload` takes: a copy of what it is now."""
    if isinstance(data, os.PathLike):
        with Path(data).open("rb") as source:
            shutil.copyfileobj(source, file, 1 << 20)
        return
    if callable(data):
        data = data()
    if hasattr(data, "read"):
        shutil.copyfileobj(data, file, 1 << 20)
    elif isinstance(data, str):
        file.write(data.encode())
    else:
        try:
            file.write(memoryview(data).cast("B"))
        except TypeError:
            for chunk in data:
                file.write(chunk.encode() if isinstance(chunk, str) else chunk)
