"""The fields of a commit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl.spec.headers import COMMIT_OP_ID
from lakefs_hl.spec.models import Commit

ID = "0123456789abcdef" * 4
SECONDS = 1_700_000_000


def commit(message: str = "first\nmore", **metadata: str) -> lakefs_hl.Commit:
    return lakefs_hl.Commit("example", Commit(ID, ["1" * 64], "me", message, SECONDS, "range", metadata))


def test_fields_are_those_of_the_record() -> None:
    found = commit(k="v")
    assert (found.id, found.message, found.committer, found.meta_range_id) == (ID, "first\nmore", "me", "range")
    assert found.parents == ["1" * 64]
    assert found.creation_date == datetime.fromtimestamp(SECONDS, UTC)
    found.parents.clear()
    assert found.parents == ["1" * 64]


def test_the_id_of_the_call_is_not_among_the_metadata() -> None:
    found = commit(**{COMMIT_OP_ID: "op", "k": "v"})
    assert (found.op_id, found._own_metadata()) == ("op", {"k": "v"})
    assert commit().op_id is None


def test_a_commit_prints_the_first_line_of_its_message() -> None:
    assert repr(commit()) == "<Commit 0123456789ab 'first' by me at 2023-11-14 22:13>"
    assert "…'" in repr(commit("x" * 61))
    assert "…" not in repr(commit("x" * 60))


def test_a_notebook_shows_fields_and_metadata() -> None:
    shown = commit(k="<v>")._repr_html_()
    for text in ("Commit", "me", "2023-11-14 22:13:20 UTC", "metadata k", "&lt;v&gt;"):
        assert text in shown


def test_something_else_as_a_record_is_refused() -> None:
    wrong: Any = "main"
    with pytest.raises(TypeError, match=r"record of a commit, not str: 'main'.*get_commit\(\)"):
        lakefs_hl.Commit("example", wrong)
