"""Where the lake is and who we are: the auth chain as a list of sources, each asked only when it is needed.

Keyword arguments → environment → lakectl's file → AWS role. Endpoint and credentials are looked up separately; a key
pair comes whole from one source, and half a pair is an error. Rules of the room: the only reader of the environment and
of the home folder; no network; no secret in any message.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import quote, urlsplit

import msgspec

from lakefs_hl.spec.errors import InvalidConfigError, NoAuthenticationFound
from lakefs_hl.spec.hosts import ascii_host

DEFAULT_ENDPOINT: Final = "http://127.0.0.1:8000"
FILE_CAP: Final = 64 << 10
#: What a path segment of an endpoint keeps as it was written.
_PATH_MARKS: Final = "%!$&'()*+,;=:@~"
#: lakectl's own names, then those of the first design of this SDK.
_PAIRS: Final = (
    ("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY"),
    ("LAKECTL_ACCESS_KEY_ID", "LAKECTL_ACCESS_SECRET_KEY"),
)
_TOKEN: Final = "LAKECTL_CREDENTIALS_SESSION_TOKEN"  # noqa: S105 - the name of a variable
_ENDPOINT: Final = "LAKECTL_SERVER_ENDPOINT_URL"
_PROVIDER: Final = "LAKECTL_CREDENTIALS_PROVIDER"
_AWS: Final = "aws_iam"
_ADVICE: Final = (
    "give Client(host, username, password), set LAKECTL_CREDENTIALS_ACCESS_KEY_ID and "
    "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY, or run `lakectl config`; "
    'or work without a server: lakefs.init("local:./lake")'
)


class AwsRole(msgspec.Struct, frozen=True, kw_only=True):
    """How to log in with the machine's AWS role.

    Attributes:
        token_ttl_seconds: How long lakeFS's token is to live.
        url_presign_ttl_seconds: How long the signed identity is valid.
        token_request_headers: Further headers to sign; the server's id always is.
        asked: Whether somebody asked for it; else it is the last resort.
    """

    token_ttl_seconds: int = 3600
    url_presign_ttl_seconds: int = 60
    token_request_headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    asked: bool = True


class KeyPair(msgspec.Struct, frozen=True):
    """An access key and its secret."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        """Shows no secret."""
        return f"<KeyPair {masked(self.access_key_id)}>"


class Token(msgspec.Struct, frozen=True):
    """A token that somebody else obtained."""

    value: str

    def __repr__(self) -> str:
        """Shows no secret."""
        return "<Token>"


class Nobody(msgspec.Struct, frozen=True):
    """A lake in process: its owner is the principal."""


Credentials: TypeAlias = KeyPair | Token | AwsRole | Nobody


class Line(NamedTuple):
    """Where one setting came from.

    Attributes:
        setting: Which.
        value: What, secrets masked.
        source: Where it was found.
    """

    setting: str
    value: str
    source: str


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All that a client needs to know.

    Attributes:
        endpoint: `http(s)://host[:port][/path]`, `local:/path` or `mem://name`.
        credentials: Who we are.
        committer: Who commits to a lake in process.
        proxies: Proxy URL by scheme.
        no_proxy: What is reached without one.
        ca_cert: File or folder of trusted certificate authorities.
        max_concurrency: Exchanges side by side, if somebody said.
        lines: Where each came from.
    """

    endpoint: str
    credentials: Credentials
    committer: str
    proxies: Mapping[str, str]
    no_proxy: tuple[str, ...]
    ca_cert: str | None
    max_concurrency: int | None
    lines: tuple[Line, ...]

    @property
    def in_process(self) -> bool:
        """Whether there is no server."""
        return is_lake(self.endpoint)


class Source(msgspec.Struct, frozen=True):
    """What one link of the chain holds.

    Attributes:
        name: How to call it in a message.
        endpoint: Where the lake is, as written there.
        credentials: Who we are.
        held: What it held, in words, without values.
    """

    name: str
    endpoint: str | None = None
    credentials: Credentials | None = None
    held: str = "nothing"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """The keyword arguments that the chain begins with."""

    host: str | None = None
    username: str | None = None
    password: str | None = None
    access_token: str | None = None
    profile: str | None = None
    aws_role: AwsRole | None = None
    committer: str | None = None
    proxy: str | None = None
    ca_cert: str | None = None
    max_concurrency: int | None = None

    def __repr__(self) -> str:
        """Shows no secret."""
        return f"<Given host={self.host!r} profile={self.profile!r}>"


# -- the chain ---------------------------------------------------------------------------------------------------------


def resolve(given: Given, environ: Mapping[str, str] | None = None) -> Settings:
    """Asks one source after another for what is still missing.

    Raises:
        InvalidConfigError: A source holds something unusable; the message names it.
        NoAuthenticationFound: No source holds credentials; the message lists what each held.
    """
    env = os.environ if environ is None else environ
    sources = list[Source]()
    where: tuple[str, str] | None = None
    who: tuple[Credentials, str] | None = None
    for ask in _chain(given, env):
        source = ask()
        sources.append(source)
        if where is None and source.endpoint is not None:
            where = endpoint_of(source.endpoint, source.name), source.name
        if who is None and source.credentials is not None:
            who = source.credentials, source.name
        if where is not None and (who is not None or is_lake(where[0])):
            break
    endpoint, endpoint_source = where or (DEFAULT_ENDPOINT, "lakectl's default")
    if is_lake(endpoint):
        who = Nobody(), "a lake in process needs none"
    elif who is None and where is not None and _may_have_role():
        who = AwsRole(asked=False), "AWS role, the last resort"
    if who is None:
        raise NoAuthenticationFound(_nothing(sources, endpoint, role=where is not None))
    lines = [Line("endpoint", endpoint, endpoint_source), Line("credentials", _shown(who[0]), who[1])]
    return _settings(given, env, endpoint, who[0], lines)


def _chain(given: Given, env: Mapping[str, str]) -> Iterator[Callable[[], Source]]:
    yield lambda: _arguments(given)
    if given.profile is not None:  # asked for by name: it goes before what merely lies around
        yield lambda: _file(given.profile, env)
    yield lambda: _environment(env)
    if given.profile is None:
        yield lambda: _file(None, env)


def _arguments(given: Given) -> Source:
    name = "keyword arguments"
    if given.access_token is not None and (given.username or given.password):
        msg = "a token and a key pair were given: give access_token, or username and password"
        raise InvalidConfigError(msg)
    pair = _pair(name, ("username", given.username), ("password", given.password))
    found: Credentials | None = pair or _token(name, "access_token", given.access_token) or given.aws_role
    held = [word for word, value in (("a host", given.host), ("credentials", found)) if value]
    return Source(name, given.host or None, found, " and ".join(held) or "nothing")


def _environment(env: Mapping[str, str]) -> Source:
    name = "environment"
    pairs = [_pair(name, *((key, env.get(key)) for key in names)) for names in _PAIRS]
    token = _token(name, _TOKEN, env.get(_TOKEN))
    found: Credentials | None = token or next((pair for pair in pairs if pair), None)
    if found is None and env.get(f"{_PROVIDER}_TYPE"):
        found = _role_from_environment(env)
    names = (*(key for keys in _PAIRS for key in keys), _TOKEN, _ENDPOINT, f"{_PROVIDER}_TYPE")
    held = [key for key in names if env.get(key)]
    return Source(name, env.get(_ENDPOINT) or None, found, ", ".join(held) or "no LAKECTL_ variable for it")


def _role_from_environment(env: Mapping[str, str]) -> AwsRole:
    fields: dict[str, Any] = {"type": env[f"{_PROVIDER}_TYPE"]}
    options = {
        name: env[f"{_PROVIDER}_AWS_IAM_{variable}"]
        for name, variable in (
            ("token_ttl_seconds", "TOKEN_TTL_SECONDS"),
            ("url_presign_ttl_seconds", "PRESIGNED_URL_TTL_SECONDS"),
            ("token_request_headers", "TOKEN_REQUEST_HEADERS"),
        )
        if env.get(f"{_PROVIDER}_AWS_IAM_{variable}")
    }
    if isinstance(headers := options.get("token_request_headers"), str):
        try:
            fields[_AWS] = {
                **options,
                "token_request_headers": msgspec.json.decode(headers.encode(), type=dict[str, str]),
            }
        except msgspec.DecodeError as exc:
            variable = f"{_PROVIDER}_AWS_IAM_TOKEN_REQUEST_HEADERS"
            raise InvalidConfigError(f"{variable} is not a JSON object of strings: {exc}") from None
    else:
        fields[_AWS] = options
    return _role(fields, "environment")


def _pair(source: str, first: tuple[str, str | None], second: tuple[str, str | None]) -> KeyPair | None:
    """Both halves, or neither."""
    (key_name, key), (secret_name, secret) = first, second
    if key and secret:
        for name, value in ((key_name, key), (secret_name, secret)):
            if not value.isprintable():
                raise InvalidConfigError(f"{source}: {name} holds a line break or another control character")
        return KeyPair(key, secret)
    if not key and not secret:
        return None
    there, missing = (key_name, secret_name) if key else (secret_name, key_name)
    raise InvalidConfigError(f"{source}: {there} is there, {missing} is not: a key pair comes whole from one source")


def _token(source: str, name: str, value: str | None) -> Token | None:
    """A token, if it can be sent: what a header cannot carry would be repeated by the error of whoever tries."""
    if not value:
        return None
    if not (value.isascii() and value.isprintable()) or " " in value:
        msg = f"{source}: {name} holds a space, a line break or another character that no token has; was it read whole?"
        raise InvalidConfigError(msg)
    return Token(value)


def _nothing(sources: list[Source], endpoint: str, *, role: bool) -> str:
    held = [f"{source.name}: {source.held}" for source in sources]
    why = (
        "boto3 is not installed (pip install 'lakefs-hl[aws]')"
        if role
        else "not asked, there is no endpoint to log in to"
    )
    held.append(f"AWS role: {why}")
    return f"no credentials for {endpoint}; " + "; ".join(held) + f". What to do: {_ADVICE}"


def _may_have_role() -> bool:
    import importlib.util

    return importlib.util.find_spec("boto3") is not None


def _shown(credentials: Credentials) -> str:
    match credentials:
        case KeyPair():
            return f"access key {masked(credentials.access_key_id)} and its secret"
        case Token():
            return "a token"
        case AwsRole():
            return "the machine's AWS role"
        case Nobody():
            return "none"


def masked(value: str) -> str:
    """The beginning of a name that is half a secret."""
    return f"{value[:4]}…" if len(value) > 8 else "…"


# -- lakectl's file ----------------------------------------------------------------------------------------------------


def file_path(profile: str | None, env: Mapping[str, str]) -> tuple[Path, bool]:
    """Where lakectl's file is, and whether it was named: one that was must exist.

    Raises:
        InvalidConfigError: The profile's name is no name.
    """
    if profile is not None:
        if not profile or profile.startswith(".") or any(mark in profile for mark in "/\\\0"):
            raise InvalidConfigError(f"profile={profile!r} is not a profile's name: ~/.lakectl.<profile>.yaml is read")
        return Path.home() / f".lakectl.{profile}.yaml", True
    named = env.get("LAKECTL_CONFIG_FILE")
    return (Path(named).expanduser(), True) if named else (Path.home() / ".lakectl.yaml", False)


def _file(profile: str | None, env: Mapping[str, str]) -> Source:
    path, named = file_path(profile, env)
    content = _read(path, named=named)
    if content is None:
        return Source(str(path), held="there is no such file")
    from lakefs_hl.lakectl import parse

    data = parse(content, str(path))
    server, keys = _block(data, "server", path), _block(data, "credentials", path)
    pair = _pair(
        str(path),
        ("credentials.access_key_id", _text(keys, "access_key_id", path)),
        ("credentials.secret_access_key", _text(keys, "secret_access_key", path)),
    )
    provider = _block(keys, "provider", path)
    found: Credentials | None = pair
    if pair is None and provider.get("type"):
        found = _role(provider, str(path))
    held = [word for word in data if word in ("server", "credentials")] or [f"{len(data)} other entries"]
    return Source(
        str(path), _text(server, "endpoint_url", path), found, " and ".join(held) if data else "an empty file"
    )


def _read(path: Path, *, named: bool) -> bytes | None:
    try:
        with path.open("rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o002:
                raise InvalidConfigError(f"{path} may be changed by anybody on this machine: chmod 600 {path}")
            content = file.read(FILE_CAP + 1)
    except FileNotFoundError:
        if named:
            raise InvalidConfigError(f"there is no file {path}, which LAKECTL_CONFIG_FILE or profile= names") from None
        return None
    except OSError as exc:
        raise InvalidConfigError(f"{path} cannot be read: {exc.strerror}") from None
    if len(content) > FILE_CAP:
        raise InvalidConfigError(f"{path} is larger than {FILE_CAP >> 10} KiB: this is no lakectl configuration")
    return content


def _block(data: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    block = data.get(name)
    if block is None:
        return {}
    if not isinstance(block, dict):
        raise InvalidConfigError(f"{path}: `{name}` holds {type(block).__name__}, not entries of its own")
    return block


def _text(block: Mapping[str, Any], name: str, path: Path) -> str | None:
    value = block.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidConfigError(f"{path}: `{name}` holds {type(value).__name__}, not text")
    return value or None


def _role(provider: Mapping[str, Any], source: str) -> AwsRole:
    kind = provider.get("type")
    if kind != _AWS:
        raise InvalidConfigError(f"{source}: credentials provider {kind!r} is not known; {_AWS!r} is")
    options = provider.get(_AWS) or {}
    try:
        role = msgspec.convert(options, AwsRole, strict=False)
    except msgspec.ValidationError as exc:
        raise InvalidConfigError(f"{source}: credentials.provider.{_AWS}: {exc}") from None
    if role.token_ttl_seconds <= 0 or role.url_presign_ttl_seconds <= 0:
        raise InvalidConfigError(f"{source}: credentials.provider.{_AWS}: a time to live must be at least 1 second")
    return role


# -- the endpoint ------------------------------------------------------------------------------------------------------


def is_lake(endpoint: str) -> bool:
    """Whether an endpoint names a lake in process."""
    return endpoint.startswith(("local:", "mem:"))


def endpoint_of(value: str, source: str) -> str:
    """Reads an endpoint as people write it: with or without `/api/v1` or a last slash, maybe under a proxy's path.

    Raises:
        InvalidConfigError: It is none; the message never repeats a password.
    """
    value = value.strip()
    if value.startswith("local:"):
        return _local(value, source)
    if value.startswith("mem:"):
        return f"mem://{value.removeprefix('mem:').removeprefix('//')}"
    want = "want http://host[:port], https://host[:port], either with the path of a reverse proxy, local:PATH or mem://"
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise InvalidConfigError(f"{source}: the endpoint is not a URL; {want}") from None
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    if "@" in parts.netloc:
        raise InvalidConfigError(f"{source}: endpoint {shown!r} holds a user name: give username and password instead")
    if parts.scheme not in ("http", "https") or not parts.hostname or any(mark <= " " for mark in value):
        scheme = "local:" if value.startswith((".", "/", "~")) else "http://"
        guess = f"; did you mean {scheme}{value}?" if value and "://" not in value and " " not in value else ""
        raise InvalidConfigError(f"{source}: {shown!r} is not an endpoint; {want}{guess}")
    if parts.query or parts.fragment:
        raise InvalidConfigError(f"{source}: endpoint {shown!r} has a query or a fragment: leave it out")
    try:
        name = ascii_host(parts.hostname)
    except ValueError as exc:
        raise InvalidConfigError(f"{source}: endpoint {shown!r}: {exc}") from None
    host = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "") + _prefix(parts.path, shown, source)


def _prefix(path: str, shown: str, source: str) -> str:
    """The path under which a reverse proxy has the server, without lakeFS's own `/api/v1`."""
    segments = [segment for segment in path.split("/") if segment]
    if segments[-2:] == ["api", "v1"]:
        del segments[-2:]
    within = any(first == "api" and second.startswith("v") for first, second in pairwise(segments))
    if within or {".", ".."} & set(segments):
        msg = f"{source}: endpoint {shown!r} has a path within the API: give what comes before /api/v1"
        raise InvalidConfigError(msg)
    return "".join(f"/{quote(segment, safe=_PATH_MARKS)}" for segment in segments)


def _local(value: str, source: str) -> str:
    path = value.removeprefix("local:")
    if path.startswith("//"):
        path = path[2:]
        if path and not path.startswith(("/", ".", "~")):
            msg = f"{source}: {value!r} names a host: write local:/absolute/path or local:relative/path"
            raise InvalidConfigError(msg)
    if not path or "\0" in path:
        raise InvalidConfigError(f"{source}: {value!r} names no folder: write local:./lake")
    return f"local:{Path(path).expanduser().absolute().resolve()}"


# -- the rest ----------------------------------------------------------------------------------------------------------


def _settings(
    given: Given, env: Mapping[str, str], endpoint: str, credentials: Credentials, lines: list[Line]
) -> Settings:
    committer, source = _committer(given, env)
    if is_lake(endpoint):
        lines.append(Line("committer", committer, source))
    proxies, no_proxy = _proxies(given, env, lines)
    return Settings(
        endpoint=endpoint,
        credentials=credentials,
        committer=committer,
        proxies=proxies,
        no_proxy=no_proxy,
        ca_cert=_ca_cert(given, env, lines),
        max_concurrency=_concurrency(given, env, lines),
        lines=tuple(lines),
    )


def _committer(given: Given, env: Mapping[str, str]) -> tuple[str, str]:
    if given.committer:
        return given.committer, "keyword arguments"
    if named := env.get("LAKEFS_HL_COMMITTER"):
        return named, "LAKEFS_HL_COMMITTER"
    import getpass

    try:
        return getpass.getuser(), "the operating system's user"
    except (KeyError, OSError, ImportError):  # a container's user without a name
        return "lakefs_hl", "the user has no name"


def _proxies(given: Given, env: Mapping[str, str], lines: list[Line]) -> tuple[dict[str, str], tuple[str, ...]]:
    if given.proxy is not None:
        if not given.proxy:
            return {}, ()
        lines.append(Line("proxy", _without_login(given.proxy), "keyword arguments"))
        return {"all": _proxy(given.proxy, "proxy=")}, ()
    found: dict[str, str] = {}
    for scheme in ("https", "http", "all"):
        names = [f"{scheme}_proxy", f"{scheme.upper()}_PROXY"]
        if scheme == "http" and "REQUEST_METHOD" in env:  # a CGI script's caller sets HTTP_PROXY with a header
            del names[1]
        name = next((one for one in names if env.get(one)), None)
        if name is not None:
            found[scheme] = env[name] if "://" in env[name] else f"http://{env[name]}"
            lines.append(Line(f"proxy for {scheme}", _without_login(found[scheme]), name))
    listed = env.get("no_proxy") or env.get("NO_PROXY") or ""
    # This machine itself is never behind a proxy: lakectl sees it the same way.
    return found, (*(one.strip() for one in listed.split(",") if one.strip()), "localhost", "127.0.0.0/8", "::1")


def _proxy(value: str, source: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidConfigError(f"{source}{_without_login(value)!r} is not a proxy: want http://host:port")
    return value


def _without_login(url: str) -> str:
    before, at, after = url.rpartition("@")
    scheme = before.partition("://")[0]
    return f"{scheme}://…@{after}" if at else url


def _ca_cert(given: Given, env: Mapping[str, str], lines: list[Line]) -> str | None:
    for source, value in (
        ("ca_cert=", given.ca_cert),
        *((name, env.get(name)) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")),
    ):
        if value:
            path = Path(value).expanduser()
            if not path.exists():
                raise InvalidConfigError(f"{source} names {value!r}, which does not exist: want a file of certificates")
            lines.append(Line("ca_cert", str(path), source.rstrip("=")))
            return str(path)
    return None


def _concurrency(given: Given, env: Mapping[str, str], lines: list[Line]) -> int | None:
    value, source = given.max_concurrency, "max_concurrency="
    if value is None and env.get("LAKEFS_HL_MAX_CONCURRENCY"):
        source = "LAKEFS_HL_MAX_CONCURRENCY"
        text = env[source].strip()
        if not text.isdecimal():
            raise InvalidConfigError(f"{source} is {text!r}: want a number of exchanges, at least 1")
        value = int(text)
    if value is None:
        return None
    if value < 1:
        raise InvalidConfigError(f"{source.rstrip('=')} is {value}: want at least 1 exchange at a time")
    lines.append(Line("max_concurrency", str(value), source.rstrip("=")))
    return value


class ServeKeys(NamedTuple):
    """The key pair that `lakefs-hl serve` hands out at its first start."""

    access_key_id: str
    secret_access_key: str


def serve_keys(environ: Mapping[str, str] | None = None) -> ServeKeys | None:
    """Reads the pair that a served lake is to have; None means a random one.

    Raises:
        InvalidConfigError: Half of it is there.
    """
    env = os.environ if environ is None else environ
    names = ("LAKEFS_HL_SERVE_ACCESS_KEY_ID", "LAKEFS_HL_SERVE_SECRET_ACCESS_KEY")
    pair = _pair("environment", *((name, env.get(name)) for name in names))
    return None if pair is None else ServeKeys(pair.access_key_id, pair.secret_access_key)
