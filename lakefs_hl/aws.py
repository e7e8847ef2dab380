"""The machine's AWS role as an identity for lakeFS: boto3 finds the credentials, this module signs.

The identity that is sent is a signed `GetCallerIdentity` request that only the named lakeFS server can use: its ID is
always among the signed headers, and the signature is valid for a minute. With it the server asks AWS for the caller's
identity, and returns a token.

Rules of the room: finding credentials may block for seconds, so drivers call it (`ops.effects.Call`). Signing is pure.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from lakefs_hl.config.endpoint import is_loopback
from lakefs_hl.spec.errors import InvalidConfigError, NoAuthenticationFound
from lakefs_hl.spec.secret import hide, reveal
from lakefs_hl.spec.sigv4 import ALGORITHM, Scope, parameters, signature, stamp

if TYPE_CHECKING:
    from lakefs_hl.config.credentials import AwsRole

#: Timeout of a request to the machine's metadata service, which most machines do not have.
METADATA_TIMEOUT_SECONDS: Final = 1
_VERSION: Final = "2011-06-15"


class Keys(NamedTuple):
    """AWS credentials, valid for a while."""

    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        return "<Keys>"


class Found(NamedTuple):
    """AWS credentials of this machine.

    Attributes:
        keys: Returns the current credentials. boto3 renews them, which may block.
        host: Host of the identity service to sign for.
        region: Its region.
    """

    keys: Callable[[], Keys]
    host: str
    region: str


class Role:
    """The machine's AWS role, as an identity for one lakeFS server.

    Args:
        endpoint: URL of the lakeFS server. No other server can use the identity.
        options: Lifetimes, further headers, and whether the configuration names the role.
        look: Finds the credentials. Defaults to boto3.

    Raises:
        InvalidConfigError: The identity would be sent in plain text over a network.
    """

    def __init__(self, endpoint: str, options: AwsRole, *, look: Callable[[], Found] | None = None) -> None:
        parts = urlsplit(endpoint)
        self._server = parts.hostname or ""
        if parts.scheme != "https" and not is_loopback(self._server):
            msg = f"an AWS identity is sent over TLS only, and {endpoint} is not https://"
            raise InvalidConfigError(msg)
        self._endpoint = endpoint
        self._options = options
        self._look = look
        # No lock, which a fork could inherit locked: two threads that look at the same time find the same credentials.
        # boto3's own credentials have one, so that a child process looks for itself.
        self._found: tuple[int, Found] | None = None

    def __repr__(self) -> str:
        return f"<Role for {self._server}>"

    def find(self) -> Callable[[float], dict[str, Any]]:
        """Find the role's credentials. Blocks for up to two seconds where there is no role.

        Returns:
            A function of the time in Unix seconds that returns an identity signed at that time. It does not block.

        Raises:
            NoAuthenticationFound: boto3 is not installed, or finds no credentials.
        """
        try:
            process, known = os.getpid(), self._found
            if known is None or known[0] != process:
                known = self._found = process, (self._look or _find_with_boto3)()
            return partial(self._identity, known[1], known[1].keys())
        except NoAuthenticationFound as exc:
            raise NoAuthenticationFound(self._explain(exc)) from None

    def _identity(self, found: Found, keys: Keys, now: float) -> dict[str, Any]:
        headers = {**self._options.token_request_headers, "X-LakeFS-Server-ID": self._server}
        return {"identity_token": sign(found, keys, headers, now, self._options.url_presign_ttl_seconds)}

    def _explain(self, exc: NoAuthenticationFound) -> str:
        if self._options.asked:
            return f"logging in to {self._endpoint} with the AWS role: {exc}"
        return (
            f"no credentials for {self._endpoint}: no keyword arguments, no LAKECTL_CREDENTIALS_… in the environment, "
            f"none in lakectl's file, and as the last resort the AWS role: {exc}. Give "
            "Client(host, username, password), run `lakectl config`, or work without a server: "
            'lakefs.init("local:./lake")'
        )


def _find_with_boto3() -> Found:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session
    except ImportError:
        msg = "boto3 is not installed: pip install 'lakefs-hl[aws]'"
        raise NoAuthenticationFound(msg) from None
    try:
        core = Session()
        core.set_config_variable("metadata_service_timeout", METADATA_TIMEOUT_SECONDS)
        core.set_config_variable("metadata_service_num_attempts", 1)
        session = boto3.Session(botocore_session=core)
        credentials = session.get_credentials()
        if credentials is None:
            msg = "boto3 finds no AWS credentials on this machine"
            raise NoAuthenticationFound(msg)
        region = session.region_name or "us-east-1"
        meta = session.client("sts", region_name=region, config=Config(signature_version="v4")).meta
    except BotoCoreError as exc:
        raise NoAuthenticationFound(f"boto3 finds no AWS credentials: {exc}") from None
    host = urlsplit(meta.endpoint_url).hostname or ""

    def keys() -> Keys:
        try:
            frozen = credentials.get_frozen_credentials()
        except BotoCoreError as exc:
            raise NoAuthenticationFound(f"boto3 cannot renew the AWS credentials: {exc}") from None
        return Keys(frozen.access_key, hide(frozen.secret_key), hide(frozen.token))

    # The global service of AWS is signed for its home region, whatever the region of the machine.
    return Found(keys, host, "us-east-1" if host == "sts.amazonaws.com" else meta.region_name)


def sign(found: Found, keys: Keys, headers: Mapping[str, str], now: float, ttl: int) -> str:
    """Sign a `GetCallerIdentity` request: AWS signature version 4, in the query.

    Args:
        found: The identity service.
        keys: Credentials to sign with.
        headers: Headers to sign besides the host.
        now: Time of the signature in Unix seconds.
        ttl: Lifetime of the signature in seconds.

    Returns:
        The identity token: base64 of the JSON that lakeFS needs to send the request itself.
    """
    scope = Scope(stamp(now), found.region, "sts")
    signed = {"host": found.host} | {name.lower(): " ".join(reveal(value).split()) for name, value in headers.items()}
    query = {"Action": "GetCallerIdentity", "Version": _VERSION, **parameters(keys.access_key, scope, ttl, signed)}
    if keys.token:
        query["X-Amz-Security-Token"] = keys.token  # a Secret
    made = signature(keys.secret_key, scope, "POST", "/", query, signed, hashlib.sha256(b"").hexdigest())
    identity = {
        "method": "POST",
        "host": found.host,
        "region": found.region,
        "action": query["Action"],
        "date": scope.stamp,
        "expiration_duration": query["X-Amz-Expires"],
        "access_key_id": keys.access_key,
        "signature": made,
        "signed_headers": sorted(signed),
        "version": _VERSION,
        "algorithm": ALGORITHM,
        "security_token": None if keys.token is None else reveal(keys.token),
    }
    return base64.b64encode(json.dumps(identity).encode()).decode()
