"""Garbage collection rules: their record, and the calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lakefs_hl._handles.records import public
from lakefs_hl._handles.repositories import RepositoryHandle
from lakefs_hl.ops import gc_rules as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments, models

#: Days, at most: what a 32-bit integer holds.
_MOST_DAYS: Final = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class GCRules:
    """For how many days lakeFS keeps what branches no longer have.

    Attributes:
        default_days: Days for every branch that has no rule of its own.
        branches: Days by branch.
    """

    default_days: int
    branches: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {"default_days": self.default_days, "branches": dict(self.branches)}

    @classmethod
    def _of(cls, record: models.GCRules | None) -> GCRules | None:
        if record is None:
            return None
        branches = {rule.branch_id: rule.retention_days for rule in record.branches or ()}
        return cls(record.default_retention_days, branches)


public(GCRules)


def place(repository: object, given: Any) -> tuple[str, Any]:
    """Return the name of a repository, and the client for it: the one that was given, else that of a handle.

    Raises:
        TypeError: It is neither a name nor a repository.
        ValueError: It is a repository of another lake or scope.
    """
    if not isinstance(repository, RepositoryHandle):
        return arguments.repository_name(repository, "repository"), given
    theirs = repository._given
    if given is None or theirs is None or given._place == theirs._place:
        return repository._id, theirs if given is None else given
    msg = f"repository: {repository!r} is on {theirs._place}, and this call is made on {given._place}"
    raise ValueError(msg)


def get(session: Session, repository: str) -> Op[models.GCRules | None]:
    """Read the rules."""
    return ops.get(session, repository)


def replace(session: Session, repository: str, default_days: object, branches: object) -> Op[None]:
    """Replace the rules."""
    days = _days(default_days, "default_days")
    return ops.replace(session, repository, days, {} if branches is None else _branches(branches, repository))


def delete(session: Session, repository: str) -> Op[None]:
    """Delete the rules."""
    return ops.delete(session, repository)


def _branches(value: object, repository: str) -> dict[str, int]:
    if not isinstance(value, Mapping):
        msg = f"branches must be a dictionary of days by branch, not {type(value).__name__}"
        raise TypeError(msg)
    return {
        arguments.in_repository(branch, "branches", repository): _days(days, f"branches[{branch!r}]")
        for branch, days in value.items()
    }


def _days(value: object, argument: str) -> int:
    days = arguments.integer(value, argument, least=1)
    if days > _MOST_DAYS:
        msg = f"{argument} must be at most {_MOST_DAYS} days, not {days}"
        raise ValueError(msg)
    return days
