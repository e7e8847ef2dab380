"""Tokens for Dask: two tasks with equal functions and arguments are one task, so a token must tell versions apart.

A token is made of names and the ID of a commit. Where staged changes are read, which no ID names, it is unique: a task
is then run once too often rather than with the result of other data.
"""

from __future__ import annotations

import re
from typing import Any, Final
from uuid import uuid4

import lakefs_hl
from lakefs_hl import aio, exceptions

_COMMIT_ID: Final = re.compile(r"[0-9a-f]{64}")
_EXPRESSION: Final = frozenset("~^@")


def token(reference: Any) -> tuple[str, ...]:
    """Return the token of a blocking reference. That of a commit needs no request.

    Raises:
        NotFoundException: The repository or the reference does not exist.
    """
    if _is_commit(reference):
        return (*_name(reference), reference.id)
    if isinstance(reference, lakefs_hl.BranchTransaction | lakefs_hl.TransactionHandle) or _is_changed(reference):
        return (*_name(reference), uuid4().hex)
    return (*_name(reference), reference.get_commit().id)


def token_without_request(reference: Any) -> tuple[str, ...]:
    """Return the token of an awaitable reference: unique, unless it is a commit."""
    return (*_name(reference), reference.id if _is_commit(reference) else uuid4().hex)


def _name(reference: Any) -> tuple[str, ...]:
    """Return what names the repository of a reference in every process, and what calls the reference has."""
    kind = "Commit" if _is_commit(reference) else type(reference).__name__
    colour = "aio" if isinstance(reference, aio.ReadIOBase) else "blocking"
    return ("lakefs_hl", colour, kind, reference._client._place, reference.repository_id)


def _is_commit(reference: Any) -> bool:
    """Return whether a reference is named by the ID of a commit. Branches and tags may have such names too."""
    movable = (lakefs_hl.WriteIOBase, aio.WriteIOBase, lakefs_hl.Tag, aio.Tag)
    return not isinstance(reference, movable) and _COMMIT_ID.fullmatch(reference.id) is not None


def _is_changed(reference: Any) -> bool:
    """Return whether a reference is a branch with staged changes, which reads of it include."""
    if isinstance(reference, lakefs_hl.Tag) or _EXPRESSION & set(reference.id):
        return False
    branch = lakefs_hl.Branch(reference.repository_id, reference.id, reference._client)
    try:
        return any(True for _ in branch.list_uncommitted(max_amount=1))
    except exceptions.NotFoundException:  # a tag; or nothing, as the look-up of its commit will say
        return False
