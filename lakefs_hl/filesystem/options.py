"""Options of the file system: which there are, instances by their values, and the client that they describe."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

from fsspec.config import apply_config
from fsspec.spec import AbstractFileSystem

from lakefs_hl import Client

_code = Client.__init__.__code__
#: Options of `Client`.
OF_CLIENT: Final = frozenset(_code.co_varnames[1 : _code.co_argcount + _code.co_kwonlyargcount])
#: Options of `Client` that other clients, or lakefs-spec, have under other names.
ALIASES: Final = {
    "endpoint": "host",
    "access_key_id": "username",
    "secret_access_key": "password",
    "jwt_token": "access_token",
    "ssl_ca_cert": "ca_cert",
}
#: Options of this file system.
OF_SYSTEM: Final = frozenset(
    {
        "client",
        "create_branch_ok",
        "source_branch",
        "pre_sign",
        "batch_size",
        "default_block_size",
        "default_cache_type",
    }
)
#: Options of lakefs-spec that nothing here needs, with what to use instead if they have a value.
REPLACED: Final = {
    "api_key": "it is the session cookie of a browser; use access_token, or username and password",
    "api_key_prefix": "it belongs to api_key; use access_token, or username and password",
    "configfile": "use profile='name', which reads ~/.lakectl.name.yaml",
    "request_config": "use timeout=SECONDS for its request_timeout",
}
#: Options of fsspec itself.
OF_FSSPEC: Final = frozenset(
    {
        "add_aliases",
        "add_docs",
        "asynchronous",
        "listings_expiry_time",
        "loop",
        "max_paths",
        "skip_instance_cache",
        "use_listings_cache",
    }
)
KNOWN: Final = OF_CLIENT | ALIASES.keys() | OF_SYSTEM | REPLACED.keys() | OF_FSSPEC
#: Options that hold secrets: `to_json(include_password=False)` leaves them out.
SECRETS: Final = frozenset(
    {"password", "secret_access_key", "access_token", "jwt_token", "api_key", "token_request_headers", "proxy"}
)
_POSITIONAL: Final = ("host", "username", "password")


class Handed:
    """A client that was handed in, as an option.

    fsspec finds instances by the text of their options, and two clients may have the same text. This one is different
    for each client.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handed) and self.client is other.client

    def __hash__(self) -> int:
        return id(self.client)

    def __repr__(self) -> str:
        return f"<client {id(self.client):x}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return receive_client, (self.client,)


#: Clients that came with pickles, by what the pickles contain: the tasks of a worker share one.
_received: Final[WeakValueDictionary[bytes, Client]] = WeakValueDictionary()


def receive_client(client: Client) -> Handed:
    """Unpickle a client that was handed in. Equal pickles give the same client, so that instances do not add up."""
    make, *given = client.__reduce__()
    key = sha256(repr((make.__name__, given)).encode("utf-8", "surrogatepass")).digest()
    return Handed(_received.setdefault(key, client))


class Instances(type(AbstractFileSystem)):  # type: ignore[misc]
    """The metaclass: brings options into one form before fsspec's cache of instances looks at them."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Return the instance for some options: a new one, or the one that this thread has."""
        if kwargs.get("asynchronous"):  # what a library asks for that awaits the calls, such as zarr
            from lakefs_hl.filesystem.asynchronous import LakeFSAsyncFileSystem

            return LakeFSAsyncFileSystem(*args, **kwargs)
        try:
            return super().__call__(**normalize(apply_config(cls, kwargs), args))
        except Exception as error:  # noqa: BLE001 - raised again
            args, kwargs = (), {}
            raise without_options(error) from error.__cause__


def without_options(error: Exception) -> Exception:
    """Return an error of wrong options without the frames that have the options among their variables.

    Tools that report errors show the variables of each frame, and secrets are among the options. The frames of
    `Client`, which hides them, are kept.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_name != "_make":
        trace = trace.tb_next
    return error.with_traceback(trace)


def normalize(given: dict[str, Any], args: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Return options in one form: by name, without None, with the absolute path of an embedded lake.

    Raises:
        TypeError: There is no such option, one is given twice, or a client is given together with options for one.
        ValueError: An option of lakefs-spec has a value that cannot be used here.
    """
    if len(args) > len(_POSITIONAL):
        raise TypeError(f"LakeFSFileSystem takes host, username and password by position, and {len(args)} were given")
    options = dict(given)
    options.pop("hf", None)  # `datasets` adds it, with a token of Hugging Face, to the dictionary that its caller gave
    for name, value in zip(_POSITIONAL, args, strict=False):
        if options.get(name) is not None:
            raise TypeError(f"{name} was given twice, by position and by name")
        options[name] = value
    unknown = sorted(options.keys() - KNOWN)
    if unknown:
        raise TypeError(
            f"{unknown[0]!r} is not an option of LakeFSFileSystem; it takes those of lakefs_hl.Client, such as host, "
            f"username and password, and {', '.join(sorted(OF_SYSTEM))}"
        )
    options = {name: value for name, value in options.items() if value is not None}
    for alias, name in ALIASES.items():
        if alias in options:
            value = options.pop(alias)
            if options.setdefault(name, value) != value:
                raise TypeError(f"{alias} is another name of {name}: give one of them")
    _replace(options)
    if isinstance(options.get("host"), str):
        options["host"] = absolute(options["host"])
    client = options.get("client")
    if client is not None:
        check_client(options, client, Client)
        options["client"] = client if isinstance(client, Handed) else Handed(client)
    return dict(sorted(options.items()))  # fsspec tells instances apart by the text of their options


def _replace(options: dict[str, Any]) -> None:
    """Take the options of lakefs-spec that have another form here."""
    config = options.get("request_config")
    if isinstance(config, dict) and config.keys() <= {"request_timeout"}:
        seconds = options.pop("request_config").get("request_timeout")
        if seconds is not None:
            connect, read = seconds if isinstance(seconds, tuple | list) else (None, seconds)
            options.setdefault("timeout", read)
            if connect is not None:
                options.setdefault("connect_timeout", connect)
    for name, advice in REPLACED.items():
        if name in options:
            raise ValueError(f"{name} has no meaning for lakefs_hl: {advice}")


def check_client(options: dict[str, Any], client: object, wanted: type) -> None:
    """Check that a client that was handed in is of the right kind, and that no option is given for another one.

    Raises:
        TypeError: It is not, or there is one.
    """
    kind = type(client.client) if isinstance(client, Handed) else type(client)
    if not issubclass(kind, wanted):
        given = f"{kind.__module__}.{kind.__name__}".removeprefix("builtins.")
        raise TypeError(f"client must be a {wanted.__module__}.{wanted.__name__}, not {given}")
    extra = sorted(options.keys() & OF_CLIENT)
    if extra:
        raise TypeError(f"client and {extra[0]} are given: a client has its options already; give one of the two")


def absolute(host: str) -> str:
    """Return the address of an embedded lake with its absolute path, and any other address as it is.

    A path below a home directory does not depend on the current directory: the client resolves it.
    """
    if not host.startswith("local:"):
        return host
    path = host.removeprefix("local:")
    if path.startswith("//"):
        path = path[2:]
        if not path.startswith(("/", ".")):
            return host  # the client says what is wrong
    if not path or path.startswith("~"):
        return host
    try:
        return f"local:{Path(path).absolute().resolve()}"
    except (RuntimeError, ValueError):  # a loop of links, a NUL: likewise
        return host


def check_plain(given: dict[str, Any]) -> None:
    """Check that options can be written as JSON.

    Raises:
        TypeError: A client is among them.
    """
    if "client" in given:
        raise TypeError("client= cannot be written as JSON; make the file system from options, such as host='…'")


def is_described(client: Client) -> bool:
    """Return whether a client was made with options of its own, not only from the configuration of this process.

    A client with a transport function is not: it cannot be pickled.
    """
    given = client._options
    return given != type(given)() and given.transport is None


#: Clients by their options: instances of all threads share one, with its connections and its lake in memory.
_clients: Final[WeakValueDictionary[bytes, Client]] = WeakValueDictionary()


def client_of(options: dict[str, Any]) -> Client | None:
    """Return the client that some normalized options describe. None is the default client at the time of each call.

    Raises:
        NoAuthenticationFound: They name a server, and no source has credentials.
        InvalidConfigError: A value is invalid.
        LakeError: The embedded lake cannot be opened.
    """
    handed = options.get("client")
    if handed is not None:
        found: Client = handed.client
        return found
    given = {name: options[name] for name in sorted(options.keys() & OF_CLIENT)}
    if not given:
        return None
    key = sha256(repr(given).encode("utf-8", "surrogatepass")).digest()
    return _clients.setdefault(key, Client(**given)) if key not in _clients else _clients[key]
