"""A server on a thread of this process, and raw sockets to it."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from lakefs_hl.local.api import App
from lakefs_hl.local.api.presign import Settings
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.keys import Keys
from lakefs_hl.local.serve.access import Access
from lakefs_hl.local.serve.server import HttpServer
from lakefs_hl.spec import models
from lakefs_hl.spec.secret import KeyPair

PAIR = KeyPair("KEY", "secret")
BASE = "/api/v1/repositories/repo"
AUTHORIZATION = "Basic " + base64.b64encode(b"KEY:secret").decode()


@contextlib.contextmanager
def serving(
    folder: Path,
    access: Access = Access(port=0),  # noqa: B008 - a value
    signing: Settings | None = None,
    import_roots: tuple[Path, ...] = (),
) -> Iterator[HttpServer]:
    """A server with one repository, `repo`."""
    engine = Engine.open(folder / "lake", sync=False, import_roots=import_roots)
    engine.repositories.create(models.RepositoryCreation("repo", "local://repo"), who="me")
    Keys(engine.folder).install(PAIR)
    found = HttpServer(App(engine, import_roots=import_roots, signing=signing), folder, access)
    ready = threading.Event()
    thread = threading.Thread(target=found.run, args=(ready.set,))
    thread.start()
    try:
        assert ready.wait(30)
        yield found
    finally:
        found.stop()
        thread.join(30)
        engine.close()
    assert not thread.is_alive()


def connect(url: str) -> socket.socket:
    """A connection that waits for half a minute at most."""
    parts = urlsplit(url)
    return socket.create_connection((str(parts.hostname), parts.port), timeout=30)


def head(method: str, path: str, *fields: str, authorization: str | None = AUTHORIZATION) -> bytes:
    """A request line and headers."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *fields]
    if authorization is not None:
        lines.append(f"Authorization: {authorization}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def rest_of(sock: socket.socket) -> bytes:
    """Everything until the server closes; ends with `(reset)` if it reset the connection."""
    found = b""
    try:
        while piece := sock.recv(65536):
            found += piece
    except ConnectionResetError:
        found += b"(reset)"
    return found


def status_of(answer: bytes) -> int:
    """The status of the first response in some bytes; 0 if there is none."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0
