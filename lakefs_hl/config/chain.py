"""The chain of sources of endpoint and credentials; each is read only if something is still missing.

Keyword arguments → environment → lakectl's file → AWS role. A profile that was given goes before the environment.
Endpoint and credentials are looked up separately; both halves of a key pair come from one source, and half a pair is
an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from lakefs_hl.config.credentials import (
    Anonymous,
    AwsRole,
    Credentials,
    Token,
    aws_role,
    aws_role_of_environment,
    describe,
    key_pair,
    token,
)
from lakefs_hl.config.endpoint import DEFAULT_ENDPOINT, is_lake, parse_endpoint, same_endpoint
from lakefs_hl.config.environment import Environment
from lakefs_hl.config.lakectl import load
from lakefs_hl.config.options import OPTIONS, ClientOptions
from lakefs_hl.config.sources import ARGUMENTS, Source
from lakefs_hl.spec.errors import InvalidConfigError, NoAuthenticationFound
from lakefs_hl.spec.secret import KeyPair

_ENDPOINT: Final = OPTIONS["host"].variables[0]
#: lakectl's own names, then those of the first design of this SDK.
_KEY_PAIRS: Final = tuple(zip(OPTIONS["username"].variables, OPTIONS["password"].variables, strict=True))
_TOKEN: Final = OPTIONS["access_token"].variables[0]
_PROVIDER: Final = OPTIONS["aws_role"].variables[0]
_CONFIG_FILE: Final = "LAKECTL_CONFIG_FILE"
#: What to do without credentials.
ADVICE: Final = (
    f"pass Client(host, username, password), set {_KEY_PAIRS[0][0]} and {_KEY_PAIRS[0][1]}, or run `lakectl config`; "
    'or work without a server: lakefs.init("local:./lake")'
)


class Found(NamedTuple):
    """Endpoint and credentials that the chain found.

    Attributes:
        endpoint: In its standard form.
        endpoint_source: Name of its source.
        credentials: Credentials of the caller.
        credentials_source: Name of their source.
        exposed: Files of secrets that others may read or change, each in a sentence.
    """

    endpoint: str
    endpoint_source: str
    credentials: Credentials
    credentials_source: str
    exposed: tuple[str, ...] = ()


def look_up(options: ClientOptions, environment: Environment, *, without_secret: bool = False) -> Found:
    """Read one source after another, until endpoint and credentials are known.

    Args:
        options: The keyword arguments.
        environment: The environment.
        without_secret: Whether the arguments come from a pickle that left a secret out (see `settings.resolve`).

    Raises:
        InvalidConfigError: A source holds something unusable; the message names it.
        NoAuthenticationFound: No source holds credentials; the message lists what each one holds.
    """
    sources = list[Source]()
    endpoint: tuple[str, str] | None = None
    #: The first endpoint from a source other than the arguments.
    configured: str | None = None
    credentials: tuple[Credentials, str] | None = None
    for read in _links(options, environment):
        source = read()
        sources.append(source)
        if source.endpoint is not None:
            parsed = parse_endpoint(source.endpoint, source.name)
            endpoint = endpoint or (parsed, source.name)
            configured = parsed if configured is None and len(sources) > 1 else configured
        if credentials is None and source.credentials is not None and _allows(options, source.credentials):
            credentials = source.credentials, source.name
        complete = credentials is not None and not (without_secret and configured is None)
        if endpoint is not None and (is_lake(endpoint[0]) or complete):
            break
    named = endpoint is not None
    endpoint = endpoint or (DEFAULT_ENDPOINT, "lakectl's default")
    if is_lake(endpoint[0]):
        _check_unused(endpoint[0], credentials)
        credentials = Anonymous(), "an embedded lake needs none"
    elif without_secret and (configured is None or not same_endpoint(configured, endpoint[0])):
        raise NoAuthenticationFound(_left_out_message(endpoint[0], configured))
    elif credentials is None and named and options.aws_role is not False and _has_boto3():
        credentials = AwsRole(asked=False), "AWS role, the last resort"
    if credentials is None:
        raise NoAuthenticationFound(
            _not_found_message(options, sources, endpoint[0], named=named, without_secret=without_secret)
        )
    return Found(*endpoint, *credentials, tuple(source.exposed for source in sources if source.exposed))


def _check_unused(endpoint: str, credentials: tuple[Credentials, str] | None) -> None:
    """Refuse an access key or a token that was given for a lake in a directory: nothing would check it.

    Raises:
        InvalidConfigError: It was given as an argument. What the configuration has is for other endpoints.
    """
    given, source = credentials or (None, "")
    if endpoint.startswith("local:") and source == ARGUMENTS and isinstance(given, KeyPair | Token):
        msg = (
            f"{source}: {describe(given)} for {endpoint}, which is opened in process and has no use for credentials: "
            "the directory's permissions decide who may open it; leave them out, or serve the lake with `lakefs-hl "
            "serve DIRECTORY` and give the URL of that server"
        )
        raise InvalidConfigError(msg)


def _allows(options: ClientOptions, credentials: Credentials) -> bool:
    """Return whether the arguments allow credentials of a source: `aws_role=False` wins over a configured role."""
    return options.aws_role is not False or not isinstance(credentials, AwsRole)


def look_up_for_function(options: ClientOptions) -> Found:
    """Return endpoint and credentials of a client whose transport is a function: arguments only, and none are needed.

    Raises:
        InvalidConfigError: The host is an embedded lake, or not an endpoint.
    """
    source = _read_arguments(options)
    endpoint = f"transport:{getattr(options.transport, '__name__', type(options.transport).__name__)}"
    if source.endpoint is not None:
        endpoint = parse_endpoint(source.endpoint, source.name)
    if is_lake(endpoint):
        raise InvalidConfigError(f"transport= takes the place of a server, and {endpoint} is an embedded lake")
    if source.credentials is None:
        return Found(endpoint, ARGUMENTS, Anonymous(), "a function as transport needs none")
    return Found(endpoint, ARGUMENTS, source.credentials, ARGUMENTS)


def _links(options: ClientOptions, environment: Environment) -> Iterator[Callable[[], Source]]:
    yield lambda: _read_arguments(options)
    if options.profile is not None:  # named explicitly, so it wins over the environment of this process
        yield lambda: _read_file(options.profile, environment)
    yield lambda: _read_environment(environment)
    if options.profile is None:
        yield lambda: _read_file(None, environment)


# -- keyword arguments and environment ---------------------------------------------------------------------------------


def _read_arguments(options: ClientOptions) -> Source:
    if options.access_token is not None and (options.username or options.password):
        msg = "a token and a key pair were given: pass access_token, or username and password"
        raise InvalidConfigError(msg)
    pair = key_pair(ARGUMENTS, ("username", options.username), ("password", options.password))
    found: Credentials | None = pair or token(ARGUMENTS, "access_token", options.access_token)
    role = _role_of(options)
    found = found or role
    held = [word for word, value in (("a host", options.host), ("credentials", found)) if value]
    return Source(ARGUMENTS, options.host or None, found, " and ".join(held) or "nothing")


def _role_of(options: ClientOptions) -> AwsRole | None:
    """Return the AWS role if `aws_role=True` or an option that requires it was given."""
    settings = {
        name: value
        for name, option in OPTIONS.items()
        if option.group == "aws_role" and name != "aws_role" and (value := getattr(options, name)) is not None
    }
    asked = bool(settings) if options.aws_role is None else options.aws_role
    if settings and not asked:
        raise InvalidConfigError(f"{', '.join(settings)} belong to aws_role=True")
    return AwsRole(**settings) if asked else None


def _read_environment(environment: Environment) -> Source:
    name = "environment"
    pairs = [key_pair(name, *((key, environment.get(key)) for key in names)) for names in _KEY_PAIRS]
    found: Credentials | None = token(name, _TOKEN, environment.get(_TOKEN))
    found = found or next((pair for pair in pairs if pair), None)
    if found is None and environment.get(_PROVIDER):
        found = aws_role_of_environment(environment)
    names = (*(key for keys in _KEY_PAIRS for key in keys), _TOKEN, _ENDPOINT, _PROVIDER)
    held = [key for key in names if environment.get(key)]
    return Source(name, environment.get(_ENDPOINT) or None, found, ", ".join(held) or "no LAKECTL_ variable for it")


# -- lakectl's file ----------------------------------------------------------------------------------------------------


def file_path(profile: str | None, environment: Environment) -> tuple[Path, bool]:
    """Return the path of lakectl's file, and whether it was named: a named file must exist.

    Raises:
        InvalidConfigError: The profile's name cannot be part of a file name.
    """
    if profile is not None:
        if not profile or profile.startswith(".") or any(mark in profile for mark in "/\\\0"):
            raise InvalidConfigError(f"profile={profile!r}: must be a name, because ~/.lakectl.<profile>.yaml is read")
        return Path.home() / f".lakectl.{profile}.yaml", True
    named = environment.get(_CONFIG_FILE)
    return (Path(named).expanduser(), True) if named else (Path.home() / ".lakectl.yaml", False)


def _read_file(profile: str | None, environment: Environment) -> Source:
    try:
        path, named = file_path(profile, environment)
    except RuntimeError as exc:  # a container's user without a home directory
        if profile is None and not environment.get(_CONFIG_FILE):
            return Source("~/.lakectl.yaml", held="there is no home directory")
        raise InvalidConfigError(f"lakectl's file is looked for in the home directory: {exc}") from None
    content = load(path, named=named)
    if content is None:
        return Source(str(path), held="there is no such file")
    entries, name = content.entries, str(path)
    keys = [OPTIONS[option].file_key for option in ("username", "password")]
    pair = key_pair(name, *((key, _text(entries, key, path)) for key in keys))
    found: Credentials | None = pair
    provider = _block(entries, "credentials.provider", path)
    if pair is None and provider.get("type"):
        found = aws_role(provider, name)
    held = [word for word in entries if word in ("server", "credentials")] or [f"{len(entries)} other entries"]
    return Source(
        name,
        _text(entries, OPTIONS["host"].file_key, path),
        found,
        " and ".join(held) if entries else "an empty file",
        content.exposed if pair is not None else "",
    )


def _block(entries: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Any]:
    for name in key.split("."):
        block = entries.get(name)
        if block is not None and not isinstance(block, dict):
            raise InvalidConfigError(f"{path}: `{name}` holds {type(block).__name__}, not entries of its own")
        entries = block or {}
    return entries


def _text(entries: Mapping[str, Any], key: str, path: Path) -> str | None:
    above, _, name = key.rpartition(".")
    value = _block(entries, above, path).get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidConfigError(f"{path}: `{name}` holds {type(value).__name__}, not text")
    return value or None


# -- messages ----------------------------------------------------------------------------------------------------------


def _left_out_message(endpoint: str, configured: str | None) -> str:
    """Return the message that other credentials do not replace those that a pickle left out."""
    here = "names no endpoint" if configured is None else f"names another endpoint, {configured}"
    return (
        f"no credentials for {endpoint}: the client was pickled without its secret, and the configuration of this "
        f"process {here}. What to do: make the client with pickle_secrets=True, or configure this process with "
        f"{_ENDPOINT}={endpoint} and credentials for it"
    )


def _not_found_message(
    options: ClientOptions, sources: list[Source], endpoint: str, *, named: bool, without_secret: bool
) -> str:
    held = [f"{source.name}: {source.held}" for source in sources]
    why = "boto3 is not installed (pip install 'lakefs-hl[aws]')"
    if options.aws_role is False:
        why = "not used, because of aws_role=False"
    elif not named:
        why = "not used, because there is no endpoint to log in to"
    held.append(f"AWS role: {why}")
    pickled = "; the client was pickled without its secret (pickle_secrets=True keeps it)" if without_secret else ""
    return f"no credentials for {endpoint}{pickled}; " + "; ".join(held) + f". What to do: {ADVICE}"


def _has_boto3() -> bool:
    import importlib.util

    return importlib.util.find_spec("boto3") is not None
