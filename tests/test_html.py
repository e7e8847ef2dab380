"""What notebooks show: HTML of everything that a cell can end with, escaped, without scripts and addresses."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types as builtin_types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import _html, aio, types

HOSTILE = "<script>alert('x')</script><img src=https://evil.invalid/x onerror=alert(1)>&\"/"
#: Public classes that a notebook shows as Python prints them, and why.
PLAIN = {
    "PolarsReads": "calls of Polars at a reference, which is shown by itself",
    "ReferenceURI": "a text",
    "AsyncFile": "a file object, as Python's own",
    "BinaryFile": "a protocol: what callers pass",
    "BlockstoreType": "a text",
    "ClientOptions": "the options of a client, whose secrets are masked where they are printed",
    "DeleteProgress": "a protocol: what callers pass",
    "DownloadOptions": "keywords of a call, which callers pass",
    "ErrorKind": "a text",
    "FileProgress": "a protocol: what callers pass",
    "FileResult": "a dictionary, with the keys of CloudFiles",
    "ObjectStream": "an iterator, which has nothing to show before it is read",
    "ObjectWriter": "a file object, as Python's own",
    "Opening": "what is awaited for a file object",
    "ProgressListener": "a protocol: what callers pass",
    "SizeCallback": "a protocol: what callers pass",
    "SyncFromOptions": "keywords of a call, which callers pass",
    "SyncToOptions": "keywords of a call, which callers pass",
    "TextWriter": "a file object, as Python's own",
    "UploadOptions": "keywords of a call, which callers pass",
    "Writing": "what is awaited for a file object",
}
CLASSES = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (lakefs_hl, aio, types)
    for name in module.__all__
    if inspect.isclass(getattr(module, name))
}


class Page(HTMLParser):
    """The tags of a page, whose attributes may load or run nothing."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags = list[str]()
        self.open = list[str]()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("br", "img", "circle", "path", "rect"):
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            assert name not in ("href", "srcset", "xlink:href"), (tag, name)
            assert name != "src" or (value or "").startswith("data:image/"), (tag, value)
            assert "url(" not in (value or ""), (tag, value)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check(page: str) -> Page:
    """Return a page of which nothing runs, and which is readable on any background."""
    found = Page(page)
    assert not found.open
    assert not {"script", "iframe", "object", "embed", "link", "style", "foreignobject"} & set(found.tags)
    for colour in re.findall(r"background(?:-color)?: *([^;\"']+)", page):
        assert re.fullmatch(r"rgba\([\d, ]+, \.\d+\)|transparent", colour.strip()), f"{colour} hides what is below"
    assert not re.search(r"[;\"' ]color: *(?!currentColor|inherit)", page), "unreadable somewhere"
    return found


def value_of(hint: Any) -> Any:
    """Return a value for a field, hostile where it is a text."""
    origin = typing.get_origin(hint)
    if hint is str or origin is typing.Literal or hint is Any:
        return HOSTILE
    if origin in (typing.Union, builtin_types.UnionType):
        return value_of(next(each for each in typing.get_args(hint) if each is not type(None)))
    if hint is datetime:
        return datetime(2026, 1, 31, tzinfo=UTC)
    if hint in (bool, int, float):
        return hint(1)
    kind, inner = origin or hint, (*typing.get_args(hint), str)[0]
    if kind in (tuple, list):
        return kind([value_of(inner)])
    if fields_of(kind):
        return record_of(kind)
    if inspect.isclass(kind) and issubclass(kind, Mapping):
        return {HOSTILE: HOSTILE}
    return HOSTILE


def fields_of(kind: Any) -> list[str]:
    if hasattr(kind, "_fields"):
        return list(kind._fields)
    if hasattr(kind, "__struct_fields__"):
        return list(kind.__struct_fields__)
    return [one.name for one in dataclasses.fields(kind) if one.init] if dataclasses.is_dataclass(kind) else []


def record_of(kind: Any) -> Any:
    """Return a record whose texts are hostile."""
    names = getattr(getattr(kind, "to_dict", None), "__globals__", None)  # its public home lacks those of annotations
    hints = typing.get_type_hints(kind, names, {"DatasetInfo": types.DatasetInfo, "ClassVar": typing.ClassVar})
    return kind(**{field: value_of(hints[field]) for field in fields_of(kind)})


#: Their arguments are checked, or are handles.
OTHERS = {"Bisection", "BlameEntry", "ObjectVersion", "Request", "Response", "Retry"}
RECORDS = {name: kind for name, kind in CLASSES.items() if fields_of(kind) and kind.__name__ not in {*PLAIN, *OTHERS}}


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_class_has_html_or_a_reason_for_none(name: str) -> None:
    has = callable(getattr(CLASSES[name], "_repr_html_", None))
    assert has is (CLASSES[name].__name__ not in PLAIN)


def test_no_reason_is_left_over() -> None:
    assert set(PLAIN) == {kind.__name__ for kind in CLASSES.values() if not hasattr(kind, "_repr_html_")}


def test_there_are_records_to_try() -> None:
    assert len(RECORDS) > 30


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_shows_its_fields_escaped(name: str) -> None:
    page = record_of(RECORDS[name])._repr_html_()
    found = check(page)
    assert not {"script", "img"} & set(found.tags)
    assert len(page) < 20_000


def test_a_secret_that_is_not_printed_is_not_shown() -> None:
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    records: list[Any] = [
        lakefs_hl.TemporaryToken("s3cr3t", moment),
        lakefs_hl.SignedURL("https://host.invalid/x?sig=s3cr3t", moment, "GET"),
    ]
    for record in records:
        assert "s3cr3t" not in record._repr_html_()
        assert type(record).__name__ in record._repr_html_()


# ------------------------------------------------------------------------------------------------------------ the parts


def test_everything_is_escaped() -> None:
    shown = _html.describe("<b>", "lakefs://a/<script>", {"<i>": "<script>"})
    assert "<script>" not in shown
    assert "<i>" not in shown
    assert "&lt;script&gt;" in shown
    check(_html.listing(HOSTILE, HOSTILE, [HOSTILE], [[HOSTILE]], code=HOSTILE, tint=HOSTILE))
    check(_html.lines([HOSTILE]) + _html.text(HOSTILE))


def test_empty_values_are_left_out() -> None:
    shown = _html.table({"one": "1", "two": ""})
    assert "one" in shown
    assert "two" not in shown


def test_a_title_without_rows_has_no_table() -> None:
    assert _html.describe("Branch", "lakefs://a/main/") == "<b>Branch</b> <code>lakefs://a/main/</code>"
    assert "<table>" in _html.describe("Branch", "lakefs://a/main/", {})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "yes"),
        (1234567, "1,234,567"),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31 12:00:00 UTC"),
        ({"a": 1}, "a: 1"),
        (["a", "b"], "a, b"),
        (lakefs_hl.Usage(1, 2), "Usage(total_bytes=1, object_count=2)"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_the_text_of_a_value(value: object, shown: str) -> None:
    assert _html.cell(value) == shown


def test_changes_are_coloured_by_their_type(lake_branch: lakefs_hl.Branch) -> None:
    lake_branch.upload(b"1", "kept.csv")
    lake_branch.upload(b"1", "gone.csv")
    lake_branch.commit_changes("first")
    lake_branch.upload(b"2", "new.csv")
    lake_branch.delete_objects("gone.csv")
    page = lake_branch.list_uncommitted()._repr_html_()
    check(page)
    assert page.count(_html.TINTS["added"]) == page.count(_html.TINTS["removed"]) == 1
    rows = lake_branch.list_uncommitted().to_list()
    assert rows == list(rows)
    assert "<b>Changes</b> <i>2</i>" in rows._repr_html_()  # type: ignore[attr-defined]


def test_a_name_cannot_turn_the_direction_of_what_follows_it() -> None:
    branch = lakefs_hl.repository("example", client=lakefs_hl.Client("mem://")).create().branch("main")
    info = branch.upload("a\n", "b\u202etxt.exe\u2066.csv")
    for shown in (info, info.preview(), branch.list_objects()):
        assert "b\ufffdtxt.exe\ufffd.csv" in shown._repr_html_()
