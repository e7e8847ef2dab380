# Generated from lakefs_hl/facades/aio/catalog.py by tools/unasync.py: change that, not this.
"""The datasets of a lake: a listing of the repositories that have one.

What they are sorted by is looked up first, with one request for each repository, and one more for each dataset if they
are sorted by `updated`. Only this is in memory. The details of a dataset are looked up when its turn comes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import lakefs_hl as lakefs
from lakefs_hl import _html, exceptions
from lakefs_hl.facades import arguments, catalog
from lakefs_hl.facades._sync import threads
from lakefs_hl.facades.catalog import DatasetFailure, DatasetPage, Key
from lakefs_hl.facades.dataset_records import DatasetInfo, display_name
from lakefs_hl.facades.datasets import METADATA, Address

if TYPE_CHECKING:
    from lakefs_hl.facades.catalog import DatasetSort, Order

#: Repositories that are looked at together.
WINDOW: Final = 128
#: Look-ups at a time.
WIDTH: Final = 16


class Place(NamedTuple):
    """A repository that may have a dataset.

    Attributes:
        repository: Its name.
        branch: Its default branch.
        created_at: Time of its creation.
    """

    repository: str
    branch: str
    created_at: datetime


class Found(NamedTuple):
    """A dataset that was found, without its details.

    Attributes:
        key: Where it is in the order.
        place: The repository.
        is_dataset: Whether it has metadata. Others are listed only if they were asked for.
    """

    key: Key
    place: Place
    is_dataset: bool


class Walk:
    """One look at the datasets of a lake.

    Args:
        order: How they are sorted.
        client: The client.
        whole: Whether repositories without a dataset are listed too.

    Attributes:
        auth_errors: Repositories that the credentials may list and not read.
        errors: Repositories that could not be read for another reason.
    """

    def __init__(self, order: Order, client: lakefs.Client | None, *, whole: bool) -> None:
        self._order = order
        self._client = client
        self._whole = whole
        self.auth_errors = list[DatasetFailure]()
        self.errors = list[DatasetFailure]()

    def find(self, after: str = "", width: int = WINDOW) -> Iterator[list[Found]]:
        """Yield what is found after a repository, in the order of their names, some at a time."""
        listing = lakefs.repositories(after=after, client=self._client)
        for window in threads.batches(listing, width):
            yield self._look_at([Place(each.id, each["default_branch"], each["created_at"]) for each in window])

    def key_of(self, name: str) -> Key:
        """Return where the dataset of a repository is in the order.

        Raises:
            NotFoundException: It does not exist, or is not among those that are listed.
        """
        if self._order.sort == "id":
            return self._order.key("", name)
        info = lakefs.Repository(name, self._client).info()
        for found in self._look_at([Place(name, info.default_branch, info.created_at)]):
            return found.key
        msg = f"listing datasets after {name!r}: it is none that can be read; next_offset of a page needs no dataset"
        raise exceptions.NotFoundException(msg)

    def _look_at(self, places: list[Place]) -> list[Found]:
        """Return the datasets in some repositories."""
        found = list[Found]()
        for place, named, error in threads.call_many(self._read, places, WIDTH):
            if error is not None:
                self._note(place, error)
            elif named is not None or self._whole:
                value = place.repository if named is None else named
                moment = place.created_at.timestamp()
                key = self._order.key(value if self._order.sort == "name" else moment, place.repository)
                found.append(Found(key, place, named is not None))
        return self._with_times(found) if self._order.sort == "updated" else found

    def _read(self, place: Place) -> tuple[Place, str | None, Exception | None]:
        """Return the display name of a dataset, None of a repository that is none; or why it cannot be read."""
        reference = lakefs.Reference(place.repository, place.branch, self._client)
        try:
            content = reference.download(METADATA)
        except exceptions.ObjectNotFoundException:
            return place, None, None
        except Exception as exc:  # noqa: BLE001 - sorted out
            return place, None, exc
        try:
            metadata = json.loads(content)
            if not isinstance(metadata, dict):
                msg = f"it is a JSON {type(metadata).__name__}, and not an object"
                raise ValueError(msg)  # noqa: TRY004 - the data is wrong, not an argument
        except (ValueError, RecursionError) as exc:
            msg = f"{reference.uri}{METADATA} cannot be read as metadata: {exc}; restore an earlier version of it"
            error = exceptions.InvalidConfigError(msg)
            error.__cause__ = exc
            return place, None, error
        return place, display_name(metadata, place.repository), None

    def _with_times(self, found: list[Found]) -> list[Found]:
        """Return datasets with the times of their last commits as their keys."""
        rows = list[Found]()
        for row in threads.call_many(self._with_time, found, WIDTH):
            if isinstance(row, Found):
                rows.append(row)
            else:
                self._note(*row)
        return rows

    def _with_time(self, found: Found) -> Found | tuple[Place, Exception]:
        place = found.place
        try:
            commit = lakefs.Reference(place.repository, place.branch, self._client).get_commit()
        except Exception as exc:  # noqa: BLE001 - sorted out
            return place, exc
        return found._replace(key=self._order.key(commit.creation_date.timestamp(), place.repository))

    def describe(self, rows: list[Found]) -> Iterator[DatasetInfo]:
        """Yield the details of datasets, in their order. Those that were deleted meanwhile are left out."""
        with threads.close_after(threads.call_many(self._describe, rows, WIDTH)) as described:
            for info in described:
                if isinstance(info, DatasetInfo):
                    yield info
                else:
                    self._note(*info)

    def _describe(self, found: Found) -> DatasetInfo | tuple[Place, Exception]:
        place = found.place
        try:
            if found.is_dataset:
                return lakefs.dataset(place.repository, client=self._client).info()
            commit = lakefs.Reference(place.repository, place.branch, self._client).get_commit()
        except Exception as exc:  # noqa: BLE001 - sorted out
            return place, exc
        address, name = Address(place.repository, place.branch, ""), place.repository
        return DatasetInfo(
            address.id_at(commit.id), address.uri, name, {}, commit.id, None, place.created_at, commit.creation_date
        )

    def _note(self, place: Place, error: Exception) -> None:
        """Note why a dataset is not listed. What does not exist was deleted meanwhile.

        Raises:
            TransportException: No response was received: a listing would miss what it does not show.
        """
        if isinstance(error, exceptions.NotFoundException):
            return
        if isinstance(error, exceptions.TransportException) or not isinstance(error, exceptions.LakeFSException):
            raise error
        forbidden = isinstance(error, exceptions.NotAuthorizedException | exceptions.ForbiddenException)
        (self.auth_errors if forbidden else self.errors).append(DatasetFailure(place.repository, error))


class Datasets:
    """The datasets of a lake, in order. `lakefs.datasets(...)` returns it.

    Each iteration and each page looks at the lake again.

    Attributes:
        auth_errors: Repositories that the credentials may list and not read, as the last iteration has met them.
        errors: Repositories whose dataset could not be read for another reason, such as damaged metadata, likewise.

    Examples:
        >>> _ = lakefs.dataset("reef").mint({"display_name": "Reef survey"})
        >>> [info.name for info in lakefs.datasets()]
        ['Reef survey']
    """

    __module__ = "lakefs_hl"

    def __init__(
        self,
        max_amount: int | None,
        order: Order,
        after: str,
        offset: int | str | None,
        client: lakefs.Client | None,
        *,
        whole: bool,
    ) -> None:
        self._amount = max_amount
        self._order = order
        self._after = after
        self._offset, self._skip = catalog.offset_of(offset, order)
        self._client = client
        self._whole = whole
        self.auth_errors = list[DatasetFailure]()
        self.errors = list[DatasetFailure]()

    def __repr__(self) -> str:
        return f"<Datasets sorted by {self._order.sort}{', last first' if self._order.reverse else ''}>"

    def _repr_html_(self) -> str:
        return _html.text(self)

    def __iter__(self) -> Iterator[DatasetInfo]:
        left = self._amount
        if left == 0:
            return
        walk = self._begin()
        with threads.close_after(self._rows(walk)) as windows:
            for rows in windows:
                with threads.close_after(walk.describe(rows if left is None else rows[:left])) as described:
                    for info in described:
                        left = None if left is None else left - 1
                        yield info
                if left == 0:
                    return

    def to_list(self) -> list[DatasetInfo]:
        """Return the datasets as a list.

        Examples:
            >>> _ = lakefs.dataset("reef").mint({"display_name": "Reef survey"})
            >>> [info.metadata for info in lakefs.datasets(sort="created").to_list()]
            [{'display_name': 'Reef survey'}]
        """
        return [info for info in self]

    def page(self) -> DatasetPage:
        """Return one page of at most `max_amount` datasets, and where the next page begins.

        The whole lake is looked at for each page, because a page of a sorted list needs all of it. To go through all
        datasets, iterate instead.

        Raises:
            ValueError: `max_amount` is 0.

        Examples:
            >>> for name in ("Coral", "Algae", "Fish"):
            ...     _ = lakefs.dataset(name.lower()).mint({"name": name})
            >>> page = lakefs.datasets(2).page()
            >>> [info.name for info in page.items], page.total_item_count
            (['Algae', 'Coral'], 3)
            >>> page = lakefs.datasets(2, offset=page.next_offset).page()
            >>> [info.name for info in page.items], page.next_offset
            (['Fish'], None)
        """
        if self._amount == 0:
            msg = "max_amount must be at least 1 for a page, not 0; total_item_count is on each page"
            raise ValueError(msg)
        walk, amount = self._begin(), self._amount
        rows, total = self._collect(walk, None if amount is None else amount + 1)
        asked = rows[:amount]
        items = [info for info in walk.describe(asked)]
        following = self._order.offset(asked[-1].key) if len(rows) > len(asked) else None
        return DatasetPage(items, following, total, walk.auth_errors, walk.errors)

    def _begin(self) -> Walk:
        walk = Walk(self._order, self._client, whole=self._whole)
        self.auth_errors, self.errors = walk.auth_errors, walk.errors
        return walk

    def _start(self, walk: Walk) -> Key | None:
        return walk.key_of(self._after) if self._after else self._offset

    def _rows(self, walk: Walk) -> Iterator[list[Found]]:
        """Yield what is listed, in order, some at a time. By `id` the rest is not looked at."""
        if self._order.sort != "id" or self._order.reverse:
            rows, _ = self._collect(walk, self._amount)
            yield rows
            return
        start, skip = self._start(walk), self._skip
        width = WINDOW if self._amount is None else min(WINDOW, max(WIDTH, self._amount))
        for rows in walk.find(str(start[0]) if start else "", width):
            yield rows[skip:]
            skip = max(0, skip - len(rows))

    def _collect(self, walk: Walk, limit: int | None) -> tuple[list[Found], int]:
        """Return what is listed, in order, and the number of all datasets. No more than needed is in memory."""
        start, skip = self._start(walk), self._skip
        rows, total = list[Found](), 0
        for window in walk.find():
            total += len(window)
            rows += [row for row in window if start is None or self._order.is_after(row.key, start)]
            if limit is not None:
                rows.sort(key=_key, reverse=self._order.reverse)
                del rows[skip + limit :]
        rows.sort(key=_key, reverse=self._order.reverse)
        return rows[skip:], total


def _key(found: Found) -> Any:
    return found.key


def datasets(
    max_amount: int | None = None,
    *,
    sort: DatasetSort = "name",
    reverse: bool = False,
    after: str = "",
    offset: int | str | None = None,
    all: bool = False,
    client: lakefs.Client | None = None,
) -> Datasets:
    """Iterate over the datasets of a lake: repositories whose default branch has a `_dataset.json`. Sends no request.

    The result is iterated, or read by `page()`. A dataset that cannot be read is left out and noted in `errors`, or in
    `auth_errors` if the credentials may not read it. Datasets under a prefix of a repository are not listed.

    Args:
        max_amount: Maximum number of datasets. Defaults to all.
        sort: What they are sorted by: "name" for the display name, without regard to case; "created" for the creation
            of the repository; "updated" for the last commit of the default branch; "id" for the name of the repository.
            By "id" they are listed lazily. Otherwise the whole lake is looked at first.
        reverse: List the last one first.
        after: List only those after this dataset, by its ID or by the name of its repository.
        offset: List only those from here: `next_offset` of a page, or a number of datasets to skip.
        all: List all repositories. One that is no dataset has its own name as display name, and no metadata.
        client: Client to use. Defaults to the default client at the time of each call.

    Raises:
        ValueError: `max_amount` is negative, datasets are not sorted by that, or `offset` is of another order.

    Examples:
        >>> _ = lakefs.dataset("reef").mint({"display_name": "Reef survey"})
        >>> _ = lakefs.dataset("tides").mint({"display_name": "Tides"})
        >>> [info.name for info in lakefs.datasets(sort="id", reverse=True)]
        ['Tides', 'Reef survey']
    """
    order, amount = catalog.order_of(sort, reverse), catalog.amount_of(max_amount)
    client = arguments.instance(client, "client", lakefs.Client)
    name = catalog.after_of(after)
    if name and offset is not None:
        msg = "give either after or offset: both say where the listing begins"
        raise ValueError(msg)
    return Datasets(amount, order, name, offset, client, whole=arguments.flag(all, "all"))


datasets.__module__ = "lakefs_hl"
