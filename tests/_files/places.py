"""A reference whose client serves one object from memory, and notes which ranges were fetched."""

from __future__ import annotations

import hashlib
from typing import Any

from lakefs_hl.ops.transfer import Part


class FakeClient:
    """A client that runs one call: reading a range."""

    def __init__(self, content: bytes, in_process: bool) -> None:
        self.content = content
        self._in_process = in_process
        self.etag = f'"{hashlib.md5(content).hexdigest()}"'
        self.fetched: list[tuple[int, int]] = []
        self.sent: list[dict[str, Any]] = []
        self.spoiled = 0  # how many of the next fetches give wrong bytes

    def _run_here(self, call: Any, repository: str, ref: str, path: str, start: int, sink: Any, **given: Any) -> Part:
        found = self.content[start : start + len(sink)]
        sink[: len(found)] = bytes(len(found)) if self.spoiled else found
        self.spoiled = max(0, self.spoiled - 1)
        self.fetched.append((start, len(found)))
        self.sent.append(given)
        return Part(len(found), len(self.content), self.etag, None)


class FakePlace:
    """A reference of the repository `example`."""

    _repository_id = "example"
    _id = "main"

    def __init__(self, content: bytes = b"", *, in_process: bool = False) -> None:
        self._client: Any = FakeClient(content, in_process)
