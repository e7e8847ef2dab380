"""Transfers: reports and their parts."""

from __future__ import annotations

import copy
import json
import pickle
import tracemalloc
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, types
from lakefs_hl._handles.transfers import MAX_FAILURES, GetResult, Tally, TransferEvent, TransferFailure, TransferReport
from lakefs_hl.exceptions import (
    AmbiguousOutcomeError,
    ForbiddenException,
    ObjectNotFoundException,
    PartialFailureError,
)
from lakefs_hl.types import ErrorKind

FAILURE = TransferFailure("a/<b>.csv", "not allowed", ErrorKind.FORBIDDEN, "/data/a/<b>.csv")
REPORT = TransferReport(5_000, 3, 2, 1, 12_000_000, 1.5, (FAILURE,), "c" * 64)


def test_records_are_public_and_shared_by_both_colours() -> None:
    assert lakefs_hl.TransferReport is aio.TransferReport is TransferReport
    assert lakefs_hl.GetResult is aio.GetResult is GetResult
    assert (types.TransferEvent, types.TransferFailure) == (TransferEvent, TransferFailure)


@pytest.mark.parametrize(
    "record",
    [
        REPORT,
        FAILURE,
        GetResult("a", b"x", (0, None)),
        TransferEvent("progress", "a", 1, 2),
    ],
    ids=lambda record: type(record).__name__,
)
def test_records_are_plain_values(record: Any) -> None:
    assert copy.deepcopy(record) == record
    data = pickle.dumps(record)
    assert pickle.loads(data) == record
    assert b"lakefs_hl" in data
    assert b"_handles" not in data  # a pickle names the public module, so that it survives a move


def test_a_result_with_an_error_is_picklable() -> None:
    error = ObjectNotFoundException("object 'a' does not exist")
    found = pickle.loads(pickle.dumps(GetResult("a", None, None, error)))
    assert (found.path, found.content, type(found.error), str(found.error)) == ("a", None, type(error), str(error))


def test_a_report_is_ok_unless_something_failed() -> None:
    assert TransferReport().ok
    assert TransferReport(skipped=2).ok
    assert not REPORT.ok


def test_a_report_becomes_json() -> None:
    found = json.loads(json.dumps(REPORT.to_dict()))
    assert found == {
        "transferred": 5_000,
        "skipped": 3,
        "deleted": 2,
        "failed_count": 1,
        "bytes": 12_000_000,
        "seconds": 1.5,
        "failed": [
            {"path": "a/<b>.csv", "message": "not allowed", "kind": "forbidden", "local_path": "/data/a/<b>.csv"}
        ],
        "commit_id": "c" * 64,
        "skips": [],
    }


def test_what_is_skipped_with_a_reason_is_kept_and_shown() -> None:
    tally = Tally()
    tally.skip()
    for number in range(MAX_FAILURES + 5):
        tally.skip(f"{number}<b>", "newer")
    report = tally.report(1.0)
    assert (report.skipped, len(report.skips), report.ok) == (MAX_FAILURES + 6, MAX_FAILURES, True)
    assert report.skips[0] == types.TransferSkip("0<b>", "newer")
    assert report.to_dict()["skips"][1] == {"path": "1<b>", "reason": "newer"}
    html = report._repr_html_()
    assert "Skipped, although not equal" in html
    assert "0&lt;b&gt;" in html
    assert "Skipped, although" not in TransferReport(skipped=5)._repr_html_()


def test_a_report_is_printed_in_a_line() -> None:
    assert repr(REPORT) == (
        "<TransferReport: 5,000 transferred (12.0 MB in 1.50 s, 8.00 MB/s), 3 skipped, 2 deleted, 1 failed, "
        "the first failure is 'a/<b>.csv': not allowed, commit cccccccccccccccc>"
    )
    assert repr(TransferReport()) == "<TransferReport: 0 transferred (0 B in 0.00 s)>"


def test_a_long_report_is_printed_short() -> None:
    failures = tuple(TransferFailure(str(number), "broken\n" * 100) for number in range(MAX_FAILURES))
    printed = repr(TransferReport(failed_count=20_000, failed=failures))
    assert len(printed) < 250
    assert "\n" not in printed
    assert "20,000 failed" in printed


def test_a_notebook_shows_a_table_with_hostile_names_escaped() -> None:
    text = REPORT._repr_html_()
    assert "<b>.csv" not in text
    assert "a/&lt;b&gt;.csv" in text
    assert "12.0 MB in 1.50 s" in text
    assert text.count("<table>") == 2
    assert "local_path" in text


def test_a_notebook_shows_the_first_failures_and_says_how_many_there_are() -> None:
    tally = Tally()
    for number in range(12_345):
        tally.fail(f"path-{number}", ValueError("bad"))
    text = tally.report(1.0)._repr_html_()
    assert "the first 20 of 12,345" in text
    assert "12,345 failures" in text
    assert "path-19" in text
    assert "path-20<" not in text
    assert "local_path" not in text
    assert "Failures" not in TransferReport(3)._repr_html_()


def test_a_tally_counts_everything_and_keeps_the_first_failures() -> None:
    tally = Tally()
    tally.transfer(10)
    tally.transfer(5)
    tally.skip()
    tally.delete()
    tally.delete(3)
    for number in range(MAX_FAILURES + 5):
        tally.fail(str(number), OSError(28, "no space left"), f"/data/{number}")
    report = tally.report(2.5, "abc")
    assert report[:6] == (2, 1, 4, MAX_FAILURES + 5, 15, 2.5)
    assert report.commit_id == "abc"
    assert [failure.path for failure in report.failed] == [str(number) for number in range(MAX_FAILURES)]


@pytest.mark.parametrize(
    ("error", "message", "kind"),
    [
        (ValueError("bad name"), "ValueError: bad name", ErrorKind.OTHER),
        (ValueError(), "ValueError", ErrorKind.OTHER),
        (OSError(28, "No space left on device", "/data/a"), "[Errno 28] No space left on device: '/data/a'", "other"),
        (AmbiguousOutcomeError("unknown; check"), "unknown; check", ErrorKind.OTHER),
    ],
)
def test_a_failure_says_why(error: Exception, message: str, kind: str) -> None:
    assert TransferFailure._of("a", error, "/data/a") == ("a", message, kind, "/data/a")


def test_a_failure_has_the_kind_of_the_servers_error() -> None:
    error = ForbiddenException("not allowed")
    error.kind = ErrorKind.BRANCH_PROTECTED
    assert TransferFailure._of("a", error).kind is ErrorKind.BRANCH_PROTECTED


def test_the_tally_says_whether_anything_was_applied() -> None:
    tally = Tally()
    tally.fail("a", ForbiddenException("no"))
    found = [tally.maybe_applied]
    tally.delete()
    found.append(tally.maybe_applied)
    tally.fail("b", AmbiguousOutcomeError("unknown"))
    assert [*found, tally.maybe_applied] == [False, True, None]


def test_failures_are_raised_or_returned() -> None:
    what = "objects of lakefs://example/main/ were not downloaded"
    assert REPORT._or_raise("return", what, maybe_applied=False) is REPORT
    fine = TransferReport(2)
    assert fine._or_raise("raise", what, maybe_applied=False) is fine
    with pytest.raises(PartialFailureError) as caught:
        REPORT._or_raise("raise", what, "try again", maybe_applied=None)
    assert str(caught.value) == (
        "1 of 5,006 objects of lakefs://example/main/ were not downloaded; the first is 'a/<b>.csv': not allowed; "
        "the failures are in `report.failed`; try again"
    )
    assert caught.value.report is REPORT
    assert caught.value.maybe_applied is None
    assert pickle.loads(pickle.dumps(caught.value)).report == REPORT


def test_outcomes_take_no_memory_each() -> None:
    tally = Tally()
    error = ForbiddenException("no")
    for number in range(MAX_FAILURES):
        tally.fail(str(number), error)
    tracemalloc.start()
    try:
        for number in range(20_000):
            tally.transfer(number)
            tally.skip()
            tally.fail(str(number), error)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 10_000
    assert tally.report(1.0).failed_count == MAX_FAILURES + 20_000
