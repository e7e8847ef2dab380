"""The session of a client: its policy of retries and time limits, and its authorization."""

from __future__ import annotations

import time
import uuid
from urllib.parse import urlsplit

from lakefs_hl.config.credentials import Anonymous, AwsRole, Token, describe
from lakefs_hl.config.options import ClientOptions
from lakefs_hl.config.retry import Retry
from lakefs_hl.config.settings import Settings
from lakefs_hl.ops import auth, repositories
from lakefs_hl.ops.retry import Policy, Session
from lakefs_hl.spec.secret import KeyPair
from lakefs_hl.spec.sigv4 import Gateway

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


def session_of(settings: Settings, policy: Policy) -> Session:
    """Return the session that all calls of a client share."""
    endpoint = "" if settings.in_process else settings.endpoint
    return Session(
        _authenticator(settings),
        policy,
        endpoint=endpoint,
        new_key=new_key,
        clock=time.monotonic,
        gateway=_gateway(settings),
    )


def _gateway(settings: Settings) -> Gateway:
    """Return the S3 gateway of the server: under its own address, as lakeFS has it, unless another one is given."""
    endpoint = settings.gateway_endpoint or settings.endpoint
    credentials = settings.credentials
    fault = ""
    if not isinstance(credentials, KeyPair):
        fault = (
            "the S3 gateway takes URLs that are signed with an access key and its secret, and this client has "
            f"{describe(credentials)}; give Client(host, username, password)"
        )
    elif not endpoint.startswith(("http://", "https://")):
        fault = f"{endpoint} has no address that others reach"
    elif urlsplit(endpoint).path.strip("/"):
        fault = (
            f"the S3 gateway cannot be under a path, and the endpoint is {endpoint}; name the gateway, as in "
            'Client(gateway_endpoint="https://s3.lakefs.example")'
        )
    return Gateway(endpoint, credentials if isinstance(credentials, KeyPair) else None, fault)


def with_names(session: Session, options: ClientOptions) -> Session:
    """Set how a session names repositories, and whether it creates those that are missing. Returns the session."""
    session.scope = f"{options.scope}-" if options.scope else ""
    session.make_repository = repositories.make if options.create_repositories else None
    return session


def new_key() -> str:
    """Return an idempotency key that is unique, also across a fork."""
    return uuid.uuid4().hex


def _authenticator(settings: Settings) -> auth.Authenticator:
    credentials = settings.credentials
    if settings.offline and not settings.in_process:
        return auth.anonymous()  # a login would send requests
    match credentials:
        case KeyPair():
            return auth.basic(credentials.access_key_id, credentials.secret_access_key)
        case Token():
            return auth.bearer(credentials.value)
        case Anonymous():
            return auth.anonymous()
        case AwsRole():
            from lakefs_hl.aws import Role

            return auth.external(Role(settings.endpoint, credentials).find, credentials.token_ttl_seconds)
