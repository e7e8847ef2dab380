"""Credentials of an embedded lake that is served, and those of lakeFS's S3 gateway."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lakefs_hl._handles import credentials as calls
from lakefs_hl._handles.credentials import BucketCredentials, PersistentCredentials
from lakefs_hl._handles.repositories import RepositoryHandle
from lakefs_hl.aio.client import Client
from lakefs_hl.aio.of_default import OfClient, client_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lakefs_hl.aio.listing import Listing
    from lakefs_hl.aio.repos import Repository


class CredentialsAdmin(OfClient):
    """The access keys of an embedded lake, which `lakefs-hl serve` accepts. See `lakefs_hl.admin`.

    On a served lake, they are managed with an access key without limits, such as the administrator's. The owner of a
    lake in a directory manages them in process too: the server knows of a change at once. A lakeFS server manages its
    credentials in other ways, and is sent nothing.

    Args:
        client: Client to use. Defaults to the default client at the time of each call.
    """

    __module__ = "lakefs_hl.aio"

    async def create(
        self,
        name: str | None = None,
        *,
        read_only: bool = False,
        repositories: Iterable[str | Repository] | None = None,
    ) -> PersistentCredentials:
        """Create an access key. What this returns is the only place that has its secret.

        If the response is lost, the request is repeated, which creates no second key. If there is no response at all,
        the key is removed again. A call that is interrupted may leave a key, which `list` shows.

        Args:
            name: Name, by which the key is found again, and which is the committer of what is committed with it. No
                two keys have one name. Defaults to none; then the committer is the ID.
            read_only: Whether the key may only read. Every operation that would change anything is refused.
            repositories: Repositories that the key is limited to. Every operation on another one is refused, and it
                creates none. One that does not exist yet can be named. Defaults to all.

        Returns:
            The credentials, with the secret.

        Raises:
            ConflictException: A key of this name exists.
            ForbiddenException: The client's own key is limited.
            UnsupportedOperationException: The server is a lakeFS server, or the lake is one in memory.
            AmbiguousOutcomeError: No response was received, and the key may exist. Its ID is the error's `result_id`.

        Examples:
            >>> owner = lakefs.Client("local:./lake")
            >>> keys = lakefs.admin(owner).credentials
            >>> made = await keys.create("dashboard", read_only=True, repositories=["sales"])
            >>> made.name, made.read_only, made.repositories, len(made.secret_access_key)
            ('dashboard', True, ('sales',), 40)
            >>> [key.name async for key in keys.list()]
            ['dashboard']
            >>> await keys.delete("dashboard")
        """
        client = client_of(self._given)
        creation = calls.Creation(client, name, read_only, repositories)
        return creation.record(await client._run(creation.op))

    def list(self, max_amount: int | None = None, after: str = "", prefix: str = "") -> Listing[PersistentCredentials]:
        """Iterate over the access keys by name, lazily. Those without a name are listed by their ID.

        Args:
            max_amount: Maximum number of keys. Defaults to all.
            after: List only keys after this name.
            prefix: List only keys whose name starts with this.

        Raises:
            ForbiddenException: The client's own key is limited.
            UnsupportedOperationException: The server is a lakeFS server, or the lake is one in memory.
        """
        client = client_of(self._given)
        wrap = partial(PersistentCredentials._of, client=client)
        return client._list(wrap, calls.listing, prefix, after, max_amount)

    async def get(self, id_or_name: str | PersistentCredentials) -> PersistentCredentials:
        """Look up an access key, without its secret.

        Args:
            id_or_name: Access key ID, or name.

        Raises:
            NotFoundException: There is none.
        """
        client = client_of(self._given)
        return PersistentCredentials._of(await client._run(calls.get, id_or_name), client)

    async def delete(self, id_or_name: str | PersistentCredentials) -> None:
        """Delete an access key. Its tokens and links end at once.

        Args:
            id_or_name: Access key ID, or name.

        Raises:
            NotFoundException: There is none.
            ConflictException: It is the administrator's, or the one that this client uses.
        """
        await client_of(self._given)._run(calls.delete, id_or_name)


class S3Credentials(RepositoryHandle):
    """The part of a repository that is about lakeFS's S3 gateway."""

    __module__ = "lakefs_hl.aio"

    @property
    def _client(self) -> Client:
        raise NotImplementedError  # a repository has a client

    async def s3_credentials(self) -> BucketCredentials:
        """Return what S3 clients need to use this repository as a bucket, through lakeFS's S3 gateway.

        These are the credentials of the client itself. They are not limited to this repository: lakeFS has no temporary
        credentials for a repository.

        Returns:
            The credentials: `bucket_name`, `endpoint_url`, `region_name`, `access_key_id` and `secret_access_key`. Keys
            of objects begin with the branch, as in `main/data/a.csv`.

        Raises:
            NotFoundException: The repository does not exist.
            UnsupportedOperationException: The client has no access key, or the lake is an embedded one, which has no
                gateway.
        """
        return calls.bucket_credentials(self, await self._client._run(calls.s3_access, self))
