from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl._folders import reading
from lakefs_hl._folders.choice import Choice, Paths
from lakefs_hl._folders.directories import Directories
from lakefs_hl._folders.walk import walk
from tests._folders.git import Git, needs_git, pattern
from tests._folders.hostile import HOSTILE

FILES = ("a.csv", "b.txt", "data/a.csv", "data/b.txt", "data/old/a.csv", "logs/a.log", "logs/keep/b.log")


def write(root: Path, files: Mapping[str, str] | tuple[str, ...]) -> None:
    for path in files:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(files[path] if isinstance(files, Mapping) else "", encoding="utf-8")


def chosen(root: Path, choice: Choice) -> list[str]:
    """The files that a walk finds. Decisions on whole paths are the same."""
    with_walk = [found.path for found in walk(Directories(root), choice)]

    def read(path: str) -> bytes | None:
        file = root / path
        return file.read_bytes() if file.is_file() else None

    every = [found.path for found in walk(Directories(root))]
    in_order = Paths(choice, read)
    assert [path for path in every if in_order.takes(path)] == with_walk
    mixed = Paths(choice, read)
    shuffled = random.Random(len(every)).sample(every, len(every))
    assert sorted(path for path in shuffled if mixed.takes(path)) == sorted(with_walk)
    return with_walk


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({}, FILES),
        ({"include": "*.csv"}, ("a.csv", "data/a.csv", "data/old/a.csv")),
        ({"include": ["*.log", "b.txt"]}, ("b.txt", "data/b.txt", "logs/a.log", "logs/keep/b.log")),
        ({"include": "/*.csv"}, ("a.csv",)),
        ({"include": "data/"}, ("data/a.csv", "data/b.txt", "data/old/a.csv")),
        ({"include": "data/*/"}, ("data/old/a.csv",)),
        ({"include": "data/*.csv"}, ("data/a.csv",)),
        ({"include": "data/**"}, ("data/a.csv", "data/b.txt", "data/old/a.csv")),
        ({"include": []}, ()),
        ({"exclude": "*.csv"}, ("b.txt", "data/b.txt", "logs/a.log", "logs/keep/b.log")),
        ({"exclude": ["old", "logs/"]}, ("a.csv", "b.txt", "data/a.csv", "data/b.txt")),
        ({"include": "*.csv", "exclude": "old/"}, ("a.csv", "data/a.csv")),
        ({"include": "keep/", "exclude": "logs/"}, ()),
        ({"filter": lambda path: not path.startswith("data")}, ("a.csv", "b.txt", "logs/a.log", "logs/keep/b.log")),
        ({"filter": lambda path: path.endswith(("/", ".csv"))}, ("a.csv", "data/a.csv", "data/old/a.csv")),
        ({"filter": lambda _: False}, ()),
    ],
)
def test_what_is_chosen(tmp_path: Path, arguments: Any, wanted: tuple[str, ...]) -> None:
    write(tmp_path, FILES)
    choice = Choice(**arguments)
    assert choice.takes_all == (not arguments)
    assert tuple(chosen(tmp_path, choice)) == wanted


def test_ignore_files_hold_for_their_directory_and_deeper_ones_win(tmp_path: Path) -> None:
    files = {
        ".lakefsignore": "*.log\n/b.txt\nold/\n",
        "logs/.lakefsignore": "!a.log\n",
        "logs/keep/.lakefsignore": "a.log",
        "data/old/.lakefsignore": "!a.csv\n",
    }
    write(tmp_path, FILES)
    write(tmp_path, files)
    wanted = [
        *(".lakefsignore", "a.csv", "data/a.csv", "data/b.txt", "logs/.lakefsignore", "logs/a.log"),
        "logs/keep/.lakefsignore",
    ]
    assert chosen(tmp_path, Choice(ignore_file_names={".lakefsignore"})) == wanted
    assert chosen(tmp_path, Choice()) == sorted([*FILES, *files])


def test_one_file_of_a_directory_is_taken_out_of_what_is_ignored(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    write(tmp_path, {".ignore": "/data/*\n!/data/old/\n!b.txt\nlogs\n!a.log"})
    wanted = [".ignore", "a.csv", "b.txt", "data/b.txt", "data/old/a.csv"]
    assert chosen(tmp_path, Choice(ignore_file_names=[".ignore"])) == wanted


def test_several_ignore_files_in_one_directory_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, {"a.log": "", "b.log": "", ".1": "*.log\n!b.log\n", ".2": "!a.log\n.1\n.2"})
    assert chosen(tmp_path, Choice(ignore_file_names=[".2", ".1"])) == ["a.log", "b.log"]


def test_an_ignore_file_that_is_a_link_or_a_directory_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, {"a.log": "", "rules": "*.log", "sub/.ignore/x": "", "sub/a.log": ""})
    (tmp_path / ".ignore").symlink_to("rules")
    found = [found.path for found in walk(Directories(tmp_path), Choice(ignore_file_names=[".ignore"]))]
    assert found == ["a.log", "rules", "sub/.ignore/x", "sub/a.log"]


@needs_git
def test_random_trees_are_read_as_git_reads_them(tmp_path: Path, rng: random.Random) -> None:
    git = Git(tmp_path)
    compared = ignored = 0
    for number in range(25):
        root = tmp_path / str(number)
        names = ("a", "b", "ab", "a.c", "b-")
        directories = {"/".join(rng.choices(names, k=rng.randint(1, 3))) for _ in range(8)}
        write(root, tuple(f"{directory}/{rng.choice(names)}.f" for directory in directories for _ in range(4)))
        write(root, tuple(f"{name}.f" for name in names))
        ignore_files = {
            f"{directory}.gitignore": "\n".join(line for _ in range(3) if (line := pattern(rng)).strip())
            for directory in ("", *(f"{one}/" for one in rng.sample(sorted(directories), 3)))
        }
        write(root, ignore_files)
        every = [found.path for found in walk(Directories(root))]
        gone = {path.partition("/")[2] for path in git.ignored(f"{number}/{path}" for path in every)}
        wanted = [path for path in every if path not in gone]
        assert chosen(root, Choice(ignore_file_names={".gitignore"})) == wanted, ignore_files
        compared += len(every)
        ignored += len(gone)
    assert compared > 500
    assert ignored > 50


# -- filters -----------------------------------------------------------------------------------------------------------


def test_a_filter_is_asked_about_directories_first_and_only_about_what_is_left(tmp_path: Path) -> None:
    asked = list[str]()

    def keep(path: str) -> bool:
        asked.append(path)
        return path != "data/old/"

    write(tmp_path, FILES)
    found = [found.path for found in walk(Directories(tmp_path), Choice(exclude=["logs/", "*.txt"], filter=keep))]
    assert found == ["a.csv", "data/a.csv"]
    assert asked == ["a.csv", "data/", "data/a.csv", "data/old/"]


def test_an_asynchronous_filter_is_called_through_the_function_that_is_given(tmp_path: Path) -> None:
    async def keep(path: str) -> bool:
        await asyncio.sleep(0)
        return path.endswith(("/", ".csv"))

    write(tmp_path, FILES)
    with asyncio.Runner() as runner:
        choice = Choice(filter=keep, call_async=runner.run)  # type: ignore[arg-type]
        found = [found.path for found in walk(Directories(tmp_path), choice)]
    assert found == ["a.csv", "data/a.csv", "data/old/a.csv"]


def test_an_asynchronous_filter_without_a_loop_is_an_error_and_leaves_no_warning(tmp_path: Path) -> None:
    async def keep(path: str) -> bool:
        return True

    write(tmp_path, FILES)
    with pytest.raises(TypeError, match="filter is asynchronous, and this call is not"):
        list(walk(Directories(tmp_path), Choice(filter=keep)))


def test_an_error_of_a_filter_ends_the_walk(tmp_path: Path) -> None:
    def keep(path: str) -> bool:
        raise RuntimeError("no")

    write(tmp_path, FILES)
    with pytest.raises(RuntimeError, match="no"):
        list(walk(Directories(tmp_path), Choice(filter=keep)))


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: Choice(include=1), TypeError, "include must be"),  # type: ignore[arg-type]
        (lambda: Choice(exclude=["a", 1]), TypeError, "exclude must be a string"),  # type: ignore[list-item]
        (lambda: Choice(include="[a"), ValueError, "include: the pattern '[a'"),
        (lambda: Choice(filter="x"), TypeError, "filter must be a callable that takes a path, not str"),  # type: ignore[arg-type]
        (lambda: Choice(ignore_file_names=["a/b"]), ValueError, "'a/b' is none"),
        (lambda: Choice(ignore_file_names=[".."]), ValueError, "'..' is none"),
    ],
)
def test_bad_arguments(make: Callable[[], Choice], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        make()
    assert words in str(caught.value)


def test_hostile_paths_of_a_listing_read_no_ignore_file_elsewhere(tmp_path: Path) -> None:
    (tmp_path / ".ignore").write_text("*", encoding="utf-8")
    (tmp_path / "root").mkdir()
    read = partial(reading.read_if_regular, Directories(tmp_path / "root"))
    chosen_paths = Paths(Choice(ignore_file_names=[".ignore"]), read)
    for row in HOSTILE:
        assert chosen_paths.takes(f"{row.path}/x"), row
        assert chosen_paths.takes(f"{row.path}/../x"), row
