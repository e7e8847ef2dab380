"""Requests made from lakeFS's own description of its API: valid ones, and ones that are wrong in every way we know."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

import yaml

DESCRIPTION: Final = Path(__file__).resolve().parents[2] / "data" / "lakefs-api.yml"
METHODS: Final = ("get", "put", "post", "patch", "delete", "head", "options")
#: Names that exist, and names that should not.
NAMES: Final = (
    *("repo", "main", "other", "v1", "data/a.txt", "data/", "admin"),
    *(
        "",
        ".",
        "..",
        "../..",
        "a" * 300,
        "é",
        "名前",
        "\U0001f600",
        "%",
        "%00",
        "\0",
        "\n",
        "a b",
        "a;b",
        "*",
        "~",
        "^",
    ),
    *("main~1", "main~99999999999", "main^2", "main@", "main$", "@", "~~~~", "0" * 64, "x:y", "-1", "null", "\ufffe"),
)
NUMBERS: Final = (
    0,
    1,
    -1,
    2,
    100,
    1000,
    1001,
    2**31 - 1,
    2**31,
    2**32,
    2**63 - 1,
    2**63,
    2**64,
    2**70,
    -(2**63),
    -(2**70),
)
TEXTS: Final = (
    *NAMES,
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "x" * 5000,
    "local://x/y",
    "s3://x",
    "a,b",
    "true",
)
WRONG: Final[tuple[Any, ...]] = (None, True, 1.5, -1, 2**70, "", "x", [], {}, [None], {"a": {}}, [[[]]])


class Operation(NamedTuple):
    """An operation of the description."""

    name: str
    method: str
    path: str
    parameters: list[dict[str, Any]]
    body: dict[str, Any] | None
    media: str


class Made(NamedTuple):
    """A request."""

    operation: Operation
    target: str
    headers: dict[str, str]
    body: bytes


@cache
def description() -> dict[str, Any]:
    """The description."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: dict[str, Any] = yaml.load(DESCRIPTION.read_text(encoding="utf-8"), Loader=loader)
    return found


def _resolve(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        at: Any = description()
        for part in schema["$ref"].removeprefix("#/").split("/"):
            at = at[part]
        schema = at
    return schema


@cache
def operations() -> list[Operation]:
    """All operations."""
    found = []
    for path, item in description()["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            row = item[method]
            parameters = [_resolve(one) for one in (*item.get("parameters", ()), *row.get("parameters", ()))]
            media, schema = "", None
            if "requestBody" in row:
                media, content = next(iter(row["requestBody"]["content"].items()))
                schema = content["schema"]
            found.append(Operation(row["operationId"], method.upper(), path, parameters, schema, media))
    return found


class Maker:
    """Makes requests.

    Args:
        rng: Where chance comes from.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def request(self, operation: Operation) -> Made:
        """A request: about half are as described, and the others wrong in one way or many."""
        rng = self._rng
        wrong = rng.choice((0.0, 0.0, 0.05, 0.3))
        path, query, headers = operation.path, list[tuple[str, str]](), dict[str, str]()
        for one in operation.parameters:
            if not one.get("required") and rng.random() < 0.5:
                continue
            value = self._text(self.value(_resolve(one["schema"]), wrong))
            if one["in"] == "path":
                path = path.replace("{" + one["name"] + "}", quote(self._name(one["name"], wrong), safe=""))
            elif one["in"] == "query":
                query += [(one["name"], value)] * rng.choice((1, 1, 1, 2))
            elif value.isascii() and value.isprintable():
                headers[one["name"]] = value
        if rng.random() < wrong:
            query.append((rng.choice(TEXTS), rng.choice(TEXTS)))
        body = b""
        if operation.body is not None and rng.random() > wrong / 2:
            body, headers["content-type"] = self._body(operation, wrong)
        for name, value in (
            ("range", "bytes=0-1"),
            ("if-none-match", "*"),
            ("idempotency-key", "k"),
            ("if-match", "x"),
        ):
            if rng.random() < wrong / 4:
                headers[name] = rng.choice((value, "bytes=5-1", "bytes=-", '"x"', ""))
        target = "/api/v1" + path + ("?" + urlencode(query, errors="surrogatepass") if query else "")
        return Made(operation, target, headers, body)

    def _name(self, parameter: str, wrong: float) -> str:
        if self._rng.random() < wrong * 2:
            return self._rng.choice(NAMES)
        known = {"repository": "repo", "branch": "main", "ref": "main", "tag": "v1", "sourceRef": "other"}
        return known.get(parameter, self._rng.choice(("main", "other", "x")))

    def _text(self, value: Any) -> str:
        if isinstance(value, bool) or value is None:
            return json.dumps(value)
        return value if isinstance(value, str) else str(value)

    def _body(self, operation: Operation, wrong: float) -> tuple[bytes, str]:
        rng = self._rng
        kind = operation.media
        if kind == "multipart/form-data" or operation.name == "uploadObject":
            return self._upload(wrong)
        assert operation.body is not None
        value = self.value(_resolve(operation.body), wrong)
        data = json.dumps(value, ensure_ascii=rng.random() < 0.5, allow_nan=True).encode("utf-8", "surrogatepass")
        if rng.random() < wrong:
            at = rng.randrange(len(data) + 1)
            odd = (
                b"",
                b"\xff",
                b"\x00",
                b"{",
                b"[" * 2000,
                b'"\\ud800"',
                b"1e999",
                b"NaN",
                b"9" * 5000,
                b"\xed\xa0\x80",
            )
            data = data[:at] + rng.choice(odd) + data[at + rng.randrange(3) :]
        if rng.random() < wrong / 4:
            kind = rng.choice(("text/plain", "", "application/json; charset=x", "multipart/form-data"))
        return data, kind

    def _upload(self, wrong: float) -> tuple[bytes, str]:
        rng = self._rng
        data = rng.randbytes(rng.choice((0, 1, 100, 20_000)))
        if rng.random() < 0.5:
            return data, rng.choice(("application/octet-stream", "text/plain", "x", "image/png"))
        name = b"content" if rng.random() > wrong else rng.choice((b"other", b"", b"\xff", b'a"b'))
        head = b'--b\r\nContent-Disposition: form-data; name="%s"\r\nContent-Type: a/b\r\n\r\n' % name
        form = head + data + b"\r\n--b--\r\n"
        if rng.random() < wrong:
            at = rng.randrange(len(form))
            form = form[:at] + rng.choice((b"", b"\r\n", b"--b", b"\x00")) + form[at + rng.randrange(20) :]
        boundary = "b" if rng.random() > wrong else rng.choice(("", "c", '"b', "é", "b" * 100))
        return form, f"multipart/form-data; boundary={boundary}"

    def value(self, schema: dict[str, Any], wrong: float, depth: int = 0) -> Any:
        """A value of a schema, or one that is not."""
        rng = self._rng
        schema = _resolve(schema)
        if rng.random() < wrong:
            return rng.choice((*WRONG, rng.choice(TEXTS), rng.choice(NUMBERS), "\ud800"))
        if "enum" in schema:
            return rng.choice(schema["enum"])
        kind = schema.get("type", "object")
        if kind == "integer":
            return rng.choice(NUMBERS) if rng.random() < max(wrong, 0.2) else rng.randrange(10)
        if kind == "number":
            return rng.random()
        if kind == "boolean":
            return rng.random() < 0.5
        if kind == "string":
            return rng.choice(TEXTS if rng.random() < max(wrong, 0.2) else ("main", "other", "data/a.txt", "x", "v1"))
        if kind == "array":
            return [self.value(schema.get("items", {}), wrong, depth + 1) for _ in range(rng.randrange(3))]
        required = set(schema.get("required", ()))
        found = {}
        for name, inner in schema.get("properties", {}).items():
            if (name in required and rng.random() >= wrong / 2) or (depth < 4 and rng.random() < 0.5):
                found[name] = self.value(inner, wrong, depth + 1)
        if "additionalProperties" in schema and isinstance(schema["additionalProperties"], dict):
            found[rng.choice(TEXTS)] = self.value(schema["additionalProperties"], wrong, depth + 1)
        return found
