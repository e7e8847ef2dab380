"""The options of a client. The field of an option in `ClientOptions` describes it, checks it and hides its secrets.

Everything that needs a list of options reads it from here: the lookup of missing ones, pickling, the comparison of
clients, and the table in the documentation. `Client`, `init` and `with_options` repeat the names as parameters for
editors. A test compares those with the fields.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from lakefs_hl.config.endpoint import with_port
from lakefs_hl.config.headers import header_fault
from lakefs_hl.config.retry import Retry
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.hosts import host_fault
from lakefs_hl.spec.secret import Secret, Unfit, hide, hide_login, hide_values
from lakefs_hl.spec.sizes import byte_count

if TYPE_CHECKING:
    from os import PathLike

    from lakefs_hl.spec.wire import Request, Response

#: Longest time limit: the timers of operating systems end not far above.
MAX_SECONDS: Final = 1e9
_LAST_PORT: Final = 65_535
#: The beginning of a repository's name (lakeFS: at most 63 characters) that leaves room for a dash and three more.
_SCOPE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,58}")
_AWS_IAM: Final = ("LAKECTL_CREDENTIALS_PROVIDER_AWS_IAM_", "credentials.provider.aws_iam.")


class Option(NamedTuple):
    """Metadata of one option, as `dataclasses.fields(ClientOptions)` has it.

    Attributes:
        help: Meaning, in one line.
        convert: Converts and checks a value. Called with the value and the name of the parameter.
        variables: Environment variables that set it; the first one that is set counts.
        file_key: Key in lakectl's file that sets it; "" if none does.
        unset: Effective default, where the default of the field does not show it.
        aliases: Further names of the parameter.
        hide: Hides a secret in a value; None if there cannot be one.
        group: Options of the groups "credentials" and "aws_role" are left out of a pickle together with their secret.
        identifies: Whether two clients that differ in it only are different clients.
        per_call: Whether `with_options` can change it.
    """

    help: str
    convert: Callable[[Any, str], Any]
    variables: tuple[str, ...] = ()
    file_key: str = ""
    unset: str = ""
    aliases: tuple[str, ...] = ()
    hide: Callable[[Any], Any] | None = None
    group: Literal["credentials", "aws_role", ""] = ""
    identifies: bool = True
    per_call: bool = False

    @property
    def is_secret(self) -> bool:
        """Whether the whole value is secret, and not only a login in a URL."""
        return self.hide is hide or self.hide is hide_values


def _option(default: Any, *, hashed: bool = True, **metadata: Any) -> Any:
    return field(default=default, hash=None if hashed else False, metadata=Option(**metadata)._asdict())


# -- conversion and checks ---------------------------------------------------------------------------------------------


def _secret(value: object, name: str) -> str:
    if isinstance(value, Unfit):
        msg = f"{name} must be a string, not {value.kind}"
        raise TypeError(msg)
    hint = "; a lake in a directory is given as 'local:PATH'" if isinstance(value, os.PathLike) else ""
    text = arguments.text(value, name, hint=hint, secret=True)
    return value if isinstance(value, Secret) else text


def _headers(value: object, name: str) -> dict[str, str]:
    if isinstance(value, Unfit):
        msg = f"{name} must be a mapping of strings to strings, not {value.kind}"
        raise TypeError(msg)
    if not isinstance(value, Mapping):
        return arguments.metadata(value, name, secret=True)
    found = {arguments.text(key, name): _secret(item, f"{name}[{key!r:.80}]") for key, item in value.items()}
    if why := header_fault(found):
        raise InvalidConfigError(f"{name}{why}")
    return found


def _hosts(value: object, name: str) -> tuple[str, ...]:
    hosts = arguments.texts(value, name)
    for host in hosts:
        if why := host_fault(host):
            raise InvalidConfigError(f"{name}: {why}")
    return hosts


def _local_path(value: object, name: str) -> str:
    return arguments.text(os.fspath(value) if isinstance(value, os.PathLike) else value, name)


def _seconds(value: object, name: str) -> float:
    found = arguments.number(value, name, "a number of seconds")
    if not 0 < found <= MAX_SECONDS:
        raise InvalidConfigError(f"{name}={value!r}: must be a number of seconds above 0, or None")
    return found


def count(value: object, name: str, *, least: int = 1) -> int:
    """Return a whole number.

    Raises:
        TypeError: It is not an integer.
        InvalidConfigError: It is too small.
    """
    found = arguments.integer(value, name)
    if found < least:
        raise InvalidConfigError(f"{name}={found}: must be an integer >= {least}")
    return found


def gateway(value: object, name: str) -> str:
    """Return the endpoint of an S3 gateway.

    Raises:
        TypeError: It is not a string.
        InvalidConfigError: It is no endpoint, or has a path.
    """
    text = arguments.text(value, name).strip().rstrip("/")
    if "@" in text:  # never repeated: it may be a login
        raise InvalidConfigError(f"{name}: leave out the user name; links are signed with the client's own access key")
    scheme, mark, host = text.partition("://")
    if scheme.lower() not in ("http", "https") or not mark or host_fault(host):
        raise InvalidConfigError(f"{name}={text!r:.80}: must be http://host[:port] or https://host[:port]")
    return text.lower()


def _retries(value: object, name: str) -> int | Retry:
    if isinstance(value, Retry):
        return value
    try:
        return count(value, name, least=0)
    except TypeError as exc:
        msg = str(exc).replace("an integer", "an integer or a lakefs_hl.types.Retry", 1)
        raise TypeError(msg) from None


def _port(value: object, name: str) -> int:
    found = count(value, name)
    if found > _LAST_PORT:
        raise InvalidConfigError(f"{name}={found}: must be an integer from 1 to {_LAST_PORT}")
    return found


def _scope(value: object, name: str) -> str:
    found = arguments.text(value, name).removesuffix("-")
    if not _SCOPE.fullmatch(found):
        msg = (
            f"{name}={value!r:.80}: must be the beginning of names of repositories: at most 59 lower-case letters, "
            "digits and dashes, with a letter or a digit first"
        )
        raise InvalidConfigError(msg)
    return found


def _function(value: object, name: str) -> object:
    import inspect

    if not callable(value):
        msg = f"{name} must be a function that takes a Request and returns a Response, not {type(value).__name__}"
        raise TypeError(msg)
    if inspect.iscoroutinefunction(value):
        msg = f"{name} must be a plain function, not a coroutine function; with lakefs_hl.aio it runs in a thread"
        raise TypeError(msg)
    return value


# -- the options -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, repr=False)
class ClientOptions:
    """The options of `Client`, `init` and `with_options`, converted and checked.

    `dataclasses.fields(ClientOptions)` lists them. The metadata of each field says what the option means (`help`),
    which environment variables (`variables`) and which key of lakectl's file (`file_key`) set it, and what applies if
    nothing does (`unset`).

    Raises:
        TypeError: An option does not exist, or has a value of the wrong type.
        InvalidConfigError: A value is out of range.
    """

    host: str | None = _option(
        None,
        help="`https://host[:port]` of a lakeFS server, `local:PATH` for a lake in a directory, `mem://` for one in "
        "memory.",
        convert=_secret,
        variables=("LAKECTL_SERVER_ENDPOINT_URL",),
        file_key="server.endpoint_url",
        unset="`http://127.0.0.1:8000`",
        aliases=("endpoint",),
        hide=hide_login,
        identifies=False,
    )
    username: str | None = _option(
        None,
        help="Access key ID.",
        convert=_secret,
        variables=("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", "LAKECTL_ACCESS_KEY_ID"),
        file_key="credentials.access_key_id",
        aliases=("access_key_id",),
        group="credentials",
        identifies=False,
    )
    password: str | None = _option(
        None,
        help="Secret access key.",
        convert=_secret,
        variables=("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", "LAKECTL_ACCESS_SECRET_KEY"),
        file_key="credentials.secret_access_key",
        aliases=("secret_access_key",),
        hide=hide,
        group="credentials",
        identifies=False,
    )
    port: int | None = _option(
        None,
        help="Port of `host`. A host without a scheme is reached by http if it is this machine, else by https.",
        convert=_port,
        unset="that of `host`",
        identifies=False,
    )
    access_token: str | None = _option(
        None,
        help="Token to use instead of a key pair.",
        convert=_secret,
        variables=("LAKECTL_CREDENTIALS_SESSION_TOKEN",),
        aliases=("jwt_token",),
        hide=hide,
        group="credentials",
        identifies=False,
    )
    profile: str | None = _option(
        None,
        help="Read `~/.lakectl.<profile>.yaml`, before the environment.",
        convert=arguments.text,
        unset="`~/.lakectl.yaml`, or the file that `LAKECTL_CONFIG_FILE` names",
        identifies=False,
    )
    timeout: float | None = _option(
        None,
        help="Read timeout in seconds: longest time without a byte from the server.",
        convert=_seconds,
        unset="per operation",
        per_call=True,
    )
    connect_timeout: float | None = _option(
        None, help="Connect timeout in seconds.", convert=_seconds, unset="5", per_call=True
    )
    deadline: float | None = _option(
        None,
        help="Time limit of a whole call, retries and transfers included, in seconds.",
        convert=_seconds,
        unset="per operation; none for transfers",
        per_call=True,
    )
    max_concurrency: int | None = _option(
        None,
        help="Maximum number of concurrent requests.",
        convert=count,
        variables=("LAKEFS_HL_MAX_CONCURRENCY",),
        unset="32, and 128 small ones with the extra `fast`; with `transport`, 1",
        per_call=True,
    )
    retries: int | Retry | None = _option(
        None,
        help="Maximum retries of a failed request, where retrying is safe; 0 disables retries. A "
        "`lakefs_hl.types.Retry` also sets the waiting times.",
        convert=_retries,
        unset="4",
        per_call=True,
    )
    verify_ssl: bool = _option(
        True, help="Verify the server's certificate. False accepts any, and warns.", convert=arguments.flag
    )
    ca_cert: str | PathLike[str] | None = _option(
        None,
        help="File or directory of the certificate authorities to trust.",
        convert=_local_path,
        variables=("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
        unset="those of the system",
    )
    proxy: str | None = _option(
        None,
        help='HTTP proxy, `http://host:port`. "" uses none, even if the environment has one.',
        convert=_secret,
        variables=("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"),
        unset="none",
        hide=hide_login,
    )
    committer: str | None = _option(
        None,
        help="Committer of an embedded lake; a server takes it from the credentials.",
        convert=arguments.text,
        variables=("LAKEFS_HL_COMMITTER",),
        unset="the operating system's user",
        identifies=False,
    )
    create: bool = _option(
        True,
        help="Create the lake of `local:PATH` if it does not exist. False makes that an error.",
        convert=arguments.flag,
        identifies=False,
    )
    scope: str | None = _option(
        None,
        help="Names of repositories begin with it and a dash on the server, and do not here. A naming aid, not "
        "security.",
        convert=_scope,
        unset="none",
    )
    create_repositories: bool | None = _option(
        None,
        help="Whether a call on a repository that does not exist creates it first.",
        convert=arguments.flag,
        unset="false",
        per_call=True,
    )
    allowed_storage_hosts: Iterable[str] = _option(
        (),
        help="Hosts that a pre-signed URL may name although they are inside your network.",
        convert=_hosts,
        unset="none",
    )
    gateway_endpoint: str | None = _option(
        None,
        help="`https://host[:port]` of lakeFS's S3 gateway, for links that are signed for it.",
        convert=gateway,
        variables=("LAKEFS_HL_GATEWAY_ENDPOINT",),
        unset="the host",
    )
    offline: bool | None = _option(
        None,
        help="Refuse every call that would send a request to a server. `snapshot_download` returns what is cached.",
        convert=arguments.flag,
        variables=("LAKEFS_HL_OFFLINE",),
        unset="false",
    )
    cache_size: int | str | None = _option(
        None,
        help="Size of the cache of snapshots, in bytes or as `20GiB`. Those that were used least recently are removed.",
        convert=byte_count,
        variables=("LAKEFS_HL_CACHE_SIZE",),
        unset="`10GiB`",
        identifies=False,
    )
    pickle_secrets: bool = _option(
        False,
        help="Whether a pickled client contains the secrets that it was given.",
        convert=arguments.flag,
        identifies=False,
    )
    aws_role: bool | None = _option(
        None,
        help="Log in with the machine's AWS role (extra `aws`). False never does.",
        convert=arguments.flag,
        variables=("LAKECTL_CREDENTIALS_PROVIDER_TYPE",),
        file_key="credentials.provider.type",
        unset="the last resort, if boto3 is installed",
        group="aws_role",
    )
    token_ttl_seconds: int | None = _option(
        None,
        help="Lifetime of a token from a login by AWS role, in seconds.",
        convert=count,
        variables=(_AWS_IAM[0] + "TOKEN_TTL_SECONDS",),
        file_key=_AWS_IAM[1] + "token_ttl_seconds",
        unset="3600",
        group="aws_role",
    )
    url_presign_ttl_seconds: int | None = _option(
        None,
        help="Lifetime of the signed identity that a login by AWS role sends, in seconds.",
        convert=count,
        variables=(_AWS_IAM[0] + "PRESIGNED_URL_TTL_SECONDS",),
        file_key=_AWS_IAM[1] + "url_presign_ttl_seconds",
        unset="60",
        group="aws_role",
    )
    token_request_headers: Mapping[str, str] | None = _option(
        None,
        help="Further headers to sign into that identity.",
        convert=_headers,
        variables=(_AWS_IAM[0] + "TOKEN_REQUEST_HEADERS",),
        file_key=_AWS_IAM[1] + "token_request_headers",
        unset="none",
        hide=hide_values,
        group="aws_role",
        hashed=False,
    )
    transport: Callable[[Request], Response] | None = _option(
        None,
        help="Function that answers requests in place of a server, for tests. Needs no credentials; such a client does "
        "not pickle.",
        convert=_function,
        unset="HTTP, or the embedded lake",
    )

    if not TYPE_CHECKING:  # checkers read the parameters off the fields

        def __init__(self, **given: Any) -> None:
            """Hide secrets first, in place, so that the frames of an error hold none."""
            for name in given.keys() & OPTIONS.keys():
                if OPTIONS[name].hide is not None:
                    given[name] = OPTIONS[name].hide(given[name])
            vars(self).update(DEFAULTS)
            vars(self).update(_convert_all(given))

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.given().items())
        return f"ClientOptions({given})"

    def given(self) -> dict[str, Any]:
        """Return the options that differ from their defaults."""
        return {name: value for name, value in vars(self).items() if value is not DEFAULTS[name]}

    def replace(self, **changes: Any) -> ClientOptions:
        """Return a copy with other values.

        Raises:
            TypeError: An option does not exist, or has a value of the wrong type.
            InvalidConfigError: A value is out of range.
        """
        copy = object.__new__(ClientOptions)
        vars(copy).update(vars(self))
        vars(copy).update(_convert_all(changes))
        return copy


#: The metadata of each option, by its name and in the order of the parameters.
OPTIONS: Final[Mapping[str, Option]] = {one.name: Option(**one.metadata) for one in fields(ClientOptions)}
DEFAULTS: Final[Mapping[str, Any]] = {one.name: one.default for one in fields(ClientOptions)}
#: Further name of an option -> the option.
ALIASES: Final[Mapping[str, str]] = {alias: name for name, option in OPTIONS.items() for alias in option.aliases}
#: Options that `with_options` changes.
PER_CALL: Final = tuple(name for name, option in OPTIONS.items() if option.per_call)


def _convert_all(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return converted values. A value that is the default of its option counts as not given."""
    values = {}
    for name, value in given.items():
        if name not in OPTIONS:
            msg = f"{name!r} is not an option of a client; the options are {', '.join(OPTIONS)}"
            raise TypeError(msg)
        default = DEFAULTS[name]
        values[name] = default if value is default else _convert(OPTIONS[name], value, name)
        if values[name] == default:
            values[name] = default  # the same object: `given()` compares by identity
    return values


def _convert(option: Option, value: object, name: str) -> Any:
    """Return a converted value. What is wrong with any value but its type is an error of the configuration."""
    try:
        return option.convert(value, name)
    except InvalidConfigError:
        raise
    except ValueError as exc:
        raise InvalidConfigError(str(exc)) from None


def options_from(given: Mapping[str, Any]) -> ClientOptions:
    """Return the options given as parameters of `Client`, by their names or aliases.

    Raises:
        TypeError: A value has the wrong type. The message holds no value that may be a secret.
        InvalidConfigError: A value is out of range, or differs from the value given under the other name.
    """
    values = {name: value for name, value in given.items() if name not in ALIASES and value is not DEFAULTS.get(name)}
    for alias, name in ALIASES.items():
        other = given.get(alias)
        if other is None:
            continue
        option = OPTIONS[name]
        other, value = _convert(option, other, alias), values.get(name)
        if value is not None and _convert(option, value, name) != other:
            raise InvalidConfigError(f"{name} and {alias} are two names of one option and have different values")
        values[name] = other
    if "port" in values:
        port = _convert(OPTIONS["port"], values.pop("port"), "port")
        if values.get("host") is None:
            raise InvalidConfigError(f"port={port}: give host= too, the name of the host")
        values["host"] = hide_login(with_port(_convert(OPTIONS["host"], values.get("host"), "host"), port))
    return ClientOptions(**values)


def per_call_options(**given: Any) -> dict[str, Any]:
    """Return the options of `with_options`, checked; None leaves an option out.

    Raises:
        TypeError: A value is not a number.
        InvalidConfigError: A number is out of range.
    """
    return {name: value for name, value in _convert_all(given).items() if value is not None}
