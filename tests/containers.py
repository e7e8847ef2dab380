"""A lakeFS server in a container, for test runs on a machine with Docker.

Whether Docker answers is found out with one connection to its socket: a run without Docker loses no time, and loads
nothing. `LAKEFS_HL_TEST_CONTAINERS=0` switches containers off.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

#: The release of the day on which the contract was recorded (tests/data/README.md). Change both together.
IMAGE: Final = "treeverse/lakefs:1.84.0"
#: "0" switches containers off.
SWITCH: Final = "LAKEFS_HL_TEST_CONTAINERS"
DEFAULT_SOCKET: Final = "/var/run/docker.sock"
PORT: Final = 8000
#: A Docker daemon answers its ping in milliseconds.
PING_SECONDS: Final = 1.0
START_SECONDS: Final = 90


def why_unavailable(environ: Mapping[str, str]) -> str:
    """Return why no container can be started; "" if Docker answers."""
    if environ.get(SWITCH) == "0":
        return f"{SWITCH} is 0"
    host = environ.get("DOCKER_HOST") or f"unix://{DEFAULT_SOCKET}"
    parts = urlsplit(host)
    try:
        with socket.socket(socket.AF_UNIX if parts.scheme == "unix" else socket.AF_INET) as connection:
            connection.settimeout(PING_SECONDS)
            if parts.scheme == "unix":
                connection.connect(parts.path)
            elif parts.scheme == "tcp" and parts.hostname in {"localhost", "127.0.0.1"}:
                connection.connect((parts.hostname, parts.port or 2375))
            else:
                return f"Docker at {host}: tests use a daemon on this machine only"
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            line = connection.recv(64).partition(b"\r\n")[0]
    except (OSError, ValueError) as exc:
        return f"no Docker at {host}: {exc}"
    return "" if b" 200 " in line else f"no Docker at {host}: it answered {line!r}"


@functools.cache
def reason() -> str:
    """Return why this run starts no container; "" if it can. Asked once per process."""
    return why_unavailable(os.environ)


@contextlib.contextmanager
def running(make: Callable[..., Any] | None = None) -> Iterator[tuple[str, str, str]]:
    """Run a lakeFS server with a local block store.

    Args:
        make: The class of the container. Defaults to that of testcontainers.

    Yields:
        Its endpoint, access key ID and secret access key.
    """
    key, secret = f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30)
    container = (make or _docker_container)(IMAGE)
    settings = {
        "DATABASE_TYPE": "local",
        "BLOCKSTORE_TYPE": "local",
        "AUTH_ENCRYPT_SECRET_KEY": secrets.token_hex(16),
        "STATS_ENABLED": "false",
        "INSTALLATION_USER_NAME": "tests",  # with both keys: the server sets itself up
        "INSTALLATION_ACCESS_KEY_ID": key,
        "INSTALLATION_SECRET_ACCESS_KEY": secret,
    }
    for name, value in settings.items():
        container.with_env(f"LAKEFS_{name}", value)
    container.with_exposed_ports(PORT).with_command("run")
    try:
        container.start()
    except Exception as exc:
        with contextlib.suppress(Exception):
            container.stop()
        if type(exc).__module__.startswith("docker."):  # the daemon's word: no such image, no network to pull it
            pytest.skip(f"{IMAGE} cannot be started: {exc}")
        raise
    try:
        yield f"http://{container.get_container_host_ip()}:{container.get_exposed_port(PORT)}", key, secret
    finally:
        container.stop()


def _docker_container(image: str) -> Any:
    """Return a container that `start` returns from when its server is healthy."""
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import HttpWaitStrategy

    healthy = HttpWaitStrategy(PORT, "/api/v1/healthcheck").for_status_code(204).with_startup_timeout(START_SECONDS)
    return DockerContainer(image).waiting_for(healthy)
