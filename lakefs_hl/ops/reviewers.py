"""Reviewers: a key of the repository's metadata for each, so that two who add at the same time lose nothing."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote

from lakefs_hl.ops import repositories
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import errors
from lakefs_hl.spec.uri import repository_uri

#: What the keys begin with. The ID of the reviewer follows, percent-encoded.
KEY: Final = "lakefs_hl.reviewer."
#: Characters of IDs, besides letters, digits and `_.-~`, that are not encoded: those of e-mail addresses.
_PLAIN: Final = "@+"


def key_of(reviewer: str) -> str:
    """Return the key of a reviewer."""
    return KEY + quote(reviewer, safe=_PLAIN)


def _keys(metadata: dict[str, str]) -> dict[str, list[str]]:
    """Return the keys of each reviewer. Others may have written a key in another encoding."""
    found = dict[str, list[str]]()
    for key in sorted(metadata):
        if key.startswith(KEY) and (reviewer := unquote(key.removeprefix(KEY))):
            found.setdefault(reviewer, []).append(key)
    return found


def names(session: Session, repository: str) -> Op[list[str]]:
    """Return the IDs of the reviewers, in order."""
    return sorted(_keys((yield from repositories.metadata(session, repository))))


def add(session: Session, repository: str, reviewer: str) -> Op[None]:
    """Add a reviewer. One that exists is left as it is."""
    yield from repositories.set_metadata(session, repository, {key_of(reviewer): reviewer})


def remove(session: Session, repository: str, reviewer: str) -> Op[None]:
    """Remove a reviewer.

    Raises:
        NotFoundException: There is no such reviewer.
    """
    known = _keys((yield from repositories.metadata(session, repository)))
    if reviewer not in known:
        there = f"the reviewers are {', '.join(map(repr, sorted(known)))}" if known else "there are no reviewers"
        msg = f"removing reviewer {reviewer!r} of {repository_uri(repository)}: no reviewer has this ID; {there}"
        raise errors.NotFoundException(msg)
    yield from repositories.delete_metadata(session, repository, known[reviewer])
