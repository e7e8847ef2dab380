"""The server itself: health, configuration, login, who asks."""

from __future__ import annotations

from functools import partial
from typing import Final

from lakefs_hl.local.api import checks
from lakefs_hl.local.api.answers import JSON, Handler, done, ok
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.keys import LIFE_SECONDS, Keys
from lakefs_hl.spec import administration, endpoints, models
from lakefs_hl.spec.errors import (
    ConflictException,
    NotAuthorizedException,
    NotFoundException,
)
from lakefs_hl.spec.headers import READ_ONLY
from lakefs_hl.spec.keys import EXPIRES_IN, MAX_TOKEN_SECONDS
from lakefs_hl.spec.wire import Request, Response

GRACE: Final = 86_400  # seconds
_SETUP_STATE: Final = models.encode(
    {
        "state": "initialized",
        "comm_prefs_missing": False,
        "login_config": {
            "RBAC": "none",
            "login_url": "",
            "login_url_method": "none",
            "login_failed_message": "The credentials don't match.",
            "login_cookie_names": ["internal_auth_session"],
            "logout_url": "",
        },
    }
)


def health(engine: Engine, request: Request, who: str) -> Response:
    """Answers that it answers, and whether the lake has stopped taking writes."""
    failed = engine.lake.database.failed
    return Response(204, {READ_ONLY: "true" if failed else "false"}, reason="No Content")


def config(engine: Engine, request: Request, who: str) -> Response:
    """All of the configuration."""
    return ok(engine.config())


def version(engine: Engine, request: Request, who: str) -> Response:
    """The version alone."""
    return ok(engine.config().version_config)


def storage(engine: Engine, request: Request, who: str) -> Response:
    """The block store alone."""
    return ok(engine.config().storage_config)


def gc_config(engine: Engine, request: Request, who: str) -> Response:
    """How long unreferenced data is safe."""
    return ok(models.GCConfig(GRACE))


def statistics(engine: Engine, request: Request, who: str) -> Response:
    """Takes statistics and keeps none."""
    return done()


def usage_report(engine: Engine, request: Request, who: str) -> Response:
    """No usage report is kept."""
    raise NotFoundException("not found")


def setup_state(engine: Engine, request: Request, who: str) -> Response:
    """A lake is always set up."""
    return Response(200, JSON, _SETUP_STATE, reason="OK")


def setup(engine: Engine, request: Request, who: str) -> Response:
    """A lake is set up once, when it is first served."""
    raise ConflictException("lakeFS already initialized")


def login(keys: Keys | None, engine: Engine, request: Request, who: str) -> Response:
    """Gives a token for a key pair, for an hour unless another life is asked for."""
    life = checks.integer(request.query, EXPIRES_IN, LIFE_SECONDS, 1, MAX_TOKEN_SECONDS)
    pair = checks.body(models.Login, request)
    for name in ("access_key_id", "secret_access_key"):
        if not getattr(pair, name):
            raise checks.field(name, "minimum string length is 1")
    key = keys.authenticate(pair.access_key_id, pair.secret_access_key) if keys is not None else None
    if keys is None or key is None:
        raise NotAuthorizedException("error authenticating request")
    return ok(keys.token(key, life))


def capabilities(engine: Engine, request: Request, who: str) -> Response:
    """Nobody can be invited."""
    return ok({"invite_user": False})


def current_user(engine: Engine, request: Request, who: str) -> Response:
    """Who asks; nobody is answered too, with an empty id, as lakeFS does."""
    user = engine.user(who) if who else models.User("", 0)
    return ok(models.CurrentUser(user))


def get_user(engine: Engine, request: Request, who: str) -> Response:
    """The one user there is."""
    if request.params[0] != who:
        raise NotFoundException("user not found")
    return ok(engine.user(who))


HANDLERS: Final[dict[str, Handler]] = {
    endpoints.HEALTH_CHECK.operation: health,
    endpoints.GET_CONFIG.operation: config,
    endpoints.GET_LAKEFS_VERSION.operation: version,
    endpoints.GET_STORAGE_CONFIG.operation: storage,
    administration.GET_GARBAGE_COLLECTION_CONFIG.operation: gc_config,
    administration.POST_STATS_EVENTS.operation: statistics,
    administration.GET_USAGE_REPORT_SUMMARY.operation: usage_report,
    administration.GET_SETUP_STATE.operation: setup_state,
    administration.SETUP.operation: setup,
    administration.SETUP_COMM_PREFS.operation: setup,
    endpoints.LOGIN.operation: partial(login, None),  # the API puts one in its place that knows the keys
    administration.GET_AUTH_CAPABILITIES.operation: capabilities,
    endpoints.GET_CURRENT_USER.operation: current_user,
    administration.GET_USER.operation: get_user,
}
