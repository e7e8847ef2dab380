"""Administration of a lake: credentials, and garbage collection rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakefs_hl._handles.gc_rules import place
from lakefs_hl.aio.credentials import CredentialsAdmin
from lakefs_hl.aio.gc_rules import GCRulesAdmin
from lakefs_hl.aio.of_default import OfClient, client_of

if TYPE_CHECKING:
    from lakefs_hl.aio.repos import Repository


class Admin(OfClient):
    """Administration of a lake.

    Args:
        client: Client to use. Defaults to the default client at the time of each call.
    """

    __module__ = "lakefs_hl.aio"

    @property
    def credentials(self) -> CredentialsAdmin:
        """Access keys of an embedded lake. Sends no request itself."""
        return CredentialsAdmin(self._given)

    @property
    def policies(self) -> Any:
        """The generated SDK's calls on users, groups and policies, such as `list_policies()`. They block.

        They are for a lakeFS server with access control. An embedded lake has none of them: there, `credentials` limits
        what an access key may do.

        Raises:
            UnsupportedOperationException: The lake is in process.
        """
        return client_of(self._given).sdk_client.auth_api

    def gc_rules(self, repository: str | Repository) -> GCRulesAdmin:
        """Return the garbage collection rules of a repository. Sends no request itself.

        Args:
            repository: Name of the repository, its URI, or a handle.
        """
        return GCRulesAdmin(*place(repository, self._given))
