"""Handlers that change the lake, and the `Idempotency-Key` header, which all of them honour.

A request that bears a key it was sent with before gets the answer it got before, whatever happened since; see
`engine/idempotency.py` for how the key comes into the transaction of the effect. Handlers that only look something up
ignore the header.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec

from lakefs_hl.local.api.answers import REASONS
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.idempotency import KeyedRequest, RepeatedRequest, fingerprint
from lakefs_hl.spec.errors import BadRequestException, ServerException
from lakefs_hl.spec.headers import IDEMPOTENCY_KEY, INTERNAL_METADATA, USER_METADATA
from lakefs_hl.spec.wire import Request, Response

T = TypeVar("T")
KEY: Final = re.compile(r"[!-~]{1,255}")
#: Headers that say what a request means, besides those of an object's metadata.
_MEANING: Final = frozenset({"content-type", "if-match", "if-none-match"})
_METADATA: Final = (USER_METADATA, INTERNAL_METADATA)
#: Does what is asked; gives what it came to, or the answer if it is refused.
Act: TypeAlias = Callable[[Engine, Request, str], T | Response]
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(tuple[int, dict[str, str], bytes]).decode


class Effect(Generic[T]):
    """A handler that changes the lake, at most once for each idempotency key.

    Args:
        act: Makes one call of the engine and returns its result unchanged.
        answer: Makes the answer of it; called inside the transaction, too.
    """

    __slots__ = ("_act", "_answer")

    def __init__(self, act: Act[T], answer: Callable[[T], Response]) -> None:
        self._act = act
        self._answer = answer

    def __call__(self, engine: Engine, request: Request, who: str) -> Response:
        """Answers a request."""
        key = request.headers.get(IDEMPOTENCY_KEY)
        if key is not None:
            return self._once(engine, request, who, key)
        result = self._act(engine, request, who)
        return result if isinstance(result, Response) else self._answer(result)

    def _once(self, engine: Engine, request: Request, who: str, key: str) -> Response:
        """Answers a request that may be a repetition.

        It is executed, until the transaction of its effect meets the key: to look for it before would cost every
        request, and a repetition is rare. Whether it was refused because the first one was not is looked up after.
        """
        if KEY.fullmatch(key) is None:
            raise BadRequestException(
                f'parameter "Idempotency-Key" in header has an error: {key[:80]!r} is not 1 to 255 visible ASCII '
                "characters"
            )
        operation = request.endpoint.operation
        keyed = KeyedRequest(who, key, operation, fingerprint(_words(request), request.body), self._written)
        try:
            with keyed:
                result = self._act(engine, request, who)
        except RepeatedRequest as exc:
            return _read(exc.answer)
        except ServerException:
            stored = engine.idempotency.find(keyed)
            if stored is None:
                raise
            return _read(stored)
        if isinstance(result, Response):
            stored = engine.idempotency.find(keyed)
            return result if stored is None else _read(stored)
        if not keyed.noted:  # there was nothing to change; later there might be
            return _read(engine.idempotency.keep(keyed, result))
        return self._answer(result)

    def _written(self, result: Any) -> bytes:
        response = self._answer(result)
        return _encode((response.status, dict(response.headers), response.body))


def effect(answer: Callable[[T], Response]) -> Callable[[Act[T]], Effect[T]]:
    """Makes a handler of a function that changes the lake.

    Args:
        answer: Makes the answer of what the function returns.
    """

    def made(act: Act[T]) -> Effect[T]:
        return Effect(act, answer)

    return made


def _words(request: Request) -> bytes:
    """All of a request but its body, in one order."""
    headers = [
        (name, value) for name, value in request.headers.items() if name in _MEANING or name.startswith(_METADATA)
    ]
    return _encode((request.endpoint.operation, request.params, sorted(request.query.items()), sorted(headers)))


def _read(stored: bytes) -> Response:
    status, headers, body = _decode(stored)
    return Response(status, headers, body, reason=REASONS.get(status, ""))
