# Generated from lakefs_hl/aio/lifecycles.py by tools/unasync.py: change that, not this.
"""Rules that delete what is old."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakefs_hl._handles.expiry import ExpiryReport
from lakefs_hl._handles.facades import load
from lakefs_hl._handles.handle import Handle, optional_reference_name
from lakefs_hl._handles.repositories import RepositoryHandle
from lakefs_hl.spec import arguments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime


class Lifecycles(RepositoryHandle):
    """The part of a repository that is about its lifecycle."""

    __module__ = "lakefs_hl"

    def set_lifecycle(self, rules: Iterable[Mapping[str, Any]]) -> None:
        """Store lifecycle rules in place of those that are there. `apply_lifecycle` applies them, at no other time.

        They are stored in the metadata of the repository, as JSON under the key `lakefs_hl.lifecycle`.

        Args:
            rules: Dictionaries as S3 and MinIO clients have them, each with exactly the keys `id` (a unique name),
                `status` (`Enabled` or `Disabled`), `expiration` (a dictionary with the number of `days`) and `filter`
                (one with the `prefix` of objects).

        Raises:
            ValueError: A key is unknown or missing, or a value is not one that lifecycles have.
            TypeError: A value has the wrong type.
            NotFoundException: The repository does not exist.

        Examples:
            >>> repo = lakefs.repository("example")
            >>> rule = {"id": "temp", "status": "Enabled", "expiration": {"days": 7}, "filter": {"prefix": "temp/"}}
            >>> repo.set_lifecycle([rule])
            >>> repo.lifecycle() == [rule]
            True
        """
        load(__name__, "lifecycle").set_rules(self, rules)

    def lifecycle(self) -> list[dict[str, Any]]:
        """Return the lifecycle rules, as they were set; none if none were set.

        Raises:
            InvalidConfigError: What is stored is not a lifecycle.
        """
        rules: list[dict[str, Any]] = load(__name__, "lifecycle").get_rules(self)
        return rules

    def delete_lifecycle(self) -> None:
        """Delete the lifecycle rules. What they have deleted stays deleted."""
        load(__name__, "lifecycle").delete_rules(self)

    def apply_lifecycle(
        self,
        branch: str | Handle | None = None,
        dry_run: bool = False,
        now: datetime | date | str | None = None,
    ) -> ExpiryReport:
        r"""Delete the objects of a branch that have expired by the enabled lifecycle rules, by one commit.

        An object has expired when it was last modified at least the rule's days ago. All or nothing is deleted, in a
        transaction: an object that is written meanwhile is a conflict. Earlier commits keep what was deleted, until
        the server's garbage collection removes what it does not retain. Run it from a schedule: `lakefs-hl lifecycle
        run` does this.

        Args:
            branch: Branch to delete from, by name or as a handle. Defaults to the default branch.
            dry_run: Delete nothing; report what would be deleted. Uncommitted changes of the branch count as if they
                were committed.
            now: Moment that ages are counted from: an aware datetime, or a date or ISO 8601 text, which is in UTC
                unless it has an offset. Defaults to the clock of this machine.

        Returns:
            The paths of the expired objects, their number by rule, and the commit, if anything had expired.

        Raises:
            TransactionException: Nothing was deleted, because the branch has uncommitted changes
                (`TransactionStartError`), an object was written meanwhile, or a request failed.
            NotFoundException: The repository or the branch does not exist.
            InvalidConfigError: What is stored is not a lifecycle.

        Examples:
            >>> repo = lakefs.repository("example")
            >>> _ = repo.branch("main").upload(b"1", "temp/a")
            >>> _ = repo.branch("main").commit_changes("load")
            >>> rule = {"id": "temp", "status": "Enabled", "expiration": {"days": 7}, "filter": {"prefix": "temp/"}}
            >>> repo.set_lifecycle([rule])
            >>> report = repo.apply_lifecycle(now="2100-01-31")
            >>> report.planned, report.rules
            (['temp/a'], {'temp': 1})
        """
        is_dry = arguments.flag(dry_run, "dry_run")
        arguments.unix_seconds(now, "now")  # refused before anything is done
        target = optional_reference_name(branch, "branch", self)
        report: ExpiryReport = load(__name__, "lifecycle").apply(self, target, now, dry_run=is_dry)
        return report
