"""Idempotency keys: a request that is repeated under its key gets the first answer, and has no second effect.

The key and the answer are written in the transaction of the request's effect (`Lake.effect`, or `Transaction.note` at
the end of a `Lake.write`): there is never one without the other. A request that was refused leaves nothing.

Rules of the room: what an answer looks like is the caller's business, here it is bytes. The request under way is a
context variable, so that the engine's methods need not hand it down; `Lake.effect` and `Lake.write` are all that read
it, on the caller's thread: what they run may run on another.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Final, TypeVar

from xxhash import xxh3_128

from lakefs_hl.local.disk.blobs import blocks
from lakefs_hl.local.disk.copying import Span
from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.tables import idempotency
from lakefs_hl.local.engine import records
from lakefs_hl.local.engine.records import AnswerRecord
from lakefs_hl.spec.refusals import refusal

if TYPE_CHECKING:
    from lakefs_hl.local.engine.lake import Lake

T = TypeVar("T")
#: How long an answer is kept, seconds.
KEPT: Final = 24 * 3600
#: Expired answers that one keyed request removes, at most.
PURGED: Final = 4


class RepeatedRequest(Exception):
    """The request has been executed before; what this run of it would have changed is undone.

    Attributes:
        answer: The answer it got.
    """

    def __init__(self, answer: bytes) -> None:
        super().__init__(answer)
        self.answer = answer


class KeyedRequest:
    """A request with an idempotency key; the `with` block is its execution on this thread.

    Args:
        user: The caller. Keys of different users are different.
        key: The idempotency key.
        operation: Name of the operation.
        fingerprint: Tells requests apart that bear the same key by mistake.
        encode: Makes the answer out of what the operation's effect returns.

    Attributes:
        noted: Whether the answer has been written; sure only once the operation has returned.
    """

    noted: bool

    __slots__ = ("_token", "encode", "fingerprint", "key", "noted", "operation", "user")

    def __init__(self, user: str, key: str, operation: str, fingerprint: bytes, encode: Callable[[Any], bytes]) -> None:
        self.user: str = user
        self.key: str = key
        self.operation: str = operation
        self.fingerprint: bytes = fingerprint
        self.noted = False
        self.encode: Callable[[Any], bytes] = encode
        self._token: Token[KeyedRequest | None] | None = None

    def __enter__(self) -> None:
        """The request begins."""
        self._token = _current.set(self)

    def __exit__(self, *error: object) -> None:
        """The request is over."""
        if self._token is not None:
            _current.reset(self._token)

    def find(self, reader: Reader) -> bytes | None:
        """The answer that the request got before, or None.

        Raises:
            ServerException: 422: the key was used for another request.
        """
        row = idempotency.find(reader, self.user, self.key)
        if row is None or row[0] <= now() - KEPT:
            return None
        record = records.read_answer(row[1])
        if (record.operation, record.fingerprint) == (self.operation, self.fingerprint):
            return record.answer
        other = record.operation if record.operation != self.operation else f"another {record.operation}"
        raise refusal(
            422,
            f"Idempotency-Key {self.key!r}: this key was used before, for {other}, and the request is not the same; "
            "nothing was done. Send a new key with every new request",
        )

    def note(self, writer: Writer, result: T) -> T:
        """Writes the answer into the transaction of the effect; gives the result back.

        Raises:
            RepeatedRequest: There is one already.
            ServerException: 422: the key was used for another request.
        """
        made = now()
        record = AnswerRecord(self.operation, self.fingerprint, self.encode(result))
        row = (self.user, self.key, made, records.encode(record))
        if not idempotency.insert(writer, *row):
            answer = self.find(writer)
            if answer is not None:
                raise RepeatedRequest(answer)
            idempotency.delete(writer, self.user, self.key)
            idempotency.insert(writer, *row)
        idempotency.delete_before(writer, made - KEPT, PURGED)
        self.noted = True
        return result

    def must_be_first(self, reader: Reader) -> None:
        """Refuses to begin what was executed before.

        Raises:
            RepeatedRequest: There is an answer already.
            ServerException: 422: the key was used for another request.
        """
        answer = self.find(reader)
        if answer is not None:
            raise RepeatedRequest(answer)


_current: ContextVar[KeyedRequest | None] = ContextVar("lakefs_hl_keyed_request", default=None)
#: The request under way on this thread if it has a key, else None.
current: Final[Callable[[], KeyedRequest | None]] = _current.get


def now() -> int:
    """Unix time in seconds."""
    return int(time.time())


def fingerprint(words: bytes, body: bytes | Span) -> bytes:
    """A hash of a request; it guards against mistakes, not against a forger: the key's owner is the only one asked.

    Args:
        words: All of the request but its body.
        body: The body.
    """
    found = xxh3_128(len(words).to_bytes(8, "little"))
    found.update(words)
    for piece in blocks(body):
        found.update(piece)
    return found.digest()


class Idempotency:
    """The kept answers of a lake."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def find(self, keyed: KeyedRequest) -> bytes | None:
        """The answer that a request got before, or None.

        Raises:
            ServerException: 422: its key was used for another request.
        """
        with self._lake.read() as snapshot:
            return keyed.find(snapshot.reader)

    def keep(self, keyed: KeyedRequest, result: object) -> bytes:
        """Writes the answer of a request that had nothing to change; gives the one that stands.

        Raises:
            ServerException: 422: its key was used for another request.
        """
        try:
            self._lake.submit(lambda writer: keyed.note(writer, result))
        except RepeatedRequest as exc:
            return exc.answer
        return keyed.encode(result)
