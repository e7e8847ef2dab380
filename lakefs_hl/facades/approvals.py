"""Requests for approval and decisions: their records, and the JSON that they are stored as."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from lakefs_hl import _html
from lakefs_hl.facades import arguments

if TYPE_CHECKING:
    from lakefs_hl.facades.dataset_records import DatasetInfo

#: Branch that has the requests and decisions of a repository. It has no data.
BRANCH: Final = "lakefs_hl-approvals"
#: Metadata of the commits: the ID of the request.
KEY: Final = "lakefs_hl.approval"
REQUEST: Final = "request.json"
DECISION: Final = "decision.json"
#: What became of a request.
ApprovalStatus: TypeAlias = Literal["pending", "approved", "rejected"]
STATUSES: Final = ("pending", "approved", "rejected")
_ID: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_FILE: Final = re.compile(rf"({_ID.pattern})/({re.escape(REQUEST)}|{re.escape(DECISION)})")


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """A request to approve one version of a dataset, and what became of it.

    Attributes:
        id: Its ID, for `act_on_approval`. It begins with the time, so that IDs are in the order of the requests.
        dataset: ID of the version that is to be approved: `lakefs://repository@commit`, which `dataset` takes.
        commit: ID of the commit of that version.
        approver: ID of the reviewer who was asked.
        notes: What the requester says.
        requested_by: ID of the user who asked.
        requested_at: When: an aware datetime in UTC, by the clock of that user's machine.
        status: "pending", "approved" or "rejected".
        decided_by: ID of the user who decided. None while it is pending.
        decided_at: When: an aware datetime in UTC, by the clock of that user's machine. None while it is pending.
        decision_notes: What that user says. None while it is pending.
    """

    id: str
    dataset: str
    commit: str
    approver: str
    notes: str
    requested_by: str | None
    requested_at: datetime
    status: ApprovalStatus = "pending"
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision_notes: str | None = None

    def __repr__(self) -> str:
        return f"<ApprovalRequest {self.id} of {self.dataset} to {self.approver!r}: {self.status}>"

    def _repr_html_(self) -> str:
        rows = {
            "status": self.status,
            "dataset": self.dataset,
            "approver": self.approver,
            "notes": self.notes,
            "requested": f"{self.requested_at:%Y-%m-%d %H:%M:%S} UTC by {self.requested_by or 'an unknown user'}",
        }
        if self.decided_at is not None:
            rows["decided"] = f"{self.decided_at:%Y-%m-%d %H:%M:%S} UTC by {self.decided_by}"
            rows["decision notes"] = self.decision_notes or ""
        return _html.describe("Approval request", self.id, rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class ApprovalDecision:
    """A decision about one version of a dataset.

    Attributes:
        id: ID of the request.
        approved: Whether the version was approved.
        notes: What the approver says.
        by: ID of the approver.
        at: When: an aware datetime in UTC, by the clock of the approver's machine.
        commit: ID of the commit of the version.
        dataset: Details of the dataset as that version has them.
    """

    id: str
    approved: bool
    notes: str
    by: str
    at: datetime
    commit: str
    dataset: DatasetInfo

    def __repr__(self) -> str:
        verb = "approved" if self.approved else "rejected"
        return f"<ApprovalDecision {self.id}: {self.dataset.id} {verb} by {self.by!r}>"

    def _repr_html_(self) -> str:
        rows = {
            "decision": "approved" if self.approved else "rejected",
            "dataset": f"{self.dataset.name} {self.dataset.id}",
            "notes": self.notes,
            "decided": f"{self.at:%Y-%m-%d %H:%M:%S} UTC by {self.by}",
        }
        return _html.describe("Approval decision", self.id, rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, those of the dataset as a dictionary."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**found, "dataset": self.dataset.to_dict()}


for _record in (ApprovalRequest, ApprovalDecision):
    _record.__module__ = "lakefs_hl.types"


def now() -> datetime:
    """Return the current time in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def new_id(moment: datetime) -> str:
    """Return an ID for a request."""
    return f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def id_of(value: object, argument: str) -> str:
    """Return the ID of a request, given as such or as the request.

    Raises:
        TypeError: It is neither.
        ValueError: No request has such an ID.
    """
    found = value.id if isinstance(value, ApprovalRequest) else arguments.text(value, argument)
    if not _ID.fullmatch(found):
        msg = (
            f"{argument} must be the ID of a request, such as '20260131T120000Z-0a1b2c3d', not {found!r:.80}; "
            "approval_requests() lists them"
        )
        raise ValueError(msg)
    return found


def text_of(value: object, argument: str) -> str:
    """Return a text that can be stored.

    Raises:
        TypeError: It is no text.
        ValueError: UTF-8 cannot encode it.
    """
    found = arguments.text(value, argument)
    if not found and argument == "approver":
        msg = "approver must be the ID of a reviewer, and is empty"
        raise ValueError(msg)
    try:
        found.encode()
    except UnicodeEncodeError as exc:
        msg = f"{argument} must be text that UTF-8 can encode, and has a lone surrogate at {exc.start}: {found!r:.80}"
        raise ValueError(msg) from None
    return found


def request_path(request: str) -> str:
    """Return the path of a request, relative to those of its dataset."""
    return f"{request}/{REQUEST}"


def decision_path(request: str) -> str:
    """Return the path of the decision about a request, relative to those of its dataset."""
    return f"{request}/{DECISION}"


def split(path: str) -> tuple[str, str] | None:
    """Return the ID of the request and the name of the object in a path. None of a path that is none of these."""
    found = _FILE.fullmatch(path)
    return None if found is None else (found[1], found[2])


# -- stored ------------------------------------------------------------------------------------------------------------


def stored_request(request: ApprovalRequest) -> dict[str, Any]:
    """Return what is stored of a request."""
    return {
        "dataset": request.dataset,
        "commit": request.commit,
        "approver": request.approver,
        "notes": request.notes,
        "requested_by": request.requested_by,
        "requested_at": request.requested_at.isoformat(),
    }


def stored_decision(decision: ApprovalDecision) -> dict[str, Any]:
    """Return what is stored of a decision. No two are the same, so that two at a time are a conflict."""
    return {
        "approved": decision.approved,
        "notes": decision.notes,
        "by": decision.by,
        "at": decision.at.isoformat(),
        "commit": decision.commit,
        "nonce": secrets.token_hex(8),
    }


def read_request(name: str, value: object) -> ApprovalRequest:
    """Return a request that was stored.

    Raises:
        ValueError: It is damaged.
    """
    given = _Stored(value)
    return ApprovalRequest(
        name,
        given.text("dataset"),
        given.text("commit"),
        given.text("approver"),
        given.text("notes"),
        None if given.get("requested_by") is None else given.text("requested_by"),
        given.moment("requested_at"),
    )


def with_decision(request: ApprovalRequest, value: object) -> ApprovalRequest:
    """Return a request with the decision that was stored.

    Raises:
        ValueError: It is damaged.
    """
    given = _Stored(value)
    return replace(
        request,
        status="approved" if given.flag("approved") else "rejected",
        decided_by=given.text("by"),
        decided_at=given.moment("at"),
        decision_notes=given.text("notes"),
    )


class _Stored:
    """The fields of what was stored, which others may have damaged.

    Args:
        value: What was stored.
    """

    def __init__(self, value: object) -> None:
        if not isinstance(value, Mapping):
            msg = f"it must be a JSON object, not {value!r:.80}"
            raise ValueError(msg)  # noqa: TRY004 - the data is wrong, not an argument
        self._value = value

    def get(self, name: str) -> Any:
        return self._value.get(name)

    def text(self, name: str) -> str:
        return str(self._field(name, str, "a string"))

    def flag(self, name: str) -> bool:
        return bool(self._field(name, bool, "true or false"))

    def moment(self, name: str) -> datetime:
        found = self.text(name)
        try:
            moment = datetime.fromisoformat(found)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            msg = f"its field {name!r} must be a time with an offset, not {found!r:.80}"
            raise ValueError(msg)
        return moment.astimezone(UTC)

    def _field(self, name: str, kind: type, wanted: str) -> Any:
        found = self._value.get(name)
        if not isinstance(found, kind):
            msg = f"its field {name!r} must be {wanted}, not {found!r:.80}"
            raise ValueError(msg)  # noqa: TRY004
        return found
