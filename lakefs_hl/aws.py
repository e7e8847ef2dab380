"""The machine's AWS role as an identity for lakeFS: boto3 finds the credentials, we sign.

What is sent is a signed `GetCallerIdentity` request that only the named lakeFS server can use: its id is among the
signed headers, always, and the signature lives a minute. The server asks AWS with it who we are and answers a token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

from lakefs_hl.config.endpoint import is_loopback
from lakefs_hl.spec.errors import InvalidConfigError, NoAuthenticationFound
from lakefs_hl.spec.secret import hide, reveal

if TYPE_CHECKING:
    from lakefs_hl.config.credentials import AwsRole
    from lakefs_hl.ops.auth import Authority

#: Seconds for the machine's metadata service, which does not exist on most machines.
PROBE: Final = 1
#: A token is renewed so long before its end, seconds; a short-lived one in its last fifth.
MARGIN: Final = 300.0
_VERSION: Final = "2011-06-15"
_ALGORITHM: Final = "AWS4-HMAC-SHA256"


class Keys(NamedTuple):
    """AWS credentials of the moment."""

    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        """Shows no secret."""
        return "<Keys>"


class Found(NamedTuple):
    """What boto3 found on this machine.

    Attributes:
        keys: Gives the credentials of the moment; boto3 renews them.
        host: The identity service to sign for.
        region: Its region.
    """

    keys: Callable[[], Keys]
    host: str
    region: str


class Role:
    """Makes a freshly signed identity whenever a login wants one.

    Args:
        endpoint: The lakeFS server; the identity is of use to no other.
        options: Times to live, further headers, and whether somebody asked for the role.
        look: Finds the credentials; boto3, unless a test says otherwise.
        clock: Unix seconds.
    """

    def __init__(
        self,
        endpoint: str,
        options: AwsRole,
        *,
        look: Callable[[], Found] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        parts = urlsplit(endpoint)
        self._server = parts.hostname or ""
        if parts.scheme != "https" and not is_loopback(self._server):
            msg = f"an AWS identity is sent over TLS only, and {endpoint} is not https://"
            raise InvalidConfigError(msg)
        self._endpoint = endpoint
        self._options = options
        self._look = look or _boto3
        self._clock = clock
        self._found: Found | None = None
        self._until = float("inf")
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Shows no secret."""
        return f"<Role for {self._server}>"

    def __call__(self) -> dict[str, Any]:
        """The identity to log in with; notes when its token will be worth renewing.

        Raises:
            NoAuthenticationFound: boto3 is missing, or finds no credentials.
        """
        found = self.find()
        ttl = self._options.token_ttl_seconds
        now = self._clock()
        self._until = now + ttl - min(MARGIN, ttl / 5)
        headers = {**self._options.token_request_headers, "X-LakeFS-Server-ID": self._server}
        return {"identity_token": sign(found, found.keys(), headers, now, self._options.url_presign_ttl_seconds)}

    @property
    def known(self) -> bool:
        """Whether boto3 was asked already."""
        return self._found is not None

    def find(self) -> Found:
        """Asks boto3 once; takes two seconds at most where there is no role.

        Raises:
            NoAuthenticationFound: boto3 is missing, or finds no credentials.
        """
        with self._lock:
            if self._found is None:
                try:
                    self._found = self._look()
                except NoAuthenticationFound as exc:
                    raise NoAuthenticationFound(self._explain(exc)) from None
            return self._found

    def _explain(self, exc: NoAuthenticationFound) -> str:
        if self._options.asked:
            return f"logging in to {self._endpoint} with the AWS role: {exc}"
        return (
            f"no credentials for {self._endpoint}: no keyword arguments, no LAKECTL_CREDENTIALS_… in the environment, "
            f"none in lakectl's file, and as the last resort the AWS role: {exc}. Give "
            "Client(host, username, password), run `lakectl config`, or work without a server: "
            'lakefs.init("local:./lake")'
        )

    def keep_fresh(self, authority: Authority) -> None:
        """Drops a token that is about to end, so that the next call logs in first."""
        if self._clock() >= self._until:
            generation, header = authority.current
            if header is not None:
                authority.current = (generation, None)


def _boto3() -> Found:
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
        core.set_config_variable("metadata_service_timeout", PROBE)
        core.set_config_variable("metadata_service_num_attempts", 1)
        session = boto3.Session(botocore_session=core)
        credentials = session.get_credentials()
        if credentials is None:
            msg = "boto3 finds no AWS credentials on this machine"
            raise NoAuthenticationFound(msg)
        region = session.region_name or "us-east-1"
        meta = session.client("sts", region_name=region, config=Config(signature_version="v4")).meta
    except BotoCoreError as exc:
        raise NoAuthenticationFound(f"boto3 says: {exc}") from None
    host = urlsplit(meta.endpoint_url).hostname or ""

    def keys() -> Keys:
        frozen = credentials.get_frozen_credentials()
        return Keys(frozen.access_key, hide(frozen.secret_key), hide(frozen.token))

    # The old global service of AWS is signed for its home region, whatever the machine's.
    return Found(keys, host, "us-east-1" if host == "sts.amazonaws.com" else meta.region_name)


def sign(found: Found, keys: Keys, headers: Mapping[str, str], now: float, ttl: int) -> str:
    """Signs a `GetCallerIdentity` request (AWS signature version 4, in the query) and packs it as lakeFS wants it.

    Args:
        found: The identity service.
        keys: Whose identity.
        headers: To be signed beside the host.
        now: Unix seconds.
        ttl: How long the signature is valid, seconds.
    """
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{found.region}/sts/aws4_request"
    signed = {"host": found.host} | {name.lower(): " ".join(reveal(value).split()) for name, value in headers.items()}
    query = {
        "Action": "GetCallerIdentity",
        "Version": _VERSION,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{keys.access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(ttl),
        "X-Amz-SignedHeaders": ";".join(sorted(signed)),
    }
    if keys.token:
        query["X-Amz-Security-Token"] = keys.token  # hides itself
    canonical = "\n".join(
        (
            "POST",
            "/",
            "&".join(f"{quote(name, safe='-_.~')}={quote(query[name], safe='-_.~')}" for name in sorted(query)),
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            query["X-Amz-SignedHeaders"],
            hashlib.sha256(b"").hexdigest(),
        )
    )
    text = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = ("AWS4" + reveal(keys.secret_key)).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    identity = {
        "method": "POST",
        "host": found.host,
        "region": found.region,
        "action": query["Action"],
        "date": stamp,
        "expiration_duration": query["X-Amz-Expires"],
        "access_key_id": keys.access_key,
        "signature": hmac.digest(key, text.encode(), "sha256").hex(),
        "signed_headers": sorted(signed),
        "version": _VERSION,
        "algorithm": _ALGORITHM,
        "security_token": None if keys.token is None else reveal(keys.token),
    }
    return base64.b64encode(json.dumps(identity).encode()).decode()
