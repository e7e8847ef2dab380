"""Who we are: the authorization of each request, and how to renew it.

Rules of the room: the token is one tuple of generation and header, replaced whole, so a reader needs no lock; the key
of the shared renewal holds the generation, so a 401 that comes late does not log in twice. No secret is ever printed.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from lakefs_hl.ops.effects import Op, once
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.secret import Secret, reveal
from lakefs_hl.spec.wire import Request, Response


class Exchange(Protocol):
    """Makes a request until it is answered for good: `ops.retry.call` with its session."""

    def __call__(self, request: Request, /) -> Op[Response]: ...


class Authority:
    """The current authorization and, where it can be renewed, the request that renews it.

    Attributes:
        current: Generation and value of the authorization header; None while there is none.
        renewable: Whether a 401 is worth a renewal.
    """

    __slots__ = ("_login", "current", "renewable")

    def __init__(self, authorization: str | None, login: Callable[[], Request] | None = None) -> None:
        self.current: tuple[int, str | None] = (0, authorization)
        self.renewable: Final = login is not None
        self._login = login

    def __repr__(self) -> str:
        """Shows no secret."""
        return f"<Authority generation={self.current[0]} renewable={self.renewable}>"

    def renew(self, seen: int, exchange: Exchange) -> Op[None]:
        """Logs in again, unless somebody did since generation `seen`; one login for all who ask."""
        if self.current[0] == seen:
            yield from once(("login", id(self), seen), self._renew(seen, exchange))

    def _renew(self, seen: int, exchange: Exchange) -> Op[None]:
        if self.current[0] != seen or self._login is None:
            return
        request = self._login()
        try:
            response = yield from exchange(request)
        except errors.UnsupportedOperationException as exc:
            if request.endpoint is not endpoints.EXTERNAL_PRINCIPAL_LOGIN:
                raise
            msg = (
                "this server does not log in by AWS role (open-source lakeFS cannot): give an access key and its secret"
            )
            raise _as_refused(exc, msg) from exc
        try:
            token = models.decode(models.Token, response.body if isinstance(response.body, bytes) else b"").token
        except msgspec.DecodeError as exc:
            msg = f"logging in: the answer is not lakeFS's ({exc}): is the endpoint right?"
            raise errors.ProtocolException(msg) from None
        self.current = (seen + 1, Secret("Bearer " + token))


def _as_refused(exc: errors.ServerException, message: str) -> errors.NotAuthorizedException:
    error = errors.NotAuthorizedException(message)
    error.__dict__.update(exc.__dict__)
    return error


def basic(access_key_id: str, secret_access_key: str) -> Authority:
    """The key pair with every request."""
    pair = ":".join((reveal(access_key_id), reveal(secret_access_key))).encode()
    return Authority(Secret("Basic " + base64.b64encode(pair).decode()))


def bearer(token: str) -> Authority:
    """A token that somebody else obtained; it cannot be renewed."""
    return Authority(Secret("Bearer " + reveal(token)))


def nobody() -> Authority:
    """No credentials: in process the owner of the lake is the principal."""
    return Authority(None)


def login(access_key_id: str, secret_access_key: str) -> Authority:
    """A token in exchange for the key pair, obtained before the first request and again after a 401."""
    body = models.encode(models.Login(reveal(access_key_id), reveal(secret_access_key)))
    return Authority(None, lambda: Request(endpoints.LOGIN, body=body))


def external(identity: Callable[[], dict[str, Any]], expires_in: int | None = None) -> Authority:
    """A token in exchange for an identity that another authority signs, such as an AWS role.

    Args:
        identity: Makes a freshly signed identity, once per login.
        expires_in: How long the token is to live, seconds; None leaves it to the server.
    """

    def request() -> Request:
        body = models.encode(models.ExternalLogin(identity(), expires_in))
        return Request(endpoints.EXTERNAL_PRINCIPAL_LOGIN, body=body)

    return Authority(None, request)
