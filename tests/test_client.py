"""The client: lazy, shared, pickled, forked, printed; its calls and its errors, over loopback."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import Client, aio, exceptions
from lakefs_hl._build import connection
from lakefs_hl._build.lake import lakes
from lakefs_hl._sync.default import default_client
from lakefs_hl.config import chain
from lakefs_hl.ops import objects
from lakefs_hl.ops.effects import gather, send
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Request
from tests import serving
from tests.threads import assert_ended
from tests.transport.peers import CERTIFICATES, Asked, Peer, answer, answering, peer

KEY, SECRET = "AKIAEXAMPLE0", "SECRET-that-nobody-may-see"
ENV = {"LAKECTL_CREDENTIALS_ACCESS_KEY_ID": KEY, "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": SECRET}
JSON = {"content_type": "application/json"}
VERSION = Request(endpoints.GET_LAKEFS_VERSION)
BASIC = "Basic QUtJQUVYQU1QTEUwOlNFQ1JFVC10aGF0LW5vYm9keS1tYXktc2Vl"


@pytest.fixture(autouse=True)
def _nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No home, no environment, no AWS role, no default client."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(chain, "_has_boto3", lambda: False)
    monkeypatch.delitem(vars(lakefs_hl), "DefaultClient", raising=False)


@pytest.fixture
def default_gone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test makes the default client is the default of no other test."""
    yield
    for module in (lakefs_hl, aio):
        vars(module).pop("DefaultClient", None)


def lakefs(asked: Asked) -> bytes:
    """As much of a server as is wanted here."""
    if asked.target.endswith("/healthcheck"):
        return answer(status="204 No Content")
    if asked.headers.get("authorization") != BASIC:
        return answer(b'{"message":"error authenticating request"}', "401 Unauthorized", **JSON)
    if asked.target.endswith("/config/version"):
        return answer(b'{"version":"1.2.3"}', **JSON)
    if asked.target.endswith("/config/storage"):
        return answer(b'{"blockstore_type":"s3","pre_sign_support":true}', **JSON)
    return answer(b'{"message":"repository not found"}', "404 Not Found", x_request_id="abc", **JSON)


@pytest.fixture
def server() -> Iterator[Peer]:
    with answering(lakefs) as found:
        yield found


@pytest.fixture
def client(server: Peer) -> Client:
    return Client(server.url, KEY, SECRET)


# -------------------------------------------------------------------------------------------- making


def test_making_a_client_sends_nothing(server: Peer) -> None:
    client = Client(server.url, KEY, SECRET)
    repr(client), client.explain_auth(), client.with_options(timeout=1), hash(client)
    assert server.connections == 0
    assert client.version == "1.2.3"
    assert server.asked[0].headers["authorization"] == BASIC
    assert server.asked[0].headers["user-agent"] == f"lakefs-hl/{lakefs_hl.__version__}"


def test_the_names_of_the_seed_are_accepted(server: Peer) -> None:
    assert Client(endpoint=server.url, access_key_id=KEY, secret_access_key=SECRET).version == "1.2.3"
    with pytest.raises(exceptions.NotAuthorizedException):
        _ = Client(endpoint=server.url, jwt_token="wrong").version
    assert server.asked[-1].headers["authorization"] == "Bearer wrong"


def test_two_names_of_one_thing_must_agree() -> None:
    with pytest.raises(exceptions.InvalidConfigError, match="host and endpoint are two names of one option"):
        Client("http://127.0.0.1:1", endpoint="http://127.0.0.1:2", username=KEY, password=SECRET)
    Client("http://127.0.0.1:1", endpoint="http://127.0.0.1:1", username=KEY, password=SECRET)


@pytest.mark.parametrize("name", ["hots", "token", "verify", "max_retries"])
def test_an_unknown_name_is_a_type_error(name: str) -> None:
    arguments: dict[str, Any] = {name: "x"}
    with pytest.raises(TypeError, match=name):
        Client("http://127.0.0.1:1", **arguments)
    with pytest.raises(TypeError, match=name):
        lakefs_hl.init(**arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": float("nan")}, "timeout=nan"),
        ({"timeout": float("inf")}, "timeout=inf"),
        ({"connect_timeout": -1}, "connect_timeout=-1"),
        ({"deadline": 0.0}, r"deadline=0\.0"),
        ({"retries": -1}, "retries=-1"),
        ({"max_concurrency": 0}, "max_concurrency"),
        ({"token_ttl_seconds": 60, "aws_role": False}, "aws_role=True"),
        ({"proxy": "socks5://h"}, "not a proxy"),
    ],
)
def test_bad_options_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(exceptions.InvalidConfigError, match=words):
        Client("http://127.0.0.1:1", KEY, SECRET, **arguments)


def test_one_host_is_a_list_of_one() -> None:
    client = Client("http://127.0.0.1:1", KEY, SECRET, allowed_storage_hosts="minio")
    assert client._options.allowed_storage_hosts == ("minio",)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"timeout": "30"}, "timeout must be a number of seconds, not str: '30'"),
        ({"connect_timeout": True}, "connect_timeout must be a number of seconds, not bool"),
        ({"deadline": [5]}, "deadline must be a number of seconds, not list"),
        ({"retries": 1.5}, "retries must be an integer or a lakefs_hl.types.Retry, not float"),
        ({"max_concurrency": "4"}, "max_concurrency must be an integer, not str"),
    ],
)
def test_options_are_numbers(arguments: dict[str, Any], words: str, client: Client) -> None:
    with pytest.raises(TypeError, match=words):
        Client("http://127.0.0.1:1", KEY, SECRET, **arguments)
    for thing in (client, aio.Client("mem://"), lakefs_hl.repository("example", client=client)):
        with pytest.raises(TypeError, match=words):
            thing.with_options(**arguments)


@pytest.mark.parametrize("name", ["password", "access_token", "secret_access_key", "jwt_token"])
@pytest.mark.parametrize("make", [Client, aio.Client, lakefs_hl.init, aio.init])
def test_a_secret_is_text(name: str, make: Any) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a string, not bytes") as caught:
        make("http://127.0.0.1:1", username=KEY, **{name: SECRET.encode()})
    for trace in traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack:
        assert trace.name.startswith("test_") or SECRET not in str(trace.locals)


def test_hosts_are_a_list() -> None:
    with pytest.raises(TypeError, match="allowed_storage_hosts"):
        Client("http://127.0.0.1:1", KEY, SECRET, allowed_storage_hosts=b"minio")  # type: ignore[arg-type]


def test_options_reach_the_policy() -> None:
    client = Client("http://127.0.0.1:1", KEY, SECRET, timeout=2.5, retries=0, max_concurrency=3)
    assert (client._session.policy.timeout, client._session.policy.attempts) == (2.5, 1)
    assert client._transport.fan_out == 3
    changed = client.with_options(timeout=7, retries=9, max_concurrency=4)
    assert (changed._session.policy.timeout, changed._session.policy.attempts) == (7, 10)
    assert changed._session.policy.logged_attempts == 3
    assert (changed._transport.fan_out, client._transport.fan_out) == (4, 3)
    assert changed._session.authenticator is client._session.authenticator
    assert client.with_options(timeout=1)._transport is client._transport
    assert client.with_options() == client != changed
    limits = Client("http://127.0.0.1:1", KEY, SECRET, connect_timeout=1, deadline=9, timeout=3)
    policy = limits._session.policy
    assert (policy.timeout, policy.connect, policy.deadline) == (3, 1, 9)
    assert (limits.with_options(timeout=4)._session.policy.connect, limits._session.policy.timeout) == (1, 3)
    policy = limits.with_options(connect_timeout=2, deadline=8)._session.policy
    assert (policy.timeout, policy.connect, policy.deadline) == (3, 2, 8)
    assert limits.with_options(deadline=8) != limits


@pytest.mark.usefixtures("default_gone")
@pytest.mark.parametrize(
    ("host", "options", "words"),
    [
        ("http://lakefs.example", {}, "unencrypted"),
        ("http://10.0.0.1:8000", {}, "unencrypted"),
        ("http://127.evil.example", {}, "unencrypted"),
        ("http://localhost.evil.example", {}, "unencrypted"),
        ("http://localhost.:8000", {}, "unencrypted"),
        ("http://my.localhost:8000", {}, "unencrypted"),
        ("http://[::2]:8000", {}, "unencrypted"),
        ("http://0.0.0.0:8000", {}, "unencrypted"),
        ("https://lakefs.example", {"verify_ssl": False}, "verify_ssl=False"),
    ],
)
def test_exposed_secrets_warn_where_the_client_is_made(host: str, options: dict[str, Any], words: str) -> None:
    for make in (Client, lakefs_hl.init, aio.Client, aio.init):
        with pytest.warns(exceptions.InsecureTransportWarning, match=words) as caught:
            make(host, KEY, SECRET, **options)
        assert [Path(one.filename).name for one in caught] == ["test_client.py"]


@pytest.mark.parametrize(
    "host",
    [
        "http://localhost:1",
        "http://LOCALHOST:1",
        "http://127.0.0.1:1",
        "http://127.9.9.9:1",
        "http://[::1]:1",
        "http://[::ffff:127.0.0.1]:1",
        "https://h.example",
    ],
)
def test_no_warning_without_a_reason(host: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Client(host, KEY, SECRET)


# -------------------------------------------------------------------------------------------- the server


def test_version_and_storage_are_read_from_the_server(client: Client, server: Peer) -> None:
    health = client.health_check()
    assert health[:4] == (True, "1.2.3", True, None)  # this server has no call for the user
    assert health.read_only is None
    assert 0 < health.latency < 30
    assert "authorization" not in server.asked[0].headers
    assert client.version == "1.2.3"
    assert client.storage_config.blockstore_type == "s3"
    assert client.storage_config.pre_sign_support is True
    assert [asked.target for asked in server.asked].count("/api/v1/config/storage") == 1


def test_the_generated_sdk_shares_endpoint_and_credentials(client: Client, server: Peer) -> None:
    sdk = client.sdk_client
    assert sdk is client.sdk_client
    storage = sdk.config_api.get_config
    with pytest.raises(Exception, match="repository not found"):
        storage()
    assert server.asked[-1].headers["authorization"] == BASIC
    assert server.asked[-1].target == "/api/v1/config"


def test_the_generated_sdk_is_loaded_on_first_use() -> None:
    code = (
        "import sys, lakefs_hl\n"
        "client = lakefs_hl.Client('http://127.0.0.1:1', 'k', 's')\n"
        "assert 'lakefs_sdk' not in sys.modules\n"
        "client.sdk_client\n"
        "assert 'lakefs_sdk' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# -------------------------------------------------------------------------------------------- errors


def call_it(client: Client) -> str:
    return client.version


def test_a_traceback_has_three_frames_at_most(server: Peer) -> None:
    client = Client(server.url, KEY, "wrong")
    with pytest.raises(exceptions.NotAuthorizedException) as caught:
        call_it(client)
    names = [entry.name for entry in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-3:] == ["call_it", "version", "_run"]
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("arguments", [{"host": "ftp://h"}, {"username": "u"}, {}])
def test_a_client_that_cannot_be_made_says_so_in_three_frames(arguments: dict[str, Any]) -> None:
    with pytest.raises((exceptions.InvalidConfigError, exceptions.NoAuthenticationFound)) as caught:
        lakefs_hl.init(**arguments)
    assert [entry.name for entry in traceback.extract_tb(caught.value.__traceback__)][1:] == ["init", "__init__"]


def test_a_wrong_argument_has_three_frames_too(server: Peer) -> None:
    branch = lakefs_hl.repository("example", client=Client(server.url, KEY, SECRET)).branch("main")
    with pytest.raises(TypeError, match="path must be a string, not bytes") as caught:
        branch.stat_object(b"a")  # type: ignore[arg-type]
    assert [entry.name for entry in traceback.extract_tb(caught.value.__traceback__)][1:] == ["stat_object", "_run"]
    with pytest.raises(ValueError, match=r"'\.\.' cannot be a repository, reference or name") as other:
        lakefs_hl.repository("..", client=Client(server.url, KEY, SECRET)).metadata()
    assert [entry.name for entry in traceback.extract_tb(other.value.__traceback__)][1:] == ["metadata", "_run"]


def test_what_the_callers_own_code_raises_keeps_its_frames() -> None:
    def paths() -> Iterator[str]:
        yield "a"
        raise ValueError("mine")

    branch = lakefs_hl.repository("example", client=Client("mem://")).create().branch("main")
    with pytest.raises(ValueError, match="mine") as caught:
        branch.delete_objects(paths())
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "paths"


def test_a_cause_is_one_line() -> None:
    client = Client("http://127.0.0.1:1", KEY, SECRET, retries=0)
    with pytest.raises(exceptions.TransportException, match="refuses connections") as caught:
        call_it(client)
    cause = caught.value.__cause__
    assert cause is not None
    assert cause.__traceback__ is None
    assert cause.__cause__ is None
    printed = "".join(traceback.format_exception(caught.value))
    assert "urllib3" not in printed
    assert printed.count("  File ") <= 4


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (answer(b"<html>hello</html>", content_type="text/html"), exceptions.ProtocolException, "web page"),
        (answer(b"<html>", "404 Not Found", content_type="text/html"), exceptions.ProtocolException, "endpoint"),
        (answer(b"", "404 Not Found"), exceptions.ProtocolException, "not a response of a lakeFS server"),
        (answer(b"", "302 Found", location="http://x/?q=1"), exceptions.ProtocolException, "redirects to"),
        (answer(b'{"version":', **JSON), exceptions.ProtocolException, "check that the endpoint"),
        (b"SSH-2.0\r\n", exceptions.ProtocolException, "does not speak HTTP"),
    ],
    ids=["html", "html 404", "bare 404", "redirect", "half a record", "ssh"],
)
def test_b9_90_a_server_that_is_not_lakefs_is_named_as_such(said: bytes, kind: type[Exception], words: str) -> None:
    with answering(said) as server, pytest.raises(kind, match=words) as caught:
        _ = Client(server.url, KEY, SECRET, retries=0).version
    assert str(server.port) in str(caught.value)


def test_tls_to_a_plain_port_says_so() -> None:
    def refuse(server: Peer, conn: Any, number: int) -> None:
        conn.recv(65536)
        conn.sendall(answer(status="400 Bad Request"))

    with peer(refuse) as server:
        client = Client(server.url.replace("http:", "https:"), KEY, SECRET, retries=0)
        with pytest.raises(exceptions.ProtocolException, match="does not speak TLS: use http://"):
            client.health_check()


# -------------------------------------------------------------------------------------------- the default client


@pytest.mark.usefixtures("default_gone")
def test_the_default_client_is_none_until_there_are_credentials(monkeypatch: pytest.MonkeyPatch, server: Peer) -> None:
    assert getattr(lakefs_hl, "DefaultClient") is None  # noqa: B009 - a checker would take it for settled
    with pytest.raises(exceptions.NoAuthenticationFound):
        default_client()
    with pytest.raises(exceptions.NoAuthenticationFound):
        lakefs_hl.init()
    for name, value in {**ENV, "LAKECTL_SERVER_ENDPOINT_URL": server.url}.items():
        monkeypatch.setenv(name, value)
    looked_at = lakefs_hl.DefaultClient
    assert looked_at is not None
    assert looked_at.version == "1.2.3"
    assert "DefaultClient" not in vars(lakefs_hl)
    found = default_client()
    assert found is default_client() is lakefs_hl.DefaultClient
    assert found.version == "1.2.3"


SCAN = """
import inspect, os, sys, warnings
from unittest.mock import create_autospec
import lakefs_hl, lakefs_hl.aio
warnings.simplefilter("error")
for module in (lakefs_hl, lakefs_hl.aio):
    for look in (inspect.getmembers, create_autospec):
        look(module)
    for name in dir(module):  # what freezegun does with every module that is loaded
        getattr(module, name)
    assert "DefaultClient" not in vars(module)
print(lakefs_hl.DefaultClient, lakefs_hl.aio.DefaultClient)
assert "DefaultClient" not in vars(lakefs_hl) and "DefaultClient" not in vars(lakefs_hl.aio)
"""


@pytest.mark.parametrize(
    ("env", "shown"),
    [
        ({"LAKECTL_CONFIG_FILE": "/nowhere/lakectl.yaml"}, "None None"),
        ({"LAKECTL_CREDENTIALS_ACCESS_KEY_ID": "half"}, "None None"),
        ({"LAKECTL_SERVER_ENDPOINT_URL": "ftp://nonsense"}, "None None"),
        ({"LAKEFS_HL_MAX_CONCURRENCY": "many", "LAKECTL_SERVER_ENDPOINT_URL": "mem://"}, "None None"),
        (
            {**ENV, "LAKECTL_SERVER_ENDPOINT_URL": "http://production.example"},  # would warn a caller
            "{0}Client {1}> {0}aio.Client {1}>",
        ),
        ({"LAKECTL_SERVER_ENDPOINT_URL": "local:./lake"}, "<Client local:{here}/lake> <aio.Client local:{here}/lake>"),
    ],
    ids=["no such file", "half a pair", "no endpoint", "bad option", "production", "a lake"],
)
def test_reading_every_name_of_the_module_has_no_effect(tmp_path: Path, env: dict[str, str], shown: str) -> None:
    environ = {**os.environ, "HOME": str(tmp_path), **env}
    done = subprocess.run(
        [sys.executable, "-c", SCAN], check=False, capture_output=True, text=True, timeout=60, env=environ, cwd=tmp_path
    )
    assert (done.stderr, done.stdout.strip()) == (
        "",
        shown.format("<", "http://production.example as access key AKIA… and its secret", here=tmp_path),
    )
    assert list(tmp_path.iterdir()) == []  # no lake was made


@pytest.mark.usefixtures("default_gone")
@pytest.mark.parametrize("module", [lakefs_hl, aio], ids=["blocking", "aio"])
def test_a_preview_that_a_patch_restores_is_not_kept_as_the_default(
    module: Any, monkeypatch: pytest.MonkeyPatch, server: Peer
) -> None:
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "mem://")
    mine = module.Client(server.url, KEY, SECRET)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "DefaultClient", mine)
        assert module.DefaultClient is mine
        assert module.repository("example")._client is mine
    for name, value in {**ENV, "LAKECTL_SERVER_ENDPOINT_URL": server.url}.items():
        monkeypatch.setenv(name, value)
    assert module.DefaultClient.endpoint == server.url
    assert module.repository("example")._client.endpoint == server.url
    assert module.DefaultClient is module.repository("example")._client


@pytest.mark.usefixtures("default_gone")
def test_the_first_call_raises_what_the_preview_did_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKECTL_CONFIG_FILE", str(tmp_path / "nowhere.yaml"))
    for module in (lakefs_hl, aio):
        assert module.DefaultClient is None
        with pytest.raises(exceptions.InvalidConfigError, match=r"no file .*nowhere\.yaml"):
            module.repository("example")._client  # noqa: B018
    monkeypatch.delenv("LAKECTL_CONFIG_FILE")
    for name, value in {**ENV, "LAKECTL_SERVER_ENDPOINT_URL": "http://production.example"}.items():
        monkeypatch.setenv(name, value)
    assert lakefs_hl.DefaultClient is not None
    with pytest.warns(exceptions.InsecureTransportWarning):
        default_client()


@pytest.mark.usefixtures("default_gone")
def test_init_returns_the_client_and_makes_it_the_default(server: Peer) -> None:
    first = lakefs_hl.init(server.url, KEY, SECRET)
    assert lakefs_hl.DefaultClient is first is default_client()
    second = lakefs_hl.init(endpoint=server.url, access_key_id=KEY, secret_access_key="other")
    assert default_client() is second
    with pytest.raises(exceptions.InvalidConfigError):
        lakefs_hl.init("nonsense")
    assert default_client() is second  # a failed init changes nothing


@pytest.mark.usefixtures("default_gone")
def test_an_assigned_default_client_is_used(client: Client) -> None:
    lakefs_hl.DefaultClient = client
    assert default_client() is client


@pytest.mark.usefixtures("default_gone")
def test_b6_63_the_default_client_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    found, start = list[Client](), threading.Barrier(20)

    def ask() -> None:
        start.wait()
        found.append(default_client())

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(one) for one in found}) == 1


def test_importing_never_raises(tmp_path: Path) -> None:
    (tmp_path / ".lakectl.yaml").write_text("not: [yaml")
    code = "import lakefs_hl; from lakefs_hl import *; repository; Client"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env={**os.environ, "HOME": str(tmp_path)})


# ------------------------------------------------------------------------------------ equal, pickled, closed, shown


def test_clients_are_equal_by_their_options(server: Peer) -> None:
    one, two = Client(server.url, KEY, SECRET), Client(f"{server.url}/api/v1/", KEY, SECRET)
    assert one == two
    assert hash(one) == hash(two)
    assert one != Client(server.url, KEY, "other")
    assert one != Client(server.url, KEY, SECRET, timeout=1)
    assert one != object()


def test_b6_65_a_client_pickles_what_was_given(server: Peer) -> None:
    client = Client(server.url, KEY, SECRET, pickle_secrets=True).with_options(timeout=5, retries=1)
    twin = pickle.loads(pickle.dumps(client))
    assert twin == client
    assert twin._session.policy.timeout == 5
    assert twin.version == "1.2.3"
    assert pickle.loads(pickle.dumps(twin)).version == "1.2.3"
    assert SECRET not in repr(vars(pickle.loads(pickle.dumps(client))))


@pytest.mark.parametrize("credentials", [{"username": KEY, "password": SECRET}, {"access_token": SECRET}])
@pytest.mark.parametrize("make", [Client, aio.Client])
def test_b9_93_a_secret_that_was_given_is_left_out_of_a_pickle(
    monkeypatch: pytest.MonkeyPatch, server: Peer, credentials: dict[str, str], make: Any
) -> None:
    client = make(server.url, **credentials, proxy=f"http://user:{SECRET}@127.0.0.1:1")
    handle = (aio if make is aio.Client else lakefs_hl).repository("example", client=client).branch("main")
    for data in (pickle.dumps(client), pickle.dumps(handle), pickle.dumps(pickle.loads(pickle.dumps(client)))):
        assert SECRET.encode() not in data
        assert KEY.encode() not in data
    twin = pickle.loads(pickle.dumps(client))
    assert repr(twin) == f"{repr(client).partition(' ')[0]} {server.url}, unpickled and not used yet>"
    assert twin != client
    with pytest.raises(exceptions.NoAuthenticationFound) as caught:
        twin.explain_auth()
    for words in (server.url, "pickled without its secret", "names no endpoint", "pickle_secrets=True"):
        assert words in str(caught.value)
    for name, value in ENV.items():  # credentials for somewhere else
        monkeypatch.setenv(name, value)
    for elsewhere in ("http://127.0.0.1:9", "local:./lake"):
        monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", elsewhere)
        with pytest.raises(exceptions.NoAuthenticationFound, match="names another endpoint"):
            _ = twin.endpoint
    monkeypatch.delenv("LAKECTL_SERVER_ENDPOINT_URL")
    with pytest.raises(exceptions.NoAuthenticationFound, match="names no endpoint"):
        _ = twin.endpoint
    assert server.connections == 0
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", f"{server.url}/api/v1/")
    assert twin.explain_auth()[1] == ("credentials", "access key AKIA… and its secret", "environment")


@pytest.mark.parametrize("make", [Client, aio.Client])
def test_headers_of_an_aws_login_are_secrets(monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    """What a gateway wants signed may be a key of its own."""
    headers = {"X-Api-Key": SECRET}
    options: dict[str, Any] = {"aws_role": True, "token_ttl_seconds": 60, "token_request_headers": headers}
    client = make("https://lake.example", **options)
    for data in (pickle.dumps(client), pickle.dumps(pickle.loads(pickle.dumps(client)))):
        assert SECRET.encode() not in data
        with pytest.raises(exceptions.NoAuthenticationFound, match="pickled without its secret"):
            pickle.loads(data).explain_auth()
    assert SECRET not in f"{client!r}{vars(client)}{client._settings}"
    carries = make("https://lake.example", **options, pickle_secrets=True)
    twin = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(carries))))
    assert SECRET not in repr(vars(twin))
    assert twin == carries
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "https://lake.example")
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    assert pickle.loads(pickle.dumps(client)).explain_auth()[1].source == "environment"


@pytest.mark.parametrize("make", [Client, aio.Client])
def test_a_client_that_was_not_used_since_it_was_unpickled_is_pickled_again(make: Any, server: Peer) -> None:
    """A scheduler or a pool within a pool passes on what it does not use."""
    for options in ({"username": KEY, "password": SECRET}, {"access_token": SECRET}):
        client = make(server.url, **options, proxy=f"http://u:{SECRET}@127.0.0.1:1", pickle_secrets=True)
        handle = (aio if make is aio.Client else lakefs_hl).repository("example", client=client).branch("main")
        for thing in (client, handle):
            passed_on = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(thing))))
            assert SECRET not in repr(vars(passed_on))
            assert passed_on == thing


def test_the_endpoint_of_a_secret_that_was_given_goes_with_it(monkeypatch: pytest.MonkeyPatch, server: Peer) -> None:
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", server.url)
    carries, leaves = (Client(username=KEY, password=SECRET, pickle_secrets=kept) for kept in (True, False))
    carried, left = pickle.dumps(carries), pickle.dumps(leaves)
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "http://127.0.0.1:9")
    assert pickle.loads(carried).version == "1.2.3"
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(exceptions.NoAuthenticationFound, match=server.url):
        _ = pickle.loads(left).version
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", server.url)
    again = pickle.loads(left)
    assert again.version == "1.2.3"
    data = pickle.dumps(again)  # hop by hop
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(exceptions.NoAuthenticationFound, match=server.url):
        _ = pickle.loads(data).version


def test_b9_93_a_secret_that_was_looked_up_is_not_pickled(monkeypatch: pytest.MonkeyPatch, server: Peer) -> None:
    for name, value in {**ENV, "LAKECTL_SERVER_ENDPOINT_URL": server.url}.items():
        monkeypatch.setenv(name, value)
    data = pickle.dumps(Client())
    for secret in (SECRET, KEY, server.url):
        assert secret.encode() not in data
    assert pickle.loads(data).version == "1.2.3"
    monkeypatch.delenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID")
    twin = pickle.loads(data)
    assert repr(twin) == "<Client of the configuration, unpickled and not used yet>"
    with pytest.raises(exceptions.InvalidConfigError):  # it is looked up where it is used
        _ = twin.version


@pytest.mark.parametrize("host", ["mem://", "http://127.0.0.1:1"])
def test_a_client_that_was_unpickled_and_never_used_closes(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    for module in (lakefs_hl, aio):
        data = pickle.dumps(module.Client(host, *(() if host == "mem://" else (KEY, SECRET))))
        gc.collect()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connection, "resolve", None)
            closing = pickle.loads(data).close()
            if closing is not None:
                asyncio.run(closing)


def test_a_set_of_handles_is_unpickled_without_a_look_at_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Peer
) -> None:
    """Sets hash and compare while they are unpickled."""
    clients = [Client(server.url, KEY, SECRET), Client(server.url, KEY, "other"), Client("mem://"), Client("mem://x")]
    handles = {lakefs_hl.repository("example", client=client) for client in clients}
    data = pickle.dumps((dict.fromkeys(clients, 1), handles))
    monkeypatch.setattr(connection, "resolve", None)
    found, again = pickle.loads(data)
    assert len(found) == len(again) == 3  # the two that differed in a secret only are one by now
    assert str(again).count("example") == 3


def test_a_profile_is_pickled_by_name(tmp_path: Path, server: Peer) -> None:
    content = (
        f"credentials: {{access_key_id: {KEY}, secret_access_key: {SECRET}}}\nserver: {{endpoint_url: '{server.url}'}}"
    )
    path = tmp_path / ".lakectl.work.yaml"
    path.write_text(content)
    path.chmod(0o600)
    data = pickle.dumps(Client(profile="work"))
    assert SECRET.encode() not in data
    assert pickle.loads(data).version == "1.2.3"


def test_a_copy_is_the_client_itself(client: Client) -> None:
    assert copy.copy(client) is client
    assert copy.deepcopy({"a": client})["a"] is client


def test_a_client_can_be_entered_twice_and_used_afterwards(client: Client) -> None:
    with client as one, client as two:
        assert one is two is client
        assert client.version == "1.2.3"
    assert client.version == "1.2.3"
    client.close()
    client.close()
    assert client.version == "1.2.3"


def test_close_releases_sockets_and_threads(client: Client, server: Peer) -> None:
    assert client.version
    client.close()
    assert client.version
    assert server.connections == 2


@pytest.mark.parametrize("options", [{"deadline": 30}, {"max_concurrency": 4}])
def test_close_releases_the_threads_of_copies(options: dict[str, Any]) -> None:
    """`handle.with_options` makes a copy that nobody else can close."""
    with answering(lakefs) as server:
        client, awaitable = Client(server.url, KEY, SECRET), aio.Client(server.url, KEY, SECRET)
        before = set(threading.enumerate())
        first = client.with_options(**options)
        copies = [first, first.with_options(retries=1)]
        del first
        for copy in copies:
            copy._run(lambda _: gather([send(VERSION) for _ in range(4)], 4))

        async def main() -> aio.Client:
            twin = awaitable.with_options(**options)
            await twin._run(lambda _: send(VERSION))
            await awaitable.close()
            return twin

        twin = asyncio.run(main())
        client.close()
        assert_ended(before, "lakefs_hl")
        assert [copy.version for copy in copies] == ["1.2.3"] * 2
        client.close()
        asyncio.run(twin.close())


def test_b9_93_no_representation_shows_a_secret(client: Client) -> None:
    token = Client("http://127.0.0.1:1", access_token=SECRET)
    for one in (client, token):
        shown = [repr(one), str(one), one._repr_html_(), repr(one.explain_auth()), repr(one._session.authenticator)]
        shown += [repr(one._settings), repr(vars(one)["_driver"]), f"{one!r:s}"]
        for text in shown:
            assert SECRET not in text
            assert KEY not in text
    assert repr(client) == f"<Client {client.endpoint} as access key AKIA… and its secret>"


def test_html_is_escaped() -> None:
    made = Client("http://127.0.0.1:1", "<b>&<i>123", SECRET)
    assert "&lt;b&gt;" in made._repr_html_()
    assert "<b>&" not in made._repr_html_()


def test_explain_auth_says_where_each_value_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    lines = {line.setting: (line.value, line.source) for line in Client("http://127.0.0.1:1").explain_auth()}
    assert lines["endpoint"] == ("http://127.0.0.1:1", "keyword arguments")
    assert lines["credentials"] == ("access key AKIA… and its secret", "environment")


def test_explain_auth_of_a_copy_has_the_options_of_the_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEFS_HL_MAX_CONCURRENCY", "9")
    client = Client("http://127.0.0.1:1", "AKIA", SECRET)
    assert client.with_options(max_concurrency=2).explain_auth()[-1] == ("max_concurrency", "2", "keyword arguments")
    assert client.with_options(timeout=2).explain_auth() == client.explain_auth()
    assert ("max_concurrency", "9", "LAKEFS_HL_MAX_CONCURRENCY") in client.explain_auth()


# -------------------------------------------------------------------------------------------- threads, fork, settings


def test_b6_63_fifty_threads_can_share_a_client(client: Client) -> None:
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_b6_64_a_client_works_after_a_fork_even_with_its_locks_held(client: Client) -> None:
    assert client.version
    client._lock.acquire()
    client._session.budget._lock.acquire()
    child = os.fork()
    if child == 0:  # no assertion may escape here: the child would go on as a second pytest
        good = False
        try:
            client._session.budget.spend(1)
            good = client.version == "1.2.3"
            client.close()
        finally:
            os._exit(0 if good else 1)
    client._lock.release()
    client._session.budget._lock.release()
    assert os.waitpid(child, 0)[1] == 0
    assert client.version == "1.2.3"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_b6_64_a_client_works_in_worker_processes(server: Peer, method: str) -> None:
    import multiprocessing

    client = Client(server.url, KEY, SECRET, pickle_secrets=True)

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(call_it, (client,)) == "1.2.3"


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("host", ["mem://", "mem://named", "local:lake", "http://127.0.0.1:1"])
def test_a_client_that_cannot_be_used_in_a_worker_hangs_no_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, host: str
) -> None:
    """What raises while a task is unpickled is never reported by multiprocessing: the caller would wait for ever."""
    import multiprocessing

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    monkeypatch.chdir(tmp_path)
    client = Client(host, None if ":lake" in host or "mem" in host else KEY, SECRET if "http" in host else None)
    branch = lakefs_hl.repository("example", client=client).branch("main")
    with multiprocessing.get_context(method).Pool(1) as pool:
        if ":lake" in host:  # gone by the time that the worker looks, as on another machine
            (tmp_path / "lake").rename(tmp_path / "elsewhere")
        task = pool.apply_async(exists, (branch,))
        if method == "fork" and "mem" in host:
            with pytest.raises(exceptions.NotFoundException):
                task.get(60)
            return
        kind = exceptions.NoAuthenticationFound if "http" in host else exceptions.LakeError
        with pytest.raises(kind, match=r"pickled without its secret|another process|of this process|no lake here"):
            task.get(60)
    assert not (tmp_path / "lake").exists()


def exists(branch: lakefs_hl.Branch) -> bool:
    return branch.exists("a")


def test_b6_67_the_interpreter_can_end_during_a_listing(server: Peer) -> None:
    code = (
        "import lakefs_hl, sys\n"
        "from lakefs_hl.ops.effects import sleep\n"
        "from lakefs_hl.spec import models\n"
        "def page(after, amount):\n"
        "    yield from sleep(0.0, 0.0)\n"
        "    rows = [models.ObjectStats(str(i), 'object') for i in range(amount)]\n"
        "    return models.ObjectPage(models.Pagination(True, after + 'x', amount, 1000), rows)\n"
        f"client = lakefs_hl.Client({server.url!r}, 'k', 's')\n"
        "from lakefs_hl._handles.calls import Pages\n"
        "rows = client._list(str, lambda session: Pages(page, '', None))\n"
        "print(sum(1 for _, row in zip(range(2500), rows)))\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2500\n", "")


def test_b9_88_settings_reach_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lakefs, certificate="localhost") as server:
        with pytest.raises(exceptions.CertificateException):
            Client(server.url, KEY, SECRET).health_check()
        Client(server.url, KEY, SECRET, ca_cert=str(CERTIFICATES / "authority.pem")).health_check()
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "authority.pem"))
        Client(server.url, KEY, SECRET).health_check()
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.warns(exceptions.InsecureTransportWarning):
            open_client = Client(server.url, KEY, SECRET, verify_ssl=False)
        open_client.health_check()
    with answering(lakefs) as proxy:
        with pytest.warns(exceptions.InsecureTransportWarning):
            behind = Client("http://lakefs.example", KEY, SECRET, proxy=proxy.url)
        assert behind.version == "1.2.3"
        assert proxy.asked[0].target == "http://lakefs.example/api/v1/config/version"
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.warns(exceptions.InsecureTransportWarning):
            by_environment = Client("http://lakefs.example", KEY, SECRET)
        assert by_environment.version == "1.2.3"
        assert len(proxy.asked) == 2


def test_a_timeout_reaches_the_exchange() -> None:
    def hang(server: Peer, conn: Any, number: int) -> None:
        server.read(conn)
        while conn.recv(1):
            pass

    with peer(hang) as server, pytest.raises(exceptions.DeadlineExceeded, match=r"no data for 0\.1 s"):
        Client(server.url, KEY, SECRET, timeout=0.1, retries=0).health_check()


# ------------------------------------------------------------------------------------------------- a lake in process


def test_a_lake_needs_no_credentials_and_no_network(tmp_path: Path) -> None:
    (tmp_path / ".lakectl.yaml").write_text("not: [yaml")  # nobody reads it
    client = Client("mem://")
    assert client.explain_auth()[1] == ("credentials", "none", "an embedded lake needs none")
    branch = lakefs_hl.repository("example", client=client).create().branch("main")
    branch.upload(b"data", "a")
    assert branch.download("a") == b"data"


def test_each_lake_in_memory_is_its_own_unless_it_has_a_name() -> None:
    one, two = Client("mem://"), Client("mem://")
    assert one != two
    lakefs_hl.repository("example", client=one).create()
    assert not lakefs_hl.repository("example", client=two).exists()
    shared = [Client("mem://of-this-test") for _ in range(2)]
    assert shared[0] == shared[1]
    lakefs_hl.repository("example", client=shared[0]).create()
    assert lakefs_hl.repository("example", client=shared[1]).exists()


def test_b6_65_a_lake_in_memory_is_found_again_in_its_process_and_only_there() -> None:
    client = Client("mem://")
    lakefs_hl.repository("example", client=client).create()
    twin = pickle.loads(pickle.dumps(client))
    assert twin == client
    assert lakefs_hl.repository("example", client=twin).exists()
    assert lakefs_hl.repository("example", client=client.with_options(retries=1)).exists()
    data = pickle.dumps(client)
    code = f"import pickle; client = pickle.loads({data!r}); print(client); client.version"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert "LakeError: mem://~" in done.stderr
    assert "in the memory of another process" in done.stderr


def test_a_lake_in_memory_is_removed_with_its_last_user() -> None:
    client = Client("mem://")
    endpoint, twin = client.endpoint, pickle.loads(pickle.dumps(client))
    assert lakefs_hl.repository("example", client=twin).exists() is False
    del client
    gc.collect()
    assert endpoint in lakes
    del twin
    gc.collect()
    assert endpoint not in lakes


def test_a_lake_in_a_directory_is_found_from_any_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    client = Client("local:./lake")
    lakefs_hl.repository("example", client=client).create()
    assert client.endpoint == f"local:{tmp_path}/lake"
    data = pickle.dumps(client)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert lakefs_hl.repository("example", client=pickle.loads(data)).exists()
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", f"local:{tmp_path}/lake")
    assert lakefs_hl.repository("example", client=Client()).exists()


@pytest.mark.usefixtures("default_gone")
@pytest.mark.parametrize("make", [Client, aio.Client, lakefs_hl.init, aio.init])
def test_a_missing_lake_is_not_created_with_create_false(tmp_path: Path, make: Any) -> None:
    Client(f"local:{tmp_path}/sales")
    with pytest.raises(exceptions.LakeError) as caught:
        make(f"local:{tmp_path}/slaes", create=False)
    for words in ("slaes: no lake here", "create=False", "there is no such directory", f"mean {tmp_path}/sales?"):
        assert words in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["sales"]
    assert make(f"local:{tmp_path}/sales", create=False).endpoint == f"local:{tmp_path}/sales"
    with pytest.raises(exceptions.LakeError, match=f"holds no lake .*did you mean {tmp_path}/sales"):
        make(f"local:{tmp_path}", create=False)
    (tmp_path / "file").touch()
    with pytest.raises(exceptions.LakeError, match="it is not a directory"):
        make(f"local:{tmp_path}/file", create=False)
    with pytest.raises(exceptions.LakeError, match=f"no such directory, nor {tmp_path}/no"):
        make(f"local:{tmp_path}/no/lake", create=False)
    with pytest.raises(exceptions.InvalidConfigError, match="mem:// always makes a new lake"):
        make("mem://", create=False)
    with pytest.raises(exceptions.LakeError, match="mem://not-there is no lake of this process"):
        make("mem://not-there", create=False)
    named = make(f"mem://there-{make.__module__}-{make.__name__}")
    assert make(named.endpoint, create=False) == named
    assert make("http://127.0.0.1:1", KEY, SECRET, create=False) == make("http://127.0.0.1:1", KEY, SECRET)


def test_the_committer_is_the_given_one_or_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEFS_HL_COMMITTER", "ada")
    for client, name in ((Client("mem://"), "ada"), (Client("mem://", committer="bob"), "bob")):
        branch = lakefs_hl.repository("example", client=client).create().branch("main")
        branch.upload(b"data", "a")
        assert branch.commit_changes("a").committer == name


def test_a_lake_in_process_has_no_address_for_the_generated_sdk() -> None:
    with pytest.raises(exceptions.UnsupportedOperationException, match="lakefs-hl serve"):
        _ = Client("mem://").sdk_client


def test_a_lake_can_be_used_after_close() -> None:
    client = Client("mem://")
    lakefs_hl.repository("example", client=client).create()
    with client:
        pass
    assert lakefs_hl.repository("example", client=client).exists()


def test_a_client_is_entered_again_and_again(mocker: MockerFixture) -> None:
    client = Client("mem://")
    close = mocker.spy(client, "_close_here")
    branch = lakefs_hl.repository("example", client=client).create().branch("main")
    with client as outer, client as inner:
        assert outer is inner is client
        with client:
            branch.upload(b"1", "a")
        assert not close.called  # an inner block leaves the connections to the outer one
        assert branch.download("a") == b"1"
    assert close.call_count == 1
    with pytest.raises(RuntimeError, match="of the block"), client:
        msg = "of the block"
        raise RuntimeError(msg)
    assert close.call_count == 2
    assert branch.download("a") == b"1"
    client.close()
    assert close.call_count == 3


def test_threads_enter_one_client_at_a_time_of_their_own(tmp_path: Path) -> None:
    with serving.running(tmp_path / "lake") as served:
        client = Client(served.url, served.key, served.secret)
        branch = lakefs_hl.repository("example", client=client).create().branch("main")

        def work(number: int) -> bytes:
            for _ in range(5):
                with client:
                    branch.upload(str(number).encode(), f"{number}")
            with client, client:
                return branch.download(f"{number}")

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(work, range(16))) == [str(number).encode() for number in range(16)]
        assert client._entered == 0
        assert branch.exists("3")
        client.close()


def test_a_client_entered_by_a_task_is_open_for_the_others() -> None:
    async def main() -> list[bytes]:
        client = aio.Client("mem://")
        branch = (await aio.repository("example", client=client).create()).branch("main")

        async def work(number: int) -> bytes:
            async with client, client:
                await branch.upload(str(number).encode(), f"{number}")
                return await branch.download(f"{number}")

        return await asyncio.gather(*map(work, range(8)))

    assert asyncio.run(main()) == [str(number).encode() for number in range(8)]


def test_a_client_has_a_host_and_a_port() -> None:
    keys: dict[str, Any] = {"username": "key", "password": "secret"}
    assert Client("localhost", port=50051, **keys).endpoint == "http://localhost:50051"
    assert Client(host="lakefs.example", port=8443, **keys).endpoint == "https://lakefs.example:8443"
    client = Client(endpoint="https://lakefs.example/lakefs", port=8443, **keys)
    assert client.endpoint == "https://lakefs.example:8443/lakefs"
    assert pickle.loads(pickle.dumps(client))._options.host == client.endpoint
    assert client == Client(client.endpoint, **keys)
    for given, words in (
        ({"host": "http://localhost:8000", "port": 8001}, "has another port"),
        ({"port": 8001}, "give host= too"),
        ({"host": "localhost", "port": 65_536}, "from 1 to 65535"),
        ({"host": "localhost", "port": 0}, ">= 1"),
    ):
        with pytest.raises(exceptions.InvalidConfigError, match=words):
            Client(**given, **keys)
    with pytest.raises(TypeError, match="port must be an integer"):
        Client("localhost", port="80", **keys)  # type: ignore[arg-type]


@pytest.mark.parametrize("port", [8000, 8001])
def test_a_login_in_a_host_with_a_port_is_not_shown(port: int) -> None:
    with pytest.raises(exceptions.InvalidConfigError) as caught:
        Client(f"me:{SECRET}@localhost:8000", port=port)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    frame = caught.value.__traceback__
    while frame is not None:
        assert SECRET not in repr(frame.tb_frame.f_locals)
        frame = frame.tb_next


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_b6_64_a_lake_works_after_a_fork(tmp_path: Path) -> None:
    client = Client(f"local:{tmp_path}/lake")
    branch = lakefs_hl.repository("example", client=client).create().branch("main")
    child = os.fork()
    if child == 0:  # no assertion may escape here: the child would go on as a second pytest
        good = False
        try:
            branch.upload(b"child", "a")
            good = branch.download("a") == b"child"
        finally:
            os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert branch.download("a") == b"child"


def test_the_cache_directory_is_one_for_all_lakes_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))
    with lakefs_hl.Client("mem://") as one, lakefs_hl.Client("mem://") as other:
        assert one.endpoint != other.endpoint
        assert one.cache_directory == other.cache_directory
    with lakefs_hl.Client(f"local:{tmp_path / 'lake'}") as third:
        assert third.cache_directory != one.cache_directory
        assert third.cache_directory.stat().st_mode & 0o777 == 0o700


def test_a_listing_can_be_read_on_this_thread() -> None:
    with lakefs_hl.Client("mem://") as client:
        branch = lakefs_hl.repository("listed", client=client).create().branch("main")
        branch.upload_many((f"{number:04}", b"") for number in range(2500))
        page = partial(objects.list_page, client._session, "listed", "main")
        found = [record.path for record in client._pages_here(page, "0099")]
    assert found == [f"{number:04}" for number in range(100, 2500)]


def test_a_gateway_without_tls_warns() -> None:
    words = "gateway_endpoint=http://s3.lake.example: links .* unencrypted"
    with pytest.warns(exceptions.InsecureTransportWarning, match=words) as caught:
        Client("https://lake.example", KEY, SECRET, gateway_endpoint="http://s3.lake.example")
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Client("https://lake.example", KEY, SECRET, gateway_endpoint="http://localhost:8001")
