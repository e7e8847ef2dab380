"""Reviewers: arguments and calls."""

from __future__ import annotations

from typing import Final

from lakefs_hl._handles.repositories import RepositoryHandle
from lakefs_hl.ops import reviewers as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments

#: Longest ID of a reviewer, in characters.
LONGEST: Final = 255


def reviewers(session: Session, at: RepositoryHandle) -> Op[list[str]]:
    """List the reviewers."""
    return ops.names(session, at._id)


def add(session: Session, at: RepositoryHandle, reviewer_id: object) -> Op[None]:
    """Add a reviewer."""
    return ops.add(session, at._id, _reviewer(reviewer_id))


def remove(session: Session, at: RepositoryHandle, reviewer_id: object) -> Op[None]:
    """Remove a reviewer."""
    return ops.remove(session, at._id, _reviewer(reviewer_id))


def _reviewer(value: object) -> str:
    """Return the ID of a reviewer.

    Raises:
        TypeError: It is not a string.
        ValueError: It is empty or too long, begins or ends with a space, or has a control character.
    """
    found = arguments.name(value, "reviewer_id")
    if not found.isprintable() or found != found.strip():
        msg = (
            f"reviewer_id must be the ID of a user, such as 'ada' or 'ada@example.com', without control characters and "
            f"without spaces at its ends, not {found!r:.80}"
        )
        raise ValueError(msg)
    if len(found) > LONGEST:
        msg = f"reviewer_id must be at most {LONGEST} characters long, not {len(found)}: {found!r:.80}"
        raise ValueError(msg)
    return found
