"""Reviews of pull requests: their fields, and the calls that make and list them."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any, Final, NamedTuple

from lakefs_hl._handles.listings import OBJECT, TIME, Columns, Rows
from lakefs_hl._handles.pull_requests import PullRequestFields
from lakefs_hl._handles.records import public
from lakefs_hl.ops import reviews as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments

#: Fields of reviews.
_REVIEWS: Final = Columns(
    "reviews",
    {"by": OBJECT, "approved": "bool", "notes": OBJECT, "at": TIME, "source_commit": OBJECT, "outdated": "bool"},
)


class Review(NamedTuple):
    """A review of a pull request, as `PullRequest.reviews` returns it.

    Attributes:
        by: User who made it: the user of the credentials; of an embedded lake in process, the committer.
        approved: Whether it approves. A review that does not approve rejects.
        notes: What the reviewer said.
        at: Time of the review by the clock of the reviewer's machine: an aware datetime in UTC, in whole seconds.
        source_commit: ID of the last commit of the source branch at that time, which is what was reviewed.
        outdated: Whether the source branch had another last commit when the reviews were looked up, or was deleted. Of
            a merged pull request: whether another commit was merged.
    """

    by: str
    approved: bool
    notes: str
    at: datetime
    source_commit: str
    outdated: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return self._asdict()

    @classmethod
    def _of(cls, note: ops.Note, source: str) -> Review:
        at = arguments.from_unix_seconds(int(note.at))
        return cls(note.by, note.approved, note.notes, at, note.source_commit, note.source_commit != source)


public(Review)


def add(session: Session, at: PullRequestFields, approved: bool, notes: object) -> Op[ops.Note]:
    """Record a review.

    Raises:
        ValueError: The notes are too long.
    """
    text = arguments.text(notes, "notes")
    size = len(text.encode())
    if size > ops.MAX_NOTES:
        msg = (
            f"notes must have at most {ops.MAX_NOTES:,} bytes in UTF-8, not {size:,}: they are kept in the metadata of "
            "the repository; upload a longer text to the source branch, and name its path"
        )
        raise ValueError(msg)
    return ops.add(session, at._repository_id, at._id, approved=approved, notes=text, random=secrets.token_hex(4))


def read(session: Session, at: PullRequestFields) -> Op[ops.Found]:
    """Read the reviews."""
    return ops.read(session, at._repository_id, at._id)


def reviews_of(found: ops.Found) -> list[Review]:
    """Return the reviews, oldest first."""
    return Rows((Review._of(note, found.source) for note in found.reviews), _REVIEWS)
