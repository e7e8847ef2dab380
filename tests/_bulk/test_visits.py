"""Directories as events."""

from __future__ import annotations

from lakefs_hl._bulk.visits import Visits
from lakefs_hl._progress import progress_of
from lakefs_hl.types import TransferEvent


def test_a_directory_is_left_after_the_last_of_its_files_has_ended() -> None:
    events = list[TransferEvent]()
    visits = Visits(progress_of(events.append))

    def said() -> list[str]:
        found = [f"{event.kind} {event.path}" for event in events]
        events.clear()
        return found

    visits.begin("a/b/1")
    assert said() == ["enter a/", "enter a/b/"]
    visits.begin("a/b/2")
    visits.begin("a/c/3")
    assert said() == ["enter a/c/"], "two files of a/b/ are still under way"
    visits.end("a/b/2")
    visits.end("a/b/1")
    assert said() == ["leave a/b/"]
    visits.begin("top")
    visits.end("top")
    assert said() == []
    visits.close()
    visits.end("a/c/3")
    assert sorted(said()) == ["leave a/", "leave a/c/"]
    assert visits._pending == {}


def test_paths_of_objects_may_have_slashes_anywhere() -> None:
    """Names of objects are not those of files: they begin and end with slashes, or have several in a row."""
    paths = sorted(f"{a}{b}{c}" for a in ("", "/", "a", "//") for b in ("b", "/", "/b/", "") for c in ("c", "/", "/c"))
    events = list[TransferEvent]()
    visits = Visits(progress_of(events.append))
    for path in paths:
        visits.begin(path)
    visits.close()
    for path in paths:
        visits.end(path)
    entered = sorted({path[: at + 1] for path in paths for at, char in enumerate(path) if char == "/"})
    assert sorted(event.path for event in events if event.kind == "enter") == entered
    assert sorted(event.path for event in events if event.kind == "leave") == entered
    assert visits._pending == {}
