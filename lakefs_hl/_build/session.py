"""The session of a client: its policy of retries and time limits, and its authorization."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from lakefs_hl.config.credentials import Anonymous, AwsRole, KeyPair, Token
from lakefs_hl.config.options import ClientOptions
from lakefs_hl.config.retry import Retry
from lakefs_hl.config.settings import Settings
from lakefs_hl.ops import auth
from lakefs_hl.ops.retry import Policy, Session

if TYPE_CHECKING:
    from lakefs_hl.aws import Role

#: Attempts of a commit, a merge or a revert: each but the first follows a search of the log.
_LOGGED_ATTEMPTS = 3


def policy_of(options: ClientOptions) -> Policy:
    """Return the retries and time limits of a client."""
    retry = options.retries
    if retry is None:
        return Policy(timeout=options.timeout, connect=options.connect_timeout, deadline=options.deadline)
    if not isinstance(retry, Retry):
        retry = Retry(attempts=retry + 1)
    return Policy(
        attempts=retry.attempts,
        logged_attempts=min(_LOGGED_ATTEMPTS, retry.attempts),
        timeout=options.timeout,
        connect=options.connect_timeout,
        deadline=options.deadline,
        base=retry.backoff_start,
        base_busy=retry.backoff_busy,
        growth=retry.backoff_growth,
        cap=retry.backoff_max,
        hint_cap=retry.retry_after_max,
        retry_overwrites=retry.overwrites,
    )


def session_of(settings: Settings, policy: Policy) -> tuple[Session, Role | None]:
    """Return what all calls of a client share, and the AWS role that it logs in with, if any."""
    authority, role = _authority(settings)
    return Session(authority, policy, endpoint="" if settings.in_process else settings.endpoint, new_key=new_key), role


def new_key() -> str:
    """Return an idempotency key: unique, also on both sides of a fork."""
    return uuid.uuid4().hex


def _authority(settings: Settings) -> tuple[auth.Authority, Role | None]:
    credentials = settings.credentials
    match credentials:
        case KeyPair():
            return auth.basic(credentials.access_key_id, credentials.secret_access_key), None
        case Token():
            return auth.bearer(credentials.value), None
        case Anonymous():
            return auth.nobody(), None
        case AwsRole():
            from lakefs_hl.aws import Role

            role = Role(settings.endpoint, credentials)
            return auth.external(role, credentials.token_ttl_seconds), role
