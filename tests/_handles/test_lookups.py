"""Handles of records: identity, pickles, and when a record is looked up."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from lakefs_hl._handles.lookups import RecordHandle, wrap


class Handle(RecordHandle[dict[str, str]]):
    """A handle that counts its look-ups."""

    looked_up = 0

    def _look_up(self) -> dict[str, str]:
        self.looked_up += 1
        self._keep({"title": "new"})
        return self._record()

    def __repr__(self) -> str:
        return f"<Handle {self._id}>"


def handle(id: object = "p1", repository: object = "example", client: Any = None) -> Handle:
    return Handle(repository, id, "handle_id", client)


def test_it_has_its_names() -> None:
    assert (handle().id, handle().repository_id) == ("p1", "example")


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ((5, "example"), TypeError, "handle_id"),
        (("", "example"), ValueError, "handle_id"),
        (("p1", 5), TypeError, "repository_id"),
    ],
)
def test_a_wrong_name_is_refused_by_its_argument(wrong: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        handle(*wrong)


def test_it_is_looked_up_once() -> None:
    made = handle()
    assert [made._record()["title"], made._record("title")["title"]] == ["new", "new"]
    assert made.looked_up == 1


def test_a_field_that_is_missing_is_looked_up() -> None:
    made = wrap(Handle, "example", "p1", None, ({"title": "old"}, frozenset({"description"})))
    assert made._record()["title"] == made._record("title")["title"] == "old"
    assert made.looked_up == 0
    assert made._record("description")["title"] == "new"
    assert made.looked_up == 1


def test_handles_of_one_record_are_equal() -> None:
    client = object()
    assert handle() == handle()
    assert hash(handle()) == hash(handle())
    assert handle() not in (handle("p2"), handle(repository="other"), handle(client=client), "p1")
    assert handle()._keep({"title": "known"}) == handle()


def test_a_pickle_keeps_what_is_known() -> None:
    made = pickle.loads(pickle.dumps(handle()._keep({"title": "known"}, ["description"])))
    assert made == handle()
    assert made._record()["title"] == "known"
    assert made.looked_up == 0
    assert pickle.loads(pickle.dumps(handle()))._known is None
