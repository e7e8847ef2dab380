"""The server: what it is, what it can, whether it is well."""

from __future__ import annotations

from typing import Final, NamedTuple

from lakefs_hl.ops.effects import Op, once
from lakefs_hl.ops.retry import Session, ask, call
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.wire import READ_ONLY, Request

#: A server that says so knows us, and has no such call for us.
_MAY_NOT_ASK: Final = (errors.ForbiddenException, errors.NotFoundException, errors.UnsupportedOperationException)


class Health(NamedTuple):
    """How a server is, and whom it takes a client for.

    Attributes:
        ok: Whether the server calls itself healthy.
        version: Its version; None if it does not tell a caller that it does not know.
        authenticated: Whether it accepts the client's credentials.
        user: The user's id; of an embedded lake the committer. None if the server does not tell.
        latency: Seconds that the health check took.
        read_only: Whether an embedded lake has stopped taking writes; None if the server does not tell.
    """

    ok: bool = False
    version: str | None = None
    authenticated: bool = False
    user: str | None = None
    latency: float = 0.0
    read_only: bool | None = None


def config(session: Session) -> Op[models.Config]:
    """The whole configuration."""
    return (yield from ask(session, models.Config, Request(endpoints.GET_CONFIG)))


def storage(session: Session) -> Op[models.StorageConfig]:
    """The block store's configuration, asked for once per session."""
    if session.storage is None:
        yield from once(("storage", id(session)), _storage(session))
    found = session.storage
    if found is None:  # the run that we shared belonged to a client that has the same id no more
        found = yield from _storage(session)
    return found


def _storage(session: Session) -> Op[models.StorageConfig]:
    if session.storage is not None:
        return session.storage
    try:
        found = yield from ask(session, models.StorageConfig, Request(endpoints.GET_STORAGE_CONFIG))
    except errors.UnsupportedOperationException:  # a server that has dropped the deprecated call
        whole = yield from config(session)
        if whole.storage_config is None:
            raise
        found = whole.storage_config
    session.storage = found
    return found


def version(session: Session) -> Op[str]:
    """The server's version; "" if it does not tell."""
    found = yield from ask(session, models.VersionConfig, Request(endpoints.GET_LAKEFS_VERSION))
    return found.version or ""


def health(session: Session) -> Op[Health]:
    """How the server is, and whom it takes us for.

    Raises:
        TransportException: There is no such server.
    """
    request = Request(endpoints.HEALTH_CHECK)
    try:
        response = yield from call(session, request)
    except errors.ServerException:
        return Health()
    said = response.headers.get(READ_ONLY)
    try:
        who, told = yield from _who(session)
    except errors.NotAuthorizedException:
        who, told = None, None
    return Health(
        ok=True,
        version=told,
        authenticated=who is not None,
        user=who or None,
        latency=response.seconds,
        read_only=None if said is None else said == "true",
    )


def _who(session: Session) -> Op[tuple[str, str | None]]:
    """Our user's id, "" if the server does not tell, and the server's version; 401 if it does not know us."""
    try:
        told: str | None = (yield from version(session)) or None
    except _MAY_NOT_ASK:
        told = None
    try:
        user = (yield from ask(session, models.CurrentUser, Request(endpoints.GET_CURRENT_USER))).user
    except (*_MAY_NOT_ASK, errors.ProtocolException):
        return "", told
    if not user.id:  # lakeFS answers nobody too
        msg = "the server takes us for nobody"
        raise errors.NotAuthorizedException(msg)
    return user.id, told
