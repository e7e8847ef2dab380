"""The server: configuration, version, health."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from lakefs_hl import _html
from lakefs_hl.ops.effects import Op, once
from lakefs_hl.ops.retry import Session, ask, call
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.headers import READ_ONLY
from lakefs_hl.spec.wire import Request

#: A server with one of these responses accepts the credentials, but not this call.
_NOT_OFFERED: Final = (errors.ForbiddenException, errors.NotFoundException, errors.UnsupportedOperationException)


@_html.show_record
class Health(NamedTuple):
    """Health of a server, and the user that it takes the client for.

    Attributes:
        ok: Whether the server reports that it is healthy.
        version: Its version. None if it does not report it to this caller.
        authenticated: Whether it accepts the client's credentials.
        user: The user's ID; of an embedded lake, the committer. None if the server does not report it.
        latency: Duration of the health check in seconds.
        read_only: Whether an embedded lake no longer accepts writes. None if the server does not report it.
    """

    ok: bool = False
    version: str | None = None
    authenticated: bool = False
    user: str | None = None
    latency: float = 0.0
    read_only: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return self._asdict()


def config(session: Session) -> Op[models.Config]:
    """Return the server's configuration."""
    return (yield from ask(session, models.Config, Request(endpoints.GET_CONFIG)))


def storage(session: Session) -> Op[models.StorageConfig]:
    """Return the storage configuration, requested once per session."""
    if session.storage is None:
        yield from once(("storage", id(session)), _storage(session))
    found = session.storage
    if found is None:  # the shared run was that of another session, whose id() was reused
        found = yield from _storage(session)
    return found


def _storage(session: Session) -> Op[models.StorageConfig]:
    if session.storage is not None:
        return session.storage
    try:
        found = yield from ask(session, models.StorageConfig, Request(endpoints.GET_STORAGE_CONFIG))
    except errors.UnsupportedOperationException:  # a server without the deprecated call
        whole = yield from config(session)
        if whole.storage_config is None:
            raise
        found = whole.storage_config
    session.storage = found
    return found


def version(session: Session) -> Op[str]:
    """Return the server's version; "" if it does not report it."""
    found = yield from ask(session, models.VersionConfig, Request(endpoints.GET_LAKEFS_VERSION))
    return found.version or ""


def health(session: Session) -> Op[Health]:
    """Return the health of the server, and the user that it takes the client for.

    Raises:
        TransportException: No response was received.
    """
    request = Request(endpoints.HEALTH_CHECK)
    try:
        response = yield from call(session, request)
    except errors.ServerException:
        return Health()
    read_only = response.headers.get(READ_ONLY)
    user: str | None
    try:
        user, version = yield from _look_up_caller(session)
    except errors.NotAuthorizedException:
        user, version = None, None
    return Health(
        ok=True,
        version=version,
        authenticated=user is not None,
        user=user or None,
        latency=response.seconds,
        read_only=None if read_only is None else read_only == "true",
    )


def _look_up_caller(session: Session) -> Op[tuple[str, str | None]]:
    """Return the user's ID, "" if the server does not report it, and the server's version.

    Raises:
        NotAuthorizedException: The server does not accept the credentials.
    """
    try:
        number: str | None = (yield from version(session)) or None
    except _NOT_OFFERED:
        number = None
    return (yield from current_user(session)), number


def current_user(session: Session) -> Op[str]:
    """Return the ID of the user; of an embedded lake in process, the committer. "" if the server does not report it.

    Raises:
        NotAuthorizedException: The server does not accept the credentials.
    """
    try:
        user = (yield from ask(session, models.CurrentUser, Request(endpoints.GET_CURRENT_USER))).user
    except (*_NOT_OFFERED, errors.ProtocolException):
        return ""
    if not user.id:  # lakeFS responds to anonymous callers too
        msg = f"{endpoints.GET_CURRENT_USER.describe()}: the server takes the caller for an anonymous user"
        raise errors.NotAuthorizedException(msg)
    return user.id
