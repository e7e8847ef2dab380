"""Listeners that others define: callbacks of fsspec, and objects with start, progress and complete."""

from __future__ import annotations

from typing import Any

from lakefs_hl._progress import progress_of
from lakefs_hl._progress.events import Progress
from lakefs_hl._progress.listeners import DeleteData, FileData, Files
from tests._progress.test_events import whole_transfer


def start_many(callback: Any, **options: Any) -> Progress:
    return progress_of(callback, source="/home/data/", destination="lakefs://example/main/", **options)


class Seed:
    """Progress as seed 000 has it."""

    def __init__(self) -> None:
        self.calls = list[tuple[str, Any]]()

    def start(self, data: Any) -> None:
        self.calls.append(("start", data))

    def progress(self, data: Any) -> None:
        self.calls.append(("progress", data))

    def complete(self, data: Any) -> None:
        self.calls.append(("complete", data))


class RecursiveSeed(Seed):
    def enter(self, data: Any) -> None:
        self.calls.append(("enter", data))

    def leave(self, data: Any) -> None:
        self.calls.append(("leave", data))

    def fail(self, data: Any) -> None:
        self.calls.append(("fail", data))

    def delete(self, data: Any) -> None:
        self.calls.append(("delete", data))


def test_the_seeds_objects_are_told_of_both_sides() -> None:
    seed = Seed()
    with start_many(seed) as progress:
        whole_transfer(progress)
    source, destination = "/home/data/data/a", "lakefs://example/main/data/a"
    assert seed.calls == [
        ("start", FileData(source, destination, 4)),
        ("progress", FileData(source, destination, 4, 2)),
        ("complete", FileData(source, destination, 4, 4)),
    ]


def test_the_seeds_recursive_objects_are_told_of_directories_failures_and_deletes() -> None:
    seed = RecursiveSeed()
    with start_many(seed) as progress:
        whole_transfer(progress)
    assert [kind for kind, _ in seed.calls] == ["enter", "start", "progress", "complete", "fail", "leave", "delete"]
    calls = dict(seed.calls)
    assert (calls["enter"].src, calls["enter"].dst) == ("/home/data/data/", "lakefs://example/main/data/")
    assert calls["fail"].message == "full"
    assert calls["delete"] == DeleteData("lakefs://example/main/data/d", is_dir=False)


def test_an_object_for_deletes_only() -> None:
    class Deletes:
        def delete(self, data: Any) -> None:
            seen.append(data.uri)

    seen = list[str]()
    with start_many(Deletes()) as progress:
        whole_transfer(progress)
    assert seen == ["lakefs://example/main/data/d"]


def test_sizes_that_are_unknown_are_zero() -> None:
    seed = Seed()
    with progress_of(seed, source="/a", destination="lakefs://r/main/b", single=True) as progress:
        progress.start("b")
    assert seed.calls == [("start", FileData("/a", "lakefs://r/main/b", 0))]


def test_a_method_that_is_no_method_is_not_called() -> None:
    class Odd(Seed):
        enter = None

    assert "enter" not in Files(Odd(), lambda path: ("", ""))._methods
