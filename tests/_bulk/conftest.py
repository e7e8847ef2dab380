"""A branch of a lake in memory, or of one that is served, and a local directory."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl.spec.wire import Request, Response, TransportError
from lakefs_hl.transport import fast
from lakefs_hl.transport.http import Http
from tests.drawing import deselect, parameters, repeats
from tests.lakes import served_lake as served_lake
from tests.serving import Served

#: For tests that make many requests in one Gather: the same on a lake in memory, over libcurl and over threads.
every_way = pytest.mark.parametrize("way", ["in process", "lane", "threads"], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run each test on every way, but over a network with one of the values of its other parameters."""
    here = [item for item in items if item.path.parent == Path(__file__).parent]
    served = [item for item in here if parameters(item).get("way") in ("lane", "threads")]
    left_out = repeats(served, config.option.hypothesis_seed, "message", "operation", "update")
    deselect(config, items, left_out.__contains__)


@pytest.fixture
def way(request: pytest.FixtureRequest) -> str:
    """How the requests of `branch` are made. In process, unless the test is marked with `every_way`."""
    return str(getattr(request, "param", "in process"))


@pytest.fixture
def branch(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[lakefs_hl.Branch]:
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))
    if way == "in process":
        with lakefs_hl.Client("mem://") as client:
            yield lakefs_hl.repository("example", client=client).create().branch("main")
        return
    if way == "threads":
        monkeypatch.setattr(fast, "ENABLED", False)
    elif fast.multi_class() is None:
        pytest.skip("the lane needs pycurl: pip install -e '.[fast]'")
    gathers, open_multi = list[str](), Http.open_multi

    def opened(transport: Http) -> Any:
        multi = open_multi(transport)
        gathers.append("threads" if multi is None else "lane")
        return multi

    monkeypatch.setattr(Http, "open_multi", opened)
    served: Served = request.getfixturevalue("served_lake")
    with lakefs_hl.Client(served.url, served.key, served.secret) as client:
        namespace = f"local://{secrets.token_hex(8)}"  # that of a deleted repository is refused
        yield lakefs_hl.repository("example", client=client).create(namespace).branch("main")
        for repository in lakefs_hl.repositories(client=client):
            repository.delete(force=True)
    assert set(gathers) == {way}, "the test has no Gather, so it needs no `every_way`"


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
        if isinstance(self._transport, Http):
            self._open, self._keep = self._transport.open_multi, self._transport.keep_multi
            client._transport.open_multi = self.open_multi  # type: ignore[attr-defined]
            client._transport.keep_multi = self.keep_multi  # type: ignore[attr-defined]

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

    def open_multi(self) -> Any:
        multi = self._open()
        return None if multi is None else TappedMulti(self, multi)

    def keep_multi(self, multi: Any) -> None:
        self._keep(multi.bare)


class TappedMulti:
    """Exchanges on the lane, as a `Tap` watches them.

    Attributes:
        bare: What makes them.
    """

    def __init__(self, tap: Tap, multi: Any) -> None:
        self.bare = multi
        self._tap = tap
        self._refused = list[tuple[int, Response]]()

    def start(self, request: Request, index: int, within: float | None) -> None:
        self._tap.seen.append(request.endpoint.operation)
        found = self._tap.refuse(request)
        if found is None:
            self.bare.start(request, index, within)
        else:
            self._refused.append((index, found))

    def poll(self, seconds: float) -> list[tuple[int, Any]]:
        refused, self._refused = self._refused, []
        return [*refused, *self.bare.poll(0.0 if refused else seconds)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bare, name)


@pytest.fixture
def tap(branch: lakefs_hl.Branch) -> Tap:
    return Tap(branch._client)
