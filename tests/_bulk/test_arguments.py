"""Local paths as arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakefs_hl._bulk.arguments import local_path


def test_text_and_path_objects_are_taken() -> None:
    assert [local_path(each, "file") for each in ("a/b", Path("a/b"))] == [str(Path("a/b"))] * 2


@pytest.mark.parametrize("value", [None, 5, b"a", object(), ["a"]])
def test_anything_else_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match="file must be a local path"):
        local_path(value, "file")


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        local_path("", "file")
