"""Listings: looked ahead into without losing a row, as a list, as a data frame, and in a notebook."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import lakefs_hl
from lakefs_hl import exceptions
from tests.faces.conftest import Tap
from tests.threads import assert_ended

NAMES = [f"{number:05}" for number in range(2345)]


def paths(rows: Any) -> list[str]:
    return [row.path for row in rows]


@pytest.fixture
def few(branch: lakefs_hl.Branch) -> lakefs_hl.Branch:
    """Five objects, on each kind of lake."""
    for path in NAMES[:5]:
        branch.upload(path, path)
    return branch


@pytest.fixture
def many(tapped: lakefs_hl.Branch, tap: Tap) -> lakefs_hl.Branch:
    """2,345 objects, as over a network."""
    with tapped.transaction("many") as tx:
        tx.upload_many((path, b"") for path in NAMES)
    tap.requests.clear()
    return tapped


def test_head_consumes_nothing(few: lakefs_hl.Branch) -> None:
    listing = few.list_objects()
    assert paths(listing.head(2)) == NAMES[:2]
    assert paths(listing.head(3)) == NAMES[:3]
    assert next(listing).path == NAMES[0]
    assert paths(listing.head(1)) == NAMES[1:2]
    assert paths(listing) == NAMES[1:5]
    assert (listing.head(), listing.to_list()) == ([], [])
    assert few.list_objects().head(0) == []


@pytest.mark.parametrize("taken", [1, 2, 3, 99])
def test_head_inside_a_loop_loses_nothing(few: lakefs_hl.Branch, taken: int) -> None:
    listing, seen = few.list_objects(), []
    for row in listing:
        seen.append(row.path)
        assert paths(listing.head(taken)) == NAMES[len(seen) : 5][:taken]
    assert seen == NAMES[:5]


def test_a_broken_loop_can_be_continued(few: lakefs_hl.Branch) -> None:
    listing = few.list_objects()
    for row in listing:
        assert row.path == NAMES[0]
        break
    assert paths(listing.head(2)) == NAMES[1:3]
    assert paths(listing.to_list()) == NAMES[1:5]


def test_head_takes_an_amount(few: lakefs_hl.Branch) -> None:
    with pytest.raises(ValueError, match="n must be at least 0, not -1"):
        few.list_objects().head(-1)


def test_head_over_several_pages(many: lakefs_hl.Branch, tap: Tap) -> None:
    listing = many.list_objects()
    assert paths(listing.head(1500)) == NAMES[:1500]
    assert tap.operations().count("listObjects") <= 3
    assert paths(listing) == NAMES


def test_a_failure_of_head_is_not_the_end_of_the_listing(many: lakefs_hl.Branch, tap: Tap) -> None:
    def refuse(request: Any) -> None:
        if len(tap.operations()) > 1:
            raise ZeroDivisionError

    tap.refuse = refuse
    listing = many.list_objects()
    with pytest.raises(ZeroDivisionError):
        listing.head(1500)
    assert paths(listing.head(1000)) == NAMES[:1000]
    with pytest.raises(ZeroDivisionError):
        listing.head(1001)
    seen = list[str]()
    with pytest.raises(ZeroDivisionError):
        seen += (row.path for row in listing)
    assert seen == NAMES[:1000]
    seen.clear()
    tap.requests.clear()
    listing = many.list_objects()
    with pytest.raises(ZeroDivisionError):
        listing.head(1500)
    for row in listing:
        seen.append(row.path)
        if len(seen) == 1000:
            break
    assert seen == NAMES[:1000]
    with pytest.raises(ZeroDivisionError):
        next(listing)


def test_an_interrupted_head_is_not_the_end_of_the_listing(many: lakefs_hl.Branch, tap: Tap) -> None:
    def interrupt(request: Any) -> None:
        raise KeyboardInterrupt

    tap.refuse = interrupt
    listing = many.list_objects()
    with pytest.raises(KeyboardInterrupt):
        listing.head()
    tap.refuse = None
    with pytest.raises(RuntimeError, match="interrupted while rows were fetched and cannot be continued; list again"):
        listing.to_list()


@pytest.mark.parametrize("error", [ZeroDivisionError("no"), KeyboardInterrupt()])
def test_a_listing_that_failed_never_looks_complete(many: lakefs_hl.Branch, tap: Tap, error: BaseException) -> None:
    def refuse(request: Any) -> None:
        if len(tap.operations()) == 2:
            raise error

    tap.refuse = refuse
    again: type[Exception] = ZeroDivisionError if isinstance(error, Exception) else RuntimeError
    for read in (list, lambda rows: rows.to_list(), lambda rows: [next(rows) for _ in NAMES]):
        tap.requests.clear()
        listing = many.list_objects()
        with pytest.raises(type(error)):
            read(listing)
        for call in (listing.to_list, listing.to_pandas, listing.head, lambda: list(listing), lambda: next(listing)):  # noqa: B023
            with pytest.raises(again):
                call()
        assert ("no rows" in listing._repr_html_()) is False
        assert len(tap.operations()) == 2  # nothing was asked again


def test_an_error_of_a_listing_does_not_keep_it_alive(many: lakefs_hl.Branch, tap: Tap) -> None:
    def refuse(request: Any) -> None:
        raise ZeroDivisionError

    tap.refuse = refuse
    listing = many.list_objects()
    with pytest.raises(ZeroDivisionError):
        listing.to_list()
    assert listing._ahead.failure is not None
    assert listing._ahead.failure.__traceback__ is None


def test_a_second_reader_that_comes_in_between_leaves_a_listing_as_it_is(many: lakefs_hl.Branch, tap: Tap) -> None:
    refused = list[BaseException]()

    def read_meanwhile(request: Any) -> None:
        if not refused:
            with pytest.raises(ValueError, match="already executing") as caught:
                listing.head()
            refused.append(caught.value)

    tap.refuse = read_meanwhile
    listing = many.list_objects()
    assert paths(listing.to_list()) == NAMES
    assert refused
    assert listing.to_list() == []


def test_a_closed_listing_has_no_rows(many: lakefs_hl.Branch) -> None:
    with many.list_objects() as listing:
        listing.head(3)
    assert (listing.head(), listing.to_list()) == ([], [])
    unread = many.list_objects()
    unread.close()
    assert unread.to_list() == []


@pytest.mark.parametrize("leave", ["loop", "next", "head", "close"])
def test_an_abandoned_listing_leaves_no_thread_waiting(many: lakefs_hl.Branch, leave: str) -> None:
    def use() -> None:
        listing = many.list_objects()
        if leave == "loop":
            for number, _ in enumerate(listing):
                if number == 1001:
                    return
        elif leave == "next":
            for _ in range(1001):
                next(listing)
        elif leave == "head":
            listing.head(1001)
        else:
            next(listing)
            listing.close()

    before = set(threading.enumerate())
    gc.disable()  # ends by itself, not by the collector
    try:
        use()
        many._client.close()
    finally:
        gc.enable()
    assert_ended(before)


# -- as text -----------------------------------------------------------------------------------------------------------


def test_a_repr_sends_nothing(many: lakefs_hl.Branch, tap: Tap) -> None:
    listing = many.list_objects()
    assert repr(listing) == "<Listing of objects, 0 fetched ahead>"
    assert tap.requests == []
    listing.head(7)
    tap.requests.clear()
    assert repr(listing).startswith("<Listing of objects, 7 ")
    assert tap.requests == []


def test_a_notebook_shows_what_was_fetched(many: lakefs_hl.Branch, tap: Tap) -> None:
    listing = many.with_options().list_objects()
    listing._first = None  # as on a server
    shown = listing._repr_html_()
    assert "no rows fetched yet: head(n) fetches some" in shown
    assert tap.requests == []
    listing.head(2)
    tap.requests.clear()
    shown = listing._repr_html_()
    assert all(name in shown for name in NAMES[:2])
    assert NAMES[2] not in shown
    assert "<th" in shown
    assert tap.requests == []
    assert paths(listing) == NAMES
    assert "no rows</i>" in listing._repr_html_()
    listing = many.list_objects()
    listing._first = None
    next(listing)
    assert "no rows fetched ahead: head(n) fetches some" in listing._repr_html_()


def test_in_process_a_notebook_shows_the_next_rows(lake_branch: lakefs_hl.Branch) -> None:
    for path in [*NAMES[:25], "<b>&"]:
        lake_branch.upload(b"", path)
    listing = lake_branch.list_objects()
    shown = listing._repr_html_()
    assert (NAMES[19] in shown, NAMES[20] in shown) == (True, False)
    for row in listing:
        assert row.path == NAMES[0]
        break
    assert "the next 20 rows" in listing._repr_html_()
    assert paths(listing) == [*NAMES[1:25], "<b>&"]
    assert "&lt;b&gt;&amp;" in lake_branch.list_objects(prefix="<")._repr_html_()
    assert "no rows" in lake_branch.list_objects(prefix="nothing")._repr_html_()


def test_a_notebook_shows_what_keys_are_limited_to(tmp_path: Path) -> None:
    with lakefs_hl.Client(f"local:{tmp_path}/lake") as client:
        keys = lakefs_hl.admin(client).credentials
        keys.create("one", repositories=["sales", "stock"])
        assert ">sales, stock</td>" in keys.list()._repr_html_()
        keys.delete("one")
        keys.create("any")
        assert ">all</td>" in keys.list()._repr_html_()  # an empty field would look like none
        assert keys.list().to_list()[0].to_dict()["repositories"] is None


def test_a_notebook_shows_an_error_as_text(lake_branch: lakefs_hl.Branch) -> None:
    nowhere = lakefs_hl.Branch(lake_branch.repository_id, "nowhere", lake_branch._client)
    listing = nowhere.list_objects()
    assert "nowhere" in listing._repr_html_()
    with pytest.raises(exceptions.NotFoundException, match="nowhere"):
        listing.to_list()


# -- as a data frame ---------------------------------------------------------------------------------------------------


def test_objects_as_a_data_frame(branch: lakefs_hl.Branch) -> None:
    info = branch.upload(b"abc", "b.csv", content_type="text/csv", metadata={"k": "v"})
    branch.upload(b"", "a/1")
    frame = branch.list_objects().to_pandas()
    assert list(frame.columns) == [
        "path", "type", "size_bytes", "modified_time", "content_type", "checksum", "metadata", "physical_address"
    ]  # fmt: skip
    assert list(frame.path) == ["a/", "b.csv"]
    assert list(frame.type) == ["common_prefix", "object"]
    assert frame.size_bytes.dtype == "Int64"
    assert frame.size_bytes.sum() == 3
    assert frame.modified_time[1] == pd.Timestamp(info.modified_time)
    assert str(frame.modified_time.dt.tz) == "UTC"
    assert (frame.content_type[1], frame.checksum[1], frame.metadata[1]) == ("text/csv", info.checksum, {"k": "v"})


def test_what_is_left_as_a_data_frame(few: lakefs_hl.Branch) -> None:
    listing = few.list_objects()
    next(listing)
    listing.head(2)
    assert list(listing.to_pandas().path) == NAMES[1:5]
    assert len(listing.to_pandas()) == 0


def test_an_empty_listing_is_an_empty_frame_of_the_same_types(few: lakefs_hl.Branch) -> None:
    full, empty = few.list_objects().to_pandas(), few.list_objects(prefix="nothing").to_pandas()
    assert len(empty) == 0
    assert list(full.dtypes.items()) == list(empty.dtypes.items())


def test_pandas_that_is_missing_is_named_and_no_row_is_lost(
    few: lakefs_hl.Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = few.list_objects()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"to_pandas\(\) needs pandas.*pip install 'lakefs-hl\[pandas\]'"):
        listing.to_pandas()
    assert paths(listing) == NAMES[:5]


LISTINGS: dict[str, tuple[Callable[[lakefs_hl.Repository], Any], list[str]]] = {
    "objects": (lambda repo: repo.branch("main").list_objects(), ["path", "type", "size_bytes"]),
    "changes": (lambda repo: repo.ref("main~1").diff("main"), ["type", "path", "path_type", "size_bytes"]),
    "uncommitted": (lambda repo: repo.branch("dev").list_uncommitted(), ["type", "path", "path_type", "size_bytes"]),
    "log": (lambda repo: repo.branch("main").log(), ["id", "message", "committer", "creation_date", "parents"]),
    "branches": (lambda repo: repo.list_branches(), ["id", "uri"]),
    "tags": (lambda repo: repo.list_tags(), ["id", "uri"]),
    "transactions": (lambda repo: repo.transactions(), ["id", "branch", "repository_id", "source_branch_id"]),
    "repositories": (lambda repo: lakefs_hl.repositories(client=repo._client), ["id", "uri"]),
}


@pytest.fixture
def full(lake_repo: lakefs_hl.Repository) -> lakefs_hl.Repository:
    """A repository with something to list everywhere."""
    main = lake_repo.branch("main")
    main.upload(b"abc", "a")
    main.commit_changes("first", {"k": "v"})
    lake_repo.tag("v1").create("main")
    lake_repo.branch("dev").create("main").delete_objects("a")
    main.transaction("left behind").__enter__()
    return lake_repo


@pytest.mark.parametrize("name", LISTINGS)
def test_every_listing_is_a_listing(full: lakefs_hl.Repository, name: str) -> None:
    make, columns = LISTINGS[name]
    assert type(make(full)) is lakefs_hl.Listing
    rows = make(full).to_list()
    assert len(rows) >= 1
    assert make(full).head(1) == rows[:1]
    frame = make(full).to_pandas()
    assert list(frame.columns)[: len(columns)] == columns
    assert len(frame) == len(rows)
    with make(full) as listing:
        assert "<table>" in listing._repr_html_()


def test_times_and_ages_in_a_data_frame(full: lakefs_hl.Repository) -> None:
    log = full.branch("main").log().to_pandas()
    assert str(log.creation_date.dt.tz) == "UTC"
    assert (log.message[0], log.metadata[0]) == ("first", {"k": "v"})
    kept = full.transactions().to_pandas()
    assert kept.age[0] >= pd.Timedelta(0)
    changed = full.branch("dev").list_uncommitted().to_pandas()
    assert (changed.type[0], changed.size_bytes.isna()[0]) == ("removed", True)


# -- records -----------------------------------------------------------------------------------------------------------


def test_records_as_dictionaries(full: lakefs_hl.Repository) -> None:
    import json

    main, client = full.branch("main"), full._client
    info = main.stat_object("a")
    found = info.to_dict()
    assert (found["path"], found["type"], found["size_bytes"], found["metadata"]) == ("a", "object", 3, {})
    assert found["modified_time"] == info.modified_time
    assert found["modified_time"].tzinfo is UTC
    commit = main.get_commit()
    assert commit.to_dict() == {
        "id": commit.id,
        "message": "first",
        "committer": commit.committer,
        "creation_date": commit.creation_date,
        "parents": commit.parents,
        "meta_range_id": commit.meta_range_id,
        "metadata": {"k": "v"},
    }
    (kept,) = full.transactions()
    assert (kept.to_dict()["branch"], type(kept.to_dict()["age"])) == (kept.branch, timedelta)
    (change,) = full.branch("dev").list_uncommitted()
    assert change.to_dict() == {"type": "removed", "path": "a", "path_type": "object", "size_bytes": None}
    report = full.branch("dev").delete_objects(["a", "b/"], on_error="return")
    assert report.to_dict()["requested"] == 2
    assert [failure["path"] for failure in report.to_dict()["failed"]] == ["b/"]
    assert full.collect_transactions(dry_run=True).to_dict()["dry_run"] is True
    assert full.properties.to_dict()["default_branch"] == "main"
    assert client.health_check().to_dict()["ok"] is True
    assert client.storage_config.to_dict()["blockstore_type"] == "local"
    assert lakefs_hl.CommonPrefix("example", "main", "a/").to_dict() == {"path": "a/", "type": "common_prefix"}
    for record in (info, commit, kept, change, report, full.properties, client.health_check(), client.storage_config):
        assert json.loads(json.dumps(record.to_dict(), default=str))


def test_an_import_as_a_dictionary(lake_branch: lakefs_hl.Branch, tmp_path: Any) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    manager = lake_branch.import_from(f"local://{tmp_path}/", "in/", "import")
    manager.start()
    status = manager.status()
    result = manager.wait()
    assert result.to_dict() == {"commit_id": result.commit.id, "ingested_objects": 1}
    assert isinstance(status.to_dict()["completed"], bool)
    assert status.to_dict()["ingested_objects"] in (None, 0, 1)
