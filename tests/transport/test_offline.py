"""The transport of a client that is offline, and what such a client refuses and still does."""

from __future__ import annotations

import asyncio
import pickle
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

import lakefs_hl
import lakefs_hl.aio
from lakefs_hl import exceptions
from lakefs_hl.types import Request, Response

HOST = "https://lake.example"
PAIR = ("AKIAEXAMPLE0", "SECRET-that-nobody-may-see")


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_every_call_is_refused_before_anything_is_sent(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "environment":
        monkeypatch.setenv("LAKEFS_HL_OFFLINE", "1")
    client = lakefs_hl.Client(HOST, *PAIR, offline=True if how == "argument" else None)
    assert client.offline
    reason = "offline=True" if how == "argument" else "LAKEFS_HL_OFFLINE=1"
    repo = lakefs_hl.repository("example", client=client)
    main = repo.branch("main")
    calls: list[Callable[[], object]] = [
        lambda: main.upload(b"1", "a"),
        lambda: main.download("a"),
        lambda: main.list_objects().to_list(),
        lambda: main.commit_changes("message"),
        lambda: main.transaction("message").__enter__(),
        lambda: main.download_dir("", "data"),
        lambda: main.presign("a"),
        lambda: client.version,
        repo.create,
        lambda: client.sdk_client,
        lambda: client.storage_config,
    ]
    for call in calls:
        with pytest.raises(exceptions.LakeFSException) as caught:
            call()
        error = caught.value
        if isinstance(error, exceptions.TransactionException):
            assert isinstance(error.__cause__, exceptions.OfflineException)
            error = error.__cause__
        assert isinstance(error, exceptions.OfflineException), repr(error)
        assert isinstance(error, ConnectionError)
        assert reason in str(error)
        assert "snapshot_download" in str(error)
        assert error.maybe_applied is False
        assert PAIR[1] not in repr(error)
    assert not Path("data").exists()


def test_the_message_says_what_was_asked() -> None:
    client = lakefs_hl.Client(HOST, *PAIR, offline=True)
    with pytest.raises(exceptions.OfflineException, match=r"lakefs://example.*: nothing was sent: "):
        lakefs_hl.repository("example", client=client).branch("main").get_commit()


def test_awaitable_calls_are_refused_too() -> None:
    async def read() -> None:
        client = lakefs_hl.aio.Client(HOST, *PAIR, offline=True)
        with pytest.raises(exceptions.OfflineException):
            await lakefs_hl.aio.repository("example", client=client).branch("main").download("a")

    asyncio.run(read())


def test_a_role_is_not_asked_for_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    client = lakefs_hl.Client(HOST, aws_role=True, offline=True)
    with pytest.raises(exceptions.OfflineException):
        _ = client.version


def test_an_embedded_lake_works_as_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAKEFS_HL_OFFLINE", "yes")
    for endpoint in ("mem://", f"local:{tmp_path / 'lake'}"):
        with lakefs_hl.Client(endpoint) as client:
            assert not client.offline
            main = lakefs_hl.repository("example", client=client).create().branch("main")
            main.upload(b"1", "a")
            main.commit_changes("one")
            assert [path.name for path in main.snapshot_download().iterdir()] == ["a"]


def test_the_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEFS_HL_OFFLINE", "1")
    assert not lakefs_hl.Client(HOST, *PAIR, offline=False).offline
    monkeypatch.setenv("LAKEFS_HL_OFFLINE", "0")
    assert not lakefs_hl.Client(HOST, *PAIR).offline
    assert lakefs_hl.Client(HOST, *PAIR, offline=True).offline
    assert lakefs_hl.Client(HOST, *PAIR, offline=True).with_options(timeout=3, max_concurrency=2).offline


def test_a_transport_function_is_not_called_either(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: Request) -> Response:
        return Response(404)

    with pytest.raises(exceptions.OfflineException):
        _ = lakefs_hl.Client(transport=answer, offline=True).version
    monkeypatch.setenv("LAKEFS_HL_OFFLINE", "1")  # a test does not depend on its machine
    with pytest.raises(exceptions.ProtocolException):
        _ = lakefs_hl.Client(transport=answer).version


def test_an_unpickled_client_is_offline_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickle.dumps(lakefs_hl.Client(HOST, *PAIR, pickle_secrets=True))
    assert pickle.loads(pickle.dumps(lakefs_hl.Client(HOST, *PAIR, pickle_secrets=True, offline=True))).offline
    assert not pickle.loads(data).offline
    monkeypatch.setenv("LAKEFS_HL_OFFLINE", "1")
    assert pickle.loads(data).offline
