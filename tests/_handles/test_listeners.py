"""What `progress=` takes, as types."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from lakefs_hl import types
from lakefs_hl._handles.transfers import TransferEvent
from lakefs_hl.types import DeleteProgress, FileProgress, ProgressLike, ProgressListener, SizeCallback


class Listener:
    def on_event(self, event: TransferEvent) -> None:
        raise NotImplementedError


class Files:
    def start(self, data: Any) -> None:
        raise NotImplementedError

    def progress(self, data: Any) -> None:
        raise NotImplementedError

    def complete(self, data: Any) -> None:
        raise NotImplementedError


class Deletes:
    def delete(self, data: Any) -> None:
        raise NotImplementedError


class Sizes:
    def set_size(self, size: Any) -> None:
        raise NotImplementedError

    def relative_update(self, inc: int = 1) -> None:
        raise NotImplementedError

    def absolute_update(self, value: int) -> None:
        raise NotImplementedError


#: A type checker accepts each of these.
ACCEPTED: list[ProgressLike] = [True, Listener(), Files(), Deletes(), Sizes(), print, Files, functools.partial(Files)]


@pytest.mark.parametrize("kind", [ProgressListener, FileProgress, DeleteProgress, SizeCallback])
def test_each_protocol_knows_its_own_objects(kind: type) -> None:
    found = [type(item).__name__ for item in ACCEPTED if isinstance(item, kind) and not isinstance(item, type)]
    expected: dict[Any, list[str]] = {
        ProgressListener: ["Listener"],
        FileProgress: ["Files"],
        DeleteProgress: ["Deletes"],
        SizeCallback: ["Sizes"],
    }
    assert found == expected[kind]


def test_the_callbacks_of_fsspec_fit() -> None:
    callbacks = pytest.importorskip("fsspec.callbacks", reason="fsspec is in the extra docs")
    assert isinstance(callbacks.Callback(), types.SizeCallback)
