"""A branch of a lake in memory, and a local directory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl.spec.wire import Request, Response, TransportError


@pytest.fixture
def branch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[lakefs_hl.Branch]:
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))
    with lakefs_hl.Client("mem://") as client:
        yield lakefs_hl.repository("example", client=client).create().branch("main")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with files of several sizes in several directories, last changed some time ago."""
    root = tmp_path / "folder"
    for number in range(12):
        write(root / f"d{number % 3}" / f"f{number:02}", f"content {number}".encode())
    write(root / "top.txt", b"top")
    write(root / "large.bin", os.urandom((1 << 20) + 7))
    return root


def write(path: Path, content: bytes, seconds: float = 1_600_000_000) -> None:
    """Write a file with a time of change."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (seconds, seconds))


def files(root: Path) -> dict[str, bytes]:
    """The content of all files below a directory, by their relative paths."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def objects(branch: Any, prefix: str = "") -> dict[str, bytes]:
    """The content of all objects below a prefix, by their relative paths."""
    found = list(branch.list_objects(prefix=prefix, recursive=True))
    return {each.path[len(prefix) :]: branch.download(each.path) for each in found}


class Tap:
    """Watches the requests of a client; `refuse` may answer one in place of the lake, or raise.

    Attributes:
        seen: The operations that were sent.
    """

    def __init__(self, client: lakefs_hl.Client) -> None:
        self.seen = list[str]()
        self.refuse: Callable[[Request], Response | None] = lambda request: None
        self._send, self._transport = client._transport.send, client._transport
        client._transport.send = self.send  # type: ignore[method-assign]
        if hasattr(self._transport, "send_many"):
            client._transport.send_many = self.send_many  # type: ignore[attr-defined]

    def send(self, request: Request, scope: Any = None, within: float | None = None) -> Response:
        self.seen.append(request.endpoint.operation)
        found = self.refuse(request)
        return self._send(request, scope, within) if found is None else found

    def send_many(self, requests: list[Request], scope: Any = None, within: float | None = None) -> list[Any]:
        return [self._outcome(request, scope, within) for request in requests]

    def _outcome(self, request: Request, scope: Any, within: float | None) -> Any:
        try:
            return self.send(request, scope, within)
        except TransportError as exc:
            return exc


@pytest.fixture
def tap(branch: lakefs_hl.Branch) -> Tap:
    return Tap(branch._client)
