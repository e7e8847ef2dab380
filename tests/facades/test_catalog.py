"""The order of datasets, and the offsets of pages."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.facades import catalog
from lakefs_hl.facades.catalog import DatasetFailure, DatasetPage, Order
from lakefs_hl.facades.dataset_records import DatasetInfo
from lakefs_hl.spec.wire import Request, Response
from tests.s3_server import JSON, NoNamespaceServer


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sort", catalog.SORTS)
def test_an_offset_is_where_it_was_made(sort: str, reverse: bool) -> None:
    order = Order(sort, reverse)
    values: list[Any] = ["Ä 🙂 \ud800", "b"] if sort == "name" else [0.0, 1_764_481_234.0]
    keys = [order.key(value, name) for value, name in zip(values, ("a-1", "b-2"), strict=True)]
    for key in keys:
        assert catalog.offset_of(order.offset(key), order) == (key, 0)
    assert order.is_after(max(keys), min(keys)) is not reverse
    assert not order.is_after(keys[0], keys[0])


def test_names_are_sorted_without_regard_to_case() -> None:
    order = Order("name", False)
    names = [("b", "r1"), ("A", "r2"), ("a", "r3"), ("a", "r0"), ("B", "r4")]
    assert sorted(names, key=lambda pair: order.key(*pair)) == [
        ("A", "r2"),
        ("a", "r0"),
        ("a", "r3"),
        ("B", "r4"),
        ("b", "r1"),
    ]


def test_the_offset_of_another_order() -> None:
    offset = Order("name", False).offset(("a", "a", "r"))
    for other in (Order("name", True), Order("id", False), Order("updated", False)):
        with pytest.raises(ValueError, match="sort='name' and reverse=False, and this one has"):
            catalog.offset_of(offset, other)


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "offset",
    [
        *("next", "ä", "\x00", "e30", "====", "a" * 10_001, " "),
        *map(packed, ([], {}, ["name"], ["name", False, "a"], ["name", 0, "a", "a", "r"], [[], False, "a"])),
        *map(
            packed, (["size", False, 1.0, "r"], ["id", False, 5], ["created", False, "1", "r"], ["id", False, "a", "b"])
        ),
        base64.b64encode(b"[" * 100_000).decode(),
    ],
    ids=lambda offset: offset[:20],
)
def test_what_is_no_offset(offset: str) -> None:
    with pytest.raises(ValueError, match="offset must be the next_offset of a page, or a number of datasets to skip"):
        catalog.offset_of(offset, Order("name", False))


def test_a_number_is_skipped() -> None:
    order = Order("id", False)
    assert catalog.offset_of(None, order) == catalog.offset_of("", order) == catalog.offset_of(0, order) == (None, 0)
    assert catalog.offset_of(20, order) == (None, 20)
    with pytest.raises(ValueError, match="offset must be at least 0, not -1"):
        catalog.offset_of(-1, order)
    wrongs: tuple[object, ...] = (1.5, b"a", [])
    for wrong in wrongs:
        with pytest.raises(TypeError, match="offset must be an integer"):
            catalog.offset_of(wrong, order)


def test_after_is_a_dataset_that_is_listed() -> None:
    for given in ("reef", "lakefs://reef", "lakefs://reef/main/", "lakefs://reef@abc"):
        assert catalog.after_of(given) == "reef"
    assert catalog.after_of("") == ""
    with pytest.raises(ValueError, match="after must be the ID of a dataset or the name of its repository"):
        catalog.after_of("lakefs://")
    with pytest.raises(ValueError, match="under a prefix"):
        catalog.after_of("lakefs://reef/main/coral/")


def page(**changes: Any) -> DatasetPage:
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    info = DatasetInfo("lakefs://r@c", "lakefs://r/main/", "<b>Reef", {}, "c", 1, moment, moment, ("v1",))
    fields: dict[str, Any] = {
        "items": [info],
        "next_offset": "abc",
        "total_item_count": 3,
        "auth_errors": [],
        "errors": [DatasetFailure("<i>r2", ValueError("<u>damaged"))],
    }
    return DatasetPage(**fields | changes)


def test_a_page_is_its_items() -> None:
    found = page()
    assert len(found) == 1
    assert [info.name for info in found] == ["<b>Reef"]
    assert repr(found) == "<DatasetPage 1 of 3 datasets, 1 unreadable, next_offset='abc'>"
    assert repr(page(next_offset=None, errors=[])) == "<DatasetPage 1 of 3 datasets>"
    shown = found.to_dict()
    assert shown["errors"] == [{"repository": "<i>r2", "error": "ValueError: <u>damaged"}]
    assert shown["items"][0]["name"] == "<b>Reef"
    assert shown["next_offset"] == "abc"


def test_a_page_in_a_notebook_is_escaped() -> None:
    html = page()._repr_html_()
    for escaped in ("&lt;b&gt;Reef", "&lt;i&gt;r2", "&lt;u&gt;damaged", "2026-01-31 00:00:00 UTC", "1 of 3"):
        assert escaped in html
    assert "<b>Reef" not in html


class Refusing(NoNamespaceServer):
    """A server whose repositories `closed-…` can be listed and not read, until one of them appears or goes."""

    config = {"default_namespace_prefix": "local://data"}  # noqa: RUF012 - never changed
    refuses = False
    fails = False

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        name = request.params[0] if request.params else ""
        if self.refuses and name.startswith("closed-"):
            return Response(401 if name.endswith("1") else 403, JSON, b'{"message": "not you"}')
        if self.fails and name == "broken":
            return Response(500, JSON, b'{"message": "out of order"}')
        if self.refuses and name == "gone":
            return Response(404, JSON, b'{"message": "repository not found"}')
        return super().__call__(request)


@pytest.mark.parametrize("sort", ["name", "id", "updated"])
def test_what_may_not_be_read_is_apart(sort: Any) -> None:
    server = Refusing()
    with lakefs_hl.Client("http://lakefs.invalid", "key", "secret", transport=server, retries=0) as client:
        for name in ("closed-1", "closed-2", "broken", "gone", "open"):
            lakefs_hl.dataset(name, client=client).mint({"name": name})
        server.refuses = server.fails = True
        listing = lakefs_hl.datasets(sort=sort, client=client)
        assert [info.name for info in listing] == ["open"]
        assert [failure.repository for failure in listing.auth_errors] == ["closed-1", "closed-2"]
        assert isinstance(listing.auth_errors[0].error, exceptions.NotAuthorizedException)
        assert isinstance(listing.auth_errors[1].error, exceptions.ForbiddenException)
        assert [failure.repository for failure in listing.errors] == ["broken"]
        page = lakefs_hl.datasets(1, sort=sort, client=client).page()
        assert (len(page), page.next_offset, page.total_item_count) == (1, None, 1)
        assert [len(page.auth_errors), len(page.errors)] == [2, 1]
        server.refuses = server.fails = False
        assert len(list(listing)) == 5
        assert listing.auth_errors == listing.errors == []
