"""Requests for approval and decisions: what is stored, and what others may have made of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lakefs_hl.facades import approvals
from lakefs_hl.facades.approvals import ApprovalDecision, ApprovalRequest
from lakefs_hl.facades.dataset_records import DatasetInfo

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
REQUEST = ApprovalRequest("20260131T120000Z-0a1b2c3d", "lakefs://r@c", "c", "ada", "nötes\n🙂", "grace", AT)


def stored(value: dict[str, Any]) -> Any:
    return json.loads(json.dumps(value))


def decision(**changes: Any) -> dict[str, Any]:
    info = DatasetInfo("lakefs://r@c", "lakefs://r/main/", "r", {}, "c", None, AT, AT)
    made = ApprovalDecision(REQUEST.id, True, "fine", "ada", AT, "c", info)
    return {**stored(approvals.stored_decision(made)), **changes}


def test_what_was_stored_is_read() -> None:
    assert approvals.read_request(REQUEST.id, stored(approvals.stored_request(REQUEST))) == REQUEST
    decided = approvals.with_decision(REQUEST, decision())
    assert (decided.status, decided.decided_by, decided.decided_at, decided.decision_notes) == (
        "approved",
        "ada",
        AT,
        "fine",
    )
    assert approvals.with_decision(REQUEST, decision(approved=False)).status == "rejected"


def test_a_server_that_does_not_say_who_asks() -> None:
    given = stored(approvals.stored_request(REQUEST)) | {"requested_by": None}
    assert approvals.read_request(REQUEST.id, given).requested_by is None


def test_no_two_decisions_are_the_same() -> None:
    """Two at a time are a conflict of their merges, also if both say the same."""
    assert decision() != decision()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"approver": 5}, "its field 'approver' must be a string, not 5"),
        ({"notes": None}, "its field 'notes' must be a string, not None"),
        ({"requested_by": []}, "its field 'requested_by' must be a string"),
        ({"requested_at": "yesterday"}, "its field 'requested_at' must be a time with an offset, not 'yesterday'"),
        ({"requested_at": "2026-01-31T12:00:00"}, "must be a time with an offset"),
    ],
)
def test_a_damaged_request(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        approvals.read_request(REQUEST.id, stored(approvals.stored_request(REQUEST)) | changes)


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_what_is_no_object(value: object) -> None:
    with pytest.raises(ValueError, match="it must be a JSON object"):
        approvals.read_request(REQUEST.id, value)
    with pytest.raises(ValueError, match="it must be a JSON object"):
        approvals.with_decision(REQUEST, value)


@pytest.mark.parametrize("changes", [{"approved": "yes"}, {"approved": 1}, {"by": None}, {"at": 5}, {"notes": b"".hex}])
def test_a_damaged_decision(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="its field"):
        approvals.with_decision(REQUEST, decision() | changes)


def test_ids() -> None:
    found = approvals.new_id(AT)
    assert found.startswith("20260131T120000Z-")
    assert approvals.id_of(found, "id") == found
    assert approvals.id_of(REQUEST, "id") == REQUEST.id
    for wrong in ("", "../..", f"{found}/", f"{found}\n", found.upper()[:-9], "1", f"a/{found}"):
        with pytest.raises(ValueError, match=r"id must be the ID of a request.*approval_requests\(\) lists them"):
            approvals.id_of(wrong, "id")
    with pytest.raises(TypeError, match="id must be a string"):
        approvals.id_of(5, "id")


def test_paths() -> None:
    assert approvals.split(approvals.request_path(REQUEST.id)) == (REQUEST.id, "request.json")
    assert approvals.split(approvals.decision_path(REQUEST.id)) == (REQUEST.id, "decision.json")
    for other in (
        "",
        "readme.md",
        f"{REQUEST.id}/other.json",
        f"x/{REQUEST.id}/request.json",
        f"{REQUEST.id}/requestxjson",
    ):
        assert approvals.split(other) is None


def test_what_is_shown_is_short() -> None:
    made = replace(REQUEST, notes="x" * 100_000)
    assert repr(made) == "<ApprovalRequest 20260131T120000Z-0a1b2c3d of lakefs://r@c to 'ada': pending>"


def test_a_notebook_shows_requests_and_decisions() -> None:
    hostile = replace(REQUEST, notes="<b>now</b>")
    assert "&lt;b&gt;now&lt;/b&gt;" in hostile._repr_html_()
    assert "decided" not in hostile._repr_html_()
    decided = approvals.with_decision(hostile, decision(notes="<i>no</i>", approved=False))._repr_html_()
    assert "rejected" in decided
    assert "&lt;i&gt;no&lt;/i&gt;" in decided
    info = DatasetInfo("lakefs://r@c", "lakefs://r/main/", "<u>", {}, "c", None, AT, AT)
    made = ApprovalDecision(REQUEST.id, True, "", "ada", AT, "c", info)._repr_html_()
    assert "approved" in made
    assert "<u>" not in made


def test_an_approver_has_an_id() -> None:
    with pytest.raises(ValueError, match="approver must be the ID of a reviewer, and is empty"):
        approvals.text_of("", "approver")
    assert approvals.text_of("", "notes") == ""


def test_notes_that_cannot_be_stored() -> None:
    with pytest.raises(ValueError, match="notes must be text that UTF-8 can encode, and has a lone surrogate at 2"):
        approvals.text_of("ab\ud800", "notes")
