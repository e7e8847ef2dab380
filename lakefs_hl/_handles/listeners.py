"""What the argument `progress=` of a transfer takes, as types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

from lakefs_hl._handles.transfers import TransferEvent


@runtime_checkable
class ProgressListener(Protocol):
    """An object that receives every event of a transfer."""

    def on_event(self, event: TransferEvent, /) -> object:
        """Take an event. Called by one thread at a time, which may not be the one that started the transfer."""


@runtime_checkable
class FileProgress(Protocol):
    """An object that receives the start, the progress and the end of each file.

    Each method gets one object with the attributes `src`, `dst` and `size`, and `progress` also `current`. Further
    methods are called if they exist: `enter(data)` and `leave(data)` for each local directory, `fail(data)` with
    `data.message` for each file that fails, `delete(data)` with `data.uri` and `data.is_dir` for each deleted object.
    """

    def start(self, data: Any, /) -> object:
        """Take the start of a file."""

    def progress(self, data: Any, /) -> object:
        """Take the number of bytes that were transferred so far, in `data.current`."""

    def complete(self, data: Any, /) -> object:
        """Take the end of a file."""


@runtime_checkable
class DeleteProgress(Protocol):
    """An object that receives every deleted object."""

    def delete(self, data: Any, /) -> object:
        """Take a deleted object. `data.uri` is its URI, `data.is_dir` is False."""


@runtime_checkable
class SizeCallback(Protocol):
    """A callback of fsspec, such as `fsspec.callbacks.TqdmCallback()`.

    It counts objects, and a child of it (`branched`) the bytes of each object. A transfer of one file counts bytes.
    """

    def set_size(self, size: Any, /) -> object:
        """Take the number of objects, or of bytes."""

    def relative_update(self, inc: int = 1, /) -> object:
        """Take how many were transferred since the last call."""

    def absolute_update(self, value: int, /) -> object:
        """Take how many were transferred so far."""


#: What `progress=` takes. True shows a bar, False shows nothing. A callable is called with every event. A class such as
#: `tqdm.tqdm` makes the bar.
ProgressLike: TypeAlias = bool | ProgressListener | FileProgress | DeleteProgress | SizeCallback | Callable[..., object]
