"""Every operation of lakeFS's description, with right and wrong values: an answer that lakeFS could give, never a 5xx.

What answers 501 or 500 on purpose is listed in `tests/contract/exceptions.md`, operation by operation.
"""

from __future__ import annotations

import http.client
import json
import random
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from lakefs_hl.spec.endpoints import ENDPOINTS
from tests.local.serve.openapi import Maker, Operation, operations
from tests.local.serve.support import AUTHORIZATION, serving

EXCEPTIONS = Path(__file__).resolve().parents[2] / "contract" / "exceptions.md"
#: Requests for each operation; `tests/long/test_serve.py` sends more.
REQUESTS = 6


def listed(path: Path = EXCEPTIONS) -> set[tuple[str, int]]:
    """(operation, status) of every answer above 499 that is meant: lines such as "- `name` 501: reason"."""
    found = re.findall(r"^- `(\w+)` (5\d\d): ", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {(name, int(status)) for name, status in found}


class Asker:
    """A kept connection to a server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)

    def ask(
        self, method: str, target: str, body: bytes, headers: dict[str, str], authorization: str | None = AUTHORIZATION
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """One exchange."""
        sent = {**headers, "host": "localhost"}
        if authorization is not None:
            sent["authorization"] = authorization
        self._connection.request(method, target, body or None, sent)
        response = self._connection.getresponse()
        found = response.status, response.headers, response.read()
        if response.will_close:
            self._connection.close()
        return found

    def close(self) -> None:
        """End it."""
        self._connection.close()


def prepare(asker: Asker) -> None:
    """Something of every kind, made anew where a request before has removed it."""
    kind = {"content-type": "application/json"}
    base = "/api/v1/repositories"
    body = json.dumps({"name": "repo", "storage_namespace": f"local://{random.randbytes(8).hex()}"})
    asker.ask("POST", base, body.encode(), kind)
    asker.ask("POST", f"{base}/repo/branches", b'{"name": "other", "source": "main"}', kind)
    asker.ask("POST", f"{base}/repo/tags", b'{"id": "v1", "ref": "main"}', kind)
    asker.ask("POST", f"{base}/repo/branches/main/objects?path=data/a.txt", b"text", {"content-type": "text/plain"})


def complaints(asker: Asker, maker: Maker, operation: Operation, allowed: set[tuple[str, int]]) -> list[str]:
    """What is wrong with the answer to one request."""
    made = maker.request(operation)
    status, headers, body = asker.ask(operation.method, made.target, made.body, made.headers)
    asked = f"{operation.name}: {operation.method} {made.target} {made.headers} {made.body[:300]!r}"
    shown = f"{asked} -> {status} {body[:200]!r}"
    found = []
    if status >= 500 and (operation.name, status) not in allowed:
        found.append(shown)
    if status >= 400 and operation.method != "HEAD":
        message = json.loads(body) if headers.get_content_type() == "application/json" else None
        if not isinstance(message, dict) or not (message.get("message") or status == 409):
            found.append(f"no message: {shown}")
    if "x-request-id" not in headers or "x-lakefs-hl" not in headers:
        found.append(f"headers: {shown}")
    return found


def run(folder: Path, rng: random.Random, requests: int) -> list[str]:
    """Send so many requests for each operation; gives what is wrong with the answers."""
    maker, allowed, found = Maker(rng), listed(), list[str]()
    with serving(folder) as server:
        asker = Asker(server.url)
        for _ in range(requests):
            prepare(asker)
            for operation in operations():
                found += complaints(asker, maker, operation, allowed)
        asker.close()
    return found


def test_no_operation_fails(tmp_path: Path, rng: random.Random) -> None:
    found = run(tmp_path, rng, REQUESTS)
    assert not found, "\n".join(found[:20])


def test_every_operation_asks_for_credentials(tmp_path: Path, rng: random.Random) -> None:
    maker = Maker(rng)
    with serving(tmp_path) as server:
        asker = Asker(server.url)
        statuses: dict[str, int] = {}
        for operation in operations():
            made = maker.request(operation)
            statuses[operation.name] = asker.ask(operation.method, made.target, made.body, made.headers, None)[0]
        asker.close()
    public = {name for name, row in ENDPOINTS.items() if row.public}
    odd = {name: status for name, status in statuses.items() if status not in (401, 404) and name not in public}
    odd.pop("getCurrentUser", None)  # answers an empty user, as recorded
    assert not odd
    assert Counter(statuses.values())[401] > 100


def test_the_list_is_read() -> None:
    assert ("dumpRefs", 501) in listed()
    assert all(name in ENDPOINTS for name, _ in listed())
