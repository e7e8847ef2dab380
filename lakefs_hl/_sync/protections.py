# Generated from lakefs_hl/aio/protections.py by tools/unasync.py: change that, not this.
"""What protects the data of a repository: versions, and branches that only merges can change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakefs_hl._handles import protections as calls
from lakefs_hl._handles.repositories import RepositoryHandle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakefs_hl._handles.handle import Handle
    from lakefs_hl._sync.client import Client


class Protections(RepositoryHandle):
    """The part of a repository that is about branch protection and versioning."""

    __module__ = "lakefs_hl"

    @property
    def _client(self) -> Client:
        raise NotImplementedError  # a repository has a client

    @property
    def versioning(self) -> bool:
        """True: lakeFS keeps every version that is committed, and this cannot be changed. Sends no request."""
        return True

    @versioning.setter
    def versioning(self, enabled: bool) -> None:
        calls.refuse_versioning(self.uri, enabled)

    def protect(self, pattern: str | Handle) -> None:
        """Protect branches: only merges can change them, and writes and commits are refused.

        A rule that exists already is left as it is. Rules that others add at the same time are kept. A lakeFS server
        may take a second to apply a new rule. A pattern that the branches of transactions match too, such as `*`,
        leaves no way to change a branch: transactions write to a branch whose name begins with `tx-`.

        Args:
            pattern: A branch, or a pattern of branch names: `*` matches any characters, `?` one, `[a-z]` one of a set,
                and `{dev,test-*}` one of several patterns. A backslash takes a character literally.

        Raises:
            NotFoundException: The repository does not exist.
            ForbiddenException: The repository is read-only, or the credentials lack the permission.
            UnsupportedOperationException: It is a bucket policy of S3.
            ValueError: The pattern is empty, or a bracket is missing.

        Examples:
            >>> repo = lakefs.repository("example")
            >>> repo.protect("release-*")
            >>> repo.protections()
            ['release-*']
            >>> repo.unprotect("release-*")
        """
        self._client._run(calls.protect, self, pattern)

    def protections(self) -> list[str]:
        """Return the patterns of protected branches, in order."""
        return self._client._run(calls.protections, self)

    def unprotect(self, pattern: str | Handle) -> None:
        """Remove the protection of a pattern. Other rules may still protect the same branches.

        Args:
            pattern: A pattern as `protections` returns it.

        Raises:
            NotFoundException: No rule has this pattern, or the repository does not exist.
        """
        self._client._run(calls.unprotect, self, pattern)

    def set_public_access(self, public_access: bool) -> None:
        """Refuse access without credentials, which lakeFS does not have. Sends no request.

        Args:
            public_access: True raises. False does nothing, because no repository is public.

        Raises:
            UnsupportedOperationException: `public_access` is True. The message names what is nearest: links by
                `presign` of a reference.

        Examples:
            >>> repo = lakefs.repository("example")
            >>> repo.set_public_access(False)
        """
        calls.check_public_access(self.uri, public_access)

    def set_policy(self, policy: str | Mapping[str, object]) -> None:
        """Raise `UnsupportedOperationException`: lakeFS has no bucket policies. See `protect`, and links of objects.

        Args:
            policy: A bucket policy of S3.

        Raises:
            UnsupportedOperationException: Always. The message names what is nearest.
        """
        raise calls.policy_error(self.uri, policy)

    def policy(self) -> str:
        """Raise `UnsupportedOperationException`, as `set_policy` does. `protections` returns what is protected.

        Raises:
            UnsupportedOperationException: Always. The message names what is nearest.
        """
        raise calls.policy_error(self.uri)

    def delete_policy(self) -> None:
        """Raise `UnsupportedOperationException`, as `set_policy` does. `unprotect` removes a protection.

        Raises:
            UnsupportedOperationException: Always. The message names what is nearest.
        """
        raise calls.policy_error(self.uri)
