"""Garbage collection rules of a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakefs_hl._handles import gc_rules as calls
from lakefs_hl._handles.gc_rules import GCRules
from lakefs_hl.aio.of_default import OfClient, client_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakefs_hl.aio.client import Client


class GCRulesAdmin(OfClient):
    """The garbage collection rules of a repository, as `Admin.gc_rules` returns them.

    lakeFS's garbage collection, which its administrators run, removes data that branches have not had for longer than
    the rules say. An embedded lake stores the rules and keeps all history.
    """

    __module__ = "lakefs_hl.aio"

    def __init__(self, repository_id: str, client: Client | None = None) -> None:
        self._repository_id = repository_id
        super().__init__(client)

    @property
    def repository_id(self) -> str:
        """Name of the repository."""
        return self._repository_id

    async def get(self) -> GCRules | None:
        """Return the rules. None if there are none, and lakeFS's garbage collection removes nothing.

        Raises:
            NotFoundException: The repository does not exist.
        """
        return GCRules._of(await client_of(self._given)._run(calls.get, self._repository_id))

    async def set(self, default_days: int, branches: Mapping[str, int] | None = None) -> None:
        """Replace the rules.

        Args:
            default_days: Days for which the history of a branch is kept, at least 1.
            branches: Days by branch, for those that differ. Defaults to none.

        Raises:
            NotFoundException: The repository does not exist.
            ForbiddenException: The credentials lack the permission, or the repository is read-only.

        Examples:
            >>> _ = await lakefs.repository("example").get_or_create()
            >>> rules = lakefs.admin().gc_rules("example")
            >>> await rules.set(21, {"main": 90})
            >>> await rules.get()
            GCRules(default_days=21, branches={'main': 90})
            >>> await rules.delete()
        """
        await client_of(self._given)._run(calls.replace, self._repository_id, default_days, branches)

    async def delete(self) -> None:
        """Delete the rules. A repository without any is left as it is.

        Raises:
            NotFoundException: The repository does not exist.
        """
        await client_of(self._given)._run(calls.delete, self._repository_id)

    def __repr__(self) -> str:
        return f"<GCRulesAdmin of lakefs://{self._repository_id}>"
