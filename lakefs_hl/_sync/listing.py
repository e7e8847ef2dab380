# Generated from lakefs_hl/aio/listing.py by tools/unasync.py: change that, not this.
"""Listings: rows of page after page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from lakefs_hl._handles.listings import NONE, SHOWN, Ahead, Columns, ListingFields, Rows
from lakefs_hl._sync import lazy
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import LakeFSException

if TYPE_CHECKING:
    from pandas import DataFrame

T_co = TypeVar("T_co", covariant=True)


class Listing(ListingFields, Generic[T_co]):
    """The rows of a listing, fetched lazily, page by page. It can be iterated once.

    While you read a page, the next one is fetched, from the second page on. A listing that failed or was interrupted
    raises again when it is read on, so that it never looks complete: list again.

    Examples:
        >>> _ = branch.upload(b"1", "a.csv")
        >>> _ = branch.upload(b"2", "b.csv")
        >>> listing = branch.list_objects()
        >>> [row.path for row in listing.head(1)]
        ['a.csv']
        >>> [row.path for row in listing.to_list()]
        ['a.csv', 'b.csv']
    """

    __module__ = "lakefs_hl"
    __slots__ = ("_rows", "_source")

    def __init__(
        self,
        source: Any,
        ahead: Ahead[T_co],
        columns: Columns = NONE,
        first: Callable[[int], list[T_co]] | None = None,
    ) -> None:
        super().__init__(ahead, columns, first)
        self._source = source
        self._rows = lazy.walk(source, self._ahead)

    def __iter__(self) -> Iterator[T_co]:
        # Not the listing itself: a loop over the rows is faster than one over this class.
        return iter(lazy.walk(self._source, self._ahead))

    def __next__(self) -> T_co:
        self._ahead.started = True
        try:
            row: T_co = next(self._rows)
        except StopIteration:
            self._ahead.raise_failure()
            raise
        return row

    def head(self, n: int = SHOWN) -> list[T_co]:
        """Return the next rows without consuming them: the iteration still begins with them.

        A notebook shows the list as a table.

        Args:
            n: Maximum number of rows. Defaults to 20.
        """
        amount, ahead = arguments.integer(n, "n", least=0), self._ahead
        if len(ahead.rows) < amount:
            ahead.raise_failure()
            ahead.started, ahead.idle = True, False
            for row in self._source:
                ahead.rows.append(row)
                if len(ahead.rows) >= amount:
                    break
            else:
                ahead.ended = True
        return Rows(islice(ahead.rows, amount), self._columns)

    def to_list(self) -> list[T_co]:
        """Return the remaining rows as a list, which a notebook shows as a table."""
        rows = Rows([row for row in self], self._columns)
        self._ahead.ended = True
        return rows

    def to_pandas(self) -> DataFrame:
        """Return the remaining rows as a `pandas.DataFrame`, with the fields of the rows as columns.

        Sizes have the data type `Int64` and times are in UTC. Without rows the frame has the same columns. It needs
        `pip install 'lakefs-hl[pandas]'`.

        Raises:
            ImportError: pandas is not installed. No row was read.

        Examples:
            >>> _ = branch.upload(b"1,2", "a.csv")
            >>> frame = branch.list_objects().to_pandas()
            >>> int(frame.size_bytes.sum())
            3
        """
        return lazy.data_frame(self)

    def close(self) -> None:
        """Close the listing. A page that is being fetched is abandoned."""
        self._ahead.rows.clear()
        self._ahead.ended = True
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        """Show the rows that were fetched. An embedded lake in process is asked for the first ones."""
        try:
            return self._html(lazy.preview(self))
        except LakeFSException as exc:
            return self._html([], str(exc))
