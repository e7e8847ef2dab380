"""The server: what it is, what it can, whether it is well."""

from __future__ import annotations

from lakefs_hl.ops.effects import Op, once
from lakefs_hl.ops.retry import Session, ask, call
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.wire import Request


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


def health(session: Session) -> Op[None]:
    """Returns if the server is well."""
    yield from call(session, Request(endpoints.HEALTH_CHECK))
