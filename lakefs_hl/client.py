"""The client: where the lake is, who we are, how we call.

Rules of the room: nothing here talks to a server before a call does; a client is safe in threads and after fork, and
usable after `close()`. The one place that reaches the embedded lake, by name, and only for `local:` and `mem:`.
"""

from __future__ import annotations

import importlib
import sys
import threading
import uuid
import warnings
from collections.abc import Generator, Iterable, Mapping
from html import escape
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict, TypeVar, cast
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import msgspec

from lakefs_hl import arguments, config
from lakefs_hl._version import __version__
from lakefs_hl.ops import auth, server
from lakefs_hl.ops.retry import Budget, Policy, Session
from lakefs_hl.spec.errors import (
    InsecureTransportWarning,
    InvalidConfigError,
    LakeError,
    LakeFSException,
    NoAuthenticationFound,
    UnsupportedOperationException,
)
from lakefs_hl.transport.blocking import Blocking, Transport, quiet, told
from lakefs_hl.transport.forks import watch

if TYPE_CHECKING:
    from lakefs_sdk.client import LakeFSClient

    from lakefs_hl.aws import Role
    from lakefs_hl.ops.effects import Op
    from lakefs_hl.ops.paging import NextPage
    from lakefs_hl.spec.models import StorageConfig

T = TypeVar("T")
_FAN_OUT: Final = 32
_LOOPBACK: Final = ("localhost", "127.", "::1")


class Recipe(TypedDict, total=False):
    """The arguments a client was made with, as somebody wrote them; what pickles."""

    host: str
    username: str
    password: str
    access_token: str
    profile: str
    timeout: float
    max_concurrency: int
    retries: int
    verify_ssl: bool
    ca_cert: str
    proxy: str
    committer: str
    allowed_storage_hosts: tuple[str, ...]
    aws_role: bool
    token_ttl_seconds: int
    url_presign_ttl_seconds: int
    token_request_headers: dict[str, str]


class Client:
    """A lake and the way to it.

    What is not given is looked up: in the environment (`LAKECTL_SERVER_ENDPOINT_URL`,
    `LAKECTL_CREDENTIALS_ACCESS_KEY_ID`, `LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY`, …), in `~/.lakectl.yaml`, and with the
    machine's AWS role. `explain_auth()` tells where each value came from. Making a client sends nothing.

    Args:
        host: `https://host[:port]` of a lakeFS server, `local:PATH` for a lake in a folder, `mem://` for one in memory.
        username: Access key id.
        password: Secret access key.
        access_token: A token instead of a key pair.
        profile: Reads `~/.lakectl.<profile>.yaml`, before the environment.
        timeout: Longest silence of the server, seconds; None leaves it to each operation.
        max_concurrency: Most exchanges side by side.
        retries: How often a failed call is repeated where that is safe; 0 switches it off.
        verify_ssl: False trusts any certificate, and warns.
        ca_cert: File or folder of the certificate authorities to trust.
        proxy: `http://host:port`; "" uses none, whatever the environment says.
        committer: Who commits to a lake in process; a server knows it from the credentials.
        allowed_storage_hosts: Hosts that a pre-signed URL may name although they lie inside our network.
        aws_role: True logs in with the machine's AWS role; needs `pip install 'lakefs-hl[aws]'`.
        token_ttl_seconds: How long a token got by AWS role is to live, seconds.
        url_presign_ttl_seconds: How long the signed identity is valid, seconds.
        token_request_headers: Further headers to sign into the identity.
        endpoint: Another name of `host`.
        access_key_id: Another name of `username`.
        secret_access_key: Another name of `password`.
        jwt_token: Another name of `access_token`.

    Raises:
        NoAuthenticationFound: No source holds credentials.
        InvalidConfigError: A source holds something unusable.

    Examples:
        >>> import lakefs_hl as lakefs
        >>> client = lakefs.Client("mem://")
        >>> repository = lakefs.repository("example", client=client).create()
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
        given: dict[str, Any] = {
            "host": _one("host", host, "endpoint", endpoint),
            "username": _one("username", username, "access_key_id", access_key_id),
            "password": _one("password", password, "secret_access_key", secret_access_key),
            "access_token": _one("access_token", access_token, "jwt_token", jwt_token),
            "profile": profile,
            "timeout": timeout,
            "max_concurrency": max_concurrency,
            "retries": retries,
            "verify_ssl": None if arguments.flag(verify_ssl, "verify_ssl") else False,
            "ca_cert": ca_cert,
            "proxy": proxy,
            "committer": committer,
            "allowed_storage_hosts": arguments.texts(allowed_storage_hosts, "allowed_storage_hosts") or None,
            "aws_role": aws_role,
            "token_ttl_seconds": token_ttl_seconds,
            "url_presign_ttl_seconds": url_presign_ttl_seconds,
            "token_request_headers": token_request_headers,
        }
        given = arguments.client_options(given)
        recipe = cast("Recipe", {name: value for name, value in given.items() if value is not None})
        try:
            self._cook(recipe)
        except (InvalidConfigError, NoAuthenticationFound) as exc:
            raise exc.with_traceback(None) from None

    def _cook(self, recipe: Recipe) -> None:
        """Makes everything of the recipe; no network."""
        policy = _policy(recipe)
        settings = config.resolve(_given(recipe))
        lake: Transport | None = None
        if settings.endpoint == "mem://":  # a lake of its own, which its client names so that handles can find it
            settings = msgspec.structs.replace(settings, endpoint=f"{_PRIVATE}{uuid.uuid4().hex}")
            recipe["host"] = settings.endpoint
            lake = _lakes[settings.endpoint] = _transport(settings, recipe, new=True)
        if settings.endpoint.startswith("local:") and "host" in recipe:
            recipe["host"] = settings.endpoint  # absolute: it means the same folder wherever it is unpickled
        _warn(settings, verify=recipe.get("verify_ssl", True))
        authority, role = _authority(settings)
        transport = lake or _transport(settings, recipe)
        self._assemble(
            recipe, settings, Session(authority, policy, where=_where(settings), new_key=_new_key), role, transport
        )

    def _assemble(
        self, recipe: Recipe, settings: config.Settings, session: Session, role: Role | None, transport: Transport
    ) -> None:
        self._recipe = recipe
        self._settings = settings
        self._session = session
        self._role = role
        self._transport = transport
        self._driver = Blocking(transport, session.policy.deadline)
        self._in_process = settings.in_process
        self._sdk: LakeFSClient | None = None
        self._lock = threading.Lock()
        watch(self)

    def _after_fork(self) -> None:
        """Starts anew in a child process: locks that the parent's threads may have held are not waited for."""
        self._lock = threading.Lock()
        self._session.budget = Budget()
        self._sdk = None

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _run(self, op: Op[T]) -> T:
        __tracebackhide__ = True
        if self._role is not None:
            self._role.keep_fresh(self._session.authority)
        try:
            return self._driver.run(op)
        except (LakeFSException, TypeError, ValueError) as exc:
            if not told(exc):
                raise
            raise exc.with_traceback(None) from quiet(exc.__cause__)

    def _pages(self, next_page: NextPage[T], after: str, max_amount: int | None) -> Generator[T, None, None]:
        if self._role is not None:
            self._role.keep_fresh(self._session.authority)
        return self._driver.pages(next_page, after, max_amount)

    # -- the server ----------------------------------------------------------------------------------------------------

    @property
    def endpoint(self) -> str:
        """Where the lake is."""
        return self._settings.endpoint

    @property
    def version(self) -> str:
        """The server's version."""
        return self._run(server.version(self._session))

    @property
    def storage_config(self) -> StorageConfig:
        """What the server's storage can do, as lakeFS tells it; asked for once."""
        return self._run(server.storage(self._session))

    def health_check(self) -> None:
        """Returns if the server is well.

        Raises:
            LakeFSException: It is not, or there is none.
        """
        self._run(server.health(self._session))

    @property
    def sdk_client(self) -> LakeFSClient:
        """The generated lakeFS SDK with this client's endpoint and credentials, for what is not wrapped here.

        Raises:
            UnsupportedOperationException: The lake is in process; `lakefs-hl serve` gives it an address.
        """
        if self._in_process:
            msg = f"{self.endpoint} is in process and the generated SDK wants a server: start `lakefs-hl serve` for it"
            raise UnsupportedOperationException(msg)
        self._log_in()
        with self._lock:
            if self._sdk is None:
                self._sdk = self._open_sdk()
            authorization = self._session.authority.current[1] or ""
            if authorization.startswith("Bearer "):
                self._sdk._api.configuration.access_token = authorization.removeprefix("Bearer ")
            return self._sdk

    def _log_in(self) -> None:
        """Makes sure that there is a token, where we live by tokens."""
        authority = self._session.authority
        if self._role is not None:
            self._role.keep_fresh(authority)
        if authority.current[1] is None and authority.renewable:
            from functools import partial

            from lakefs_hl.ops.retry import call

            self._run(authority.renew(authority.current[0], partial(call, self._session)))

    def _open_sdk(self) -> LakeFSClient:
        from lakefs_sdk.client import LakeFSClient
        from lakefs_sdk.configuration import Configuration

        who = self._settings.credentials
        pair = who if isinstance(who, config.KeyPair) else None
        made: Any = Configuration(
            host=f"{self.endpoint}/api/v1",  # the SDK adds it to an endpoint without a path only
            username=pair.access_key_id if pair else None,
            password=pair.secret_access_key if pair else None,
            ssl_ca_cert=self._settings.ca_cert,
        )
        made.verify_ssl = self._recipe.get("verify_ssl", True)
        proxies = self._settings.proxies
        if proxy := proxies.get(urlsplit(self.endpoint).scheme) or proxies.get("all"):
            from lakefs_hl.transport.http import without_login

            made.proxy, made.proxy_headers = without_login(proxy)
        opened: LakeFSClient = cast("Any", LakeFSClient)(
            made, header_name="X-Lakefs-Client", header_value=f"lakefs-hl/{__version__}"
        )
        return opened

    # -- what it is ----------------------------------------------------------------------------------------------------

    def explain_auth(self) -> tuple[config.Line, ...]:
        """Tells where each setting came from: (setting, value, source), secrets masked; makes no request."""
        return self._settings.lines

    def with_options(
        self, *, timeout: float | None = None, max_concurrency: int | None = None, retries: int | None = None
    ) -> Client:
        """Gives a copy with other options: the same lake, the same credentials; None leaves an option as it is.

        Args:
            timeout: Longest silence of the server, seconds.
            max_concurrency: Most exchanges side by side.
            retries: How often a failed call is repeated where that is safe.
        """
        options = arguments.client_options({"timeout": timeout, "max_concurrency": max_concurrency, "retries": retries})
        max_concurrency = options["max_concurrency"]
        recipe = cast(
            "Recipe", {**self._recipe, **{name: value for name, value in options.items() if value is not None}}
        )
        session = self._session.copy(_policy(recipe))
        wider = max_concurrency is not None and not self._in_process
        copy = object.__new__(type(self))
        copy._assemble(
            recipe,
            self._settings,
            session,
            self._role,
            _transport(self._settings, recipe) if wider else self._transport,
        )
        return copy

    def close(self) -> None:
        """Gives back sockets, threads and files; the client opens them again when it is used."""
        self._driver.close()
        with self._lock:
            self._sdk = None

    def __enter__(self) -> Self:
        """Gives the client itself; may be entered any number of times."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it; it is usable afterwards."""
        self.close()

    def _key(self) -> tuple[Any, ...]:
        options = sorted((name, repr(value)) for name, value in self._recipe.items() if name not in _WHO)
        return self._settings.endpoint, self._settings.credentials, self._settings.committer, tuple(options)

    def __eq__(self, other: object) -> bool:
        """The same lake, the same credentials, the same options."""
        return isinstance(other, Client) and self._key() == other._key()

    def __hash__(self) -> int:
        """Of the endpoint; secrets stay out of it."""
        return hash((Client, self._settings.endpoint))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the recipe: what was given explicitly, a secret too; all else is looked up where it is unpickled."""
        return _remake, (dict(self._recipe),)

    def __copy__(self) -> Self:
        """Itself: nothing in it changes."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        """Itself: nothing in it changes."""
        return self

    def __repr__(self) -> str:
        """The endpoint and who asks, no secret."""
        lines = {line.setting: line.value for line in self._settings.lines}
        who = "" if self._in_process else f" as {lines['credentials']}"
        return f"<Client {self.endpoint}{who}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(line.setting)}</td><td><code>{escape(line.value)}</code></td>"
            f"<td>{escape(line.source)}</td></tr>"
            for line in self._settings.lines
        )
        return f"<b>Client</b><table>{rows}</table>"


#: How the name of a lake in memory begins that belongs to one client and its copies.
_PRIVATE: Final = "mem://~"
_lakes: Final[WeakValueDictionary[str, Any]] = WeakValueDictionary()
_WHO: Final = frozenset({"host", "username", "password", "access_token", "profile", "committer"})


def _remake(recipe: Recipe) -> Client:
    client = object.__new__(Client)
    client._cook(recipe)
    return client


def _one(name: str, value: str | None, alias: str, other: str | None) -> str | None:
    value = arguments.optional_text(value, name, secret=True)
    other = arguments.optional_text(other, alias, secret=True)
    if value is not None and other is not None and value != other:
        msg = f"{name} and {alias} are two names of one thing, and were given two values"
        raise InvalidConfigError(msg)
    return other if value is None else value


def _new_key() -> str:
    """An idempotency key: nobody else has it, not even the other side of a fork."""
    return uuid.uuid4().hex


def _policy(recipe: Recipe) -> Policy:
    timeout, retries = recipe.get("timeout"), recipe.get("retries")
    if timeout is not None and not timeout > 0:
        raise InvalidConfigError(f"timeout={timeout!r}: want seconds above 0, or None")
    if retries is not None and retries < 0:
        raise InvalidConfigError(f"retries={retries!r}: want 0 or more")
    if retries is None:
        return Policy(timeout=timeout)
    return Policy(timeout=timeout, attempts=retries + 1, logged_attempts=min(3, retries + 1))


def _given(recipe: Recipe) -> config.Given:
    names = ("host", "username", "password", "access_token", "profile", "committer", "proxy", "ca_cert")
    known = {name: recipe.get(name) for name in names}
    options = {
        name: recipe.get(name)
        for name in ("token_ttl_seconds", "url_presign_ttl_seconds", "token_request_headers")
        if recipe.get(name) is not None
    }
    asked = recipe.get("aws_role", bool(options))
    if options and not asked:
        raise InvalidConfigError(f"{', '.join(options)} belong to aws_role=True")
    role = config.AwsRole(**cast("dict[str, Any]", options)) if asked else None
    return config.Given(**known, aws_role=role, max_concurrency=recipe.get("max_concurrency"))  # type: ignore[arg-type]


def _warn(settings: config.Settings, *, verify: bool) -> None:
    parts = urlsplit(settings.endpoint)
    host = parts.hostname or ""
    text = ""
    if parts.scheme == "http" and not host.startswith(_LOOPBACK):
        text = f"{settings.endpoint}: credentials and data go over the network unencrypted; use https://"
    if parts.scheme == "https" and not verify:
        text = f"verify_ssl=False: whoever answers for {host} gets the credentials; trust its CA with ca_cert= instead"
    if text:
        warnings.warn(text, InsecureTransportWarning, stacklevel=_users_frame())


def _users_frame() -> int:
    """How far up the stack the code is that is not ours, as `warnings.warn` in our caller counts."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("lakefs_hl"):
        frame, level = frame.f_back, level + 1
    return level


def _authority(settings: config.Settings) -> tuple[auth.Authority, Role | None]:
    who = settings.credentials
    match who:
        case config.KeyPair():
            return auth.basic(who.access_key_id, who.secret_access_key), None
        case config.Token():
            return auth.bearer(who.value), None
        case config.Nobody():
            return auth.nobody(), None
        case config.AwsRole():
            from lakefs_hl.aws import Role

            role = Role(settings.endpoint, who)
            return auth.external(role, who.token_ttl_seconds), role


def _where(settings: config.Settings) -> str:
    return "" if settings.in_process else settings.endpoint


def _transport(settings: config.Settings, recipe: Recipe, *, new: bool = False) -> Transport:
    if settings.endpoint.startswith(_PRIVATE) and not new:
        return _private(settings.endpoint)
    if settings.in_process:
        try:
            lake = importlib.import_module("lakefs_hl.local")
        except ModuleNotFoundError as exc:
            if exc.name != "fcntl":
                raise
            msg = f"{settings.endpoint}: an embedded lake needs the file locks of POSIX systems; use a lakeFS server"
            raise LakeError(msg) from None
        endpoint = "mem://" if new else settings.endpoint
        return cast("Transport", lake.connect(endpoint, settings.committer))
    from lakefs_hl.transport.http import Http  # urllib3 costs 100 ms: loaded by the first client that needs it

    return Http(
        settings.endpoint,
        fan_out=recipe.get("max_concurrency") or settings.max_concurrency or _FAN_OUT,
        ca_cert=settings.ca_cert,
        verify_ssl=recipe.get("verify_ssl", True),
        proxies=settings.proxies,
        no_proxy=settings.no_proxy,
        allowed_storage_hosts=recipe.get("allowed_storage_hosts", ()),
        user_agent=f"lakefs-hl/{__version__}",
    )


def _private(endpoint: str) -> Transport:
    """The lake of another client's `mem://`: it can be joined while it lives, not made again."""
    found: Transport | None = _lakes.get(endpoint)
    if found is None:
        msg = f"{endpoint} was a lake in the memory of another process, or is gone; processes share local:FOLDER"
        raise LakeError(msg)
    return found


# -- the default client ------------------------------------------------------------------------------------------------

_making = threading.RLock()


def default_client() -> Client:
    """The client of whatever was made without one: `lakefs_hl.DefaultClient`, made on first use.

    Raises:
        NoAuthenticationFound: No source holds credentials, and `init()` was not called with any.
    """
    package = sys.modules["lakefs_hl"].__dict__
    client: Client | None = package.get("DefaultClient")
    if client is not None:
        return client
    with _making:
        client = package.get("DefaultClient")
        if client is None:
            client = Client()
            _prove(client)
            package["DefaultClient"] = client
        return client


def default_or_none() -> Client | None:
    """The default client, or None if nobody can be asked who we are."""
    try:
        return default_client()
    except NoAuthenticationFound:
        return None


def make_default(client: Client) -> Client:
    """Makes a client the default one of everything that was made without one."""
    _prove(client)
    with _making:
        sys.modules["lakefs_hl"].__dict__["DefaultClient"] = client
    return client


def _prove(client: Client) -> None:
    """Finds out whether the last resort, an AWS role nobody asked for, is there at all; takes two seconds at most."""
    if client._role is not None:
        client._role.find()
