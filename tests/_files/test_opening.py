"""`open()`: its arguments are checked before anything is sent, and the file has the type that the mode says."""

from __future__ import annotations

import io
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl._files.opening import open_here, plan
from lakefs_hl._files.reader import RawReader
from lakefs_hl._files.writer import ObjectWriter, TextWriter
from tests._files.places import FakePlace


def planned(mode: object = "r", place: Any = None, path: object = "a", **options: Any) -> Any:
    return plan(place or FakePlace(), path, mode, None, writable=True, **options)


def test_arguments_become_a_plan() -> None:
    found = planned("w", encoding="latin-1", content_type="text/csv", metadata={"k": "v"})
    assert (found.path, found.mode, found.action, found.is_text) == ("a", "w", "w", True)
    assert (found.text.encoding, found.content_type, found.metadata) == ("latin-1", "text/csv", {"k": "v"})
    assert (found.pre_signed, found.buffering) == (None, -1)


@pytest.mark.parametrize(
    ("mode", "options", "error", "words"),
    [
        ("r", {"content_type": "text/csv"}, ValueError, "are for writing; mode is 'r'"),
        ("rb", {"metadata": {}}, ValueError, "are for writing"),
        ("r", {"buffering": 0}, ValueError, "buffering=0 is for binary files only"),
        ("rb", {"encoding": "utf-8"}, ValueError, "encoding='utf-8' has no meaning"),
        ("rb", {"buffering": "1"}, TypeError, "buffering"),
        ("q", {}, ValueError, "mode must be"),
        (1, {}, TypeError, "mode"),
    ],
)
def test_what_does_not_fit_is_refused(mode: object, options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        planned(mode, **options)


@pytest.mark.parametrize(
    ("mode", "options", "kind"),
    [
        ("r", {}, io.TextIOWrapper),
        ("rb", {}, io.BufferedReader),
        ("rb", {"buffering": 0}, RawReader),
        ("w", {}, TextWriter),
        ("wb", {}, ObjectWriter),
        ("x", {}, TextWriter),
    ],
)
def test_the_mode_decides_on_the_type_of_the_file(
    lake_branch: lakefs_hl.Branch, mode: str, options: Any, kind: type
) -> None:
    lake_branch.upload(b"content", "a")
    path = "new" if mode == "x" else "a"
    with open_here(planned(mode, lake_branch, path, **options)) as file:
        assert type(file) is kind


def test_a_file_to_create_must_not_exist(lake_branch: lakefs_hl.Branch) -> None:
    lake_branch.upload(b"content", "a")
    with pytest.raises(exceptions.ObjectExistsException, match="mode 'w' replaces it"):
        open_here(planned("x", lake_branch))


def test_an_unknown_encoding_leaves_no_file_open(lake_branch: lakefs_hl.Branch) -> None:
    with pytest.raises(LookupError, match="no-such"):
        open_here(planned("w", lake_branch, encoding="no-such"))
    assert not lake_branch.exists("a")
