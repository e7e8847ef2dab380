"""Settings of a repository: which branches are protected, how long history is kept."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import Final

from lakefs_hl.local.engine import records
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.snapshot import Snapshot, Transaction
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import NotFoundException, PreconditionFailedException
from lakefs_hl.spec.refusals import refusal

PROTECTION: Final = "protection"
GC: Final = "gc"


class Settings:
    """The settings of a lake's repositories."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def protection(self, repository: str) -> tuple[list[models.BranchProtectionRule], str]:
        """The protected patterns and their ETag; "" before any was set."""
        with self._lake.read(repository) as snapshot:
            stored = snapshot.setting(PROTECTION)
        if stored is None:
            return [], ""
        return [models.BranchProtectionRule(one) for one in records.read_patterns(stored)], _etag(stored)

    def set_protection(
        self, repository: str, rules: list[models.BranchProtectionRule], if_match: str | None = None
    ) -> None:
        """Replaces the protected patterns.

        Raises:
            PreconditionFailedException: They are not those that `if_match` names.
        """
        value = records.encode([rule.pattern for rule in rules])

        def work(transaction: Transaction) -> None:
            transaction.must_be_writable()
            if if_match is not None:
                stored = transaction.setting(PROTECTION)
                if if_match != ("" if stored is None else _etag(stored)):
                    raise PreconditionFailedException("Precondition failed")
            transaction.set_setting(PROTECTION, value)

        self._lake.effect(repository, work)

    def add_protection(self, repository: str, rule: models.BranchProtectionRule) -> None:
        """Adds one pattern to those that are there."""

        def work(transaction: Transaction) -> None:
            transaction.must_be_writable()
            known = _patterns(transaction)
            if rule.pattern not in known:
                transaction.set_setting(PROTECTION, records.encode([*known, rule.pattern]))

        self._lake.effect(repository, work)

    def remove_protection(self, repository: str, rule: models.BranchProtectionRule) -> None:
        """Removes one pattern.

        Raises:
            NotFoundException: It is not there.
        """

        def work(transaction: Transaction) -> None:
            transaction.must_be_writable()
            known = _patterns(transaction)
            if rule.pattern not in known:
                raise NotFoundException(f"rule {rule.pattern!r} not found")
            left = [pattern for pattern in known if pattern != rule.pattern]
            transaction.set_setting(PROTECTION, records.encode(left))

        self._lake.effect(repository, work)

    def gc_rules(self, repository: str) -> models.GCRules:
        """How long history is kept.

        Raises:
            NotFoundException: There are no rules.
        """
        with self._lake.read(repository) as snapshot:
            stored = snapshot.setting(GC)
        if stored is None:
            raise NotFoundException("not found")
        return models.decode(models.GCRules, stored)

    def set_gc_rules(self, repository: str, rules: models.GCRules) -> None:
        """Sets how long history is kept; rules that say nothing are none, as in lakeFS."""
        empty = not rules.default_retention_days and not rules.branches
        value = None if empty else models.encode(rules)

        def work(transaction: Transaction) -> None:
            transaction.must_be_writable()
            transaction.set_setting(GC, value)

        self._lake.effect(repository, work)

    def delete_gc_rules(self, repository: str) -> None:
        """Forgets how long history is kept."""

        def work(transaction: Transaction) -> None:
            transaction.must_be_writable()
            transaction.set_setting(GC, None)

        self._lake.effect(repository, work)


def protected(snapshot: Snapshot, branch: str) -> bool:
    """Whether a branch may be changed by merges only."""
    return any(_pattern(one).fullmatch(branch) for one in _patterns(snapshot))


def _patterns(snapshot: Snapshot) -> list[str]:
    stored = snapshot.setting(PROTECTION)
    return [] if stored is None else list(records.read_patterns(stored))


def _etag(stored: bytes) -> str:
    return sha256(stored).hexdigest()


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    """Reads a glob as lakeFS does: `*`, `?`, `[a-z]`, `[!a-z]`, `{x,y}`, and a backslash before what is meant plainly.

    Raises:
        ServerErrorException: It is none; as in lakeFS nothing can be written then until it is mended.
    """
    out, at, depth = "", 0, 0
    while at < len(glob):
        char = glob[at]
        end = glob.find("]", at + 1) if char == "[" else -1
        if char == "\\" and at + 1 < len(glob):
            at += 1
            out += re.escape(glob[at])
        elif end > at + 1:
            inside = glob[at + 1 : end].replace("\\", "\\\\")
            out += f"[{'^' + inside[1:] if inside[:1] == '!' else inside}]"
            at = end
        elif char == "{" and "}" in glob[at:]:
            out, depth = out + "(?:", depth + 1
        elif char == "}" and depth:
            out, depth = out + ")", depth - 1
        elif char == "," and depth:
            out += "|"
        else:
            out += {"*": ".*", "?": "."}.get(char) or re.escape(char)
        at += 1
    try:
        return re.compile(out, re.DOTALL)
    except re.error as error:
        raise refusal(500, f"branch protection: pattern {glob!r}: {error}; set other patterns") from None
