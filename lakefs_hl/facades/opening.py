"""The parameters of CloudFiles' constructor, in the terms of stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from lakefs_hl.facades import arguments

_AWS: Final = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
_AWS_REGION: Final = "AWS_DEFAULT_REGION"
_S3: Final = ("s3", "s3a")
_GS: Final = ("gs", "gcs")
#: Where objects of public buckets are, without credentials.
_PUBLIC: Final = {
    "s3": "https://s3.amazonaws.com/",
    "s3a": "https://s3.amazonaws.com/",
    "gs": "https://storage.googleapis.com/",
    "gcs": "https://storage.googleapis.com/",
}


class Opening(NamedTuple):
    """What to open.

    Attributes:
        place: The URL or the reference.
        storage_options: Options of the file system of fsspec. None without any.
        host: Endpoint of the client of a `lakefs://` URL. None for the client that was given, or the default one.
    """

    place: Any
    storage_options: dict[str, Any] | None = None
    host: str | None = None


def opening_of(
    place: Any,
    secrets: Mapping[str, Any] | None,
    use_https: bool,
    endpoint: str | None,
    client: object,
    storage_options: Mapping[str, Any] | None,
) -> Opening:
    """Return what to open.

    Raises:
        ValueError: A parameter means nothing for the place. The message has no values: they may be secrets.
        TypeError: `secrets` or `storage_options` is no dictionary.
    """
    secrets = arguments.options(secrets, "secrets")
    storage_options = arguments.options(storage_options, "storage_options")
    use_https = arguments.flag(use_https, "use_https")
    endpoint = None if endpoint is None else arguments.text(endpoint, "endpoint")
    scheme = place.partition("://")[0].lower() if isinstance(place, str) else "lakefs"
    if scheme == "lakefs":
        return _of_lake(place, secrets, use_https, endpoint, client, storage_options)
    if client is not None:
        msg = f"client is for lakefs:// URLs, and this one is {scheme}://: give storage_options"
        raise ValueError(msg)
    options = arguments.Options(storage_options or {})
    if use_https and scheme not in ("http", "https"):
        return _public(place, scheme, secrets, endpoint, options)
    if secrets is not None:
        options.update(_secrets(scheme, secrets))
    if endpoint is not None:
        if scheme not in _S3:
            msg = f"endpoint is for s3:// URLs and the host of lakefs:// ones, and this one is {scheme}://"
            raise ValueError(msg)
        options["endpoint_url"] = endpoint
    return Opening(place, options or None)


def _of_lake(
    place: Any,
    secrets: Mapping[str, Any] | None,
    use_https: bool,
    endpoint: str | None,
    client: object,
    storage_options: Mapping[str, Any] | None,
) -> Opening:
    login = "client=lakefs.Client(profile='name'), or lakefs.Client(host, access_key_id, secret_access_key)"
    for name, value in (("secrets", secrets), ("storage_options", storage_options)):
        if value is not None:
            msg = f"{name} is not for lakes, whose keys belong to a user and not to a repository: give {login}"
            raise ValueError(msg)
    if use_https:
        msg = f"use_https is for public buckets of s3:// and gs://. A lake says http or https in its host: give {login}"
        raise ValueError(msg)
    if endpoint is not None and client is not None:
        msg = "endpoint and client both name the lake: give one of them"
        raise ValueError(msg)
    if endpoint is not None and not isinstance(place, str):
        msg = "endpoint is for URLs: a reference has a client already, see its with_options()"
        raise ValueError(msg)
    return Opening(place, None, endpoint)


def _public(
    place: str, scheme: str, secrets: Mapping[str, Any] | None, endpoint: str | None, options: dict[str, Any]
) -> Opening:
    base = _PUBLIC.get(scheme)
    if base is None:
        msg = f"use_https is for s3:// and gs:// URLs, and this one is {scheme}://"
        raise ValueError(msg)
    if secrets is not None:
        msg = "use_https reads public buckets without credentials: leave out secrets, or use_https"
        raise ValueError(msg)
    if endpoint is not None:
        base = endpoint if "://" in endpoint else f"https://{endpoint}"
    return Opening(base.rstrip("/") + "/" + place.partition("://")[2], options or None)


def _secrets(scheme: str, secrets: Mapping[str, Any]) -> dict[str, Any]:
    if scheme in _S3:
        if unknown := set(secrets) - set(_AWS) - {_AWS_REGION}:
            msg = f"secrets of s3:// has {', '.join([*_AWS, _AWS_REGION])}, not {', '.join(map(repr, sorted(unknown)))}"
            raise ValueError(msg)
        options = arguments.Options({option: secrets[key] for key, option in _AWS.items() if key in secrets})
        if _AWS_REGION in secrets:
            options["client_kwargs"] = {"region_name": secrets[_AWS_REGION]}
        return options
    if scheme in _GS:
        return {"token": dict(secrets)}  # gcsfs looks at the type
    msg = f"secrets is for s3:// and gs:// URLs: for {scheme}:// give storage_options as fsspec takes them"
    raise ValueError(msg)


def workers_of(max_workers: Any, num_threads: Any) -> int | None:
    """Return the maximum number of concurrent requests. None for what the store takes.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is below 1 (`num_threads=0` means 1), or the two differ.
    """
    most = None if max_workers is None else arguments.integer(max_workers, "max_workers", least=1)
    if num_threads is None:
        return most
    threads = arguments.integer(num_threads, "num_threads", least=0) or 1  # 0 is without threads, in CloudFiles
    if most not in (None, threads):
        msg = f"max_workers={most} and num_threads={threads} mean the same and differ: give one of them"
        raise ValueError(msg)
    return threads


def checked_green(green: object, monkey: Callable[[], Any]) -> bool:
    """Return whether calls are to be made in greenlets.

    Args:
        green: What the caller gave; None means False.
        monkey: Returns the module `gevent.monkey`.

    Raises:
        ImportError: gevent is not installed.
        RuntimeError: It has not patched the sockets, so that greenlets would wait for each other.
    """
    if green is None or not arguments.flag(green, "green"):
        return False
    try:
        patched = monkey().is_module_patched("socket")
    except ImportError as exc:
        msg = "green=True needs gevent, which is not installed: pip install gevent"
        raise ImportError(msg, name="gevent") from exc
    if not patched:
        msg = (
            "green=True needs sockets that gevent has patched. Begin the program with: "
            "import gevent.monkey; gevent.monkey.patch_all()"
        )
        raise RuntimeError(msg)
    return True
