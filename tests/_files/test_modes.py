"""Modes of `open()`: what each letter means, and which options fit."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl._files.modes import Text, check_text, split_mode


@pytest.mark.parametrize(
    ("mode", "action", "is_text"),
    [
        ("r", "r", True),
        ("rt", "r", True),
        ("tr", "r", True),
        ("rb", "r", False),
        ("br", "r", False),
        ("w", "w", True),
        ("wb", "w", False),
        ("x", "x", True),
        ("bx", "x", False),
    ],
)
def test_a_mode_is_an_action_and_text_or_binary(mode: str, action: str, is_text: bool) -> None:
    assert split_mode(mode, writable=True) == (action, is_text)


@pytest.mark.parametrize("mode", ["", "b", "rw", "rr", "rbt", "r+", "a", "ab", "U", None, b"r"])
def test_another_mode_is_refused_with_the_modes_that_exist(mode: Any) -> None:
    with pytest.raises(ValueError, match="mode"):
        split_mode(mode, writable=True)


@pytest.mark.parametrize("mode", ["w", "wb", "x", "xb"])
def test_only_what_is_writable_is_opened_for_writing(mode: str) -> None:
    with pytest.raises(ValueError, match="only a branch or a transaction"):
        split_mode(mode, writable=False)
    assert split_mode("r", writable=False) == ("r", True)


@pytest.mark.parametrize("text", [Text(encoding="utf-8"), Text(errors="strict"), Text(newline="")])
def test_a_binary_file_takes_no_option_of_text(text: Text) -> None:
    check_text(text, "w", is_text=True)
    check_text(Text(), "wb", is_text=False)
    with pytest.raises(ValueError, match="has no meaning for the binary mode 'wb'"):
        check_text(text, "wb", is_text=False)
