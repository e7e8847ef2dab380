"""Authenticators: the authorization of each request, and the login that renews it.

Rules of the room: generation and header are one tuple that is replaced whole, so readers need no lock. The key of a
shared login holds the generation, so a late 401 does not log in twice. Time and credentials of others come by effects
(`Now`, `Call`); an authenticator that never logs in yields none. Nothing here prints a secret.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import msgspec

from lakefs_hl.ops.effects import Op, call_function, now, once
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.secret import Secret, reveal
from lakefs_hl.spec.wire import Request, Response

#: A token is renewed so many seconds before it expires; one that lives shorter than five times that, in its last fifth.
RENEWAL_MARGIN_SECONDS: Final = 300.0
#: After a failed renewal the next one waits for this part of the margin.
_RETRIES_IN_MARGIN: Final = 5
_NEVER: Final = float("inf")
#: Sign an identity at a moment, in Unix seconds: pure.
Sign: TypeAlias = Callable[[float], dict[str, Any]]


class Exchange(Protocol):
    """Make a request until there is a final response: `ops.retry.call` with its session."""

    def __call__(self, request: Request, /) -> Op[Response]: ...


class Login(NamedTuple):
    """A login that is ready to be sent.

    Attributes:
        request: Its request; the response is a token.
        renew_at: When the token is due for renewal, in Unix seconds.
        expires_at: When it expires.
    """

    request: Request
    renew_at: float = _NEVER
    expires_at: float = _NEVER

    def __repr__(self) -> str:
        return f"<Login by {self.request.endpoint.operation}>"


class Authenticator:
    """The current authorization and, where it can be renewed, the login that renews it.

    Args:
        authorization: Value of the header. None sends none, or logs in before the first request.
        log_in: Prepare a login. None means that the authorization cannot be renewed.
        find: Find the credentials that `log_in` needs; called as a `Call`.

    Attributes:
        current: Generation and value of the header; the value is None while there is none.
        renew_at: When the current token is due for renewal, in Unix seconds; infinite if only a 401 can tell.
        expires_at: When it expires, in Unix seconds; infinite if that is unknown.
        renewable: Whether a 401 is worth a login.
        advice: What to do when the server does not accept the authorization. "" leaves it to the error's own words.
    """

    expires_at: float
    renew_at: float

    __slots__ = ("_find", "_log_in", "advice", "current", "expires_at", "renew_at", "renewable")

    def __init__(
        self,
        authorization: str | None,
        log_in: Callable[[], Op[Login]] | None = None,
        *,
        find: Callable[[], object] | None = None,
    ) -> None:
        self.current: tuple[int, str | None] = (0, authorization)
        self.renew_at = self.expires_at = _NEVER
        self.renewable: Final = log_in is not None
        self.advice: str = ""
        self._log_in = log_in
        self._find = find

    def __repr__(self) -> str:
        return f"<Authenticator generation={self.current[0]} renewable={self.renewable}>"

    def check(self) -> Op[None]:
        """Find the credentials without logging in.

        Raises:
            NoAuthenticationFound: There are none.
        """
        if self._find is not None:
            yield from call_function(self._find)

    def refresh(self, exchange: Exchange) -> Op[None]:
        """Log in if there is no token yet, or if the current one is about to expire.

        While it is valid, a login that fails is tried again later: the request needs none yet.
        """
        generation, header = self.current
        if header is None:
            yield from self.renew(generation, exchange)
        elif self.renew_at != _NEVER and (yield from now()) >= self.renew_at:
            try:
                yield from self.renew(generation, exchange)
            except errors.LakeFSException:
                moment = yield from now()
                if moment >= self.expires_at:
                    raise
                if self.current[0] == generation:
                    self.renew_at = min(self.expires_at, moment + RENEWAL_MARGIN_SECONDS / _RETRIES_IN_MARGIN)

    def renew(self, seen: int, exchange: Exchange) -> Op[None]:
        """Log in again, unless that was done since generation `seen`; one login for all ops that ask."""
        if self.current[0] == seen:
            yield from once(("login", id(self), seen), self._renew(seen, exchange))

    def _renew(self, seen: int, exchange: Exchange) -> Op[None]:
        if self.current[0] != seen or self._log_in is None:
            return
        request, renew_at, expires_at = yield from self._log_in()
        try:
            response = yield from exchange(request)
        except errors.UnsupportedOperationException as exc:
            if request.endpoint is not endpoints.EXTERNAL_PRINCIPAL_LOGIN:
                raise
            msg = (
                "this server does not log in by AWS role (open-source lakeFS cannot): give an access key and its secret"
            )
            raise _refusal(exc, msg) from exc
        try:
            token = models.decode(models.Token, response.body if isinstance(response.body, bytes) else b"").token
        except msgspec.DecodeError as exc:
            msg = f"logging in: the response is not lakeFS's ({exc}): is the endpoint right?"
            raise errors.ProtocolException(msg) from None
        # first: with the old token it only means a look at the clock too few
        self.renew_at, self.expires_at = renew_at, expires_at
        self.current = (seen + 1, Secret("Bearer " + token))


def _refusal(exc: errors.ServerException, message: str) -> errors.NotAuthorizedException:
    error = errors.NotAuthorizedException(message)
    error.__dict__.update(exc.__dict__)
    return error


def basic(access_key_id: str, secret_access_key: str) -> Authenticator:
    """Send the key pair with every request."""
    pair = ":".join((reveal(access_key_id), reveal(secret_access_key))).encode()
    return Authenticator(Secret("Basic " + base64.b64encode(pair).decode()))


def bearer(token: str) -> Authenticator:
    """Send a token that was obtained elsewhere; it cannot be renewed."""
    return Authenticator(Secret("Bearer " + reveal(token)))


def anonymous() -> Authenticator:
    """Send no credentials: in process the owner of the lake is the principal."""
    return Authenticator(None)


def login(access_key_id: str, secret_access_key: str) -> Authenticator:
    """Exchange the key pair for a token, before the first request and again after a 401."""
    body = models.encode(models.Login(reveal(access_key_id), reveal(secret_access_key)))

    def log_in() -> Op[Login]:
        yield from ()
        return Login(Request(endpoints.LOGIN, body=body))

    return Authenticator(None, log_in)


def external(find: Callable[[], Sign], expires_in: int | None = None) -> Authenticator:
    """Exchange an identity that another authority vouches for, such as an AWS role, for a token.

    Args:
        find: Find the credentials of the moment and return what signs with them. Called before each login, and may
            block: see `effects.Call`.
        expires_in: Lifetime of the token in seconds. None leaves it to the server, and only a 401 renews it.

    Returns:
        An authenticator that logs in before the first request, before the token expires, and after a 401.
    """

    def log_in() -> Op[Login]:
        sign = yield from call_function(find)
        moment = yield from now()
        body = models.encode(models.ExternalLogin(sign(moment), expires_in))
        request = Request(endpoints.EXTERNAL_PRINCIPAL_LOGIN, body=body)
        if expires_in is None:
            return Login(request)
        expires_at = moment + expires_in  # by our own clock and lifetime: the server's clock may differ
        return Login(request, expires_at - min(RENEWAL_MARGIN_SECONDS, expires_in / 5), expires_at)

    return Authenticator(None, log_in, find=find)
