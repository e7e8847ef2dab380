"""Changes: what becomes of a record of the server."""

from __future__ import annotations

import pickle

import pytest

import lakefs_hl
from lakefs_hl._handles.changes import Change
from lakefs_hl.spec.models import Diff


@pytest.mark.parametrize("kind", ["added", "removed", "changed", "conflict", "prefix_changed"])
def test_a_change_has_the_fields_of_its_record(kind: str) -> None:
    change = Change._of(Diff(kind, "a/b", "object", 7))
    assert change == (kind, "a/b", "object", 7)


def test_the_size_of_a_staged_removal_is_unknown() -> None:
    assert Change._of_staging(Diff("removed", "a", "object", 0)).size_bytes is None
    assert Change._of_staging(Diff("added", "a", "object", 0)).size_bytes == 0


def test_a_change_is_public_and_can_be_pickled() -> None:
    assert (Change.__module__, lakefs_hl.Change) == ("lakefs_hl", Change)
    change = Change._of(Diff("added", "a", "object", 7))
    assert pickle.loads(pickle.dumps(change)) == change
