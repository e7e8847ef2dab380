"""Access keys of a served embedded lake, tokens, and the credentials of lakeFS's S3 gateway.

Rules of the room: a pair is drawn before it is sent, so that a lost response loses no secret. Nothing about keys is
sent to a server that does not announce them. A `repr` of what is returned here shows no secret.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lakefs_hl.ops import repositories, server
from lakefs_hl.ops.effects import Op, now
from lakefs_hl.ops.requests import json_request, page_query
from lakefs_hl.ops.retry import Session, ask, authorization, call
from lakefs_hl.spec import endpoints, errors, keys, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.secret import KeyPair, Secret, reveal
from lakefs_hl.spec.uri import repository_uri
from lakefs_hl.spec.wire import Request

_OTHER: Final = (
    "only `lakefs-hl serve` manages keys that are limited to reading and to repositories; on a lakeFS server, its "
    "administrators create the credentials of users, in its web pages or by client.sdk_client.auth_api"
)
_PAIR: Final = "give Client(host, username, password), with an access key ID and its secret"
_SCOPED: Final = "keys are of the whole server: use a client without a scope, and the full names of repositories"
#: How often the removal of a key is tried whose creation has no known outcome.
_UNDO_ATTEMPTS: Final = 2
#: How far the clocks of client and server may differ where the life of a token is compared.
_CLOCK_SECONDS: Final = 60


class Token(msgspec.Struct, frozen=True):
    """A token.

    Attributes:
        token: The token, a `Secret`.
        expires: When it ends, in Unix seconds; None if the server does not say so.
    """

    token: str
    expires: float | None


class S3Access(msgspec.Struct, frozen=True):
    """What reaches a repository through the S3 gateway.

    Attributes:
        endpoint: URL of the gateway.
        bucket: Name of the repository on the server.
        pair: The pair of the client.
        provider: The server's kind of object store; None if it does not tell these credentials.
    """

    endpoint: str
    bucket: str
    pair: KeyPair
    provider: str | None


def create(session: Session, creation: models.AccessKeyCreation) -> Op[models.AccessKey]:
    """Create an access key. If its outcome is unknown after all attempts, it is removed again.

    Raises:
        ConflictException: A key of this name exists.
        UnsupportedOperationException: The server does not manage keys.
        AmbiguousOutcomeError: The key may exist. Its ID is the error's `result_id`.
    """
    named = f" {creation.name!r}" if creation.name else ""
    about = f"creating access key{named}"
    yield from _check(session, about)
    request = json_request(keys.CREATE_KEY, (), creation)
    try:
        return (yield from ask(session, models.AccessKey, request, about=about))
    except errors.LakeFSException as exc:
        if exc.maybe_applied is False:
            raise
        failed = exc
    key_id = creation.access_key_id
    try:  # the server creates no key of this ID afterwards, even if the request is still under way
        yield from call(session, Request(keys.DELETE_KEY, (key_id,)), attempts=_UNDO_ATTEMPTS)
    except errors.LakeFSException:
        error = errors.AmbiguousOutcomeError(
            f"{about}: outcome unknown: key {key_id} may exist, and its secret is lost; delete it by this ID, if it is "
            f"listed, and create another one ({failed})"
        )
        error.attempts, error.maybe_applied, error.result_id = failed.attempts, None, key_id
        raise error from failed
    failed.maybe_applied = False
    failed.add_note("the key was removed, in case it was created: nothing is left of it")
    raise failed


def page(session: Session, after: str, amount: int, *, prefix: str = "") -> Op[models.AccessKeyPage]:
    """Return one page of the access keys."""
    yield from _check(session, keys.LIST_KEYS.describe())
    request = Request(keys.LIST_KEYS, (), page_query(after, amount, prefix=prefix))
    return (yield from ask(session, models.AccessKeyPage, request))


def get(session: Session, name: str) -> Op[models.AccessKey]:
    """Return an access key, by its ID or name.

    Raises:
        NotFoundException: There is none.
    """
    request = Request(keys.GET_KEY, (name,))
    yield from _check(session, request.describe())
    return (yield from ask(session, models.AccessKey, request))


def delete(session: Session, name: str) -> Op[None]:
    """Delete an access key. It is looked up first and deleted by its ID, which no other key ever has.

    Raises:
        NotFoundException: There is none.
        ConflictException: It is the administrator's, or the one that the request is made with.
    """
    about = keys.DELETE_KEY.describe(name)
    yield from _check(session, about)
    found = yield from ask(session, models.AccessKey, Request(keys.GET_KEY, (name,)), about=about)
    yield from call(session, Request(keys.DELETE_KEY, (found.access_key_id,)), about=about)


def _check(session: Session, about: str) -> Op[None]:
    """Raise unless the lake manages keys. What it announces is in every response; the first one may be that of this.

    Raises:
        UnsupportedOperationException: The server is another one, or the client has a scope.
    """
    if session.scope:
        raise _unsupported_error(about, _SCOPED)
    if not session.remote:
        return
    if session.manages_keys is None:
        yield from _provider(session)
    if session.manages_keys:
        return
    ours = session.links is not None
    raise _unsupported_error(about, "the server is an older `lakefs-hl serve`: upgrade it" if ours else _OTHER)


def _provider(session: Session) -> Op[str | None]:
    """Return the server's kind of object store; None if these credentials may not know it."""
    try:
        return (yield from server.storage(session)).blockstore_type
    except errors.ForbiddenException:
        return None


def _unsupported_error(about: str, why: str) -> errors.UnsupportedOperationException:
    error = errors.UnsupportedOperationException(f"{about}: {why}")
    error.kind = ErrorKind.NOT_SUPPORTED
    return error


# -- tokens and the gateway --------------------------------------------------------------------------------------------


def token(session: Session, seconds: int | None) -> Op[Token]:
    """Return a token that stands for the credentials of the client for a time.

    Raises:
        UnsupportedOperationException: There is nothing to log in with, or the server decides how long a token is valid.
    """
    about = "getting a temporary token"
    if not session.remote:
        raise _unsupported_error(
            about,
            "the lake is in process, and its caller needs no credentials: serve it with `lakefs-hl serve DIRECTORY`, "
            "and use a client of that server",
        )
    pair = session.gateway.keys
    if pair is None:
        return (yield from _token_of_role(session, about, seconds))
    query = dict[str, str]()
    if seconds is not None:
        if session.manages_keys is None:
            yield from _provider(session)
        if not session.manages_keys:
            raise _unsupported_error(about, "the server decides how long its tokens are valid: leave out ttl")
        query[keys.EXPIRES_IN] = str(seconds)
    login = models.Login(reveal(pair.access_key_id), reveal(pair.secret_access_key))
    found = yield from ask(session, models.Token, json_request(endpoints.LOGIN, (), login, query=query), about=about)
    return Token(Secret(found.token), found.token_expiration or None)


def delegation(session: Session, seconds: float | None) -> Op[Token | None]:
    """Return a token for workers, which is valid as long as was asked. None in process, where none is needed.

    Raises:
        UnsupportedOperationException: There is nothing to log in with, or the server does not say how long its tokens
            are valid.
        ValueError: The server has no tokens of that length. The message says which it has.
    """
    if not session.remote:
        return None
    if seconds is None or session.gateway.keys is None:
        return (yield from token(session, None if seconds is None else int(seconds)))
    if session.manages_keys is None:
        yield from _provider(session)
    if session.manages_keys:
        if not 1 <= seconds <= keys.MAX_TOKEN_SECONDS:
            msg = f"ttl={seconds:g}: must be 1 to {keys.MAX_TOKEN_SECONDS} seconds, which is 12 hours, on this server"
            raise ValueError(msg)
        return (yield from token(session, int(seconds)))
    found = yield from token(session, None)
    if found.expires is None:
        raise _unsupported_error(
            "delegating a client", "the server does not say how long its tokens are valid: leave out ttl"
        )
    life = found.expires - (yield from now())
    if abs(life - seconds) > _CLOCK_SECONDS:
        msg = (
            f"ttl={seconds:g}: the tokens of this server are valid for {round(life / 60) * 60} seconds, and no other "
            "time can be asked for: leave out ttl to use one of them"
        )
        raise ValueError(msg)
    return found


def _token_of_role(session: Session, about: str, seconds: int | None) -> Op[Token]:
    """Return the token that the client's AWS role has got."""
    if not session.authenticator.renewable:
        raise _unsupported_error(about, f"this client has no access key to log in with: {_PAIR}")
    if seconds is not None:
        raise _unsupported_error(
            about, "how long the token of an AWS role is valid is the client's option token_ttl_seconds"
        )
    header = reveal((yield from authorization(session)) or "")
    expires = session.authenticator.expires_at
    return Token(Secret(header.removeprefix("Bearer ")), None if expires == float("inf") else expires)


def s3_access(session: Session, repository: str) -> Op[S3Access]:
    """Return what reaches a repository through lakeFS's S3 gateway.

    Raises:
        NotFoundException: The repository does not exist.
        UnsupportedOperationException: There is no gateway, or the client has no access key.
    """
    about = f"getting the S3 credentials of {repository_uri(repository)}"
    if not session.remote:
        raise _unsupported_error(
            about, "the lake is in process and has no S3 gateway: read and write by this client, or by lakefs.files(…)"
        )
    gateway = session.gateway
    if gateway.keys is None:
        raise _unsupported_error(about, f"the S3 gateway takes an access key and its secret: {_PAIR}")
    if gateway.fault:
        raise _unsupported_error(about, gateway.fault)
    provider = yield from _provider(session)
    if session.links is not None:
        raise _unsupported_error(
            about,
            "an embedded lake has no S3 gateway: client.temporary_token() and lakefs.admin(client).credentials give "
            "credentials of its API, and presign(path) of a reference a link to one object",
        )
    found = yield from repositories.get(session, repository)
    return S3Access(gateway.endpoint, session.scope + found.id, gateway.keys, provider)
