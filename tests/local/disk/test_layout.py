from __future__ import annotations

import json
import multiprocessing
import os
import sys
from pathlib import Path

import pytest

from lakefs_hl.local.disk import fs, layout, notes
from lakefs_hl.local.disk.errors import Damaged, DiskError, NotALake, UnknownFormat
from lakefs_hl.local.disk.layout import prepare


def test_a_new_lake_notes_its_tree_once(tmp_path: Path) -> None:
    folder = str(tmp_path / "deep" / "er" / "lake")
    first, noted = prepare(folder, tree={"seed": 1, "bits": 5})
    assert noted["format"] == notes.VERSION
    assert noted["tree"] == {"seed": 1, "bits": 5}
    second, again = prepare(folder, tree={"seed": 2})
    assert again == noted
    assert json.loads((tmp_path / "deep/er/lake/format.json").read_text()) == noted
    assert sorted(os.listdir(folder)) == ["format.json", "lake.db", "lake.db-shm", "lake.db-wal", "lock", "objects"]
    first.close()
    second.close()


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    database, _ = prepare("here", tree={})
    assert database.folder == str(tmp_path / "here")
    database.close()


def test_an_empty_folder_becomes_a_lake_and_another_folder_is_left_alone(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    prepare(str(empty), tree={})[0].close()
    other = tmp_path / "other"
    (other / "objects").mkdir(parents=True)
    (other / "thesis.tex").write_text("x")
    with pytest.raises(NotALake, match=r"other: not a lake, and not empty \(it holds thesis\.tex\)"):
        prepare(str(other), tree={})
    (other / "thesis.tex").unlink()
    with pytest.raises(NotALake, match="it holds objects"):
        prepare(str(other), tree={})
    assert os.listdir(other) == ["objects"]


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "lake"):
        with pytest.raises(NotALake, match=r"file is not a folder"):
            prepare(str(path), tree={})


def test_a_folder_that_everyone_may_change_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(NotALake, match=r"everyone may write to it \(mode 777\)"):
        prepare(str(folder), tree={})


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(NotALake, match=r"belongs to user .* we are user 4711"):
        prepare(str(tmp_path), tree={})


@pytest.mark.parametrize("kind", sorted(layout.REMOTE))
def test_network_file_systems_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(layout, "file_system", lambda _folder: kind)
    with pytest.raises(NotALake, match=f"network file system .{kind}"):
        prepare(str(tmp_path), tree={})


@pytest.mark.skipif(sys.platform != "linux", reason="mountinfo is Linux's")
def test_the_file_system_is_that_of_the_innermost_mount(tmp_path: Path) -> None:
    assert layout.file_system("/proc/self") == "proc"
    assert layout.file_system(str(tmp_path)) not in {"", "proc"}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"form": 1}', "null"])
def test_an_unreadable_format_is_damage(tmp_path: Path, text: str) -> None:
    prepare(str(tmp_path), tree={})[0].close()
    (tmp_path / "format.json").write_text(text)
    with pytest.raises(Damaged, match=r"format\.json"):
        prepare(str(tmp_path), tree={})


def test_a_later_format_is_refused_by_its_number(tmp_path: Path) -> None:
    prepare(str(tmp_path), tree={})[0].close()
    (tmp_path / "format.json").write_text('{"format": 3}')
    with pytest.raises(UnknownFormat, match="format 3"):
        prepare(str(tmp_path), tree={})


def test_a_lake_without_its_database_is_damaged_not_new(tmp_path: Path) -> None:
    prepare(str(tmp_path), tree={})[0].close()
    (tmp_path / "lake.db").unlink()
    with pytest.raises(Damaged, match=r"lake\.db is missing"):
        prepare(str(tmp_path), tree={})


def test_a_lost_format_is_written_again_from_the_database(tmp_path: Path) -> None:
    database, noted = prepare(str(tmp_path), tree={"seed": 1})
    database.close()
    (tmp_path / "format.json").unlink()
    database, again = prepare(str(tmp_path), tree={"seed": 2})
    assert again == noted
    database.close()


def _die_at(folder: str, number: int) -> None:
    reached = 0

    def hook(_point: str) -> None:
        nonlocal reached
        reached += 1
        if reached == number:
            os._exit(9)

    fs.hook = hook
    prepare(folder, tree={"seed": number})


def test_a_making_that_was_killed_anywhere_is_completed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    number = 0
    while True:
        number += 1
        folder = str(tmp_path / str(number) / "lake")
        os.mkdir(os.path.dirname(folder))
        child = context.Process(target=_die_at, args=(folder, number))
        child.start()
        child.join()
        database, noted = prepare(folder, tree={"seed": -1})
        assert noted["tree"]["seed"] in {number, -1}
        with database.write() as writer:
            writer.execute("INSERT INTO staging(token, path, value) VALUES(1, x'61', NULL)")
        database.close()
        database, again = prepare(folder, tree={})
        assert again == noted
        database.close()
        if child.exitcode == 0:
            break
        assert child.exitcode == 9
    assert number > 10  # every step had its turn


def _make(folder: str, seed: int, answers: multiprocessing.Queue[int]) -> None:
    database, noted = prepare(folder, tree={"seed": seed})
    answers.put(noted["tree"]["seed"])
    database.close()


def test_many_who_make_one_lake_agree(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[int] = context.Queue()
    children = [context.Process(target=_make, args=(str(tmp_path / "lake"), seed, answers)) for seed in range(6)]
    for child in children:
        child.start()
    seeds = {answers.get(timeout=60) for _ in children}
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert len(seeds) == 1


@pytest.mark.parametrize("noted", ['{"format": 1}', '{"format": 1, "created": "2026", "tree": {"seed": 8}}'])
def test_a_format_that_is_not_the_databases_is_refused_and_can_be_written_anew(tmp_path: Path, noted: str) -> None:
    folder, path = str(tmp_path / "lake"), tmp_path / "lake" / "format.json"
    database, before = prepare(folder, tree={"seed": 7})
    database.close()
    path.write_text(noted)
    with pytest.raises(Damaged, match=r"format\.json: is not what lake\.db notes"):
        prepare(folder, tree={"seed": 7})
    path.unlink()
    database, after = prepare(folder, tree={"seed": 9})
    database.close()
    assert after == before


@pytest.mark.parametrize("name", ["format.json", "lock"])
def test_what_is_no_file_is_an_error_of_ours(tmp_path: Path, name: str) -> None:
    folder = str(tmp_path / "lake")
    prepare(folder, tree={})[0].close()
    (tmp_path / "lake" / name).unlink()
    (tmp_path / "lake" / name).mkdir()
    with pytest.raises(DiskError, match=name):
        prepare(folder, tree={})


def path_of(folder: Path, length: int) -> str:
    """A path of so many bytes, below a folder."""
    found = str(folder)
    while len(found) < length - 60:
        found += "/" + "é" * 20
        length -= 20  # each has two bytes
    return found + "/" + "d" * (length - len(found) - 1)


@pytest.mark.parametrize("length", [496, 497, 512, 700])
def test_a_path_that_is_too_long_is_told_before_anything_is_made(tmp_path: Path, length: int) -> None:
    path = path_of(tmp_path, length)
    assert len(os.fsencode(path)) == length
    if length == 496:
        opened, _ = prepare(path, tree={})
        opened.close()
        return
    with pytest.raises(NotALake, match=f"has {length} bytes, and that of a lake may have 496; choose") as caught:
        prepare(path, tree={})
    assert path in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_path_that_is_no_text_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(NotALake, match=r"lake\\xff': the path of a lake must be UTF-8") as caught:
        prepare(os.fsdecode(os.fsencode(tmp_path) + b"/lake\xff"), tree={})
    assert str(caught.value).encode()  # can be printed
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["lake ", " lake", "a\nb", "a?b#c%20", ":memory:", "é"])
def test_odd_names_are_taken_as_they_are(tmp_path: Path, name: str) -> None:
    for _ in range(2):
        opened, _ = prepare(str(tmp_path / name), tree={})
        opened.close()
    assert os.listdir(tmp_path) == [name]
