"""Signatures of AWS: published examples, and botocore's own signer."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from lakefs_hl.spec import sigv4
from lakefs_hl.spec.secret import KeyPair, Secret

#: The key pair of AWS's documentation.
EXAMPLE = KeyPair("AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
MAY_24 = datetime(2013, 5, 24, tzinfo=UTC).timestamp()
LETTERS = "azAZ09-_.~/ +%?#&=:;@!$'()*,[]{}|\\^`\"<>\tä名\u0301😀"


def test_the_example_of_a_signed_url_in_the_documentation_of_s3() -> None:
    url = sigv4.presign(
        "https://examplebucket.s3.amazonaws.com", "/test.txt", EXAMPLE, method="GET", now=MAY_24, seconds=86_400
    )
    assert url == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z"
        "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


def test_the_example_of_a_signing_key_in_the_documentation() -> None:
    scope = sigv4.Scope("20120215T000000Z", "us-east-1", "iam")
    found = sigv4.signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", scope)
    assert found.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "payload", "wanted"),
    [
        (  # GET Object, GET Bucket Lifecycle and GET Bucket (list objects) of the documentation of S3
            "GET",
            "/test.txt",
            {},
            {"range": "bytes=0-9"},
            "",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        ("GET", "/", {"lifecycle": ""}, {}, "", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        (
            "GET",
            "/",
            {"max-keys": "2", "prefix": "J"},
            {},
            "",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
        (
            "PUT",
            "/test%24file.text",
            {},
            {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
    ],
)
def test_the_examples_of_signed_headers_in_the_documentation_of_s3(
    method: str, path: str, query: dict[str, str], headers: dict[str, str], payload: str, wanted: str
) -> None:
    payload = payload or "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    signed = {
        "host": "examplebucket.s3.amazonaws.com",
        "x-amz-content-sha256": payload,
        "x-amz-date": "20130524T000000Z",
        **headers,
    }
    scope = sigv4.Scope("20130524T000000Z")
    assert sigv4.signature(EXAMPLE.secret_access_key, scope, method, path, query, signed, payload) == wanted


def test_urls_are_those_of_botocore(rng: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    botocore = pytest.importorskip("botocore.auth", reason="needs the extra aws")
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    for _ in range(300):
        made = rng.randrange(0, 4_000_000_000)
        seconds = rng.randrange(1, sigv4.MAX_SECONDS)
        path = "/repo/main/" + "".join(rng.choice(LETTERS) for _ in range(rng.randrange(1, 40)))
        secret = "".join(rng.choice(LETTERS) for _ in range(40))
        endpoint = rng.choice(["http://127.0.0.1:8000", "https://s3.lake.example", "https://[::1]:9443"])
        method = rng.choice(["GET", "PUT"])
        url = sigv4.presign(
            endpoint, path, KeyPair("AKIA0123456789ABCDEF", secret), method=method, now=made, seconds=seconds
        )
        parts = urlsplit(url)
        request = AWSRequest(method, f"{endpoint}{parts.path}")
        now = datetime.fromtimestamp(made, UTC)
        monkeypatch.setattr(botocore, "get_current_datetime", lambda now=now: now.replace(tzinfo=None))
        signer = botocore.S3SigV4QueryAuth(
            Credentials("AKIA0123456789ABCDEF", secret), "s3", "us-east-1", expires=seconds
        )
        signer.add_auth(request)
        assert dict(parse_qsl(parts.query)) == dict(parse_qsl(urlsplit(request.url).query)), (path, endpoint)


@pytest.mark.parametrize("seconds", [0, -1, sigv4.MAX_SECONDS + 1])
def test_a_life_that_s3_does_not_take_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="1 to 604800 seconds, a week"):
        sigv4.presign("http://h", "/a", EXAMPLE, method="GET", now=0, seconds=seconds)


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("http://h:80", "h"),
        ("https://h:443", "h"),
        ("http://h:443", "h:443"),
        ("http://[::1]:80", "[::1]"),
        ("http://[::1]", "[::1]"),
    ],
)
def test_the_host_is_the_one_that_clients_send(endpoint: str, host: str) -> None:
    assert sigv4._host(endpoint) == host


def test_nothing_prints_the_secret() -> None:
    gateway = sigv4.Gateway("http://h", EXAMPLE, "")
    url = sigv4.presign("http://h", "/a", EXAMPLE, method="GET", now=0, seconds=1)
    assert "wJalr" not in repr(gateway) + str(gateway) + url
