"""Listings of datasets: their order, their pages, and where a page continues."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from lakefs_hl import _html
from lakefs_hl.facades import arguments
from lakefs_hl.facades.dataset_records import DatasetInfo
from lakefs_hl.facades.datasets import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What datasets are sorted by.
DatasetSort: TypeAlias = Literal["name", "created", "updated", "id"]
SORTS: Final = ("name", "created", "updated", "id")
#: Where a dataset is in the order: what it is sorted by, and the name of its repository.
Key: TypeAlias = tuple[str | float, ...]


@_html.show_record
class DatasetFailure(NamedTuple):
    """A repository that may have a dataset, which could not be read.

    Attributes:
        repository: Name of the repository.
        error: Why it could not be read.
    """

    repository: str
    error: Exception

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, with the error as a text."""
        return {"repository": self.repository, "error": f"{type(self.error).__name__}: {self.error}"}


@dataclass(frozen=True, slots=True)
class DatasetPage:
    """One page of datasets.

    Attributes:
        items: The datasets, in order.
        next_offset: Where the next page begins, for `offset`. None if this is the last page. Datasets that are added or
            deleted meanwhile neither repeat nor hide others.
        total_item_count: Number of datasets on all pages.
        auth_errors: Repositories that the credentials may list and not read. They are not counted.
        errors: Repositories whose dataset could not be read for another reason, such as damaged metadata. They are not
            counted.
    """

    items: list[DatasetInfo]
    next_offset: str | None
    total_item_count: int
    auth_errors: list[DatasetFailure]
    errors: list[DatasetFailure]

    @property
    def total_item_counts(self) -> int:
        """Same as `total_item_count`."""
        return self.total_item_count

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[DatasetInfo]:
        return iter(self.items)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, those of the datasets as dictionaries."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return found | {name: [each.to_dict() for each in found[name]] for name in ("items", "auth_errors", "errors")}

    def __repr__(self) -> str:
        failed = len(self.auth_errors) + len(self.errors)
        more = f", {failed} unreadable" if failed else ""
        more += "" if self.next_offset is None else f", next_offset={self.next_offset!r}"
        return f"<DatasetPage {len(self.items)} of {self.total_item_count} datasets{more}>"

    def _repr_html_(self) -> str:
        note = f"{len(self.items):,} of {self.total_item_count:,}"
        rows = [(info.name, info.uri, _html.cell(info.updated_at), ", ".join(info.versions)) for info in self.items]
        failed = (f"{each.repository}: {each.error}" for each in (*self.auth_errors, *self.errors))
        return _html.listing("Datasets", note, ("name", "uri", "updated", "versions"), rows) + _html.lines(failed)


for _record in (DatasetFailure, DatasetPage):
    _record.__module__ = "lakefs_hl.types"


class Order(NamedTuple):
    """How datasets are sorted.

    Attributes:
        sort: What they are sorted by.
        reverse: Whether the last one comes first.
    """

    sort: str
    reverse: bool

    def key(self, value: str | float, repository: str) -> Key:
        """Return where a dataset is: names without regard to case, and of equal ones the name of the repository."""
        if self.sort == "id":
            return (repository,)
        return (value.casefold(), value, repository) if isinstance(value, str) else (value, repository)

    def is_after(self, key: Key, start: Key) -> bool:
        """Return whether a dataset comes after another place."""
        return key < start if self.reverse else key > start

    def offset(self, key: Key) -> str:
        """Return the offset after a dataset."""
        packed = json.dumps([self.sort, self.reverse, *key], separators=(",", ":"))  # in ASCII: names may be damaged
        return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")

    def start(self, offset: str) -> Key:
        """Return where an offset begins.

        Raises:
            ValueError: It is none, or one of another order.
        """
        try:
            packed = base64.b64decode(offset + "=" * (-len(offset) % 4), b"-_", validate=True)
            found = json.loads(packed)
        except (ValueError, binascii.Error, RecursionError):
            found = None
        kinds = {"id": (str,), "name": (str, str, str)}
        if isinstance(found, list) and len(found) > 2 and found[0] in SORTS and isinstance(found[1], bool):
            sort, reverse, *key = found
            if len(key) == len(wanted := kinds.get(sort, (int | float, str))) and all(map(isinstance, key, wanted)):
                if (sort, reverse) == self:
                    return tuple(key)
                msg = (
                    f"offset {offset!r:.80} is of a listing with sort={sort!r} and reverse={reverse}, and this one has "
                    f"sort={self.sort!r} and reverse={self.reverse}; continue in the same order, or begin anew"
                )
                raise ValueError(msg)
        msg = f"offset must be the next_offset of a page, or a number of datasets to skip, not {offset!r:.80}"
        raise ValueError(msg)


def order_of(sort: object, reverse: object) -> Order:
    """Return an order.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: Datasets are not sorted by that.
    """
    return Order(arguments.choice(sort, "sort", SORTS), arguments.flag(reverse, "reverse"))


def amount_of(value: object) -> int | None:
    """Return the maximum number of datasets. None for all.

    Raises:
        TypeError: It is neither.
        ValueError: It is negative.
    """
    return None if value is None else arguments.integer(value, "max_amount", least=0)


def offset_of(value: object, order: Order) -> tuple[Key | None, int]:
    """Return the place that an offset names, or the number of datasets to skip.

    Raises:
        TypeError: It is neither.
        ValueError: It is negative, or not an offset of this order.
    """
    if value is None or (isinstance(value, str) and not value):
        return None, 0
    if isinstance(value, str):
        return order.start(arguments.text(value, "offset")), 0
    return None, arguments.integer(value, "offset", least=0)


def after_of(value: object) -> str:
    """Return the name of the repository of a dataset to begin after; "" for none.

    Raises:
        TypeError: It is no text.
        ValueError: It is a dataset under a prefix, which is not listed.
    """
    found = arguments.text(value, "after")
    if not found:
        return ""
    try:
        address = parse(found, None)
    except ValueError:
        msg = f"after must be the ID of a dataset or the name of its repository, not {found!r:.200}"
        raise ValueError(msg) from None
    if address.prefix:
        msg = f"after must be the ID of a dataset that is listed, and {found!r:.200} is under a prefix"
        raise ValueError(msg)
    return address.repository
