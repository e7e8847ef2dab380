"""What the clients of both colours share: configuration, session, transport, identity, pickling.

Rules of the room: nothing here sends a request before a call does. A client is thread-safe and fork-safe, and usable
after `close()`. A client that was unpickled reads no configuration and opens no lake before it is used.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Self, TypeVar, cast
from weakref import WeakValueDictionary

from lakefs_hl._build import connection, identity, sdk, session
from lakefs_hl._build.delegation import Delegation, delegated_options, with_source, with_token
from lakefs_hl._build.lake import open_directories
from lakefs_hl.config.cache import cache_directory
from lakefs_hl.config.options import ClientOptions, options_from, per_call_options
from lakefs_hl.config.settings import Settings, with_max_concurrency
from lakefs_hl.config.sources import SettingSource
from lakefs_hl.ops import retry
from lakefs_hl.ops.retry import Budget, Session
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import LakeFSException
from lakefs_hl.spec.secret import reveal
from lakefs_hl.spec.tracebacks import EXPLAINED, cut_traceback, is_explained
from lakefs_hl.transport.base import Transport
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.forks import watch

if TYPE_CHECKING:
    from pathlib import Path

    from lakefs_sdk.client import LakeFSClient

    from lakefs_hl.ops.effects import Op
    from lakefs_hl.ops.keys import Token
    from lakefs_hl.ops.paging import NextPage

T = TypeVar("T")
P = ParamSpec("P")
#: The options of a client that is made without any.
NO_OPTIONS: Final = ClientOptions()
#: Attributes that an unpickled client gets on first use: from the configuration, and by opening the transport.
_SETTLED: Final = frozenset({"_settings", "_session", "_in_process"})
_OPENED: Final = frozenset({"_transport", "_driver", "_blocking"})


class ClientFields:
    """The state of a client. A face adds the driver and the calls."""

    #: Makes the driver of the colour.
    _Driver: Callable[[Transport, float | None], Any]
    #: Whether a secret was left out of the pickle that the client comes from.
    _left_out = False
    #: Whether the client was made for code that only reads `lakefs_hl.DefaultClient`.
    _preview = False
    #: Whether a missing lake is created: not by a client that was unpickled, perhaps on another machine.
    _creates = True
    #: Whether the lake is one in memory that does not exist yet.
    _new = False
    #: What is known of the token of a client that `delegate` returned.
    _delegation: Delegation | None = None

    def _make(self, given: dict[str, Any]) -> None:
        """Configure and open the client from the arguments of its constructor."""
        self._begin(NO_OPTIONS)
        self._settle(options_from(given))
        self._open()

    def _begin(self, options: ClientOptions) -> Self:
        """Initialize a client that reads its configuration and opens its lake when it is used."""
        self._lock = threading.RLock()
        self._options = options
        self._sdk: LakeFSClient | None = None
        self._family: WeakValueDictionary[int, ClientFields] = WeakValueDictionary()
        self._entered = 0
        watch(self)
        return self

    def _settle(self, options: ClientOptions, *, warns: bool = True) -> None:
        """Resolve the endpoint and the credentials. Sends no request."""
        options, settings, self._new = connection.settle(options, without_secret=self._left_out)
        if warns:
            connection.warn_of_exposed_secrets(settings, options)
        opened = session.session_of(settings, session.policy_of(options))
        if self._delegation is not None:
            settings = with_source(settings, self._delegation)
            opened.authenticator.advice = self._delegation.advice
        self._assemble(options, settings, session.with_names(opened, options))

    def _open(self) -> None:
        """Open the transport. Sends no request."""
        create = self._creates and self._options.create
        self._connect(connection.open_transport(self._settings, self._options, new=self._new, create=create))

    def _assemble(self, options: ClientOptions, settings: Settings, session: Session) -> None:
        self._options = options
        self._in_process = settings.in_process
        self._session = session
        self._settings = settings

    def _connect(self, transport: Transport, blocking: Blocking | None = None) -> None:
        deadline = self._session.policy.deadline
        kind = type(self)._Driver
        self._transport = transport
        #: The driver of files and of the login, in both colours.
        self._blocking = blocking or Blocking(transport, deadline)
        self._driver: Any = self._blocking if kind is Blocking else kind(transport, deadline)

    def _share(self, other: ClientFields) -> Self:
        """Take everything but the driver from a client of the other colour, once that client has it."""
        self._begin(other._options)
        self._left_out, self._creates, self._preview = other._left_out, other._creates, other._preview
        self._new, self._origin, self._family = other._new, other, other._family
        self._delegation = other._delegation
        if other._is_settled:
            self._wake("_settings")
        if other._is_open:
            self._wake("_driver")
        return self

    #: The client of the other colour that this one shares its connections with.
    _origin: ClientFields | None = None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Configure and open the client when it is used first. Called for attributes that do not exist yet."""
            if name not in _SETTLED and name not in _OPENED:
                msg = f"{type(self).__name__!r} object has no attribute {name!r}"
                raise AttributeError(msg, name=name, obj=self)
            try:
                self._wake(name)
            except (*EXPLAINED, Warning) as exc:
                cut_traceback(exc, keep_cause=False)
                raise
            return self.__dict__[name]

    def _wake(self, name: str) -> None:
        origin = self._origin
        with self._lock:
            if "_settings" not in self.__dict__:
                if origin is None:
                    self._settle(self._options)
                else:
                    settings = origin._settings
                    self._assemble(origin._options, settings, origin._session)
            if name in _OPENED and name not in self.__dict__:
                if origin is None:
                    self._open()
                else:
                    self._connect(origin._transport, origin._blocking)

    def _after_fork(self) -> None:
        """Replace the lock in a child process: a thread of the parent may have held it."""
        self._lock = threading.RLock()
        self._sdk = None
        session: Session | None = self.__dict__.get("_session")
        if session is not None:
            session.budget = Budget()

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _run_here(self, call: Callable[Concatenate[Session, P], Op[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call on this thread, in either colour: for files, which are blocking, and for the login."""
        try:
            return self._blocking.run(call(self._session, *args, **kwargs))
        except EXPLAINED as exc:
            if is_explained(exc):
                cut_traceback(exc)
            raise

    def _pages_here(self, next_page: NextPage[T], after: str = "") -> Iterator[T]:
        """Iterate over the rows of a listing on this thread, in either colour: for transfers, which are blocking."""
        return self._blocking.pages(next_page, after, None, lambda row: row)

    @property
    def cache_directory(self) -> Path:
        """Directory for what this package keeps between processes for this endpoint and caller. Sends no request.

        Callers are distinguished by their access key ID, or by the user that their token names.

        It is created on first use, with mode 0700, in the directory that `LAKEFS_HL_CACHE_DIR` names, by default
        `~/.cache/lakefs_hl`. What is in it can be rebuilt. All lakes in memory share one.

        Raises:
            InvalidConfigError: It cannot be created, belongs to another user, or others may write to it.
        """
        endpoint = self._settings.endpoint
        shared = "mem://" if endpoint.startswith("mem://") else endpoint  # lakes in memory share one, as each is gone soon
        return cache_directory(shared, self._settings.credentials)

    @staticmethod
    def _lakes_here() -> list[str]:
        """Return the directories of the lakes that this process has open: no transfer may open their files."""
        return open_directories()

    @property
    def endpoint(self) -> str:
        """Endpoint: the URL of the server, or `local:` and the path of an embedded lake."""
        return self._settings.endpoint

    @property
    def scope(self) -> str:
        """What names of repositories begin with on the server, before a dash. "" for nothing; see `scoped`."""
        return self._options.scope or ""

    @property
    def offline(self) -> bool:
        """Whether calls that would send a request to a server are refused. An embedded lake is never offline."""
        return bool(self._settings.offline) and not self._in_process

    @property
    def cache_size(self) -> int | None:
        """Size of the cache of snapshots in bytes, if it was set."""
        return self._settings.cache_size

    @property
    def _place(self) -> str:
        """Endpoint and scope: where the name of a repository means the same."""
        scope = self._options.scope
        return f"{self._settings.endpoint} with the scope {scope!r}" if scope else self._settings.endpoint

    def _full_name(self, repository: str) -> str:
        """Return the name that a repository has at the endpoint."""
        return self._session.scope + repository

    @property
    def sdk_client(self) -> LakeFSClient:
        """The generated lakeFS SDK with the endpoint and credentials of this client, for calls that are not wrapped.

        Raises:
            UnsupportedOperationException: The lake is in process. `lakefs-hl serve` gives it an address.
        """
        sdk.check_has_server(self._settings, self._options)
        authorization = self._run_here(retry.authorization) or ""
        with self._lock:
            if self._sdk is None:
                self._sdk = sdk.open_sdk(self._settings, self._options)
            if authorization.startswith("Bearer "):
                self._sdk._api.configuration.access_token = reveal(authorization).removeprefix("Bearer ")
            return self._sdk

    def explain_auth(self) -> tuple[SettingSource, ...]:
        """Return the source of each setting, with secrets masked. Sends no request.

        Returns:
            Triples of (setting, value, source).
        """
        return self._settings.sources

    # -- copies --------------------------------------------------------------------------------------------------------

    def _with(self, options: Mapping[str, Any]) -> Self:
        """Return a copy with other options, given as the arguments of `with_options`."""
        found = per_call_options(**options)
        return self._copy(self._options.replace(**found), width=found.get("max_concurrency"))

    def _with_scope(self, prefix: object) -> Self:
        """Return a copy with a scope, within the scope of this client if it has one."""
        scope = self._options.scope
        inner = self._options.replace(scope=arguments.name(prefix, "prefix"))
        return self._copy(inner.replace(scope=f"{scope}-{inner.scope}") if scope else inner)

    def _copy(self, changed: ClientOptions, *, width: int | None = None) -> Self:
        copied = session.with_names(self._session.copy(session.policy_of(changed)), changed)
        copy = object.__new__(type(self))._begin(changed)
        copy._left_out, copy._creates, copy._family = self._left_out, self._creates, self._family
        copy._delegation = self._delegation
        self._family[id(copy)] = copy
        if width is not None and not self._in_process:
            copy._assemble(changed, with_max_concurrency(self._settings, width), copied)
            copy._open()
        else:
            copy._assemble(changed, self._settings, copied)
            copy._connect(self._transport)
        return copy

    def _with_token(self, found: Token | None) -> Self:
        """Return a client with a token in place of the credentials. None, in process, returns a copy of this client."""
        if found is None:
            return self._copy(self._options)
        made = object.__new__(type(self))._begin(NO_OPTIONS)
        made._delegation = Delegation(found.expires)
        made._settle(delegated_options(self._options, self.endpoint, found.token), warns=False)
        made._open()
        return made

    def _enter(self) -> Self:
        """Enter a `with` block. Blocks may be nested, and those of several threads may overlap."""
        with self._lock:
            self._entered += 1
        return self

    def _leave(self) -> bool:
        """Leave a `with` block, and return whether it is the last one."""
        with self._lock:
            self._entered -= 1
            return self._entered == 0

    def _copies(self) -> Iterator[ClientFields]:
        """Yield the copies of this client that are open."""
        return (copy for copy in list(self._family.values()) if copy is not self and copy._is_open)

    def _close_here(self) -> None:
        """Close connections and threads of this client and of its copies. It may block."""
        self._driver.end_workers()
        self._blocking.close()
        for copy in self._copies():
            copy._driver.end_workers()
            if copy._transport is self._transport:
                copy._blocking.end_workers()
            else:
                copy._blocking.close()
        with self._lock:
            self._sdk = None

    # -- identity ------------------------------------------------------------------------------------------------------

    @property
    def _is_settled(self) -> bool:
        return "_settings" in self.__dict__

    @property
    def _is_open(self) -> bool:
        return "_driver" in self.__dict__

    def __eq__(self, other: object) -> bool:
        """Compare endpoint, credentials and options."""
        if self is other:
            return True
        if type(self) is not type(other) or not isinstance(other, ClientFields):
            return False
        if not self._is_settled and not other._is_settled:  # compared while a set of handles is unpickled
            return (self._options, self._left_out) == (other._options, other._left_out)
        try:
            return identity.key(self._settings, self._options) == identity.key(other._settings, other._options)
        except LakeFSException:  # one of them cannot be used here
            return False

    def __hash__(self) -> int:
        # The same for all: the endpoint of an unpickled client is known only when it is used.
        return hash(type(self))

    def __reduce__(self) -> tuple[Any, ...]:
        # The options, without secrets unless `pickle_secrets`; the rest is looked up where it is used.
        endpoint = self.endpoint if self._is_settled else None
        kept, left_out = identity.pickle_options(self._options, endpoint, without_secret=self._left_out)
        if self._delegation is not None:
            return restore_delegated, (type(self), with_token(kept, self._options), self._delegation.expires)
        return restore, (type(self), kept, left_out)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __repr__(self) -> str:
        package = "aio." if type(self).__module__ == "lakefs_hl.aio" else ""
        if "_options" not in self.__dict__:  # it is being made
            return f"<{package}Client>"
        text = identity.describe(self._options, self._settings if self._is_settled else None)
        return text.replace("<", f"<{package}", 1)

    def _repr_html_(self) -> str:
        return identity.describe_html(self._options, self._settings if self._is_settled else None)


def restore(kind: type[ClientFields], given: dict[str, Any], left_out: bool) -> ClientFields:
    """Unpickle a client. Reads nothing, opens nothing, never raises. Pickles name this function: it stays where it is."""
    client = object.__new__(kind)._begin(ClientOptions(**given))
    client._left_out, client._creates = left_out, False
    return client


def restore_delegated(kind: type[ClientFields], given: dict[str, Any], expires: float | None) -> ClientFields:
    """Unpickle a client that `delegate` returned, as `restore` does."""
    client = restore(kind, given, left_out=False)
    client._delegation = Delegation(expires)
    return client


class DefaultFields:
    """The default client of each call, with options of its own. `with_options` of a handle without a client uses it."""

    _changes: dict[str, Any]
    _last: tuple[Any, Any] | None = None

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._changes = per_call_options(**options)

    def _default(self) -> Any:
        raise NotImplementedError  # each colour has its own default client

    def _now(self) -> Any:
        default, last = self._default(), self._last
        if last is None or last[0] is not default:
            last = self._last = default, default._with(self._changes)
        return last[1]

    def _with(self, options: Mapping[str, Any]) -> Any:
        return type(self)({**self._changes, **per_call_options(**options)})

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in {"_changes", "_last"}:
                raise AttributeError(name)
            return getattr(self._now(), name)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, DefaultFields) and self._changes == other._changes

    def __hash__(self) -> int:
        return hash(type(self))

    def __reduce__(self) -> tuple[Any, ...]:
        # The options only: the default client is the one of the process that uses it.
        return type(self), (self._changes,)

    def __repr__(self) -> str:
        return f"<the default client with {', '.join(f'{name}={value!r}' for name, value in self._changes.items())}>"
