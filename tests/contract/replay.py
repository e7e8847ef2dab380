"""Replays recorded exchanges, over a socket or in process, and names every difference.

The rules of comparison are the recording's own tool's (`tests/data/contract/contract.py`): status, every key and value
of a JSON body but the words of messages, every byte of another body, the recorded headers.
"""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from lakefs_hl.local.api import App, answers, principals
from lakefs_hl.local.keys import Key
from lakefs_hl.spec import routes
from lakefs_hl.spec.errors import ServerException
from lakefs_hl.spec.wire import FileSlice, Request, Response

DATA = Path(__file__).resolve().parent.parent / "data" / "contract"
Exchange: TypeAlias = dict[str, Any]
#: A recorded request, filled in, to an answer in the recording's form.
Server: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("recorded_contract", DATA / "contract.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = _tool()


def recordings() -> list[Path]:
    return sorted((DATA / "golden").glob("*.json"))


@dataclass
class Outcome:
    """What a replay found: exchanges that agree, those that differ, those that this way of asking cannot ask."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.left_out += other.left_out

    def __str__(self) -> str:
        left = f", {len(self.left_out)} left out" if self.left_out else ""
        return f"{self.passed} passed, {len(self.failed)} failed{left}"


class NoSuchEndpoint(Exception):
    """A request that only a URL can express."""


def replay(path: Path, server: Server, exceptions: Mapping[str, str]) -> Outcome:
    """Replays one recording.

    Args:
        path: The recording.
        server: Answers.
        exceptions: Exchange (`objects[12]`) to the reason why it cannot agree; these must differ, so that the list
            does not outlive its reasons.
    """
    outcome = Outcome()
    repository = f"ct-{path.stem}-{uuid.uuid4().hex[:8]}"
    known = {"repo": repository, "ns": f"local://{repository}"}
    for index, line in enumerate(json.loads(path.read_text(encoding="utf-8"))):
        name = f"{path.stem}[{index}]"
        try:
            problems = list(_differences(line, server, known))
        except NoSuchEndpoint as exc:
            outcome.left_out.append(f"{name}: {exc}")
            continue
        if name in exceptions:
            problems = [] if problems else [f"agrees now; take it off the list ({exceptions[name]})"]
        if problems:
            request = line["request"]
            title = f"{name} {request['method']} {request.get('path', 'a signed URL')} {request.get('query', '')}"
            outcome.failed.append("\n    ".join([title, *problems]))
        else:
            outcome.passed += 1
    return outcome


def _differences(line: Exchange, server: Server, known: dict[str, str]) -> Iterator[str]:
    request = tool.fill(line["request"], known)
    got = tool.until(server, request, line["until"]) if "until" in line else server(request)
    for variable, where in line.get("save", {}).items():
        if got["status"] == line["response"]["status"] and got["status"] < 300:
            header = where.removeprefix("header.")
            known[variable] = got["headers"][header] if header != where else tool.pick(got["json"], where)
    yield from tool.compare(line["response"], got, known, strict=False)


@contextlib.contextmanager
def over_http(url: str, key: str, secret: str) -> Iterator[Server]:
    """Asks a server on a socket."""
    # The tool takes its keys from the environment when it is made, and only then.
    before = {name: os.environ.get(name) for name in ("LAKEFS_ACCESS_KEY_ID", "LAKEFS_SECRET_ACCESS_KEY")}
    os.environ.update(LAKEFS_ACCESS_KEY_ID=key, LAKEFS_SECRET_ACCESS_KEY=secret)
    try:
        server = tool.Server(url)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    yield server
    if server.conn is not None:
        server.conn.close()


class InProcess:
    """Asks the API as a function: the same requests as values, without a URL."""

    def __init__(self, app: App, principal: str) -> None:
        self._app = app
        self._principal = principal

    def __call__(self, recorded: dict[str, Any]) -> dict[str, Any]:
        """Answers one recorded request."""
        found = routes.match(recorded["path"])
        row = found[0].get(recorded["method"]) if found is not None else None
        if found is None or row is None:
            raise NoSuchEndpoint("no such endpoint; only a URL can name it")
        headers = {name.lower(): value for name, value in recorded.get("headers", {}).items()}
        query = {
            name: tuple(map(str, value)) if isinstance(value, list) else str(value)
            for name, value in recorded.get("query", {}).items()
        }
        response = self._ask(Request(row, found[1], query, headers, _body(recorded)), recorded.get("auth", "basic"))
        return _recorded_form(response, head=row.method == "HEAD")

    def _ask(self, request: Request, auth: str | None) -> Response:
        if auth == "basic":
            return self._app(request, self._principal)
        try:
            return self._app(request, _user(principals.principal(self._app.keys, auth)))
        except ServerException as exc:
            return answers.refusal(exc)


def _user(key: Key | None) -> str | None:
    return None if key is None else key.user


def _body(recorded: dict[str, Any]) -> bytes:
    if "json" in recorded:
        return json.dumps(recorded["json"]).encode()
    if "text" in recorded:
        text: str = recorded["text"]
        return text.encode()
    if "repeat" in recorded:
        piece, times = recorded["repeat"]
        return bytes(piece.encode() * times)
    return base64.b64decode(recorded.get("base64", ""))


def _recorded_form(response: Response, *, head: bool) -> dict[str, Any]:
    body = response.body
    data = os.pread(body.fd, body.length, body.offset) if isinstance(body, FileSlice) else body
    if response.done is not None:
        response.done()
    headers = {name: value for name, value in response.headers.items() if name in tool.KEEP}
    if not head and response.status not in (204, 304):
        headers.setdefault("content-length", str(len(data)))
    found: dict[str, Any] = {"status": response.status, "reason": response.reason, "headers": headers}
    if data and "json" in headers.get("content-type", ""):
        found["json"] = json.loads(data)
    elif data:
        try:
            found["text"] = data.decode()
        except UnicodeDecodeError:
            found["base64"] = base64.b64encode(data).decode()
    return found


def listed(path: Path) -> dict[str, str]:
    """Reads the list of exchanges that cannot agree: `- objects[12]: the reason`."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("- ") and "]: " in line:
            name, _, reason = line[2:].partition(": ")
            found[name.strip("`")] = reason
    return found
