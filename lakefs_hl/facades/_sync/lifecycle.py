# Generated from lakefs_hl/facades/aio/lifecycle.py by tools/unasync.py: change that, not this.
"""Lifecycles: rules in the metadata of a repository, which delete what is old when they are applied."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import lakefs_hl as lakefs
from lakefs_hl.exceptions import InvalidConfigError
from lakefs_hl.facades.rules import Rules, read_rules

if TYPE_CHECKING:
    from datetime import date

    from lakefs_hl.facades.rules import Rule

#: Key of the repository's metadata.
KEY: Final = "lakefs_hl.lifecycle"
#: How often the merge of a lifecycle is tried again that lost a race.
RETRIES: Final = 3


def set_rules(repository: lakefs.Repository, rules: Rules) -> None:
    """Store rules in place of those that are there."""
    found = [rule.to_dict() for rule in read_rules(rules)]
    repository.set_metadata({KEY: json.dumps(found)})


def get_rules(repository: lakefs.Repository) -> list[dict[str, Any]]:
    """Return the rules; none if none are stored."""
    return [rule.to_dict() for rule in _read(repository)]


def delete_rules(repository: lakefs.Repository) -> None:
    """Delete the rules. What they have deleted stays deleted."""
    repository.delete_metadata(KEY)


def _read(repository: lakefs.Repository) -> list[Rule]:
    stored = repository.metadata().get(KEY)
    if stored is None:
        return []
    try:
        return read_rules(json.loads(stored))
    except (TypeError, ValueError) as exc:
        msg = f"the lifecycle of {repository.uri}, in its metadata {KEY!r}, cannot be read: {exc}; set it again"
        raise InvalidConfigError(msg) from exc


def apply(
    repository: lakefs.Repository,
    branch: str | None,
    now: datetime | date | str | None,
    *,
    dry_run: bool,
) -> lakefs.ExpiryReport:
    """Delete what has expired, by one commit."""
    rules = [rule for rule in _read(repository) if rule.is_enabled]
    target = repository.branch(repository.properties.default_branch if branch is None else branch)
    moment = datetime.now(UTC) if now is None else now
    if dry_run:
        return _plan(target, rules, moment)
    if not rules:
        return lakefs.ExpiryReport([])
    planned, counts = list[str](), dict[str, int]()
    message = f"Apply lifecycle: {', '.join(rule.id for rule in rules)}"
    with target.transaction(message, delete_on_error=True, retries=RETRIES) as tx:
        for rule in rules:
            report = tx.expire(rule.prefix, rule.age, now=moment)
            planned += report.planned
            counts[rule.id] = report.requested
    return lakefs.ExpiryReport(planned, (), tx.merge_commit_id, counts)


def _plan(target: lakefs.Branch, rules: list[Rule], moment: datetime | date | str) -> lakefs.ExpiryReport:
    """Return what the rules would delete. An object counts for the first rule that it falls under."""
    planned, counts = dict[str, None](), dict[str, int]()
    for rule in rules:
        before = len(planned)
        report = target.expire(rule.prefix, rule.age, dry_run=True, now=moment)
        planned.update(dict.fromkeys(report.planned))
        counts[rule.id] = len(planned) - before
    return lakefs.ExpiryReport(list(planned), (), None, counts, dry_run=True)
