"""A lakeFS server is started in a container where Docker answers. Nothing here needs Docker."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import containers, worlds


class FakeContainer:
    """As testcontainers' DockerContainer; notes what is done with it."""

    def __init__(self, image: str, fails: Exception | None = None) -> None:
        self.image = image
        self.fails = fails
        self.env: dict[str, str] = {}
        self.calls: list[Any] = []

    def with_env(self, name: str, value: str) -> FakeContainer:
        self.env[name] = value
        return self

    def with_exposed_ports(self, *ports: int) -> FakeContainer:
        self.calls.append(("ports", *ports))
        return self

    def with_command(self, command: str) -> FakeContainer:
        self.calls.append(("command", command))
        return self

    def start(self) -> None:
        self.calls.append("start")
        if self.fails is not None:
            raise self.fails

    def stop(self) -> None:
        self.calls.append("stop")

    def get_container_host_ip(self) -> str:
        return "localhost"

    def get_exposed_port(self, port: int) -> int:
        return port + 24000


class DockerError(Exception):
    """As docker.errors.ImageNotFound."""

    __module__ = "docker.errors"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[tuple[str, list[bytes]]]:
    """A Docker daemon as far as its ping: its address, and the line that it answers with."""
    path, answers = str(tmp_path / "docker.sock"), [b"HTTP/1.0 200 OK"]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(1024).startswith(b"GET /_ping ")
                connection.sendall(answers[0] + b"\r\n\r\nOK")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"unix://{path}", answers
        thread.join()


def test_behaviour_is_tested_on_a_lakefs_server_too(request: pytest.FixtureRequest) -> None:
    why_not = worlds.why_not_real()
    if why_not:
        pytest.skip(f"no lakeFS server: {why_not}")
    assert worlds.REAL in {getattr(kind, "values", [kind])[0] for kind in worlds.kinds()}


def test_a_daemon_that_answers_its_ping_is_available(daemon: tuple[str, list[bytes]]) -> None:
    host, _ = daemon
    assert containers.why_unavailable({"DOCKER_HOST": host}) == ""


def test_a_daemon_that_fails_is_unavailable(daemon: tuple[str, list[bytes]]) -> None:
    host, answers = daemon
    answers[0] = b"HTTP/1.0 500 Internal Server Error"
    assert containers.why_unavailable({"DOCKER_HOST": host}).endswith("answered b'HTTP/1.0 500 Internal Server Error'")


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"LAKEFS_HL_TEST_CONTAINERS": "0"}, "LAKEFS_HL_TEST_CONTAINERS is 0"),
        ({"DOCKER_HOST": "unix:///nowhere/docker.sock"}, "no Docker at unix:///nowhere/docker.sock: .*No such file"),
        ({"DOCKER_HOST": "tcp://127.0.0.1:1"}, "no Docker at tcp://127.0.0.1:1: .*refused"),
        ({"DOCKER_HOST": "tcp://127.0.0.1:port"}, "no Docker at tcp://127.0.0.1:port: "),
        ({"DOCKER_HOST": "tcp://192.0.2.1:2375"}, "on this machine only"),
        ({"DOCKER_HOST": "ssh://example.com"}, "on this machine only"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_reason_is_given_without_waiting(environ: dict[str, str], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(containers.why_unavailable(environ))


def test_the_server_sets_itself_up_with_the_keys_that_it_is_given() -> None:
    made: list[FakeContainer] = []

    def make(image: str) -> FakeContainer:
        made.append(FakeContainer(image))
        return made[0]

    with containers.running(make) as (endpoint, key, secret):
        container = made[0]
        assert container.calls == [("ports", 8000), ("command", "run"), "start"]
    assert container.calls[-1] == "stop"
    assert (container.image, endpoint) == (containers.IMAGE, "http://localhost:32000")
    assert container.env["LAKEFS_BLOCKSTORE_TYPE"] == container.env["LAKEFS_DATABASE_TYPE"] == "local"
    assert container.env["LAKEFS_INSTALLATION_ACCESS_KEY_ID"] == key
    assert container.env["LAKEFS_INSTALLATION_SECRET_ACCESS_KEY"] == secret
    assert secret not in endpoint


def test_the_server_is_stopped_after_a_failing_test() -> None:
    container = FakeContainer("")
    with pytest.raises(RuntimeError, match="test failed"), containers.running(lambda image: container):
        raise RuntimeError("test failed")
    assert container.calls[-1] == "stop"


def test_an_image_that_cannot_be_had_skips_with_the_reason() -> None:
    container = FakeContainer("", DockerError("no such image"))
    with pytest.raises(pytest.skip.Exception, match="cannot be started: no such image"):
        containers.running(lambda image: container).__enter__()
    assert container.calls[-1] == "stop"


def test_a_server_that_does_not_become_healthy_is_a_failure() -> None:
    container = FakeContainer("", TimeoutError("not ready within 90 seconds"))
    with pytest.raises(TimeoutError, match="not ready"):
        containers.running(lambda image: container).__enter__()
    assert container.calls[-1] == "stop"


def test_a_server_named_by_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "reason", lambda: "")
    for name in (worlds.ENDPOINT, *worlds.KEYS, worlds.NAMESPACE, worlds.STORAGE_HOSTS):
        monkeypatch.delenv(name, raising=False)
    assert worlds.given_lakefs() is None
    assert [getattr(kind, "values", None) for kind in worlds.kinds()] == [None, None, (worlds.REAL,)]
    monkeypatch.setenv(worlds.NAMESPACE, "s3://bucket/tests/")
    monkeypatch.setenv(worlds.STORAGE_HOSTS, "127.0.0.1:9000,store.internal")
    assert worlds.namespace(worlds.REAL, "one") is None  # the container has a local store
    assert worlds.storage_hosts() == []
    monkeypatch.setenv(worlds.ENDPOINT, "http://127.0.0.1:8000")
    with pytest.raises(AssertionError, match="ACCESS_KEY_ID"):
        worlds.given_lakefs()
    for name in worlds.KEYS:
        monkeypatch.setenv(name, "value")
    assert worlds.kinds() == ["in process", "served", worlds.REAL]
    assert worlds.namespace(worlds.REAL, "one") == "s3://bucket/tests/one"
    assert worlds.namespace("in process", "one") is None
    assert worlds.storage_hosts() == ["127.0.0.1:9000", "store.internal"]
