"""A driver that plays a script: the requests that an op must send, in order, each with its prepared response.

The clock stands still unless a test moves `Play.now`, and no jitter is drawn: a wait takes as long as it may. A
mutation that is sent twice must have the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar

import pytest

from lakefs_hl.ops.auth import Authenticator, basic
from lakefs_hl.ops.effects import Call, Effect, Gather, Now, Once, Op, Send, SendAll, Sleep
from lakefs_hl.ops.retry import Policy, Session
from lakefs_hl.spec import models
from lakefs_hl.spec.wire import Request, Response, TransportError

T = TypeVar("T")
Answer: TypeAlias = Response | BaseException | Callable[[Request], Response]
#: May be sent again with other bytes: only the failed items, or another address.
_VARY = ("deleteObjects", "presignedPut", "linkPhysicalAddress", "setBranchProtectionRules")
NOW = 1_700_000_000.0
JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html; charset=utf-8"}
C0, C1, C2, C3 = ("0" * 64, "1" * 64, "2" * 64, "3" * 64)


class Step(NamedTuple):
    operation: str
    params: tuple[str, ...]
    answer: Answer
    query: dict[str, Any] | None
    body: Any
    headers: dict[str, str]
    url: str | None


def step(
    operation: str,
    *params: str,
    answer: Answer,
    query: dict[str, Any] | None = None,
    body: Any = None,
    headers: dict[str, str] | None = None,
    url: str | None = None,
) -> Step:
    """Return an expected request. `query` and `url` are compared if given, of `body` and `headers` the given parts.

    A `body` that is a list, or bytes, is compared whole.
    """
    return Step(operation, params, answer, query, body, headers or {}, url)


def ok(record: Any = None, status: int = 200, seconds: float = 0.0, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if record is None:
        return Response(204 if status == 200 else status, named, seconds=seconds)
    return Response(status, {**JSON, **named}, models.encode(record), seconds=seconds)


def no(status: int, message: str | None = None, seconds: float = 0.0, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = b"" if message is None else models.encode({"message": message})
    return Response(status, {**JSON, **named, "x-request-id": "req-1"}, body, seconds=seconds, reason="No")


def lost(seconds: float = 0.0, **fields: Any) -> TransportError:
    """Return a connection that broke after the request was sent: the outcome is unknown."""
    return TransportError("wait", "the connection was closed", seconds=seconds, kind="reset", **fields)


def silent(seconds: float = 30.0) -> TransportError:
    return TransportError("read", "nothing came for 30 s", seconds=seconds, kind="timeout")


def down() -> TransportError:
    """Return a failure to connect: nothing was sent."""
    return TransportError("connect", "127.0.0.1:9 refuses connections", kind="refused")


def ref(name: str, commit: str) -> Response:
    return ok(models.Ref(name, commit))


def commit(id: str, op_id: str | None = None, **fields: Any) -> models.Commit:
    metadata = {} if op_id is None else {"lakefs_hl.op_id": op_id}
    return models.Commit(id, fields.pop("parents", [C0]), "me", fields.pop("message", "m"), 1, "r", metadata, **fields)


def log(*commits: models.Commit) -> Response:
    return ok(models.CommitPage(models.Pagination(False, "", len(commits), 1000), list(commits)))


def page(*results: Any, kind: Any = None, after: str = "") -> Response:
    pagination = models.Pagination(bool(after), after, len(results), 1000)
    return ok({"pagination": pagination, "results": list(results)})


def session(authenticator: Authenticator | None = None, *, exactly_once: bool | None = None, **policy: Any) -> Session:
    """Return a session with a server. `exactly_once` is what it knows already; None is unknown."""
    made = Session(authenticator or basic("AKEY", "s3cr3t"), Policy(**policy), endpoint="http://lake:8000", new_key=key)
    made.exactly_once = made.keys_arrive = exactly_once
    return made


def key() -> str:
    return "a-key"


def head(branch: str = "b", commit: str = C0, **headers: str) -> Step:
    """Return the look-up of a branch's head before an operation whose response may be lost."""
    return step("getBranch", "r", branch, answer=ok(models.Ref(branch, commit), 200, 0.0, **headers))


class Play:
    """Run of one op against its steps."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.sent: list[Request] = []
        self.slept: list[tuple[float, float]] = []
        self.now = NOW
        self.effects: list[str] = []  # the effects that only a login needs: "now" and "call"

    def run(self, op: Op[T]) -> T:
        """Run the op to its end. Every step must be used."""
        result = self._drive(op)
        self.close()
        return result

    def fails(self, op: Op[Any], kind: type[Any], match: str = "") -> Any:
        """Run the op to its exception, of exactly this class. Every step must be used."""
        with pytest.raises(kind, match=match or None) as caught:
            self._drive(op)
        assert caught.type is kind, f"{caught.type.__name__}: {caught.value}"
        self.close()
        return caught.value

    def close(self) -> None:
        assert not self.steps, f"never requested: {[step[:2] for step in self.steps]}"
        first: dict[Any, Request] = {}
        for request in self.sent:
            if request.endpoint.retry == "A" or request.endpoint.operation in _VARY:
                continue
            same = first.setdefault((request.endpoint.operation, request.params, tuple(request.query.items())), request)
            assert request.body == same.body, "a repeated request must carry the same bytes"
            assert request.headers == same.headers

    def _drive(self, op: Op[T]) -> T:
        answer: Any = None
        error: BaseException | None = None
        while True:
            try:
                effect = op.send(answer) if error is None else op.throw(error)
            except StopIteration as stop:
                result: T = stop.value
                return result
            answer = error = None
            try:
                answer = self._perform(effect)
            except AssertionError:
                op.close()
                raise
            except BaseException as exc:
                error = exc

    def _perform(self, effect: Effect) -> Any:
        match effect:
            case Send():
                return self._exchange(effect.request)
            case SendAll():
                self.effects.append("send all")
                return [self._outcome(request) for request in effect.requests]
            case Sleep():
                self.slept.append((effect.upto, effect.atleast))
                return max(effect.upto, effect.atleast)
            case Once():
                return self._drive(effect.op)
            case Now():
                self.effects.append("now")
                return self.now
            case Call():
                self.effects.append("call")
                return effect.function()
            case Gather():
                results = list[Any]()
                for index, op in enumerate(effect.ops):
                    results.append(self._drive(op))
                    if effect.on_result is not None:
                        effect.on_result(index, results[-1])
                return results if effect.on_result is None else None

    def _outcome(self, request: Request) -> Response | Exception:
        try:
            return self._exchange(request)
        except TransportError as exc:
            return exc

    def _exchange(self, request: Request) -> Response:
        self.sent.append(request)
        assert self.steps, f"not in the script: {request}"
        want = self.steps.pop(0)
        asked, wanted = (request.endpoint.operation, *request.params), (want.operation, *want.params)
        assert asked == wanted, f"the op sent {asked}, and the script expects {wanted}"
        if want.query is not None:
            assert dict(request.query) == want.query
        if want.body is not None:
            given = request.body
            assert isinstance(given, bytes)
            got = given if isinstance(want.body, bytes) else models.decode(type(want.body), given)
            assert got == want.body or (isinstance(got, dict) and want.body.items() <= got.items()), got
        assert want.headers.items() <= request.headers.items()
        assert request.url == want.url
        if request.url is not None or request.endpoint.public:
            assert request.authorization is None, "no credentials to a pre-signed or public place"
        answer = want.answer
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Response) else answer(request)


def filling(
    content: bytes, size: int, start: int = 0, etag: str = "e", status: int = 206
) -> Callable[[Request], Response]:
    """Return the response to a ranged read: `content` at `start` of an object of `size` bytes."""

    def answer(request: Request) -> Response:
        headers = {"etag": f'"{etag}"', "content-range": f"bytes {start}-{start + len(content) - 1}/{size}"}
        if status == 200:
            headers = {"etag": f'"{etag}"', "content-length": str(size)}
        if request.sink is None:
            return Response(status, headers, content)
        assert isinstance(request.sink, memoryview)
        request.sink[: len(content)] = content
        return Response(status, headers, filled=len(content))

    return answer


def breaking(
    content: bytes, size: int, start: int = 0, etag: str = "e", head: bool = True
) -> Callable[[Request], Response]:
    """Return a response that fills the sink with `content` and is then interrupted."""

    def answer(request: Request) -> Response:
        response = filling(content, size, start, etag)(request)
        raise TransportError("read", "closed", received=len(content), kind="reset", response=response if head else None)

    return answer
