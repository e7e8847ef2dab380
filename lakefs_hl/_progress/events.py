"""The calls that a transfer makes: without effect, or passed to a listener as events."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from lakefs_hl._handles.transfers import TransferEvent
from lakefs_hl.spec import callers

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_LOGGER: Final = logging.getLogger("lakefs_hl")


class Progress:
    """Progress of one transfer, without effect. Thread-safe. No call raises.

    An object goes through `start`, any number of `advance`, and `complete` or `fail`; or it is only skipped or deleted.
    Use it in a `with` block, or call `close()` when the transfer has ended.
    """

    __slots__ = ()

    #: Whether the calls have no effect, so that a transfer can leave them out.
    silent = True

    def expect(self, objects: int | None = None, size: int | None = None) -> None:
        """Add to the number of objects and of bytes to come. None leaves a total as it is: unknown at first."""

    def start(self, path: str, size: int | None = None) -> None:
        """Report that the transfer of an object starts."""

    def advance(self, path: str, done: int, size: int | None = None) -> None:
        """Report how many bytes of an object were transferred so far. Less than before if it starts again."""

    def complete(self, path: str, size: int = 0) -> None:
        """Report that an object was transferred."""

    def skip(self, path: str, size: int | None = None) -> None:
        """Report that an object is left as it is."""

    def fail(self, path: str, error: Exception) -> None:
        """Report that an object failed."""

    def enter(self, path: str) -> None:
        """Report that a local directory is entered. Its path ends with a slash."""

    def leave(self, path: str) -> None:
        """Report that everything in a local directory was transferred."""

    def delete(self, path: str) -> None:
        """Report that an object was deleted."""

    def close(self) -> None:
        """End the display. A second call does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ListenerProgress(Progress):
    """Progress that passes every event to a listener, from one thread at a time.

    Args:
        notify: Takes an event.
        name: What the caller passed, for the warning.
        expect: Takes the totals so far, objects and bytes, whenever they change.
        close: Called at the end.
    """

    __slots__ = ("_bytes", "_close", "_expect", "_lock", "_name", "_notify", "_objects")

    silent = False

    def __init__(
        self,
        notify: Callable[[TransferEvent], object],
        name: str,
        expect: Callable[[int | None, int | None], object] | None = None,
        close: Callable[[], object] | None = None,
    ) -> None:
        self._notify: Callable[[TransferEvent], object] | None = notify
        self._name = name
        self._expect = expect
        self._close = close
        self._objects: int | None = None
        self._bytes: int | None = None
        # Reentrant: a listener may use the package, and a finaliser in it may end another part of the same transfer.
        self._lock = threading.RLock()

    def _call(self, event: TransferEvent) -> None:
        with self._lock:
            if self._notify is not None:
                try:
                    self._notify(event)
                except Exception as error:  # noqa: BLE001 - a listener may raise anything
                    self._switch_off(error)

    def _switch_off(self, error: Exception) -> None:
        """Send the listener no more events, and warn of its error."""
        self._notify = self._expect = None
        warn_of(self._name, error)

    def expect(self, objects: int | None = None, size: int | None = None) -> None:
        with self._lock:
            self._objects, self._bytes = add(self._objects, objects), add(self._bytes, size)
            if self._expect is not None:
                try:
                    self._expect(self._objects, self._bytes)
                except Exception as error:  # noqa: BLE001
                    self._switch_off(error)

    def start(self, path: str, size: int | None = None) -> None:
        self._call(TransferEvent("start", path, 0, size))

    def advance(self, path: str, done: int, size: int | None = None) -> None:
        self._call(TransferEvent("progress", path, done, size))

    def complete(self, path: str, size: int = 0) -> None:
        self._call(TransferEvent("complete", path, size, size))

    def skip(self, path: str, size: int | None = None) -> None:
        self._call(TransferEvent("skip", path, 0, size))

    def fail(self, path: str, error: Exception) -> None:
        self._call(TransferEvent("fail", path, 0, None, error))

    def enter(self, path: str) -> None:
        self._call(TransferEvent("enter", path))

    def leave(self, path: str) -> None:
        self._call(TransferEvent("leave", path))

    def delete(self, path: str) -> None:
        self._call(TransferEvent("delete", path))

    def close(self) -> None:
        with self._lock:
            close, self._close, self._notify, self._expect = self._close, None, None, None
            if close is not None:
                try:
                    close()
                except Exception as error:  # noqa: BLE001
                    warn_of(self._name, error)


def add(total: int | None, more: int | None) -> int | None:
    """Add to a total; None if nothing is known yet."""
    return total if more is None else more + (total or 0)


def warn_of(name: str, error: Exception) -> None:
    """Warn that a listener failed. Where warnings are errors, it is logged instead: progress never ends a transfer."""
    message = (
        f"progress={name} raised {type(error).__name__}: {error}; it receives no more events, and the transfer goes on"
    )
    try:
        callers.warn(message)
    except Warning:
        _LOGGER.warning("%s", message, exc_info=error)
