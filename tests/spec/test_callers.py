"""Warnings point at the user's line, however deep in the package the call is."""

from __future__ import annotations

import sys

import pytest

from lakefs_hl.spec import callers
from lakefs_hl.spec.arguments import user_metadata


def test_a_warning_points_at_the_line_of_the_caller() -> None:
    with pytest.warns(UserWarning, match="lower case") as caught:
        user_metadata({"K": "v"})
    assert (caught[0].filename, caught[0].lineno) == (__file__, sys._getframe().f_lineno - 1)


def test_a_warning_has_the_category_that_was_given() -> None:
    with pytest.warns(RuntimeWarning, match="text"):
        callers.warn("text", RuntimeWarning)


def test_the_users_frame_is_the_innermost_outside_of_the_package() -> None:
    assert callers.user_frame() is sys._getframe()


@pytest.mark.parametrize(
    ("name", "ours"),
    [("lakefs_hl", True), ("lakefs_hl.ops.retry", True), ("lakefs_hl_tools", False), ("lakefs", False), (None, False)],
)
def test_code_of_the_package_is_known_by_its_module(name: object, ours: bool) -> None:
    made = {"__name__": name}
    exec("import sys\ndef frame():\n    return sys._getframe()", made)
    assert callers.is_ours(made["frame"]()) is ours  # type: ignore[operator]
