"""`client.delegate`: a client with a token for workers without credentials, on every kind of lake, in both colours."""

from __future__ import annotations

import copy
import pickle
import secrets
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.ops.keys import Token
from lakefs_hl.spec.secret import Secret
from tests import serving
from tests.worlds import REAL, World, bare, kinds

VARIABLES = (
    "LAKECTL_SERVER_ENDPOINT_URL",
    "LAKECTL_CREDENTIALS_ACCESS_KEY_ID",
    "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY",
)
#: What a worker without any configuration runs: it reads an object, and writes another one.
WORKER = """
import pickle, sys
branch = pickle.load(sys.stdin.buffer)
branch.upload(b"from the worker", "b")
sys.stdout.buffer.write(branch.download("a"))
"""


@pytest.fixture(params=kinds())
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of lake that has credentials of its own, or none."""
    return str(request.param)


def delegate(world: World, ttl: Any = None) -> Any:
    """Delegate the client of a world."""
    return world.settle(bare(world.client).delegate(ttl))


def token_of(client: Any) -> str:
    """The token, as the pickle of a delegated client contains it."""
    return str(bare(client).__reduce__()[1][1].get("access_token", ""))


@pytest.fixture
def key_pair(request: pytest.FixtureRequest, world: World) -> tuple[str, str]:
    """The credentials of the client; nonsense where it has none."""
    if world.kind == "served":
        served: serving.Served = request.getfixturevalue("served_lake")
        return served.key, served.secret
    if world.kind == REAL:
        real: tuple[str, str, str] = request.getfixturevalue("real_lakefs")
        return real[1:]
    return "AKIA-NO-KEY", "no-secret"


def test_a_worker_reads_and_writes_with_the_token_alone(
    world: World, key_pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = world.fresh()
    repository.branch("main").upload(b"content", "a")
    client = delegate(world)
    assert (client.endpoint, client == world.client) == (world.client.endpoint, world.kind not in ("served", REAL))
    handle = world.settle(world.module.repository(repository.id, client=bare(client))).branch("main")
    data = pickle.dumps(bare(handle))
    assert not [half for half in key_pair if half.encode() in data]
    received = world.settle(pickle.loads(data))
    received.upload(b"from the worker", "b")
    assert (received.download("a"), handle.download("b")) == (b"content", b"from the worker")
    for copied in (pickle.loads(pickle.dumps(pickle.loads(data))), copy.deepcopy(bare(handle))):
        assert world.settle(copied).exists("a")
    narrow = bare(handle).with_options(timeout=60)
    assert world.settle(pickle.loads(pickle.dumps(narrow))).exists("a")
    if world.kind != "in process":
        token = token_of(client)
        assert token.encode() in data
        # neither the environment of the worker nor that of the driver counts
        for name, value in zip(VARIABLES, ("http://127.0.0.1:9", "AKIA-OTHER", "other-secret"), strict=True):
            monkeypatch.setenv(name, value)
        assert world.settle(pickle.loads(data)).exists("a")
        shown = f"{client!r} {client.explain_auth()} {bare(client)._repr_html_()} {bare(received)._client!r}"
        assert token not in shown
        assert "client.delegate(), valid until 2" in shown
        client.close()


def test_the_server_says_which_lives_it_has(world: World) -> None:
    for ttl in (0, 0.5, -1, timedelta(0)):
        with pytest.raises(ValueError, match="ttl"):
            delegate(world, ttl)
    for wrong in ("60", b"1", [60], object()):
        with pytest.raises(TypeError, match="ttl must be a timedelta or a number of seconds"):
            delegate(world, wrong)
    if world.kind == "served":
        for ttl in (30, timedelta(hours=12), 90.5):
            assert delegate(world, ttl).health_check().authenticated
        with pytest.raises(ValueError, match="must be 1 to 43200 seconds, which is 12 hours, on this server"):
            delegate(world, timedelta(hours=12, seconds=1))
    elif world.kind == REAL:
        life = (bare_token(world).expires_at - datetime.now(UTC)).total_seconds()
        assert delegate(world, round(life)).health_check().authenticated
        for ttl in (600, life * 3):
            with pytest.raises(ValueError, match=r"are valid for \d+ seconds, and no other.*leave out ttl"):
                delegate(world, ttl)
    elif world.kind == "in process":
        assert delegate(world, timedelta(days=1000)).health_check().ok


def bare_token(world: World) -> Any:
    return world.settle(bare(world.client).temporary_token())


def test_a_delegated_client_names_delegate_when_its_token_ends(world: World) -> None:
    if world.kind not in ("served", REAL):
        pytest.skip("needs a server that checks tokens")
    repository = world.fresh()
    ended = bare(world.client)._with_token(Token(Secret("eyJhbGciOi.of-no-one.x"), 1_700_000_000.0))
    # few calls: a served lake makes callers wait who send wrong credentials again and again
    for client in (ended, pickle.loads(pickle.dumps(ended)), ended.with_options(timeout=30)):
        branch = world.settle(world.module.Branch(repository.id, "main", client))
        with pytest.raises(exceptions.NotAuthorizedException) as caught:
            branch.upload(b"1", "a")
        assert "client.delegate(), valid until 2023-11-14 22:13:20+00:00" in str(caught.value)
        assert "call delegate() again" in str(caught.value)
        assert "of-no-one" not in f"{caught.value!r} {caught.value}"


def test_only_an_access_key_delegates(world: World) -> None:
    if world.kind not in ("served", REAL):
        pytest.skip("needs a server that checks tokens")
    delegated = delegate(world)
    for ttl in (None, 60):
        with pytest.raises(exceptions.UnsupportedOperationException, match="no access key to log in with"):
            delegated.delegate(ttl)
    with pytest.raises(exceptions.UnsupportedOperationException, match="S3 gateway takes an access key"):
        world.settle(world.module.Repository(world.fresh().id, bare(delegated))).s3_credentials()


def test_the_token_ends_with_its_key(served_lake: serving.Served) -> None:
    with lakefs_hl.Client(*served_lake[:3]) as admin:
        made = lakefs_hl.admin(admin).credentials.create(f"short-{secrets.token_hex(4)}")
        with lakefs_hl.Client(served_lake.url, made.id, made.secret_access_key) as client:
            worker = client.delegate(600)
        assert worker.health_check().user == made.name
        lakefs_hl.admin(admin).credentials.delete(made)
        with pytest.raises(exceptions.NotAuthorizedException, match=r"client\.delegate\(\), valid until"):
            lakefs_hl.repositories(client=worker).to_list()


def test_other_secrets_stay_here(served_lake: serving.Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pickle has the token, and neither what was given nor what the configuration has."""
    for name, value in zip(VARIABLES, served_lake[:3], strict=True):
        monkeypatch.setenv(name, value)
    given: dict[str, Any] = {"proxy": "http://user:proxy-pass@127.0.0.1:9", "pickle_secrets": True, "timeout": 30}
    clients = [
        lakefs_hl.Client(),
        lakefs_hl.Client(*served_lake[:3], **given),
        lakefs_hl.Client(scope="alice", **given),
    ]
    found = clients[0].temporary_token(60)
    assert found.expires_at is not None
    for client in clients:
        with client._with_token(Token(Secret(found.token), found.expires_at.timestamp())) as worker:
            data = pickle.dumps(worker)
        secret = (served_lake.key, served_lake.secret, "proxy-pass")
        assert not [one for one in secret if one.encode() in data]
        assert found.token.encode() in data
        with pickle.loads(data) as received:
            assert (received._options.timeout, received.scope) == (client._options.timeout, client.scope)
            assert received.__reduce__() == worker.__reduce__()
            assert received._options.pickle_secrets is False
            assert received.explain_auth()[1].source.startswith("client.delegate(), valid until")
        client.close()


def test_a_machine_without_configuration(served_lake: serving.Served) -> None:
    with lakefs_hl.Client(*served_lake[:3]) as client, client.delegate(60) as worker:
        branch = lakefs_hl.repository(f"t-{secrets.token_hex(8)}", client=client).create().branch("main")
        branch.upload(b"content", "a")
        data = pickle.dumps(lakefs_hl.Branch(branch.repository_id, "main", worker))
        environ = {"HOME": "/nonexistent", "PATH": ""}
        done = subprocess.run(
            [sys.executable, "-I", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{WORKER}"],
            input=data,
            capture_output=True,
            env=environ,
            check=False,
        )
        assert (done.stdout, done.stderr) == (b"content", b"")
        assert branch.download("b") == b"from the worker"
