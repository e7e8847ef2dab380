"""Short words for requests to the API, as the user WHO, in the repository `repo`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from lakefs_hl.local.api import App
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Endpoint, FileSlice, Query, Request, Response

WHO = "somebody"


def ask(
    app: App,
    endpoint: Endpoint,
    params: tuple[str, ...] = ("repo", "main"),
    query: Query | None = None,
    headers: Mapping[str, str] | None = None,
    body: Any = b"",
) -> Response:
    data = body if isinstance(body, bytes | FileSlice) else json.dumps(body).encode()
    return app(Request(endpoint, params, query or {}, headers or {}, data), WHO)


def put(app: App, path: str, data: bytes, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(app, endpoints.UPLOAD_OBJECT, query={"path": path}, headers=named, body=data)


def content(response: Response) -> bytes:
    """Reads a body as a transport would, and gives it back."""
    body = response.body
    data = os.pread(body.fd, body.length, body.offset) if isinstance(body, FileSlice) else body
    if response.done is not None:
        response.done()
    return data


def record(response: Response) -> Any:
    return json.loads(content(response))
