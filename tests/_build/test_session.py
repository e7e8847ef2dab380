"""Sessions: the policy that options make, and the authorization of each kind of credentials."""

from __future__ import annotations

import msgspec
import pytest

from lakefs_hl._build.session import new_key, policy_of, session_of
from lakefs_hl.config.credentials import Anonymous, AwsRole, Credentials, Token
from lakefs_hl.spec.secret import KeyPair
from lakefs_hl.config.options import ClientOptions
from lakefs_hl.config.settings import Settings, resolve
from lakefs_hl.ops.retry import Policy
from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.secret import reveal
from lakefs_hl.spec.wire import Request, Response


def settings(credentials: Credentials, host: str = "https://lakefs.example") -> Settings:
    found = resolve(ClientOptions(host=host, access_token="t"), {})
    return msgspec.structs.replace(found, credentials=credentials)


def test_time_limits_reach_the_policy() -> None:
    assert policy_of(ClientOptions()) == Policy()
    options = ClientOptions(timeout=1, connect_timeout=2, deadline=3)
    assert policy_of(options) == Policy(timeout=1, connect=2, deadline=3)
    assert policy_of(options.replace(retries=1)) == Policy(
        timeout=1, connect=2, deadline=3, attempts=2, logged_attempts=2
    )


@pytest.mark.parametrize(
    ("credentials", "header"),
    [(KeyPair("k", "s"), "Basic azpz"), (Token("t"), "Bearer t"), (Anonymous(), None)],
)
def test_each_kind_of_credentials_has_its_authorization(credentials: Credentials, header: str | None) -> None:
    session = session_of(settings(credentials), Policy())
    found = session.authenticator.current[1]
    assert (reveal(found) if found else found) == header
    assert not session.authenticator.renewable


def test_an_aws_role_logs_in_first() -> None:
    assert session_of(settings(AwsRole()), Policy()).authenticator.renewable
    with pytest.raises(InvalidConfigError, match="TLS only"):
        session_of(settings(AwsRole(), "http://lakefs.example"), Policy())


def test_only_a_server_has_a_name_in_messages() -> None:
    assert session_of(settings(Token("t")), Policy()).endpoint == "https://lakefs.example"
    assert session_of(resolve(ClientOptions(host="mem://x"), {}), Policy()).endpoint == ""


def test_keys_differ() -> None:
    assert new_key() != new_key()
    assert session_of(settings(Token("t")), Policy()).new_key is new_key


def test_the_gateway_is_at_the_server_unless_another_one_is_named() -> None:
    pair = KeyPair("k", "s")
    found = session_of(settings(pair), Policy()).gateway
    assert (found.endpoint, found.keys, found.fault) == ("https://lakefs.example", pair, "")
    proxied = settings(pair, "https://lakefs.example/lakefs")
    assert "cannot be under a path" in session_of(proxied, Policy()).gateway.fault
    named = msgspec.structs.replace(proxied, gateway_endpoint="https://s3.lakefs.example")
    found = session_of(named, Policy()).gateway
    assert (found.endpoint, found.fault) == ("https://s3.lakefs.example", "")
    copied = session_of(named, Policy())
    assert copied.copy(Policy()).gateway is copied.gateway


@pytest.mark.parametrize(("credentials", "said"), [(Token("t"), "a token"), (AwsRole(), "AWS role"), (Anonymous(), "none")])
def test_only_a_key_pair_signs_for_the_gateway(credentials: Credentials, said: str) -> None:
    found = session_of(settings(credentials), Policy()).gateway
    assert found.keys is None
    assert said in found.fault
    assert "Client(host, username, password)" in found.fault


def test_a_function_as_transport_has_no_gateway_but_one_that_is_named() -> None:
    def answer(request: Request) -> Response:
        return Response(404)

    options = ClientOptions(username="k", password="s", transport=answer)
    assert "no address" in session_of(resolve(options, {}), Policy()).gateway.fault
    options = options.replace(gateway_endpoint="http://127.0.0.1:1")
    assert session_of(resolve(options, {}), Policy()).gateway.fault == ""
