"""Pull requests: their fields, and the calls on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal, Self, cast

import msgspec

from lakefs_hl import _html as html
from lakefs_hl._handles.calls import Pages
from lakefs_hl._handles.handle import reference_name
from lakefs_hl._handles.listings import OBJECT, TIME, Columns
from lakefs_hl._handles.lookups import RecordHandle
from lakefs_hl._handles.repositories import RepositoryHandle
from lakefs_hl.ops import pull_requests as ops
from lakefs_hl.ops import reviews
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments, models
from lakefs_hl.spec.uri import repository_uri

FILTERS: Final = ("open", "closed", "all")
#: What lakeFS leaves out of a listing.
NOT_LISTED: Final = frozenset({"description", "merged_commit_id"})

#: Fields of the rows of `pull_requests`. lakeFS leaves the description and the merge commit out of listings.
PULL_REQUESTS: Final = Columns(
    "pull requests",
    {
        "id": OBJECT,
        "title": OBJECT,
        "status": OBJECT,
        "author": OBJECT,
        "source_branch_id": OBJECT,
        "destination_branch_id": OBJECT,
        "creation_date": TIME,
        "closed_date": TIME,
    },
)


class PullRequestFields(RecordHandle[models.PullRequest]):
    """The fields of a pull request."""

    @property
    def title(self) -> str:
        """Title."""
        return self._record().title

    @property
    def description(self) -> str:
        """Description; "" if it has none. A listing does not return it: it is looked up."""
        return self._record("description").description or ""

    @property
    def status(self) -> Literal["open", "closed", "merged"]:
        """Status when it was looked up last: `open`, `closed` or `merged`."""
        return cast('Literal["open", "closed", "merged"]', self._record().status)

    @property
    def author(self) -> str:
        """User who created it."""
        return self._record().author

    @property
    def source_branch_id(self) -> str:
        """Branch to merge."""
        return self._record().source_branch

    @property
    def destination_branch_id(self) -> str:
        """Branch to merge into."""
        return self._record().destination_branch

    @property
    def creation_date(self) -> datetime:
        """Time of its creation: an aware datetime in UTC."""
        return arguments.from_rfc3339(self._record().creation_date)

    @property
    def closed_date(self) -> datetime | None:
        """Time when it was closed or merged: an aware datetime in UTC. None while it is open."""
        if self.status == "open":  # lakeFS keeps the date of a pull request that is opened again
            return None
        closed = self._record("closed_date").closed_date
        return None if closed is None else arguments.from_rfc3339(closed)

    @property
    def merge_commit_id(self) -> str | None:
        """ID of the merge commit. None unless it is merged. A listing does not return it: it is looked up."""
        if self.status != "merged":
            return None
        return self._record("merged_commit_id").merged_commit_id or None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that listings have, with aware datetimes."""
        return {name: getattr(self, name) for name in PULL_REQUESTS.types}

    def _apply(self, fields: Mapping[str, str]) -> Self:
        """Note fields that were changed. The server sets the closing date itself. Returns itself."""
        if self._known is not None:
            record, missing = self._known
            missing = (missing - fields.keys()) | ({"closed_date"} if "status" in fields else frozenset[str]())
            self._keep(msgspec.structs.replace(record, **fields), missing)
        return self

    def __repr__(self) -> str:
        place = repository_uri(self._repository_id)
        if self._known is None:
            return f"<PullRequest {self._id} of {place}>"
        record = self._known[0]
        branches = f"{record.source_branch!r} into {record.destination_branch!r}"
        return f"<PullRequest {self._id} {record.title!r:.60} of {place}: {branches}, {record.status}>"

    def _repr_html_(self) -> str:
        title = f"{repository_uri(self._repository_id)} {self._id}"
        if self._known is None:
            return html.describe("PullRequest", title)
        record = self._known[0]
        rows = {
            "title": record.title,
            "description": record.description or "",
            "status": record.status,
            "author": record.author,
            "source": record.source_branch,
            "destination": record.destination_branch,
            "created": f"{self.creation_date:%Y-%m-%d %H:%M:%S} UTC",
            "merge commit": record.merged_commit_id or "",
        }
        return html.describe("PullRequest", title, rows)


# -- calls -------------------------------------------------------------------------------------------------------------


def create(
    session: Session,
    at: RepositoryHandle,
    source_branch_id: object,
    destination_branch_id: object,
    title: object,
    description: object,
) -> Op[models.PullRequest]:
    """Create a pull request, and look it up."""
    return ops.create_and_get(
        session,
        at._id,
        reference_name(source_branch_id, "source_branch_id", at),
        reference_name(destination_branch_id, "destination_branch_id", at),
        arguments.text(title, "title"),
        description=arguments.text(description, "description"),
    )


def listing(
    session: Session, at: RepositoryHandle, max_amount: object, after: object, status: object
) -> Pages[models.PullRequest]:
    """List pull requests."""
    page = partial(ops.page, session, at._id, status=arguments.choice(status, "status", FILTERS))
    return Pages(page, arguments.text(after, "after"), arguments.amount(max_amount), PULL_REQUESTS)


def get(session: Session, at: PullRequestFields) -> Op[models.PullRequest]:
    """Look up a pull request."""
    return ops.get(session, at._repository_id, at._id)


class Update:
    """An update whose arguments are checked. `fields` are those to change.

    Args:
        at: The pull request.
        title: New title, or None.
        description: New description, or None.
        status: New status, or None.
    """

    def __init__(self, at: PullRequestFields, title: object, description: object, status: object) -> None:
        self._at = at
        given = {"title": title, "description": description, "status": status}
        checked = {name: arguments.optional_text(value, name) for name, value in given.items()}
        self.fields = {name: value for name, value in checked.items() if value is not None}

    def op(self, session: Session) -> Op[None]:
        """Change the pull request."""
        title, description = self.fields.get("title"), self.fields.get("description")
        status = cast("ops.Status | None", self.fields.get("status"))  # the op refuses others
        return ops.update(
            session, self._at._repository_id, self._at._id, title=title, description=description, status=status
        )


def merge(session: Session, at: PullRequestFields, require_approvals: object) -> Op[models.Commit]:
    """Merge a pull request that has enough approvals, and look up the merge commit."""
    least = arguments.integer(require_approvals, "require_approvals", least=0)
    return reviews.merge(session, at._repository_id, at._id, least)
