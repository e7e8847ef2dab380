"""The client, awaitable: the same settings, credentials and transport, another driver."""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, overload
from weakref import WeakValueDictionary

from lakefs_hl import arguments, config
from lakefs_hl import client as blocking
from lakefs_hl.aio.twins import twin
from lakefs_hl.building import hidden, options_of
from lakefs_hl.ops import server
from lakefs_hl.spec.errors import LakeFSException
from lakefs_hl.transport.aio import Aio, start
from lakefs_hl.transport.blocking import bare, quiet, told
from lakefs_hl.transport.forks import watch

if TYPE_CHECKING:
    from os import PathLike

    from lakefs_sdk.client import LakeFSClient

    from lakefs_hl.ops.effects import Op
    from lakefs_hl.ops.paging import NextPage
    from lakefs_hl.spec.models import StorageConfig
    from lakefs_hl.types import Health

T = TypeVar("T")
W = TypeVar("W")
#: What a client of an unpickled one has only once it is used.
_ADOPTED: Final = frozenset({"_session", "_role", "_in_process", "_driver"})
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
        connect_timeout: float | None = None,
        deadline: float | None = None,
        max_concurrency: int | None = None,
        retries: int | None = None,
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
        endpoint: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        jwt_token: str | None = None,
    ) -> None:
        host, endpoint, proxy, password, secret_access_key, access_token, jwt_token, token_request_headers = hidden(
            host, endpoint, proxy, password, secret_access_key, access_token, jwt_token, token_request_headers
        )
        given = {name: value for name, value in locals().items() if name != "self"}
        self._wrap(blocking.Client(**given))

    def _wrap(self, client: blocking.Client) -> Self:
        """Takes everything but the driver from a blocking client, once that is settled."""
        self._blocking = client
        self._family: WeakValueDictionary[int, Client] = WeakValueDictionary()
        self._after_fork()
        watch(self)
        if client._is_open:
            self._adopt()
        return self

    def _after_fork(self) -> None:
        """A child process does not wait for what a thread of the parent held."""
        self._lock = threading.Lock()

    def _adopt(self) -> None:
        client = self._blocking
        self._session = client._session
        self._role = client._role
        self._in_process = client._in_process
        self._driver = Aio(client._transport, client._session.policy.deadline)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Makes what was put off until the client is used; called for names that it does not have yet."""
            if name not in _ADOPTED:
                msg = f"{type(self).__name__!r} object has no attribute {name!r}"
                raise AttributeError(msg, name=name, obj=self)
            try:
                with self._lock:
                    if name not in self.__dict__:
                        self._adopt()
            except (LakeFSException, Warning, TypeError, ValueError) as exc:
                raise bare(exc) from None
            return self.__dict__[name]

    async def _run(self, op: Op[T]) -> T:
        __tracebackhide__ = True
        if self._role is not None:
            await self._keep_fresh()
        try:
            return await self._driver.run(op)
        except (LakeFSException, TypeError, ValueError) as exc:
            if not told(exc):
                raise
            raise bare(exc) from quiet(exc.__cause__)

    async def _keep_fresh(self) -> None:
        """Looks for the AWS role in a thread: finding it may take seconds that the loop has not."""
        role = self._role
        if role is not None:
            if not role.known:
                await start(role.find)
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

    async def health_check(self) -> Health:
        return await self._run(server.health(self._session))

    @property
    def sdk_client(self) -> LakeFSClient:
        return self._blocking.sdk_client

    def explain_auth(self) -> tuple[config.Line, ...]:
        return self._blocking.explain_auth()

    def with_options(
        self,
        *,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        deadline: float | None = None,
        max_concurrency: int | None = None,
        retries: int | None = None,
    ) -> Client:
        return self._with(
            options_of(
                timeout=timeout,
                connect_timeout=connect_timeout,
                deadline=deadline,
                max_concurrency=max_concurrency,
                retries=retries,
            )
        )

    def _with(self, options: Mapping[str, Any]) -> Client:
        copy = object.__new__(type(self))._wrap(self._blocking._with(options))
        copy._family = self._family
        self._family[id(copy)] = copy
        return copy

    async def close(self) -> None:
        if "_driver" in self.__dict__:
            await self._driver.close()
        for copy in list(self._family.values()):
            if "_driver" in copy.__dict__:
                copy._driver.end_workers()
        await start(self._blocking.close)

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
        """Pickles the arguments, without secrets unless `pickle_secrets`; all else is looked up where it is used."""
        return of, (self._blocking,)

    def __copy__(self) -> Self:
        """Itself: nothing in it changes."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        """Itself: nothing in it changes."""
        return self

    def __repr__(self) -> str:
        """The endpoint and who asks, no secret."""
        client = self.__dict__.get("_blocking")  # missing while the client is made
        return "<aio.Client>" if client is None else repr(client).replace("<Client", "<aio.Client", 1)

    def _repr_html_(self) -> str:
        return self._blocking._repr_html_()


def of(client: blocking.Client) -> Client:
    """The awaitable client of the same lake, with the same credentials and connections."""
    return object.__new__(Client)._wrap(client)


def client_of(given: Client | None) -> Client:
    """The client that a handle asks: the one it was made with, else the default client of this moment.

    Raises:
        NoAuthenticationFound: No source holds credentials, and `init()` was not called with any.
    """
    if type(given) is Client:
        return given
    if given is None:
        return default_client()
    return given._now() if isinstance(given, OfDefault) else given


class OfDefault(Client):
    """The default client of each moment, with options of its own: what `with_options` gives a handle without a client.

    Args:
        options: What differs from the default client's options.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)
        self._last: tuple[Client, Client] | None = None

    def _now(self) -> Client:
        default, last = default_client(), self._last
        if last is None or last[0] is not default:
            last = self._last = default, default._with(self._options)
        return last[1]

    def _with(self, options: Mapping[str, Any]) -> Client:
        return OfDefault({**self._options, **options})

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Whatever else it is asked for is the default client's."""
            return getattr(self._now(), name)

    def __eq__(self, other: object) -> bool:
        """The same options."""
        return isinstance(other, OfDefault) and self._options == other._options

    def __hash__(self) -> int:
        """One for all."""
        return hash(OfDefault)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the options: the default client is looked up where it is used."""
        return OfDefault, (self._options,)

    def __repr__(self) -> str:
        """The options."""
        return f"<the default client with {', '.join(f'{name}={value!r}' for name, value in self._options.items())}>"


def default_client() -> Client:
    """The client of whatever was made without one: `lakefs_hl.aio.DefaultClient`, else that of `lakefs_hl`.

    Raises:
        NoAuthenticationFound: No source holds credentials, and `init()` was not called with any.
        TypeError: Somebody made something else the default client.
    """
    client = arguments.client(_kept(), Client, "lakefs_hl.aio.DefaultClient")
    if client is not None:
        return client
    shared = blocking.default_client()
    twin_of_shared = _twins.get("default")
    if twin_of_shared is None or twin_of_shared._blocking is not shared:
        twin_of_shared = _twins["default"] = of(shared)
    return twin_of_shared


def preview() -> Client | None:
    """The client that the first call without one would use, for whoever looks; keeps nothing and raises nothing."""
    client = _kept()
    if client is not None:
        return client
    shared = blocking.preview()
    if shared is None:
        return None
    return of(shared) if shared._preview else default_client()


def _kept() -> Client | None:
    client: Client | None = sys.modules["lakefs_hl.aio"].__dict__.get("DefaultClient")
    preview = type(client) is Client and client._blocking._preview
    return None if preview else client


def make_default(client: Client) -> Client:
    """Makes a client the default one of everything awaitable that was made without one."""
    blocking.prove(client._blocking)
    sys.modules["lakefs_hl.aio"].__dict__["DefaultClient"] = client
    return client
