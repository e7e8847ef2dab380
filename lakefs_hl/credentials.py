"""What identifies a caller: a key pair, a token, the machine's AWS role, or nobody. None of them prints its secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.secret import hide, hide_values, reveal

PROVIDER: Final = "LAKECTL_CREDENTIALS_PROVIDER"
_AWS: Final = "aws_iam"


class Lookup(Protocol):
    """The environment, read by name."""

    def get(self, name: str, /) -> str | None:
        """Return a variable's value, or None."""

    def __getitem__(self, name: str, /) -> str: ...


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


def shown(credentials: Credentials) -> str:
    """Return what credentials are, without a secret."""
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


def pair_of(source: str, first: tuple[str, str | None], second: tuple[str, str | None]) -> KeyPair | None:
    """Both halves, or neither."""
    (key_name, key), (secret_name, secret) = first, second
    if key and secret:
        for name, value in (first, second):
            if value and not value.isprintable():
                raise InvalidConfigError(f"{source}: {name} holds a line break or another control character")
        return KeyPair(reveal(key), hide(secret))
    if not key and not secret:
        return None
    there, missing = (key_name, secret_name) if key else (secret_name, key_name)
    raise InvalidConfigError(f"{source}: {there} is there, {missing} is not: a key pair comes whole from one source")


def token_of(source: str, name: str, value: str | None) -> Token | None:
    """A token, if it can be sent: what a header cannot carry would be repeated by the error of whoever tries."""
    if not value:
        return None
    if not (value.isascii() and value.isprintable()) or " " in value:
        msg = f"{source}: {name} holds a space, a line break or another character that no token has; was it read whole?"
        raise InvalidConfigError(msg)
    return Token(hide(value))


def role_from_environment(env: Lookup) -> AwsRole:
    """Read how to log in by AWS role from the environment."""
    fields: dict[str, Any] = {"type": env[f"{PROVIDER}_TYPE"]}
    options = {
        name: env[f"{PROVIDER}_AWS_IAM_{variable}"]
        for name, variable in (
            ("token_ttl_seconds", "TOKEN_TTL_SECONDS"),
            ("url_presign_ttl_seconds", "PRESIGNED_URL_TTL_SECONDS"),
            ("token_request_headers", "TOKEN_REQUEST_HEADERS"),
        )
        if env.get(f"{PROVIDER}_AWS_IAM_{variable}")
    }
    if isinstance(headers := options.get("token_request_headers"), str):
        try:
            fields[_AWS] = {
                **options,
                "token_request_headers": msgspec.json.decode(headers.encode(), type=dict[str, str]),
            }
        except msgspec.DecodeError as exc:
            variable = f"{PROVIDER}_AWS_IAM_TOKEN_REQUEST_HEADERS"
            raise InvalidConfigError(f"{variable} is not a JSON object of strings: {exc}") from None
    else:
        fields[_AWS] = options
    return role_of(fields, "environment")


def role_of(provider: Mapping[str, Any], source: str) -> AwsRole:
    """Read how to log in by AWS role from a file's or the environment's entries."""
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
    return msgspec.structs.replace(role, token_request_headers=hide_values(role.token_request_headers))
