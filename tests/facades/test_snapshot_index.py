"""The index of a cache of snapshots: rows, files by content, references, and a file that is damaged."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from pytest_mock import MockerFixture

from lakefs_hl.facades.snapshot_index import File, Index, Row

MD5 = "0" * 32


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "index.db", tmp_path / "lock")


def row(key: str, *, used: float = 1.0, complete: bool = True) -> Row:
    return Row(key, f"repo/{key}", "mem://", f"lakefs://repo/{key}/", 1, 5, used, complete)


def test_a_snapshot_is_stored_and_replaced(index: Index) -> None:
    assert index.rows() == []
    assert not index.path.exists()  # looking creates nothing
    assert index.get("a") is None
    index.put(row("a"), [File("x", 5, 7, MD5), File("y/ü", 0, 8, MD5)])
    index.put(row("b", used=0.5), [File("x", 5, 7, MD5)])
    assert index.get("a") == row("a")
    assert index.files("a") == [File("x", 5, 7, MD5), File("y/ü", 0, 8, MD5)]
    assert [found.key for found in index.rows()] == ["b", "a"]
    index.use("b", 2.0)
    assert [(found.key, found.used) for found in index.rows()] == [("a", 1.0), ("b", 2.0)]
    index.put(row("a"), [File("z", 5, 7, MD5)])
    assert index.files("a") == [File("z", 5, 7, MD5)]
    index.delete("a")
    assert index.get("a") is None
    assert index.files("a") == []
    assert index.files("b") != []


def test_content_is_found_in_other_snapshots_that_are_complete(index: Index) -> None:
    assert not index.has_others("a")
    for key in "abcde":
        index.put(row(key), [File("x", 5, 7, MD5)])
    assert index.has_others("a")
    [[*found], []] = index.sources("a", [(MD5, 5), (MD5, 6)])
    assert len(found) == 3
    assert {key for key, _ in found} <= set("bcde")
    assert found[0][1] == f"repo/{found[0][0]}/x"
    for key in "bcde":
        index.distrust(key)
    assert index.sources("a", [(MD5, 5)]) == [[]]
    assert not index.has_others("a")
    found_row = index.get("b")
    assert found_row is not None
    assert not found_row.is_complete


def test_references(index: Index) -> None:
    assert index.reference("main") is None
    index.note("main", "c1", 1.0)
    index.note("main", "c2", 2.0)
    assert index.reference("main") == ("c2", 2.0)


@pytest.mark.parametrize("damage", ["no database", "a broken page"])
def test_a_damaged_index_is_started_anew(damage: str, index: Index) -> None:
    index.put(row("a"), [File(f"{number}", 5, 7, MD5) for number in range(1000)])
    content = index.path.read_bytes()
    if damage == "no database":
        index.path.write_bytes(b"no database at all" * 1000)
    else:
        index.path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    assert index.get("a") is None
    index.put(row("a"), [])
    assert index.get("a") == row("a")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE snapshot SET uri = CAST(x'ff' AS TEXT)",
        "UPDATE snapshot SET directory = '../precious'",
        "UPDATE snapshot SET directory = '/precious'",
        "UPDATE snapshot SET files = 'many'",
        "UPDATE file SET path = '../../precious'",
        "UPDATE file SET path = '/precious'",
        "UPDATE file SET path = x'00'",
        "UPDATE reference SET seen = 'now'",
        "DROP TABLE file",
        "ALTER TABLE snapshot RENAME COLUMN used TO is_used",
    ],
)
def test_rows_that_were_never_written_are_damage(change: str, index: Index) -> None:
    """They say what is given out and what is removed."""
    index.put(row("a"), [File("x", 5, 7, MD5)])
    index.note("main", "c1", 1.0)
    connection = apsw.Connection(str(index.path))
    connection.execute(change)
    connection.close()
    seen = [index.reference("main"), index.files("a"), index.get("a"), index.rows()]
    assert seen[-1] == []
    index.put(row("a"), [File("x", 5, 7, MD5)])
    assert (index.get("a"), index.files("a")) == (row("a"), [File("x", 5, 7, MD5)])


def test_damage_that_comes_back_is_no_endless_loop(index: Index, mocker: MockerFixture) -> None:
    prepare = mocker.patch("lakefs_hl.facades.snapshot_index._prepare", side_effect=apsw.CorruptError("again"))
    with pytest.raises(apsw.CorruptError):
        index.get("a")
    assert prepare.call_count == 3
