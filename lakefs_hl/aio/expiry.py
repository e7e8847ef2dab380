"""Objects that expire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakefs_hl._handles import expiry as calls
from lakefs_hl._handles.expiry import ExpiryReport
from lakefs_hl.aio.prefixes import PrefixReads

if TYPE_CHECKING:
    from datetime import date, datetime, timedelta

    from lakefs_hl._handles.objects import Prefix
    from lakefs_hl.aio.transactions import BranchTransaction


class ExpiryWrites(PrefixReads):
    """The part of the write operations that deletes what is old."""

    __module__ = "lakefs_hl.aio"

    def _transaction(self, message: str) -> BranchTransaction | None:
        return None  # a branch has them

    async def expire(
        self,
        prefix: Prefix,
        older_than: timedelta,
        *,
        suffix: str | None = None,
        dry_run: bool = False,
        commit_message: str | None = None,
        now: datetime | date | str | None = None,
    ) -> ExpiryReport:
        r"""Delete the objects of a prefix that were last modified long ago, 1,000 per request.

        They are deleted from this branch. Earlier commits keep them, until the server's garbage collection removes what
        it does not retain. An object that is written while the call runs may be deleted; with `commit_message` that is
        a conflict, and nothing is deleted.

        Args:
            prefix: Consider only objects with this prefix. "" is the whole branch.
            older_than: Minimum time since an object was last modified.
            suffix: Consider only objects whose path ends with this, such as `.log`.
            dry_run: Delete nothing; report what would be deleted.
            commit_message: Delete all of them by one commit, in a transaction. The branch must have no uncommitted
                changes. Defaults to leaving the deletions staged.
            now: Moment that ages are counted from: an aware datetime, or a date or ISO 8601 text, which is in UTC
                unless it has an offset. Defaults to the clock of this machine.

        Returns:
            The paths of the expired objects, and the commit, if there is one.

        Raises:
            PartialFailureError: Some objects were not deleted; they are in its `report`.
            TransactionException: With `commit_message`: nothing was deleted.
            NotFoundException: The branch or the repository does not exist.
            ValueError: `commit_message` was given in a transaction, or `older_than` is negative.

        Examples:
            >>> from datetime import timedelta
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = await branch.upload(b"1", "temp/a")
            >>> (await branch.expire("temp/", timedelta(days=7))).planned
            []
            >>> (await branch.expire("temp/", timedelta(days=7), now="2100-01-31", dry_run=True)).planned
            ['temp/a']
        """
        call = calls.Expiry(self, prefix, older_than, suffix, dry_run, commit_message, now)
        if call.message is None:
            await self._client._run(call.run, self)
            return call.report()
        transaction = self._transaction(call.message)
        if transaction is None:
            raise call.no_commit_error(self)
        async with transaction as tx:
            await tx._client._run(call.run, tx)
        return call.report(tx.merge_commit_id)
