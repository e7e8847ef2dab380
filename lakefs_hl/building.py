"""Building a client: its arguments as they were given, and what they make: settings, session, transport.

Rules of the room: no network. The one place that reaches the embedded lake, by name, and only for `local:` and `mem:`.
A secret argument is a `Secret` from the first line of the call that takes it, so that no frame keeps it in the clear.
"""

from __future__ import annotations

import importlib
import sys
import uuid
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict, cast
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import msgspec

from lakefs_hl import config
from lakefs_hl._version import __version__
from lakefs_hl.ops import auth
from lakefs_hl.ops.retry import Policy, Session
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import (
    InsecureConfigWarning,
    InsecureTransportWarning,
    InvalidConfigError,
    LakeError,
)
from lakefs_hl.spec.secret import hide, hide_login, hide_values, reveal

if TYPE_CHECKING:
    from lakefs_hl.aws import Role
    from lakefs_hl.transport.blocking import Transport

FAN_OUT: Final = 32
#: How the name of a lake in memory begins that belongs to one client and its copies.
PRIVATE: Final = "mem://~"
LONGEST: Final = 1e9  # seconds; the system's timers end not far above
lakes: Final[WeakValueDictionary[str, Any]] = WeakValueDictionary()
#: The options of `with_options`.
OPTIONS: Final = ("timeout", "connect_timeout", "deadline", "max_concurrency", "retries")
#: Arguments that do not tell clients apart: those compared as what they were settled to, and those of one moment.
SETTLED: Final = frozenset(
    {"host", "username", "password", "access_token", "profile", "committer", "create", "pickle_secrets"}
)
_SECRETS: Final = ("password", "access_token")
#: How to log in by AWS role: where its headers are left out of a pickle, all of it is.
_ROLE: Final = ("aws_role", "token_ttl_seconds", "url_presign_ttl_seconds", "token_request_headers")


class Recipe(TypedDict, total=False):
    """The arguments a client was made with, as somebody wrote them; what pickles."""

    host: str
    username: str
    password: str
    access_token: str
    profile: str
    timeout: float
    connect_timeout: float
    deadline: float
    max_concurrency: int
    retries: int
    verify_ssl: bool
    ca_cert: str
    proxy: str
    committer: str
    create: bool
    allowed_storage_hosts: tuple[str, ...]
    pickle_secrets: bool
    aws_role: bool
    token_ttl_seconds: int
    url_presign_ttl_seconds: int
    token_request_headers: dict[str, str]


class Hidden(NamedTuple):
    """The arguments of a client that are secrets, or URLs that may hold one, hidden."""

    host: Any
    endpoint: Any
    proxy: Any
    password: Any
    secret_access_key: Any
    access_token: Any
    jwt_token: Any
    token_request_headers: Any


def hidden(
    host: Any,
    endpoint: Any,
    proxy: Any,
    password: Any,
    secret_access_key: Any,
    access_token: Any,
    jwt_token: Any,
    token_request_headers: Any,
) -> Hidden:
    """Hide secrets: the first thing that a call does with arguments that may be some."""
    return Hidden(
        hide_login(host),
        hide_login(endpoint),
        hide_login(proxy),
        hide(password),
        hide(secret_access_key),
        hide(access_token),
        hide(jwt_token),
        hide_values(token_request_headers),
    )


def recipe_of(given: Mapping[str, Any]) -> Recipe:
    """Check arguments that may be given under two names, and leave out those that were not given."""
    found = arguments.client_options(given)
    for name, alias in (
        ("host", "endpoint"),
        ("username", "access_key_id"),
        ("password", "secret_access_key"),
        ("access_token", "jwt_token"),
    ):
        found[name] = _one(name, found[name], alias, found.pop(alias))
    found["verify_ssl"] = None if found["verify_ssl"] else False
    found["create"] = None if found["create"] else False
    found["pickle_secrets"] = found["pickle_secrets"] or None
    found["allowed_storage_hosts"] = found["allowed_storage_hosts"] or None
    return cast("Recipe", {name: value for name, value in found.items() if value is not None})


def _one(name: str, value: Any, alias: str, other: Any) -> Any:
    if value is not None and other is not None and value != other:
        msg = f"{name} and {alias} are two names of one thing, and were given two values"
        raise InvalidConfigError(msg)
    return other if value is None else value


# -- options of each call ----------------------------------------------------------------------------------------------


def options_of(
    *,
    timeout: float | None,
    connect_timeout: float | None,
    deadline: float | None,
    max_concurrency: int | None,
    retries: int | None,
) -> dict[str, Any]:
    """Check the options of `with_options`, and leave out those that stay as they are.

    Raises:
        TypeError: A value is no number.
        InvalidConfigError: A number is out of range.
    """
    checked = {
        "timeout": seconds("timeout", timeout),
        "connect_timeout": seconds("connect_timeout", connect_timeout),
        "deadline": seconds("deadline", deadline),
        "max_concurrency": count("max_concurrency", max_concurrency, 1),
        "retries": count("retries", retries, 0),
    }
    return {name: value for name, value in checked.items() if value is not None}


def seconds(name: str, value: Any) -> float | None:
    """Return a time limit in seconds, or None."""
    if value is None:
        return None
    found = arguments.number(value, name, "a number of seconds")
    if not 0 < found <= LONGEST:
        raise InvalidConfigError(f"{name}={value!r}: must be a number of seconds above 0, or None")
    return found


def count(name: str, value: Any, least: int) -> int | None:
    """Return a whole number, or None."""
    if value is None:
        return None
    found = arguments.integer(value, name)
    if found < least:
        raise InvalidConfigError(f"{name}={found}: must be an integer >= {least}")
    return found


def policy_of(recipe: Recipe) -> Policy:
    """Return how often and how long a client tries."""
    options = options_of(
        timeout=recipe.get("timeout"),
        connect_timeout=recipe.get("connect_timeout"),
        deadline=recipe.get("deadline"),
        max_concurrency=recipe.get("max_concurrency"),
        retries=recipe.get("retries"),
    )
    recipe.update(cast("Recipe", options))
    policy = Policy(
        timeout=options.get("timeout"), connect=options.get("connect_timeout"), deadline=options.get("deadline")
    )
    retries = options.get("retries")
    if retries is None:
        return policy
    return msgspec.structs.replace(policy, attempts=retries + 1, logged_attempts=min(3, retries + 1))


# -- settings and transport --------------------------------------------------------------------------------------------


def settle(recipe: Recipe, *, left_out: bool) -> tuple[config.Settings, bool]:
    """Look up what the arguments leave open.

    Returns:
        The settings, and whether they name a lake in memory that is still to be made: it gets a name of its own, by
        which handles find it.
    """
    settings = config.resolve(_given(recipe), unpickled=left_out)
    new = settings.endpoint == "mem://"
    if new:
        settings = msgspec.structs.replace(settings, endpoint=f"{PRIVATE}{uuid.uuid4().hex}")
        recipe["host"] = settings.endpoint
    elif settings.endpoint.startswith("local:") and "host" in recipe:
        recipe["host"] = settings.endpoint  # absolute: it means the same folder wherever it is unpickled
    return settings, new


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


def warn(settings: config.Settings, *, verify: bool) -> None:
    """Warn, where the user's code stands, of secrets that others may see."""
    parts = urlsplit(settings.endpoint)
    host = parts.hostname or ""
    level = _users_frame()
    for text in settings.exposed:
        warnings.warn(text, InsecureConfigWarning, stacklevel=level)
    text = ""
    if parts.scheme == "http" and not config.is_loopback(host):
        text = f"{settings.endpoint}: credentials and data go over the network unencrypted; use https://"
    if parts.scheme == "https" and not verify:
        text = f"verify_ssl=False: whoever answers for {host} gets the credentials; trust its CA with ca_cert= instead"
    if text:
        warnings.warn(text, InsecureTransportWarning, stacklevel=level)


def _users_frame() -> int:
    """How far up the stack the code is that is not ours, as `warnings.warn` in our caller counts."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("lakefs_hl"):
        frame, level = frame.f_back, level + 1
    return level


def session_of(settings: config.Settings, policy: Policy) -> tuple[Session, Role | None]:
    """Return what all calls of a client share, and the AWS role that it logs in with, if any."""
    authority, role = _authority(settings)
    return Session(authority, policy, where="" if settings.in_process else settings.endpoint, new_key=new_key), role


def new_key() -> str:
    """Return an idempotency key: nobody else has it, not even the other side of a fork."""
    return uuid.uuid4().hex


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


def transport_of(settings: config.Settings, recipe: Recipe, *, new: bool, create: bool) -> Transport:
    """Open the way to the lake.

    Args:
        settings: Where it is.
        recipe: The options of the connection.
        new: Whether it is a lake in memory that is still to be made.
        create: Whether a lake that is not there is made.
    """
    if settings.endpoint.startswith(PRIVATE) and not new:
        return _private(settings.endpoint)
    if settings.in_process:
        return _lake(settings, create=create)
    from lakefs_hl.transport.http import Http  # urllib3 costs 100 ms: loaded by the first client that needs it

    return Http(
        settings.endpoint,
        fan_out=recipe.get("max_concurrency") or settings.max_concurrency or FAN_OUT,
        ca_cert=settings.ca_cert,
        verify_ssl=recipe.get("verify_ssl", True),
        proxies=settings.proxies,
        no_proxy=settings.no_proxy,
        allowed_storage_hosts=recipe.get("allowed_storage_hosts", ()),
        user_agent=f"lakefs-hl/{__version__}",
    )


def _lake(settings: config.Settings, *, create: bool) -> Transport:
    try:
        lake = importlib.import_module("lakefs_hl.local")
    except ModuleNotFoundError as exc:
        if exc.name != "fcntl":
            raise
        msg = f"{settings.endpoint}: an embedded lake needs the file locks of POSIX systems; use a lakeFS server"
        raise LakeError(msg) from None
    if not settings.endpoint.startswith(PRIVATE):
        return cast("Transport", lake.connect(settings.endpoint, settings.committer, create=create))
    made = lakes[settings.endpoint] = lake.connect("mem://", settings.committer, create=create)
    return cast("Transport", made)


def _private(endpoint: str) -> Transport:
    """The lake of another client's `mem://`: it can be joined while it lives, not made again."""
    found: Transport | None = lakes.get(endpoint)
    if found is None:
        msg = f"{endpoint} was a lake in the memory of another process, or is gone; processes share local:FOLDER"
        raise LakeError(msg)
    return found


# -- pickling ----------------------------------------------------------------------------------------------------------


def pickled(recipe: Recipe, endpoint: str, *, left_out: bool) -> tuple[dict[str, Any], bool]:
    """Return what a client pickles: its arguments, and whether a secret was left out of them.

    With a secret, whether in the pickle or left out, goes the endpoint that it is for.
    """
    kept: dict[str, Any] = dict(recipe)
    named = any(name in recipe for name in (*_SECRETS, "token_request_headers"))
    if named:
        kept.setdefault("host", endpoint)
    if recipe.get("pickle_secrets"):
        return revealed(cast("Recipe", kept)), False
    for name in ("username", *_SECRETS, *(_ROLE if "token_request_headers" in kept else ())) if named else ():
        kept.pop(name, None)
    proxy = kept.get("proxy")
    if proxy is not None and "@" in proxy:
        scheme, _, rest = reveal(proxy).partition("://")
        kept["proxy"] = f"{scheme}://{rest.rpartition('@')[2]}"
    return kept, named or left_out


def revealed(recipe: Recipe) -> dict[str, Any]:
    """Return arguments with the secrets among them as plain text, for a pickle that may carry them."""
    plain = {name: reveal(value) if isinstance(value, str) else value for name, value in recipe.items()}
    if (headers := recipe.get("token_request_headers")) is not None:
        plain["token_request_headers"] = {name: reveal(value) for name, value in headers.items()}
    return plain


def hidden_again(recipe: Recipe) -> Recipe:
    """Return arguments that come out of a pickle, the secrets among them hidden."""
    urls = {name: hide_login(value) for name, value in recipe.items() if name in ("host", "proxy")}
    secrets = {name: hide(value) for name, value in recipe.items() if name in _SECRETS}
    headers = {name: hide_values(value) for name, value in recipe.items() if name == "token_request_headers"}
    return cast("Recipe", {**recipe, **urls, **secrets, **headers})
