"""AWS signature version 4 in the query of a URL, as S3 and lakeFS's S3 gateway take it.

Rules of the room: pure. The time is an argument. Secrets are revealed for the HMAC only, and no value that is returned
holds one; a signed URL is itself a secret until it expires.
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from lakefs_hl.spec.secret import KeyPair, reveal

ALGORITHM: Final = "AWS4-HMAC-SHA256"
#: The longest life that S3 and lakeFS's gateway take: a week.
MAX_SECONDS: Final = 7 * 24 * 3600
#: Region of lakeFS's gateway. It takes any, because the scope in the URL says which one was signed.
REGION: Final = "us-east-1"
#: Stands for the hash of a body that the signer does not know.
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
_SAFE: Final = "-_.~"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Gateway(msgspec.Struct, frozen=True):
    """The S3 gateway that a client can sign URLs for.

    Attributes:
        endpoint: `http://host[:port]` or `https://host[:port]` of the gateway.
        keys: What to sign with.
        fault: Why nothing can be signed for it, to be appended to what was asked; "" if it can.
    """

    endpoint: str = ""
    keys: KeyPair | None = None
    fault: str = "this client has no access key"


class Scope(msgspec.Struct, frozen=True):
    """When, where and for which service a signature is made.

    Attributes:
        stamp: Time of the signature, such as `20260131T120000Z`.
        region: AWS region.
        service: AWS service.
    """

    stamp: str
    region: str = REGION
    service: str = "s3"

    @property
    def text(self) -> str:
        """The credential scope."""
        return f"{self.stamp[:8]}/{self.region}/{self.service}/aws4_request"


def stamp(now: float) -> str:
    """Return a time in Unix seconds as a signature has it."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")


def signing_key(secret: str, scope: Scope) -> bytes:
    """Return the key that signs within a scope."""
    key = ("AWS4" + reveal(secret)).encode()
    for part in scope.text.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def encode_query(query: Mapping[str, str]) -> str:
    """Return a query in its canonical form: sorted, everything but unreserved characters quoted."""
    return "&".join(f"{quote(name, safe=_SAFE)}={quote(query[name], safe=_SAFE)}" for name in sorted(query))


def signature(
    secret: str,
    scope: Scope,
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    payload_hash: str = UNSIGNED_PAYLOAD,
) -> str:
    """Return the signature of a request.

    Args:
        secret: Secret access key.
        scope: What the signature is for.
        method: HTTP method.
        path: Quoted path, as it is sent.
        query: The query, without the signature.
        headers: Signed headers by lower-case name.
        payload_hash: SHA-256 of the body in hex digits.
    """
    canonical = "\n".join(
        (
            method,
            path,
            encode_query(query),
            *(f"{name}:{headers[name]}" for name in sorted(headers)),
            "",
            ";".join(sorted(headers)),
            payload_hash,
        )
    )
    text = "\n".join((ALGORITHM, scope.stamp, scope.text, hashlib.sha256(canonical.encode()).hexdigest()))
    return hmac.digest(signing_key(secret, scope), text.encode(), "sha256").hex()


def parameters(access_key: str, scope: Scope, seconds: int, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that a signed query has besides its signature.

    Args:
        access_key: Access key ID.
        scope: What the signature is for.
        seconds: Life of the signature.
        headers: Signed headers by lower-case name.
    """
    return {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{access_key}/{scope.text}",
        "X-Amz-Date": scope.stamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": ";".join(sorted(headers)),
    }


def presign(
    endpoint: str,
    path: str,
    keys: KeyPair,
    *,
    method: str,
    now: float,
    seconds: int,
    region: str = REGION,
) -> str:
    """Return a URL of S3 or a gateway, signed for one method and for a while.

    Args:
        endpoint: `http://host[:port]` or `https://host[:port]`.
        path: Path with its first slash, not quoted. Its slashes stay slashes.
        keys: What to sign with.
        method: HTTP method.
        now: Time of the signature in Unix seconds.
        seconds: Life of the URL, up to a week.
        region: AWS region.

    Raises:
        ValueError: The life is not one that S3 takes.
    """
    if not 1 <= seconds <= MAX_SECONDS:
        msg = f"a signed URL can live for 1 to {MAX_SECONDS} seconds, a week, not {seconds}"
        raise ValueError(msg)
    scope = Scope(stamp(now), region)
    headers = {"host": _host(endpoint)}
    query = parameters(keys.access_key_id, scope, seconds, headers)
    target = quote(path, safe=_SAFE + "/")
    signed = signature(keys.secret_access_key, scope, method, target, query, headers)
    return f"{endpoint}{target}?{encode_query(query)}&X-Amz-Signature={signed}"


def _host(endpoint: str) -> str:
    """Return the `Host` header that clients send to an endpoint: without the default port of its scheme."""
    parts = urlsplit(endpoint)
    host = parts.netloc
    return host.rpartition(":")[0] if parts.port == _DEFAULT_PORTS.get(parts.scheme) else host
