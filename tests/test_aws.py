"""Logging in with the machine's AWS role: the signed identity, the login at lakeFS, its renewal; AWS is a fake."""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import Client, aws
from lakefs_hl.aws import Found, Keys, Role, sign
from lakefs_hl.config import chain
from lakefs_hl.config.credentials import AwsRole
from lakefs_hl.spec import errors
from lakefs_hl.transport import aio, blocking
from tests.transport.peers import Asked, Peer, answer, answering

KEYS = Keys("AKIAEXAMPLE", "aws-secret-that-must-not-be-shown", "session-token/+=")
FOUND = Found(lambda: KEYS, "sts.eu-west-1.amazonaws.com", "eu-west-1")
NOW = 1_700_000_000.0
LOGIN = "/api/v1/auth/external/principal/login"


def unpacked(identity: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(identity["identity_token"]))
    return found


# ------------------------------------------------------------------------------------------------------- the identity


@pytest.mark.parametrize("token", [None, "session-token/+="])
def test_the_signature_is_the_one_that_botocore_makes(token: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    auth = pytest.importorskip("botocore.auth", reason="the extra aws is not installed")
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    keys = Keys(KEYS.access_key, KEYS.secret_key, token)
    headers = {"X-LakeFS-Server-ID": "lakefs.example", "X-Other": "a  b"}
    ours = json.loads(base64.b64decode(sign(FOUND, keys, headers, NOW, 60)))

    signer = auth.SigV4QueryAuth(Credentials(*keys), "sts", FOUND.region, expires=60)
    url = f"https://{FOUND.host}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("POST", url, headers=headers, data=b"")
    # botocore signs with its own clock: it is asked to sign at ours
    request.context["timestamp"] = ours["date"]
    signer._modify_request_before_signing(request)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    theirs = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
    assert ours["signature"] == signature
    assert ours["signed_headers"] == theirs["X-Amz-SignedHeaders"].split(";")
    assert ours["security_token"] == token


def test_the_identity_that_lakefs_receives() -> None:
    role = Role("https://lakefs.example:8443", AwsRole(), look=lambda: FOUND)
    identity = unpacked(role.find()(NOW))
    assert len(identity.pop("signature")) == 64
    assert identity == {
        "method": "POST",
        "host": "sts.eu-west-1.amazonaws.com",
        "region": "eu-west-1",
        "action": "GetCallerIdentity",
        "date": "20231114T221320Z",
        "expiration_duration": "60",
        "access_key_id": "AKIAEXAMPLE",
        "signed_headers": ["host", "x-lakefs-server-id"],
        "version": "2011-06-15",
        "algorithm": "AWS4-HMAC-SHA256",
        "security_token": "session-token/+=",
    }
    assert KEYS.secret_key not in base64.b64decode(role.find()(NOW)["identity_token"]).decode()


def test_further_headers_are_signed_and_so_is_always_the_servers_id() -> None:
    options = AwsRole(token_request_headers={"X-Custom": "1", "x-lakefs-server-id": "another.example"})
    signatures = {
        unpacked(Role(f"https://{host}", options, look=lambda: FOUND).find()(NOW))["signature"]
        for host in ("one.example", "two.example")
    }
    assert len(signatures) == 2  # bound to the server we talk to, whatever the headers say
    identity = unpacked(Role("https://one.example", options, look=lambda: FOUND).find()(NOW))
    assert identity["signed_headers"] == ["host", "x-custom", "x-lakefs-server-id"]


def test_an_identity_goes_over_tls_only() -> None:
    with pytest.raises(errors.InvalidConfigError, match="over TLS only"):
        Role("http://lakefs.example", AwsRole(), look=lambda: FOUND)
    Role("http://127.0.0.1:8000", AwsRole(), look=lambda: FOUND)


# ----------------------------------------------------------------------------------------------------- what boto3 finds


def test_boto3_finds_the_environments_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("boto3", reason="the extra aws is not installed")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    found = aws._find_with_boto3()
    assert found.keys() == ("AKIAENV", "s", None)
    assert (found.host, found.region) == ("sts.eu-central-1.amazonaws.com", "eu-central-1")


def test_without_aws_credentials_the_error_says_so() -> None:
    pytest.importorskip("boto3", reason="the extra aws is not installed")
    with pytest.raises(errors.NoAuthenticationFound, match="boto3 finds no AWS credentials"):
        aws._find_with_boto3()


def test_the_metadata_service_gets_two_requests_of_a_second_each_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two requests of its protocol: for a token, then for the role; most machines have no such service."""
    pytest.importorskip("boto3", reason="the extra aws is not installed")
    from botocore import httpsession
    from botocore.exceptions import ConnectTimeoutError

    asked = list[tuple[str, float]]()

    def unreachable(self: Any, request: Any) -> None:
        asked.append((request.method, self._timeout))
        raise ConnectTimeoutError(endpoint_url=request.url)

    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setattr(httpsession.URLLib3Session, "send", unreachable)
    with pytest.raises(errors.NoAuthenticationFound):
        aws._find_with_boto3()
    assert 1 <= len(asked) <= 2
    assert all(timeout <= 1 for _, timeout in asked)


def test_without_boto3_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(errors.NoAuthenticationFound, match=r"pip install 'lakefs-hl\[aws\]'"):
        aws._find_with_boto3()


def test_the_error_of_the_last_resort_lists_every_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_has_boto3", lambda: True)
    monkeypatch.setattr(aws, "_find_with_boto3", _no_credentials)
    client = Client("https://lakefs.example")  # making it sends nothing
    with pytest.raises(errors.NoAuthenticationFound, match="LAKECTL_CREDENTIALS_") as caught:
        _ = client.version
    assert "no AWS credentials here" in str(caught.value)
    with pytest.raises(errors.NoAuthenticationFound):  # init finds out at once
        lakefs_hl.init("https://lakefs.example")


def _no_credentials() -> Found:
    raise errors.NoAuthenticationFound("no AWS credentials here")


def test_boto3_is_asked_once_and_for_the_keys_of_the_moment_each_time() -> None:
    looked = list[str]()
    keys = iter([KEYS, Keys("AKIANEXT", "s", None)])

    def look() -> Found:
        looked.append("boto3")
        return FOUND._replace(keys=lambda: next(keys))

    role = Role("https://lakefs.example", AwsRole(), look=look)
    assert [unpacked(role.find()(NOW))["access_key_id"] for _ in range(2)] == ["AKIAEXAMPLE", "AKIANEXT"]
    assert looked == ["boto3"]


def test_a_child_process_does_not_use_the_credentials_that_boto3_found_in_its_parent(mocker: MockerFixture) -> None:
    """boto3 renews credentials under a lock, and a thread of the parent may hold it at the fork."""
    look = mocker.Mock(return_value=FOUND)
    role = Role("https://lakefs.example", AwsRole(), look=look)
    for process in (1, 1, 2, 2):
        mocker.patch("lakefs_hl.aws.os.getpid", return_value=process)
        role.find()
    assert look.call_count == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_b6_64_a_child_process_finds_the_role_while_a_thread_of_the_parent_looks_for_it() -> None:
    parent, looking, found = os.getpid(), threading.Event(), threading.Event()

    def look() -> Found:
        if os.getpid() == parent:
            looking.set()
            assert found.wait(60)
        return FOUND

    role = Role("https://lakefs.example", AwsRole(), look=look)
    thread = threading.Thread(target=role.find)
    thread.start()
    assert looking.wait(20)
    child = os.fork()
    if child == 0:  # no assertion may escape here: the child would go on as a second pytest
        good = False
        try:
            signal.alarm(20)  # a lock that was inherited locked would wait for ever
            good = unpacked(role.find()(NOW))["access_key_id"] == KEYS.access_key
        finally:
            os._exit(0 if good else 1)
    found.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


def test_keys_that_cannot_be_renewed_are_an_error_of_the_tree(
    monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture
) -> None:
    pytest.importorskip("boto3", reason="the extra aws is not installed")
    from botocore.credentials import Credentials
    from botocore.exceptions import CredentialRetrievalError

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    expired = CredentialRetrievalError(provider="iam-role", error_msg="expired")
    mocker.patch.object(Credentials, "get_frozen_credentials", side_effect=expired)
    with pytest.raises(
        errors.NoAuthenticationFound, match=r"https://h with the AWS role: boto3 cannot renew .*expired"
    ):
        Role("https://h", AwsRole()).find()


# ----------------------------------------------------------------------------------------- the exchange with the server


class Clock:
    """The wall clock of the drivers, which run on the real one otherwise."""

    def __init__(self) -> None:
        self.now = NOW

    def time(self) -> float:
        return self.now

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class Server:
    """lakeFS, as far as logging in goes: a new token per login, and a 401 for all but the last."""

    def __init__(self) -> None:
        self.logins = list[dict[str, Any]]()
        self.valid = ""
        self.status: str | None = None
        self.lock = threading.Lock()

    def __call__(self, asked: Asked) -> bytes:
        if asked.target == LOGIN:
            if self.status is not None:
                return answer(b'{"message":"not implemented"}', self.status, content_type="application/json")
            assert "authorization" not in asked.headers
            with self.lock:
                self.logins.append(json.loads(asked.body))
                self.valid = f"token-{len(self.logins)}"
            return answer(json.dumps({"token": self.valid}).encode(), content_type="application/json")
        if asked.headers.get("authorization") != f"Bearer {self.valid}":
            return answer(b'{"message":"no"}', "401 Unauthorized", content_type="application/json")
        config_ = {"version_config": {"version": "1.2.3"}, "version": "1.2.3"}
        return answer(json.dumps(config_).encode(), content_type="application/json")


Made = tuple[Client, Server, Peer, Clock]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    server, clock = Server(), Clock()
    monkeypatch.setattr(aws, "_find_with_boto3", lambda: FOUND)
    with answering(server) as peer:
        client = Client(peer.url, aws_role=True, token_ttl_seconds=1000)
        for driver in (blocking, aio):
            monkeypatch.setattr(driver, "time", clock)
        yield client, server, peer, clock


def test_the_first_call_logs_in(made: Made) -> None:
    client, server, peer, _ = made
    assert peer.asked == []  # lazy
    assert [client.version, client.version] == ["1.2.3"] * 2
    assert [asked.target for asked in peer.asked].count(LOGIN) == 1
    login = server.logins[0]
    assert login["token_expiration_duration"] == 1000
    assert unpacked(login["identityRequest"])["signed_headers"] == ["host", "x-lakefs-server-id"]


def test_b9_89_a_token_is_renewed_before_it_ends(made: Made) -> None:
    client, server, _, clock = made
    assert client.version
    clock.now += 799
    assert client.version
    assert len(server.logins) == 1
    clock.now += 2  # a fifth of its life is left
    assert client.version
    assert len(server.logins) == 2
    assert client.version
    assert len(server.logins) == 2  # and not before every call


def test_b9_89_a_token_is_renewed_after_a_401(made: Made) -> None:
    client, server, _, _ = made
    assert client.version
    server.valid = "none of ours"
    assert client.version == "1.2.3"
    assert len(server.logins) == 2


def test_b9_89_b6_63_fifty_threads_log_in_once(made: Made) -> None:
    client, server, _, _ = made
    found, start = list[str](), threading.Barrier(50)

    def ask() -> None:
        start.wait()
        found.append(client.version)

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["1.2.3"] * 50
    assert len(server.logins) == 1


def test_the_error_says_that_the_server_has_no_logins_by_role(made: Made) -> None:
    client, server, _, _ = made
    server.status = "501 Not Implemented"
    with pytest.raises(errors.NotAuthorizedException, match="does not log in by AWS role"):
        _ = client.version


def test_b9_89_the_error_of_a_refused_identity_shows_no_secret(made: Made) -> None:
    client, server, _, _ = made
    server.status = "401 Unauthorized"
    with pytest.raises(errors.NotAuthorizedException) as caught:
        _ = client.version
    assert KEYS.secret_key not in str(caught.value)


def test_the_sdk_shares_the_token(made: Made) -> None:
    client, server, _, _ = made
    assert client.sdk_client.config_api.get_config().version_config is not None
    server.valid = ""
    assert client.version == "1.2.3"
    assert client.sdk_client.config_api.get_config().version_config is not None
    assert len(server.logins) == 2


def test_b9_89_an_awaitable_client_renews_too(made: Made) -> None:
    import asyncio

    from lakefs_hl.aio.default import of

    client, server, _, clock = made

    async def main() -> list[str]:
        twin = of(client)
        found = [await twin.version, await twin.version]
        clock.now += 900
        return [*found, await twin.version]

    assert asyncio.run(main()) == ["1.2.3"] * 3
    assert len(server.logins) == 2


def test_no_repr_shows_a_secret(made: Made) -> None:
    client = made[0]
    assert client.version
    shown: Callable[[object], str] = repr
    for one in (
        client,
        Role("https://h", AwsRole(), look=lambda: FOUND),
        KEYS,
        client._session.authenticator,
        client.explain_auth(),
    ):
        assert KEYS.secret_key not in shown(one)
        assert "token-1" not in shown(one)


def test_the_loop_turns_while_the_role_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from lakefs_hl.aio.default import of

    asked, answered = threading.Event(), threading.Event()
    looked_in = list[str]()

    def look() -> Found:
        looked_in.append(threading.current_thread().name)
        asked.set()
        assert answered.wait(20), "the loop was held up"
        return FOUND

    async def main(client: Client) -> str:
        call = asyncio.ensure_future(of(client).version)
        while not (asked.is_set() or call.done()):
            await asyncio.sleep(0)
        answered.set()  # only a loop that turns meanwhile comes here
        return await call

    monkeypatch.setattr(aws, "_find_with_boto3", look)
    with answering(Server()) as peer:
        assert asyncio.run(main(Client(peer.url, aws_role=True))) == "1.2.3"
    assert looked_in[0] != threading.main_thread().name
