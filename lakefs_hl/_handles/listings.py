"""What listings of both colours share: the rows fetched ahead of the iteration, their columns, data frames and HTML."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from lakefs_hl import _html as html
from lakefs_hl.spec.tracebacks import copy_exception

if TYPE_CHECKING:
    from pandas import DataFrame

T = TypeVar("T")
#: Number of rows that a notebook shows.
SHOWN: Final = 20
#: Data types of pandas. Times are whole seconds; in nanoseconds, pandas has no years before 1677 and after 2262.
TIME: Final = "datetime64[s, UTC]"
INTEGER: Final = "Int64"
OBJECT: Final = "object"


class Columns(NamedTuple):
    """What the rows of a listing are, and their fields.

    Attributes:
        rows: Plural noun for the rows.
        types: Data type of pandas by field.
        blanks: What a notebook shows for None, by field. Nothing, if the field is not in it.
    """

    rows: str
    types: Mapping[str, str]
    blanks: Mapping[str, str] = MappingProxyType({})


#: Rows without fields.
NONE: Final = Columns("rows", {})


class Ahead(Generic[T]):
    """Rows that were fetched and not handed out yet.

    Attributes:
        rows: The rows, in order. They come before those that are fetched next.
        started: Whether any row was asked for.
        idle: Whether there are certainly no rows and no failure here.
        ended: Whether the source is known to have no more rows.
        failure: Why no more rows can be fetched, raised after the last row; None if nothing failed.
    """

    __slots__ = ("ended", "failure", "idle", "rows", "started")

    #: The message of a source that was interrupted.
    INTERRUPTED = "the listing was interrupted while rows were fetched and cannot be continued; list again"

    def __init__(self) -> None:
        self.rows: deque[T] = deque()
        self.started: bool = False
        self.idle: bool = True
        self.ended: bool = False
        self.failure: Exception | None = None

    def fail(self, error: BaseException) -> None:
        """Note what ended the source. A listing that just ended there would look complete. Called by the driver."""
        # A copy: the frames of the original refer to the listing, which would keep it alive.
        self.failure = copy_exception(error) if isinstance(error, Exception) else RuntimeError(self.INTERRUPTED)
        self.idle = False

    def raise_failure(self) -> None:
        """Raise what was noted, if anything."""
        if self.failure is not None:
            raise copy_exception(self.failure)


class ListingFields:
    """The state of a listing, and how it is shown.

    Args:
        ahead: Rows that were fetched already, and where a failure of the source is noted.
        columns: Fields of the rows.
        first: Returns the first rows of an embedded lake in process without reading the listing. None on a server: a
            listing that is only shown sends no request.
    """

    __slots__ = ("_ahead", "_columns", "_first")

    def __init__(self, ahead: Ahead[Any], columns: Columns, first: Callable[[int], list[Any]] | None) -> None:
        self._ahead = ahead
        self._columns = columns
        self._first = first

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._columns.rows}, {len(self._ahead.rows)} fetched ahead>"

    def _html(self, rows: list[Any], trouble: str = "") -> str:
        if trouble:
            note = trouble
        elif rows:
            note = f"the next {len(rows)} rows" if len(rows) > 1 else "the next row"
        elif self._ahead.failure is not None:
            note = str(self._ahead.failure)
        elif self._ahead.ended or (self._first is not None and not self._ahead.started):
            note = "no rows"
        else:
            note = f"no rows fetched {'ahead' if self._ahead.started else 'yet'}: head(n) fetches some"
        return _table(f"Listing of {self._columns.rows}", note, rows, self._columns)


class Rows(list[T]):
    """Rows of a listing that were read: a list, which a notebook shows as a table. A copy and a pickle are plain."""

    def __init__(self, rows: Iterable[T], columns: Columns) -> None:
        super().__init__(rows)
        self._columns = columns

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return list, (list(self),)

    def _repr_html_(self) -> str:
        shown = self[:SHOWN]
        note = f"the first {len(shown)} of {len(self):,}" if len(shown) < len(self) else f"{len(self):,}"
        return _table(self._columns.rows.capitalize(), note, shown, self._columns)


def _table(title: str, note: str, rows: Iterable[Any], columns: Columns) -> str:
    """Return rows as a table. Those of changes have a background by their type."""
    blanks = columns.blanks
    found = [
        [blanks.get(name, "") if value is None else html.cell(value) for name, value in fields.items()]
        for fields in (as_dict(row, columns) for row in rows)
    ]
    tint = "type" if "type" in columns.types else ""
    return html.listing(title, note, list(columns.types), found, tint=tint)


def as_dict(row: object, columns: Columns) -> dict[str, Any]:
    """Return the fields of a row by name, in the order of the columns."""
    made = getattr(row, "to_dict", None)
    found = made() if made is not None else {name: getattr(row, name) for name in columns.types}
    return {name: found.get(name) for name in columns.types}


def load_pandas() -> Any:
    """Return the module pandas.

    Raises:
        ImportError: It is not installed.
    """
    try:
        import pandas as pd
    except ImportError as exc:
        msg = "to_pandas() needs pandas, which cannot be imported: pip install 'lakefs-hl[pandas]'"
        raise ImportError(msg, name="pandas") from exc
    return pd


def data_frame(rows: Iterable[object], columns: Columns) -> DataFrame:
    """Return a data frame of rows. Without rows it has the same columns."""
    pd = load_pandas()
    found = [as_dict(row, columns) for row in rows]
    return pd.DataFrame(
        {name: pd.Series([row[name] for row in found], dtype=kind) for name, kind in columns.types.items()}
    )
