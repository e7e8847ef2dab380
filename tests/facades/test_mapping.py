"""Files and handles by `[]`, `in` and `del`: blocking only."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio


@pytest.fixture(params=["lake", "file", "mem"])
def files(request: pytest.FixtureRequest, lake_branch: lakefs_hl.Branch, tmp_path: Any) -> lakefs_hl.Files:
    if request.param == "lake":
        found = lake_branch.files("data", progress=False)
    else:
        url = f"file://{tmp_path}/d" if request.param == "file" else f"mem://{secrets.token_hex(6)}"
        found = lakefs_hl.files(url, progress=False)
    found["f"] = b"hello world"
    return found


def test_content_and_ranges(files: lakefs_hl.Files) -> None:
    assert files["f"] == b"hello world"
    assert files["f", 0:5] == b"hello"
    assert files["f", 6:] == b"world"
    assert files["f", :] == b"hello world"
    assert files["f"][0:5] == b"hello"
    assert files["none"] is None
    assert files["none", 0:5] is None
    assert files[{"path": "f", "start": 0, "end": 5}] == b"hello"  # type: ignore[call-overload]
    assert [each["content"] for each in files[["f", "none"]]] == [b"hello world", None]  # type: ignore[call-overload]


def test_the_first_files(files: lakefs_hl.Files) -> None:
    files.puts((f"{at:03}", b"%d" % at) for at in range(120))
    assert [each["path"] for each in files[:100]] == [f"{at:03}" for at in range(100)]
    assert [each["content"] for each in files[2:8:3]] == [b"2", b"5"]
    assert len(files[:]) == 121
    assert files[500:] == []
    for wrong in (slice(-5, None), slice(None, -1), slice("a", None), slice(0, 5, -1)):
        with pytest.raises(ValueError, match=r"counts files from the first one|Step"):
            files[wrong]


def test_writing_and_deleting(files: lakefs_hl.Files) -> None:
    files["a/b"] = "text"
    assert "a/b" in files
    assert "a" not in files
    del files["a/b"]
    assert "a/b" not in files
    del files["a/b"]
    files["x"], files["y"] = b"1", b"2"
    del files[["x", "y"]]
    assert list(files) == ["f"]


def test_all_files_of_another_place(files: lakefs_hl.Files) -> None:
    other = lakefs_hl.files(f"mem://{secrets.token_hex(6)}", progress=False)
    other["x"], other["y/z"] = b"1", b"2"
    files[:] = other
    assert list(files) == ["f", "x", "y/z"]
    assert files["y/z"] == b"2"
    with pytest.raises(ValueError, match=r"files\[:\] = other transfers all files"):
        files[:5] = other
    with pytest.raises(TypeError, match="must be bytes, not <Files mem://"):
        files["x"] = other


@pytest.mark.parametrize("key", [("f", 5), ("f", slice(0, 2), 3), (slice(0, 2), "f")])
def test_a_key_that_names_nothing(files: lakefs_hl.Files, key: Any) -> None:
    with pytest.raises(TypeError, match=r"path and a range|paths, which are strings"):
        files[key]


def test_nothing_is_deleted_by_mistake(files: lakefs_hl.Files) -> None:
    for key in (slice(None), slice(0, 5), ("f", slice(0, 5)), files):
        with pytest.raises(TypeError, match="is no path"):
            del files[key]
    with pytest.raises(ValueError, match="no step"):
        files["f", 0:5:2]
    with pytest.raises(TypeError, match="string"):
        5 in files  # type: ignore[operator]  # noqa: B015
    assert files["f"] == b"hello world"


def test_it_is_iterated_again_and_again(files: lakefs_hl.Files) -> None:
    assert list(files) == list(files) == ["f"]
    assert sorted(files) == ["f"]


def test_a_handle(lake_branch: lakefs_hl.Branch) -> None:
    handle = lake_branch.object("a/b")
    assert handle[0:5] is None
    handle.put(b"hello world")
    assert (handle[0:5], handle[:], handle[6:]) == (b"hello", b"hello world", b"world")
    for wrong in (5, "a", slice(0, 5, 2)):
        with pytest.raises(TypeError, match="without a step"):
            handle[wrong]  # type: ignore[index]


def test_asyncio_has_none_of_it() -> None:
    for name in ("__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__"):
        assert not hasattr(aio.Files, name)
    assert not hasattr(aio.ObjectHandle, "__getitem__")
