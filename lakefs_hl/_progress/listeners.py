"""Listeners that others define: callbacks of fsspec, and objects with `start`, `progress` and `complete`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from lakefs_hl._handles.transfers import TransferEvent


class Fsspec:
    """A callback of fsspec. Counts objects, with a child that counts bytes for each object that is under way.

    Args:
        callback: The callback.
        sides: Returns the source and the destination of a path.
        single: Whether the transfer is that of one file: the callback itself counts bytes.
    """

    def __init__(self, callback: Any, sides: Callable[[str], tuple[str, str]], *, single: bool) -> None:
        self._callback = callback
        self._sides = sides
        self._single = single
        self._children = dict[str, Any]()

    def expect(self, objects: int | None, size: int | None) -> None:
        """Take the totals."""
        total = size if self._single else objects
        if total is not None:
            self._callback.set_size(total)

    def on_event(self, event: TransferEvent) -> None:
        """Take an event."""
        if self._single:
            self._on_bytes(self._callback, event)
            return
        path = event.path
        if event.kind == "start":
            child = self._callback.branched(*self._sides(path)) if hasattr(self._callback, "branched") else None
            if child is not None:
                child.__enter__()
                self._children[path] = child
        child = self._children.get(path)
        if child is not None:
            self._on_bytes(child, event)
        if event.kind in ("complete", "skip", "fail", "delete"):
            child = self._children.pop(path, None)
            if child is not None:
                child.__exit__(None, None, None)
            self._callback.relative_update(1)

    def close(self) -> None:
        """Close the children of objects that did not end. The callback itself is the caller's."""
        while self._children:
            self._children.popitem()[1].__exit__(None, None, None)

    @staticmethod
    def _on_bytes(callback: Any, event: TransferEvent) -> None:
        if event.kind == "start" and event.size is not None:
            callback.set_size(event.size)
        elif event.kind in ("progress", "complete"):
            callback.absolute_update(event.done)


class FileData(NamedTuple):
    """What `start`, `complete`, `progress`, `enter`, `leave` and `fail` get.

    Attributes:
        src: Local path or URI of the source.
        dst: URI or local path of the destination.
        size: Size in bytes; 0 for a directory, or if it is unknown.
        current: Bytes that were transferred so far.
        message: Why it failed.
    """

    src: str
    dst: str
    size: int = 0
    current: int = 0
    message: str = ""


class DeleteData(NamedTuple):
    """What `delete` gets: the URI of the deleted object, or its local path."""

    uri: str
    is_dir: bool = False


class Files:
    """An object with `start`, `progress` and `complete`, and perhaps `enter`, `leave`, `fail` and `delete`."""

    def __init__(self, target: Any, sides: Callable[[str], tuple[str, str]]) -> None:
        self._sides = sides
        kinds = ("start", "progress", "complete", "enter", "leave", "fail", "delete")
        self._methods = {kind: getattr(target, kind) for kind in kinds if callable(getattr(target, kind, None))}

    def on_event(self, event: TransferEvent) -> None:
        """Take an event."""
        method = self._methods.get(event.kind)
        if method is None:
            return
        source, destination = self._sides(event.path)
        if event.kind == "delete":
            method(DeleteData(destination))
        else:
            message = "" if event.error is None else str(event.error)
            method(FileData(source, destination, event.size or 0, event.done, message))
