"""Buckets of object stores, by provider, name and credentials: their URLs, and the options of fsspec that open them."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from lakefs_hl.facades import arguments

#: Names of each key of S3: as providers and as the AWS tools call it. The value is the option of s3fs.
_S3: Final = {
    "access_key_id": "key",
    "secret_access_key": "secret",
    "session_token": "token",
    "region_name": "region_name",
    "endpoint_url": "endpoint_url",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_DEFAULT_REGION": "region_name",
}
_AZURE: Final = ("storage_endpoint", "credential", "account_name", "account_key", "sas_token", "connection_string")
_AZURE_HOST: Final = ".blob.core.windows.net"


class External(NamedTuple):
    """A bucket that is not in a lake.

    Attributes:
        url: Its URL, and the prefix. Ends with a slash.
        options: Options of the file system of fsspec. They are secrets.
        place: The URL and the server or account that it is on, without secrets.
    """

    url: str
    options: dict[str, Any]
    place: str

    def __repr__(self) -> str:
        return f"<External {self.url}>"


def credentials_of(value: Any) -> arguments.Options:
    """Return credentials as a dictionary whose `repr` does not show them.

    Raises:
        TypeError: It is no dictionary.
    """
    found = arguments.options(value, "credentials")
    if found is None:
        msg = "credentials must be a dictionary; an empty one takes those that this machine has"
        raise TypeError(msg)
    return found


def external_of(provider: Any, bucket: Any, credentials: Mapping[str, Any], prefix: Any) -> External:
    """Return where a bucket is, and what opens it. Sends no request.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: There is no such provider, no such name or no such key, or a key is missing. The message has no
            values of credentials.
    """
    credentials = arguments.Options(credentials)
    name = arguments.text(provider, "provider").lower()
    if name not in _PROVIDERS:
        msg = f"provider must be {', '.join(map(repr, _PROVIDERS))}, not {name!r:.80}"
        raise ValueError(msg)
    where = arguments.text(bucket, "provider_bucket_name")
    if not where or set(where) & set("/?#@:\\ ") or where in (".", ".."):
        advice = "; a part of it is chosen by prefix=" if "/" in where else ""
        msg = (
            f"provider_bucket_name must be the name of a bucket, without a scheme or a path, not {where!r:.80}{advice}"
        )
        raise ValueError(msg)
    below = arguments.text(prefix, "prefix").strip("/")
    scheme, options = _PROVIDERS[name]
    url = f"{scheme}://{where}/{f'{below}/' if below else ''}"
    error: Exception
    try:
        made = arguments.Options(options(credentials, name))
        server = _server_of(made)
    except (TypeError, ValueError) as exc:
        error = exc.with_traceback(None)  # the variables of those frames are the credentials
    else:
        return External(url, made, f"{url} on {server}" if server else url)
    raise error


def _server_of(options: Mapping[str, Any]) -> str:
    """Return the server or account that options name, without logins and other secrets. "" if they name none."""
    parts = dict[str, str]()
    for part in options.get("connection_string", "").split(";"):
        name, _, value = part.strip().partition("=")
        parts[name.lower()] = value
    account = options.get("account_name") or parts.get("accountname")
    found = options.get("endpoint_url") or options.get("account_host") or account or parts.get("blobendpoint") or ""
    found = found.partition("://")[2] or found
    return re.split(r"[/?#]", found.rpartition("@")[2])[0]


def _check_keys(credentials: Mapping[str, Any], known: Any, provider: str) -> None:
    """Refuse keys that are not known.

    Raises:
        ValueError: There is one.
    """
    if unknown := sorted(set(credentials) - set(known)):
        msg = f"credentials of {provider!r} take the keys {', '.join(known)}, not {', '.join(map(repr, unknown))}"
        raise ValueError(msg)


def _check_values(credentials: Mapping[str, Any], provider: str) -> None:
    """Refuse values that are no texts, without showing them.

    Raises:
        TypeError: There is one.
    """
    for key, value in credentials.items():
        if not isinstance(value, str):
            msg = f"credentials[{key!r}] of {provider!r} must be a string, not {type(value).__name__}"
            raise TypeError(msg)


def _of_s3(credentials: dict[str, Any], provider: str) -> dict[str, Any]:
    _check_keys(credentials, _S3, provider)
    _check_values(credentials, provider)
    found = dict[str, Any]()
    for key, value in credentials.items():
        if found.setdefault(_S3[key], value) != value:
            msg = f"credentials of {provider!r} has two values of one key: {key!r} is another name of it"
            raise ValueError(msg)
    if ("key" in found) != ("secret" in found):
        msg = f"credentials of {provider!r} must have both access_key_id and secret_access_key, or neither"
        raise ValueError(msg)
    if provider == "minio" and "endpoint_url" not in found:
        msg = "credentials of 'minio' must have endpoint_url, the URL of your server"
        raise ValueError(msg)
    region = found.pop("region_name", None)
    return found if region is None else {**found, "client_kwargs": {"region_name": region}}


def _of_gcp(credentials: dict[str, Any], provider: str) -> dict[str, Any]:
    """Take a service account: its fields, or all of them as JSON in base64 under `key_data`."""
    if not credentials:
        return {}
    data = credentials.get("key_data")
    if data is None:
        account = credentials
    else:
        _check_keys(credentials, ("key_data",), provider)
        account = _decode_key(data, provider)
    if account.get("type") != "service_account":
        msg = (
            f"credentials of {provider!r} must be the fields of a service account, with 'type': 'service_account', or "
            "key_data, which is their JSON in base64"
        )
        raise ValueError(msg)
    return {"token": dict(account)}


def _decode_key(data: Any, provider: str) -> dict[str, Any]:
    found: Any = None
    try:
        found = json.loads(base64.b64decode(arguments.text(data, "credentials['key_data']"), validate=True))
    except (ValueError, binascii.Error):
        found = None  # its text is a secret: the error below does not have it as its context
    if not isinstance(found, dict):
        msg = f"credentials['key_data'] of {provider!r} must be the JSON of a service account in base64"
        raise ValueError(msg)  # noqa: TRY004 - its type is right, its content is not
    return found


def _of_azure(credentials: dict[str, Any], provider: str) -> dict[str, Any]:
    _check_keys(credentials, _AZURE, provider)
    _check_values(credentials, provider)
    found = dict(credentials)
    endpoint, secret = found.pop("storage_endpoint", None), found.pop("credential", None)
    if endpoint is not None:
        host = urlsplit(endpoint).hostname or ""
        if not host:
            msg = "credentials['storage_endpoint'] of 'azure' must be a URL, such as 'https://account.blob.core.windows.net'"
            raise ValueError(msg)
        found.setdefault("account_name", host.partition(".")[0])
        if not host.endswith(_AZURE_HOST):
            found["account_host"] = urlsplit(endpoint).netloc.rpartition("@")[2]
    if secret is not None:
        found.setdefault("sas_token" if "sig=" in secret else "account_key", secret)
    if found and not {"account_name", "connection_string"} & set(found):
        msg = "credentials of 'azure' must say which account: by storage_endpoint, account_name or connection_string"
        raise ValueError(msg)
    return found


#: Scheme of the URLs of each provider, and what makes options of its credentials.
_PROVIDERS: Final[Mapping[str, tuple[str, Callable[[dict[str, Any], str], dict[str, Any]]]]] = {
    "aws": ("s3", _of_s3),
    "s3": ("s3", _of_s3),
    "minio": ("s3", _of_s3),
    "gcp": ("gs", _of_gcp),
    "gs": ("gs", _of_gcp),
    "azure": ("abfs", _of_azure),
}
