"""Files outside the lake: what a URI names, and never one outside of the allowed directories."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakefs_hl.local.engine import places


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("local:///a/b", "/a/b"),
        ("local:///a%20b", "/a%20b"),
        ("local:///a?b#c", "/a?b#c"),
        ("file:///a%20b/", "/a b/"),
        ("file://localhost/a", "/a"),
        ("file:///%2e%2e/x", "/../x"),
        ("file:///a%2Fb", "/a/b"),
        ("file:///a%", "/a%"),
        ("file:///%ff", "/\udcff"),
        ("file:///é", "/é"),
    ],
)
def test_what_a_uri_names(uri: str, path: str) -> None:
    assert places.file_of(uri) == path


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "s3://bucket/a",
        "local://a",
        "local://",
        "file://",
        "file://a",
        "file://host/a",
        "file://user@localhost/a",
        "file:/a",
        "FILE:///a",
        "/a",
        "local:///a\0b",
        "file:///a%00b",
        "file:///a?b",
        "file:///a#b",
        "local:///\ud800",
        "file:///\ud800",
    ],
)
def test_what_names_no_file_of_ours(uri: str) -> None:
    with pytest.raises(ValueError, match=r"embedded lake|absolute|NUL|machine|%3F|Unicode"):
        places.file_of(uri)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.text().map("file://".__add__), st.text().map("local:///".__add__)))
def test_any_text_is_a_path_or_an_error_that_says_so(uri: str) -> None:
    with contextlib.suppress(ValueError):
        path = os.fsencode(places.file_of(uri))
        assert path.startswith(b"/")
        assert b"\0" not in path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "in").mkdir(parents=True)
    (tmp_path / "root" / "in" / "file").write_text("inside")
    (tmp_path / "root2").mkdir()
    (tmp_path / "root2" / "file").write_text("outside")
    (tmp_path / "root" / "out").symlink_to(tmp_path / "root2")
    (tmp_path / "root" / "outfile").symlink_to(tmp_path / "root2" / "file")
    (tmp_path / "root" / "again").symlink_to("in")
    (tmp_path / "root" / "loop").symlink_to("loop")
    return tmp_path / "root"


def content(path: Path, root: Path) -> str:
    fd = places.open_file(str(path), places.resolved([root]))
    with os.fdopen(fd) as file:
        return file.read()


def test_inside(root: Path) -> None:
    roots = places.resolved([root])
    for path in (root / "in" / "file", root / "again" / "file", root / "in" / ".." / "in" / "file"):
        assert content(path, root) == "inside"
        assert places.is_below(str(path), roots)
    os.close(places.open_folder(str(root), roots))
    assert content(root / "in" / "file", root / "again") == "inside", "a root may itself be a link"
    assert content(root / "in" / "file", Path("/")) == "inside"


def test_outside(root: Path) -> None:
    roots = places.resolved([root])
    for path in (root / "out" / "file", root / "outfile", root.with_name("root2") / "file", root / ".." / "root2"):
        assert not places.is_below(str(path), roots)
        with pytest.raises(PermissionError, match="--import-root"):
            places.open_file(str(path), roots)
        with pytest.raises(PermissionError, match="--import-root"):
            places.open_folder(str(path), roots)
    assert not places.is_below(str(root), ())
    assert places.is_below(str(root), None)
    with pytest.raises(OSError, match="loop"):
        places.open_file(str(root / "loop"), roots)


def test_the_lake_within_a_root(root: Path) -> None:
    """A file that was imported may be swapped for a link to the keys of the lake."""
    roots, lake = places.resolved([root]), root / "lake"
    lake.mkdir()
    (lake / "keys.json").write_text("secret")
    (root / "swapped").symlink_to(lake / "keys.json")
    for path in (lake / "keys.json", root / "swapped", root / "in" / ".." / "lake" / "keys.json"):
        for spelling in (str(lake), f"{root}/in/../lake"):
            with pytest.raises(PermissionError):
                places.open_file(str(path), roots, spelling)
            with pytest.raises(PermissionError):
                places.look(str(path), roots, spelling)
    os.close(places.open_file(str(root / "in" / "file"), roots, str(lake)))
    (root / "lake2").write_text("no lake")
    os.close(places.open_file(str(root / "lake2"), roots, str(lake)))


def test_a_directory_that_is_swapped_for_a_link(root: Path) -> None:
    """Whatever moment it is swapped at, nothing outside is ever read."""
    target, kept, link = root / "in", root / "kept", root / "link"
    link.symlink_to(root.with_name("root2"))
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            target.rename(kept)
            link.rename(target)
            target.rename(link)
            kept.rename(target)

    thread = threading.Thread(target=swap)
    thread.start()
    found = set()
    try:
        for _ in range(2000):
            try:
                found.add(content(target / "file", root))
            except OSError:
                found.add("error")
    finally:
        over.set()
        thread.join()
    assert "outside" not in found
    assert "inside" in found
