"""The client, awaitable: the same settings, credentials and transport, another driver."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, overload

from lakefs_hl import client as blocking
from lakefs_hl import config
from lakefs_hl.aio.twins import twin
from lakefs_hl.ops import server
from lakefs_hl.spec.errors import LakeFSException, NoAuthenticationFound
from lakefs_hl.transport.aio import Aio
from lakefs_hl.transport.blocking import quiet, told

if TYPE_CHECKING:
    from lakefs_sdk.client import LakeFSClient

    from lakefs_hl.ops.effects import Op
    from lakefs_hl.ops.paging import NextPage
    from lakefs_hl.spec.models import StorageConfig

T = TypeVar("T")
W = TypeVar("W")
#: The awaitable client of the blocking default client, once somebody wanted it.
_twins: Final[dict[str, Client]] = {}


@twin(blocking.Client)
class Client:
    """A lake and the way to it, for `async` code; the arguments are those of `lakefs_hl.Client`.

    Making one sends nothing and needs no loop; it serves any number of loops.
    """

    def __init__(
        self,
        host: str | None = None,
        username: str | None = None,
        password: str | None = None,
        *,
        access_token: str | None = None,
        profile: str | None = None,
        timeout: float | None = None,
        max_concurrency: int | None = None,
        retries: int | None = None,
        verify_ssl: bool = True,
        ca_cert: str | None = None,
        proxy: str | None = None,
        committer: str | None = None,
        allowed_storage_hosts: Iterable[str] = (),
        aws_role: bool | None = None,
        token_ttl_seconds: int | None = None,
        url_presign_ttl_seconds: int | None = None,
        token_request_headers: Mapping[str, str] | None = None,
        endpoint: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        jwt_token: str | None = None,
    ) -> None:
        self._wrap(
            blocking.Client(
                host,
                username,
                password,
                access_token=access_token,
                profile=profile,
                timeout=timeout,
                max_concurrency=max_concurrency,
                retries=retries,
                verify_ssl=verify_ssl,
                ca_cert=ca_cert,
                proxy=proxy,
                committer=committer,
                allowed_storage_hosts=allowed_storage_hosts,
                aws_role=aws_role,
                token_ttl_seconds=token_ttl_seconds,
                url_presign_ttl_seconds=url_presign_ttl_seconds,
                token_request_headers=token_request_headers,
                endpoint=endpoint,
                access_key_id=access_key_id,
                secret_access_key=secret_access_key,
                jwt_token=jwt_token,
            )
        )

    def _wrap(self, client: blocking.Client) -> Self:
        """Takes everything but the driver from a blocking client."""
        self._blocking = client
        self._session = client._session
        self._role = client._role
        self._in_process = client._in_process
        self._driver = Aio(client._transport, client._session.policy.deadline)
        return self

    async def _run(self, op: Op[T]) -> T:
        __tracebackhide__ = True
        if self._role is not None:
            await self._keep_fresh()
        try:
            return await self._driver.run(op)
        except (LakeFSException, TypeError, ValueError) as exc:
            if not told(exc):
                raise
            raise exc.with_traceback(None) from quiet(exc.__cause__)

    async def _keep_fresh(self) -> None:
        """Looks for the AWS role in a thread: finding it may take seconds that the loop has not."""
        role = self._role
        if role is not None:
            if not role.known:
                await asyncio.to_thread(role.find)
            role.keep_fresh(self._session.authority)

    @overload
    def _pages(
        self, next_page: NextPage[T], after: str, max_amount: int | None, wrap: None = None
    ) -> AsyncGenerator[T, None]: ...
    @overload
    def _pages(
        self, next_page: NextPage[T], after: str, max_amount: int | None, wrap: Callable[[T], W]
    ) -> AsyncGenerator[W, None]: ...
    def _pages(
        self, next_page: NextPage[T], after: str, max_amount: int | None, wrap: Callable[[T], Any] | None = None
    ) -> AsyncGenerator[Any, None]:
        if self._role is not None:
            self._role.keep_fresh(self._session.authority)
        if wrap is None:
            return self._driver.pages(next_page, after, max_amount)
        return self._driver.pages(next_page, after, max_amount, wrap)

    @property
    def endpoint(self) -> str:
        return self._blocking.endpoint

    @property
    async def version(self) -> str:
        return await self._run(server.version(self._session))

    @property
    async def storage_config(self) -> StorageConfig:
        return await self._run(server.storage(self._session))

    async def health_check(self) -> None:
        await self._run(server.health(self._session))

    @property
    def sdk_client(self) -> LakeFSClient:
        return self._blocking.sdk_client

    def explain_auth(self) -> tuple[config.Line, ...]:
        return self._blocking.explain_auth()

    def with_options(
        self, *, timeout: float | None = None, max_concurrency: int | None = None, retries: int | None = None
    ) -> Client:
        client = self._blocking.with_options(timeout=timeout, max_concurrency=max_concurrency, retries=retries)
        return object.__new__(type(self))._wrap(client)

    async def close(self) -> None:
        await self._driver.close()
        await asyncio.to_thread(self._blocking.close)

    async def __aenter__(self) -> Self:
        """Gives the client itself; may be entered any number of times."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it; it is usable afterwards."""
        await self.close()

    def __eq__(self, other: object) -> bool:
        """The same lake, the same credentials, the same options."""
        return isinstance(other, Client) and self._blocking == other._blocking

    def __hash__(self) -> int:
        """Of the endpoint; secrets stay out of it."""
        return hash((Client, self._blocking))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the recipe: what was given explicitly, a secret too; all else is looked up where it is unpickled."""
        return of, (self._blocking,)

    def __copy__(self) -> Self:
        """Itself: nothing in it changes."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        """Itself: nothing in it changes."""
        return self

    def __repr__(self) -> str:
        """The endpoint and who asks, no secret."""
        return repr(self._blocking).replace("<Client", "<aio.Client", 1)

    def _repr_html_(self) -> str:
        return self._blocking._repr_html_()


def of(client: blocking.Client) -> Client:
    """The awaitable client of the same lake, with the same credentials and connections."""
    return object.__new__(Client)._wrap(client)


def default_client() -> Client:
    """The client of whatever was made without one: `lakefs_hl.aio.DefaultClient`, else that of `lakefs_hl`.

    Raises:
        NoAuthenticationFound: No source holds credentials, and `init()` was not called with any.
    """
    client: Client | None = sys.modules["lakefs_hl.aio"].__dict__.get("DefaultClient")
    if client is not None:
        return client
    shared = blocking.default_client()
    twin_of_shared = _twins.get("default")
    if twin_of_shared is None or twin_of_shared._blocking is not shared:
        twin_of_shared = _twins["default"] = of(shared)
    return twin_of_shared


def default_or_none() -> Client | None:
    """The default client, or None if nobody can be asked who we are."""
    try:
        return default_client()
    except NoAuthenticationFound:
        return None


def make_default(client: Client) -> Client:
    """Makes a client the default one of everything awaitable that was made without one."""
    blocking._prove(client._blocking)
    sys.modules["lakefs_hl.aio"].__dict__["DefaultClient"] = client
    return client
