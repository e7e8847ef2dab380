"""Callbacks of fsspec as listeners."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl._progress import progress_of
from tests._progress.test_events import whole_transfer
from tests._progress.test_listeners import start_many

callbacks: Any = pytest.importorskip("fsspec.callbacks", reason="fsspec is in the extra docs")


class Parent(callbacks.Callback):  # type: ignore[misc]
    """Keeps its children, as `fsspec.callbacks.TqdmCallback` shows a bar for each."""

    def __init__(self) -> None:
        super().__init__()
        self.children = dict[tuple[str, str], Any]()
        self.history = list[tuple[int | None, int]]()

    def call(self, hook_name: str | None = None, **kwargs: Any) -> None:
        self.history.append((self.size, self.value))

    def branched(self, path_1: str, path_2: str, **kwargs: Any) -> Any:
        child = self.children[path_1, path_2] = Child()
        return child


class Child(callbacks.Callback):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_a_callback_of_fsspec_counts_objects_and_its_children_bytes() -> None:
    parent = Parent()
    with start_many(parent) as progress:
        whole_transfer(progress)
        progress.start("data/e", 9)  # never ends
        progress.advance("data/e", 3, 9)
    assert parent.history == [(3, 0), (3, 1), (3, 2), (3, 3), (3, 4)]
    found = {paths: (child.size, child.value, child.closed) for paths, child in parent.children.items()}
    assert found == {
        ("/home/data/data/a", "lakefs://example/main/data/a"): (4, 4, 1),
        ("/home/data/data/e", "lakefs://example/main/data/e"): (9, 3, 1),
    }


def test_a_callback_of_fsspec_counts_the_bytes_of_a_single_file() -> None:
    parent = Parent()
    with progress_of(parent, total=1, total_bytes=4, single=True) as progress:
        progress.start("a", 4)
        progress.advance("a", 2, 4)
        progress.complete("a", 4)
    assert parent.history == [(4, 0), (4, 0), (4, 2), (4, 4)]
    assert parent.children == {}


def test_the_default_callback_of_fsspec_does_nothing() -> None:
    with start_many(callbacks.DEFAULT_CALLBACK) as progress:
        whole_transfer(progress)
    with start_many(callbacks.Callback()) as progress:
        whole_transfer(progress)


def test_many_objects_leave_no_child_behind() -> None:
    parent = callbacks.Callback()
    with start_many(parent, total=1000) as progress:
        for number in range(1000):
            progress.start(str(number), 1)
            progress.complete(str(number), 1)
    assert (parent.size, parent.value) == (1000, 1000)


def test_the_bars_of_fsspec_and_tqdm_together() -> None:
    bars = list[Any]()

    class Bar:
        def __init__(self, total: int | None = None, **_: Any) -> None:
            self.total, self.n, self.closed = total, 0, False
            bars.append(self)

        def update(self, more: int) -> None:
            self.n += more

        def close(self) -> None:
            self.closed = True

    pytest.importorskip("tqdm", reason="tqdm is in the extra progress")
    with start_many(callbacks.TqdmCallback(tqdm_cls=Bar)) as progress:
        whole_transfer(progress)
    assert (bars[0].total, bars[0].n) == (3, 4)
