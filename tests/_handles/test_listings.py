"""What listings of both colours share, without a listing: failures, rows as dictionaries, data frames, HTML."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from lakefs_hl._handles import listings
from lakefs_hl._handles.listings import INTEGER, NONE, OBJECT, TIME, Ahead, Columns, ListingFields
from lakefs_hl.spec.errors import NotFoundException

WHEN = datetime(2026, 1, 31, 12, 0, 1, tzinfo=UTC)
COLUMNS = Columns("files", {"path": OBJECT, "size": INTEGER, "time": TIME})


class Row(NamedTuple):
    """A row without `to_dict`."""

    path: str
    size: int | None
    time: datetime | None


class Record:
    """A row with `to_dict`, and with a field that is no column."""

    def to_dict(self) -> dict[str, Any]:
        return {"time": WHEN, "path": "b", "more": 1}


def test_a_failure_is_raised_again_as_a_copy() -> None:
    ahead, error = Ahead[int](), NotFoundException("no branch")
    ahead.raise_failure()
    ahead.fail(error)
    for _ in range(2):
        with pytest.raises(NotFoundException, match="no branch") as caught:
            ahead.raise_failure()
        assert caught.value is not error
    assert not ahead.idle


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), GeneratorExit(), SystemExit()])
def test_an_interruption_is_not_the_end(interruption: BaseException) -> None:
    ahead = Ahead[int]()
    ahead.fail(interruption)
    with pytest.raises(RuntimeError, match=r"interrupted while rows were fetched .*; list again"):
        ahead.raise_failure()


def test_a_row_has_the_columns_in_their_order() -> None:
    assert listings.as_dict(Row("a", 1, WHEN), COLUMNS) == {"path": "a", "size": 1, "time": WHEN}
    found = listings.as_dict(Record(), COLUMNS)
    assert list(found.items()) == [("path", "b"), ("size", None), ("time", WHEN)]


def test_a_data_frame_has_the_types_of_the_columns_also_without_rows() -> None:
    full = listings.data_frame([Row("a", 1, WHEN), Row("b", None, None)], COLUMNS)
    empty = listings.data_frame([], COLUMNS)
    assert full.dtypes.map(str).to_dict() == {"path": "object", "size": "Int64", "time": "datetime64[s, UTC]"}
    assert empty.dtypes.map(str).to_dict() == full.dtypes.map(str).to_dict()
    assert full["time"][0] == WHEN
    assert full["size"].isna().tolist() == [False, True]


def test_the_html_says_what_is_shown() -> None:
    ahead = Ahead[Row]()
    listing = ListingFields(ahead, COLUMNS, None)
    assert repr(listing) == "<ListingFields of files, 0 fetched ahead>"
    assert "no rows fetched yet: head(n) fetches some" in listing._html([])
    shown = listing._html([Row("<a>", None, WHEN)])
    assert "the next row" in shown
    assert "&lt;a&gt;" in shown
    assert "2026-01-31 12:00:01 UTC" in shown
    assert "None" not in shown
    ahead.started = True
    assert "no rows fetched ahead" in listing._html([])
    ahead.ended = True
    assert "no rows<" in listing._html([])
    ahead.fail(NotFoundException("no branch"))
    assert "no branch" in listing._html([])
    assert "trouble" in listing._html([], "trouble")


def test_rows_without_fields_have_no_columns() -> None:
    assert listings.as_dict("row", NONE) == {}
