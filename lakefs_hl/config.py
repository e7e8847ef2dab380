"""Where the lake is and who we are: the auth chain as a list of sources, each asked only when it is needed.

Keyword arguments → environment → lakectl's file → AWS role. Endpoint and credentials are looked up separately; a key
pair comes whole from one source, and half a pair is an error. Rules of the room: the only reader of the environment and
of the home folder; no network; no secret in any message.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec

from lakefs_hl.credentials import PROVIDER, masked, pair_of, role_from_environment, role_of, shown, token_of
from lakefs_hl.credentials import AwsRole as AwsRole
from lakefs_hl.credentials import Credentials as Credentials
from lakefs_hl.credentials import KeyPair as KeyPair
from lakefs_hl.credentials import Nobody as Nobody
from lakefs_hl.credentials import Token as Token
from lakefs_hl.spec.errors import InvalidConfigError, NoAuthenticationFound
from lakefs_hl.spec.hosts import ascii_host, proxy_fault
from lakefs_hl.spec.secret import hide, hide_login, reveal

DEFAULT_ENDPOINT: Final = "http://127.0.0.1:8000"
#: What a path segment of an endpoint keeps as it was written.
_PATH_MARKS: Final = "%!$&'()*+,;=:@~"
#: lakectl's own names, then those of the first design of this SDK.
_PAIRS: Final = (
    ("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY"),
    ("LAKECTL_ACCESS_KEY_ID", "LAKECTL_ACCESS_SECRET_KEY"),
)
_TOKEN: Final = "LAKECTL_CREDENTIALS_SESSION_TOKEN"  # noqa: S105 - the name of a variable
_ENDPOINT: Final = "LAKECTL_SERVER_ENDPOINT_URL"
_SECRETS: Final = frozenset({*(secret for _, secret in _PAIRS), _TOKEN, "LAKEFS_HL_SERVE_SECRET_ACCESS_KEY"})
_ADVICE: Final = (
    "give Client(host, username, password), set LAKECTL_CREDENTIALS_ACCESS_KEY_ID and "
    "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY, or run `lakectl config`; "
    'or work without a server: lakefs.init("local:./lake")'
)


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
        exposed: Files of secrets that others may read or change, each in a sentence.
    """

    endpoint: str
    credentials: Credentials
    committer: str
    proxies: Mapping[str, str]
    no_proxy: tuple[str, ...]
    ca_cert: str | None
    max_concurrency: int | None
    lines: tuple[Line, ...]
    exposed: tuple[str, ...] = ()

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
        exposed: Why others may get at its secret; "" if they may not.
    """

    name: str
    endpoint: str | None = None
    credentials: Credentials | None = None
    held: str = "nothing"
    exposed: str = ""


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


class Variables:
    """The environment, read by name: it does not print, and its secrets hide themselves."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def get(self, name: str) -> str | None:
        """Return a variable's value, or None."""
        value = self._environ.get(name)
        return hide(value) if value and name in _SECRETS else hide_login(value)  # type: ignore[no-any-return]

    def __getitem__(self, name: str) -> str:
        return self.get(name) or ""

    def __contains__(self, name: str) -> bool:
        return name in self._environ


def resolve(given: Given, environ: Mapping[str, str] | None = None, *, unpickled: bool = False) -> Settings:
    """Asks one source after another for what is still missing.

    Args:
        given: The keyword arguments.
        environ: The environment.
        unpickled: Whether the arguments come out of a pickle that left a secret out: other credentials are used for
            their endpoint only if a source of this process names the same endpoint.

    Raises:
        InvalidConfigError: A source holds something unusable; the message names it.
        NoAuthenticationFound: No source holds credentials; the message lists what each held.
    """
    env = Variables(os.environ if environ is None else environ)
    sources = list[Source]()
    where: tuple[str, str] | None = None
    own: str | None = None
    who: tuple[Credentials, str] | None = None
    for ask in _chain(given, env):
        source = ask()
        sources.append(source)
        if source.endpoint is not None:
            named = endpoint_of(source.endpoint, source.name)
            where = where or (named, source.name)
            own = named if own is None and len(sources) > 1 else own
        if who is None and source.credentials is not None:
            who = source.credentials, source.name
        if where is not None and (is_lake(where[0]) or (who is not None and not (unpickled and own is None))):
            break
    endpoint, endpoint_source = where or (DEFAULT_ENDPOINT, "lakectl's default")
    if is_lake(endpoint):
        who = Nobody(), "a lake in process needs none"
    elif unpickled and (own is None or _canonical(own) != _canonical(endpoint)):
        raise NoAuthenticationFound(_left_out(endpoint, own))
    elif who is None and where is not None and _may_have_role():
        who = AwsRole(asked=False), "AWS role, the last resort"
    if who is None:
        raise NoAuthenticationFound(_nothing(sources, endpoint, role=where is not None, unpickled=unpickled))
    lines = [Line("endpoint", endpoint, endpoint_source), Line("credentials", shown(who[0]), who[1])]
    exposed = tuple(source.exposed for source in sources if source.exposed)
    return _settings(given, env, endpoint, who[0], lines, exposed)


def _left_out(endpoint: str, own: str | None) -> str:
    """Why other credentials are not used in place of those that a pickle left out."""
    here = "names no endpoint" if own is None else f"names another endpoint, {own}"
    return (
        f"no credentials for {endpoint}: the client was pickled without its secret, and the configuration of this "
        f"process {here}. What to do: make the client with pickle_secrets=True, or configure this process with "
        f"LAKECTL_SERVER_ENDPOINT_URL={endpoint} and credentials for it"
    )


def _chain(given: Given, env: Variables) -> Iterator[Callable[[], Source]]:
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
    pair = pair_of(name, ("username", given.username), ("password", given.password))
    found: Credentials | None = pair or token_of(name, "access_token", given.access_token) or given.aws_role
    held = [word for word, value in (("a host", given.host), ("credentials", found)) if value]
    return Source(name, given.host or None, found, " and ".join(held) or "nothing")


def _environment(env: Variables) -> Source:
    name = "environment"
    pairs = [pair_of(name, *((key, env.get(key)) for key in names)) for names in _PAIRS]
    token = token_of(name, _TOKEN, env.get(_TOKEN))
    found: Credentials | None = token or next((pair for pair in pairs if pair), None)
    if found is None and env.get(f"{PROVIDER}_TYPE"):
        found = role_from_environment(env)
    names = (*(key for keys in _PAIRS for key in keys), _TOKEN, _ENDPOINT, f"{PROVIDER}_TYPE")
    held = [key for key in names if env.get(key)]
    return Source(name, env.get(_ENDPOINT) or None, found, ", ".join(held) or "no LAKECTL_ variable for it")


def _nothing(sources: list[Source], endpoint: str, *, role: bool, unpickled: bool) -> str:
    held = [f"{source.name}: {source.held}" for source in sources]
    why = (
        "boto3 is not installed (pip install 'lakefs-hl[aws]')"
        if role
        else "not asked, there is no endpoint to log in to"
    )
    held.append(f"AWS role: {why}")
    pickled = "; the client was pickled without its secret (pickle_secrets=True keeps it)" if unpickled else ""
    return f"no credentials for {endpoint}{pickled}; " + "; ".join(held) + f". What to do: {_ADVICE}"


def _may_have_role() -> bool:
    import importlib.util

    return importlib.util.find_spec("boto3") is not None


# -- lakectl's file ----------------------------------------------------------------------------------------------------


def file_path(profile: str | None, env: Variables) -> tuple[Path, bool]:
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


def _file(profile: str | None, env: Variables) -> Source:
    try:
        path, named = file_path(profile, env)
    except RuntimeError as exc:  # a container's user without a home directory
        if profile is None and not env.get("LAKECTL_CONFIG_FILE"):
            return Source("~/.lakectl.yaml", held="there is no home directory")
        raise InvalidConfigError(f"lakectl's file is looked for in the home directory: {exc}") from None
    from lakefs_hl.lakectl import load

    content = load(path, named=named)
    if content is None:
        return Source(str(path), held="there is no such file")
    data = content.entries
    server, keys = _block(data, "server", path), _block(data, "credentials", path)
    pair = pair_of(
        str(path),
        ("credentials.access_key_id", _text(keys, "access_key_id", path)),
        ("credentials.secret_access_key", _text(keys, "secret_access_key", path)),
    )
    provider = _block(keys, "provider", path)
    found: Credentials | None = pair
    if pair is None and provider.get("type"):
        found = role_of(provider, str(path))
    held = [word for word in data if word in ("server", "credentials")] or [f"{len(data)} other entries"]
    return Source(
        str(path),
        _text(server, "endpoint_url", path),
        found,
        " and ".join(held) if data else "an empty file",
        content.exposed if pair is not None else "",
    )


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


# -- the endpoint ------------------------------------------------------------------------------------------------------


def is_lake(endpoint: str) -> bool:
    """Whether an endpoint names a lake in process."""
    return endpoint.startswith(("local:", "mem:"))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself: a loopback address, or `localhost`.

    Of names only `localhost` counts: resolvers answer it themselves (RFC 6761). Any other name, one below `localhost`
    too, is what a name server says it is.
    """
    import ipaddress

    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _canonical(endpoint: str) -> str:
    """An endpoint without the port that its scheme has anyway."""
    scheme, _, rest = endpoint.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.removesuffix(':443' if scheme == 'https' else ':80')}{slash}{path}"


def endpoint_of(value: str, source: str) -> str:
    """Reads an endpoint as people write it: with or without `/api/v1` or a last slash, maybe under a proxy's path.

    Raises:
        InvalidConfigError: It is none; the message never repeats a password.
    """
    value = reveal(value).strip()
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
    given: Given, env: Variables, endpoint: str, credentials: Credentials, lines: list[Line], exposed: tuple[str, ...]
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
        exposed=exposed,
    )


def _committer(given: Given, env: Variables) -> tuple[str, str]:
    if given.committer:
        return given.committer, "keyword arguments"
    if named := env.get("LAKEFS_HL_COMMITTER"):
        return named, "LAKEFS_HL_COMMITTER"
    import getpass

    try:
        return getpass.getuser(), "the operating system's user"
    except (KeyError, OSError, ImportError):  # a container's user without a name
        return "lakefs_hl", "the user has no name"


def _proxies(given: Given, env: Variables, lines: list[Line]) -> tuple[dict[str, str], tuple[str, ...]]:
    if given.proxy is not None:
        if not given.proxy:
            return {}, ()
        lines.append(Line("proxy", _without_login(given.proxy), "keyword arguments"))
        return {"all": hide_login(_proxy(given.proxy, "proxy="))}, ()
    found: dict[str, str] = {}
    for scheme in ("https", "http", "all"):
        names = [f"{scheme}_proxy", f"{scheme.upper()}_PROXY"]
        if scheme == "http" and "REQUEST_METHOD" in env:  # a CGI script's caller sets HTTP_PROXY with a header
            del names[1]
        name = next((one for one in names if env.get(one)), None)
        if name is not None:
            found[scheme] = hide_login(env[name] if "://" in env[name] else "http://" + env[name])
            lines.append(Line(f"proxy for {scheme}", _without_login(found[scheme]), name))
    listed = env.get("no_proxy") or env.get("NO_PROXY") or ""
    # This machine itself is never behind a proxy: lakectl sees it the same way.
    return found, (*(one.strip() for one in listed.split(",") if one.strip()), "localhost", "127.0.0.0/8", "::1")


def _proxy(value: str, source: str) -> str:
    why = proxy_fault(value)
    if why:
        raise InvalidConfigError(f"{source}{_without_login(value)!r} is not a proxy: {why}")
    return value


def _without_login(url: str) -> str:
    before, at, after = reveal(url).rpartition("@")
    scheme, mark, _ = before.partition("://")
    return f"{scheme if mark else ''}{mark}…@{after}" if at else url


def _ca_cert(given: Given, env: Variables, lines: list[Line]) -> str | None:
    for source, value in (
        ("ca_cert=", given.ca_cert),
        *((name, env.get(name)) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")),
    ):
        if value:
            path = Path(value).expanduser()
            try:
                mode = path.stat().st_mode
            except OSError as exc:
                why = "does not exist" if isinstance(exc, FileNotFoundError) else f"cannot be read: {exc.strerror}"
                raise InvalidConfigError(
                    f"{source} names {value!r}, which {why}: want a file of certificates"
                ) from None
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # reading a FIFO would wait for whoever writes to it
                from lakefs_hl.lakectl import kind_of

                what = kind_of(mode)
                raise InvalidConfigError(f"{source} names {value!r}, which is {what}: want a file of certificates")
            lines.append(Line("ca_cert", str(path), source.rstrip("=")))
            return str(path)
    return None


def _concurrency(given: Given, env: Variables, lines: list[Line]) -> int | None:
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

    def __repr__(self) -> str:
        """Shows no secret."""
        return f"<ServeKeys {masked(self.access_key_id)}>"


def serve_keys(environ: Mapping[str, str] | None = None) -> ServeKeys | None:
    """Reads the pair that a served lake is to have; None means a random one.

    Raises:
        InvalidConfigError: Half of it is there.
    """
    env = Variables(os.environ if environ is None else environ)
    names = ("LAKEFS_HL_SERVE_ACCESS_KEY_ID", "LAKEFS_HL_SERVE_SECRET_ACCESS_KEY")
    pair = pair_of("environment", *((name, env.get(name)) for name in names))
    return None if pair is None else ServeKeys(pair.access_key_id, reveal(pair.secret_access_key))
