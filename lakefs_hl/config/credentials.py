"""Credentials: a key pair, a token, or the machine's AWS role. Their `repr` shows no secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from lakefs_hl.config.headers import ROLE_HEADERS, header_fault
from lakefs_hl.config.options import OPTIONS
from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.secret import KeyPair, hide, hide_values, mask, reveal

_AWS: Final = "aws_iam"


class Lookup(Protocol):
    """The environment, read by name."""

    def get(self, name: str, /) -> str | None:
        """Return a variable's value, or None."""

    def __getitem__(self, name: str, /) -> str: ...


class AwsRole(msgspec.Struct, frozen=True, kw_only=True):
    """How to log in with the machine's AWS role.

    Attributes:
        token_ttl_seconds: Lifetime of lakeFS's token, in seconds.
        url_presign_ttl_seconds: Lifetime of the signed identity, in seconds.
        token_request_headers: Further headers to sign; the server's name is always signed.
        asked: Whether the configuration names it. If not, it is the last resort.
    """

    token_ttl_seconds: int = 3600
    url_presign_ttl_seconds: int = 60
    token_request_headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    asked: bool = True


class Token(msgspec.Struct, frozen=True):
    """A token that was obtained elsewhere."""

    value: str

    def __repr__(self) -> str:
        return "<Token>"


class Anonymous(msgspec.Struct, frozen=True):
    """No credentials: the caller of an embedded lake is its owner, and a function as transport needs none."""


Credentials: TypeAlias = KeyPair | Token | AwsRole | Anonymous


def describe(credentials: Credentials) -> str:
    """Return a description without secrets."""
    match credentials:
        case KeyPair():
            return f"access key {mask(credentials.access_key_id)} and its secret"
        case Token():
            return "a token"
        case AwsRole():
            return "the machine's AWS role"
        case Anonymous():
            return "none"


def key_pair(source: str, first: tuple[str, str | None], second: tuple[str, str | None]) -> KeyPair | None:
    """Return a key pair of two named values, or None if neither is set.

    Raises:
        InvalidConfigError: Only one of them is set, or one cannot be sent.
    """
    (key_name, key), (secret_name, secret) = first, second
    if key and secret:
        for name, value in (first, second):
            if value and not value.isprintable():
                raise InvalidConfigError(f"{source}: {name} holds a line break or another control character")
        if ":" in reveal(key):  # RFC 7617: the server would take what follows for the beginning of the secret
            raise InvalidConfigError(f"{source}: {key_name} holds a colon, which no access key ID has")
        return KeyPair(reveal(key), hide(secret))
    if not key and not secret:
        return None
    there, missing = (key_name, secret_name) if key else (secret_name, key_name)
    raise InvalidConfigError(
        f"{source}: {there} is set, {missing} is not: both halves of a key pair must come from one source"
    )


def token(source: str, name: str, value: str | None) -> Token | None:
    """Return a token, or None if it is not set.

    A value that no header can carry is refused here, because the HTTP stack would repeat it in its error.

    Raises:
        InvalidConfigError: It holds characters that no token has.
    """
    if not value:
        return None
    if not (value.isascii() and value.isprintable()) or " " in value:
        msg = f"{source}: {name} holds a space, a line break or another character that no token has; was it read whole?"
        raise InvalidConfigError(msg)
    return Token(hide(value))


def aws_role_of_environment(environment: Lookup) -> AwsRole:
    """Return the AWS role of the environment.

    Raises:
        InvalidConfigError: A variable holds something unusable.
    """
    names = {name: option.variables[0] for name, option in OPTIONS.items() if option.group == "aws_role"}
    provider: dict[str, Any] = {"type": environment[names.pop("aws_role")]}
    settings: dict[str, Any] = {name: environment[variable] for name, variable in names.items()}
    settings = {name: value for name, value in settings.items() if value}
    if ROLE_HEADERS in settings:
        try:
            settings[ROLE_HEADERS] = msgspec.json.decode(settings[ROLE_HEADERS].encode(), type=dict[str, str])
        except msgspec.DecodeError as exc:
            raise InvalidConfigError(f"{names[ROLE_HEADERS]} is not a JSON object of strings: {exc}") from None
    return aws_role({**provider, _AWS: settings}, "environment")


def aws_role(provider: Mapping[str, Any], source: str) -> AwsRole:
    """Return the AWS role of the entries of `credentials.provider`.

    Raises:
        InvalidConfigError: They name another provider, or are unusable.
    """
    kind = provider.get("type")
    if kind != _AWS:
        raise InvalidConfigError(f"{source}: credentials provider {kind!r} is not known; {_AWS!r} is")
    try:
        role = msgspec.convert(provider.get(_AWS) or {}, AwsRole, strict=False)
    except msgspec.ValidationError as exc:
        raise InvalidConfigError(f"{source}: credentials.provider.{_AWS}: {exc}") from None
    if role.token_ttl_seconds <= 0 or role.url_presign_ttl_seconds <= 0:
        raise InvalidConfigError(f"{source}: credentials.provider.{_AWS}: a lifetime must be at least 1 second")
    if why := header_fault(role.token_request_headers):
        raise InvalidConfigError(f"{source}: credentials.provider.{_AWS}.{ROLE_HEADERS}{why}")
    return msgspec.structs.replace(role, token_request_headers=hide_values(role.token_request_headers))
