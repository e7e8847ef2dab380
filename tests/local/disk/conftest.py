"""A lake's disk in a temporary folder, and a hook on its failpoints that cannot be forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lakefs_hl.local.disk import fs
from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.layout import prepare

Open = Callable[..., Database]


@pytest.fixture
def open_database(tmp_path: Path) -> Iterator[Open]:
    opened: list[Database] = []

    def make(**options: object) -> Database:
        database, _ = prepare(str(tmp_path / "lake"), tree={"seed": 7}, **options)  # type: ignore[arg-type]
        opened.append(database)
        return database

    yield make
    for database in opened:
        database.close()


@pytest.fixture
def database(open_database: Open) -> Database:
    return open_database()


@pytest.fixture
def points() -> Iterator[list[str]]:
    """The failpoints reached, in order."""
    seen: list[str] = []
    fs.hook = seen.append
    yield seen
    fs.hook = None


@pytest.fixture
def fail_at() -> Iterator[Callable[[str, OSError], None]]:
    """Makes one failpoint raise."""

    def arrange(point: str, error: OSError) -> None:
        def hook(reached: str) -> None:
            if reached == point:
                raise error

        fs.hook = hook

    yield arrange
    fs.hook = None
