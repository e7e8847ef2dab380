"""The client: endpoint, credentials and options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar

from lakefs_hl._build.arguments import hidden
from lakefs_hl._build.client import ClientFields
from lakefs_hl._handles.calls import Pages, first_rows
from lakefs_hl._handles.listings import Ahead
from lakefs_hl.aio.listing import Listing
from lakefs_hl.ops import server
from lakefs_hl.spec.tracebacks import EXPLAINED, cut_traceback, is_explained
from lakefs_hl.transport.aio import Aio

if TYPE_CHECKING:
    from os import PathLike

    from lakefs_hl.ops.effects import Op
    from lakefs_hl.ops.retry import Session
    from lakefs_hl.spec.models import StorageConfig
    from lakefs_hl.types import Health, Request, Response, Retry

T = TypeVar("T")
W = TypeVar("W")
P = ParamSpec("P")


class Client(ClientFields):
    """Connection to a lakeFS server or an embedded lake.

    Options that are not given are looked up: in the environment (`LAKECTL_SERVER_ENDPOINT_URL`,
    `LAKECTL_CREDENTIALS_ACCESS_KEY_ID`, `LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY`, …), in `~/.lakectl.yaml`, and with the
    AWS role of the machine. `explain_auth()` returns the source of each. The constructor sends no request.

    Args:
        host: `https://host[:port]` of a lakeFS server, `local:PATH` for an embedded lake in a directory, `mem://` for
            one in memory.
        username: Access key ID.
        password: Secret access key.
        access_token: Token to use instead of a key pair.
        profile: Read `~/.lakectl.<profile>.yaml`, before the environment.
        timeout: Read timeout in seconds. Defaults to a value per operation.
        connect_timeout: Connect timeout in seconds. Defaults to 5.
        deadline: Time limit of a whole call including its retries, in seconds. Defaults to a value per operation.
        max_concurrency: Maximum number of concurrent requests.
        retries: Maximum retries of a failed request, where retrying is safe. 0 disables retries. A
            `lakefs_hl.types.Retry` also sets the backoff.
        verify_ssl: Whether to verify TLS certificates. False accepts any certificate, and warns.
        ca_cert: File or directory of trusted certificate authorities.
        proxy: Proxy URL, `http://host:port`. "" disables proxies, including those of the environment.
        committer: Committer name on an embedded lake in process. A server takes it from the credentials.
        create: Whether `local:PATH` creates a lake if there is none. False makes a missing lake an error.
        allowed_storage_hosts: Hosts that a pre-signed URL may name although they have private addresses.
        pickle_secrets: Whether a pickled client includes the secret, the token, the login of a proxy and the
            `token_request_headers` that it was given. By default they are left out: where the client is unpickled,
            the credentials of that process are used if its own configuration names the same endpoint, else the first
            call raises.
        aws_role: True logs in with the AWS role of the machine. It needs `pip install 'lakefs-hl[aws]'`. False never
            does, although a role is configured or would be the last resort.
        token_ttl_seconds: Lifetime of a token that an AWS role gets, in seconds.
        url_presign_ttl_seconds: Lifetime of the signed identity, in seconds.
        token_request_headers: Additional headers to sign into the identity.
        transport: Function that answers requests in place of a server, for tests. It takes a `lakefs_hl.types.Request`
            and returns a `lakefs_hl.types.Response`. No credentials are needed. The client cannot be pickled.
        endpoint: Same as `host`.
        access_key_id: Same as `username`.
        secret_access_key: Same as `password`.
        jwt_token: Same as `access_token`.

    Raises:
        NoAuthenticationFound: No source has credentials.
        InvalidConfigError: A source has an invalid value.
        LakeError: The embedded lake cannot be opened, or does not exist and `create` is False.

    Examples:
        >>> from lakefs_hl import aio as lakefs
        >>> client = lakefs.Client("mem://")
        >>> repository = await lakefs.repository("example", client=client).create()
    """

    __module__ = "lakefs_hl.aio"
    _Driver = Aio

    def __init__(
        self,
        host: str | None = None,
        username: str | None = None,
        password: str | None = None,
        *,
        access_token: str | None = None,
        profile: str | None = None,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        deadline: float | None = None,
        max_concurrency: int | None = None,
        retries: int | Retry | None = None,
        verify_ssl: bool = True,
        ca_cert: str | PathLike[str] | None = None,
        proxy: str | None = None,
        committer: str | None = None,
        create: bool = True,
        allowed_storage_hosts: Iterable[str] = (),
        pickle_secrets: bool = False,
        aws_role: bool | None = None,
        token_ttl_seconds: int | None = None,
        url_presign_ttl_seconds: int | None = None,
        token_request_headers: Mapping[str, str] | None = None,
        transport: Callable[[Request], Response] | None = None,
        endpoint: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        jwt_token: str | None = None,
    ) -> None:
        host, endpoint, proxy, password, secret_access_key, access_token, jwt_token, token_request_headers = hidden(
            host, endpoint, proxy, password, secret_access_key, access_token, jwt_token, token_request_headers
        )
        given = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        try:
            self._make(given)
        except (*EXPLAINED, Warning) as exc:
            cut_traceback(exc, keep_cause=False)
            raise

    async def _run(self, call: Callable[Concatenate[Session, P], Op[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            result: T = await self._driver.run(call(self._session, *args, **kwargs))
        except EXPLAINED as exc:
            if is_explained(exc):
                cut_traceback(exc)
            raise
        return result

    def _list(
        self,
        wrap: Callable[[T], W],
        call: Callable[Concatenate[Session, P], Pages[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Listing[W]:
        pages = call(self._session, *args, **kwargs)
        first = partial(first_rows, self._blocking, pages, wrap) if self._in_process else None
        ahead = Ahead[W]()
        source = self._driver.pages(pages.next_page, pages.after, pages.amount, wrap, ahead.fail)
        return Listing(source, ahead, pages.columns, first)

    @property
    async def version(self) -> str:
        """Version of the server."""
        return await self._run(server.version)

    @property
    async def storage_config(self) -> StorageConfig:
        """Capabilities of the server's object store, as lakeFS reports them. Requested once per client."""
        return await self._run(server.storage)

    async def health_check(self) -> Health:
        """Check that the server is reachable and healthy, and that it accepts the credentials.

        Returns:
            The server's report. Credentials that the server refuses are part of it, not an error.

        Raises:
            TransportException: The server cannot be reached, or is not a lakeFS server.
        """
        return await self._run(server.health)

    def with_options(
        self,
        *,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        deadline: float | None = None,
        max_concurrency: int | None = None,
        retries: int | Retry | None = None,
    ) -> Client:
        """Return a copy with other options, for the same lake with the same credentials. None leaves one unchanged.

        Args:
            timeout: Read timeout in seconds.
            connect_timeout: Connect timeout in seconds.
            deadline: Time limit of a whole call including its retries, in seconds.
            max_concurrency: Maximum number of concurrent requests.
            retries: Maximum retries of a failed request, where retrying is safe. 0 disables retries. A
                `lakefs_hl.types.Retry` also sets the backoff.

        Raises:
            TypeError: A value is not a number.
            InvalidConfigError: A number is out of range.
        """
        return self._with(
            {
                "timeout": timeout,
                "connect_timeout": connect_timeout,
                "deadline": deadline,
                "max_concurrency": max_concurrency,
                "retries": retries,
            }
        )

    async def close(self) -> None:
        """Close connections and threads, including those of copies. The client can be used again afterwards."""
        if self._is_open:
            await self._driver.call(self._close_here)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
