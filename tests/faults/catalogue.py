"""The faults of the matrix: F1 to F18 of the failure model, each with its variants.

A fault says what happens to one exchange. Which verdict is true afterwards follows from what the server has done:
`tests.faults.operations` reads that from the server's own journal.
"""

from __future__ import annotations

import email.utils
import functools
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from tests.faults.operations import Operation
from tests.faults.proxy import Fault, Reply, Turn

#: Which exchanges a fault makes sense for: all, those that move no object's data, reads of data, reads of a byte range.
Scope: TypeAlias = Literal["all", "record", "data", "range"]
HTML: Final = b"<!doctype html><html><body>Sign in to the hotel's network</body></html>"


class Kind(NamedTuple):
    """One fault.

    Attributes:
        row: Its number in the failure model.
        name: Row and variant, for messages.
        fault: What it does.
        recovers: Whether a call that may be repeated succeeds if only its first exchange meets this fault.
        scope: Which exchanges it is for.
        slow: Whether it is made of waiting, so that the client under test has short limits.
        refused: Whether it happens before there is a connection, at the proxy's door.
        lost: Whether the server has the request and the client knows nothing of it: the outcome is unknown.
    """

    row: str
    name: str
    fault: Fault
    recovers: bool = False
    scope: Scope = "all"
    slow: bool = False
    refused: bool = False
    lost: bool = False


def _passing(turn: Turn) -> None:
    turn.answer(turn.forward())


# -- before the server has it -----------------------------------------------------------------------------------------


def _reset(turn: Turn) -> None:
    turn.reset()


def _close(turn: Turn) -> None:
    turn.close()


def _reset_early(turn: Turn) -> None:
    turn.reset()


vars(_reset_early)["early"] = True


def _late(turn: Turn) -> None:
    turn.hold()
    turn.reset()


# -- after ------------------------------------------------------------------------------------------------------------


def _applied(then: Callable[[Turn, Reply], None]) -> Fault:
    """A fault after the server has done what was asked."""

    @functools.wraps(then)
    def fault(turn: Turn) -> None:
        then(turn, turn.forward())

    return fault


def _page(status: int, message: str | None) -> Reply:
    """An error page: lakeFS's record, or a proxy's web page."""
    if message is None:
        return Reply(status, [("content-type", "text/html")], HTML)
    return Reply(status, [("content-type", "application/json")], b'{"message":"%s"}' % message.encode())


def _says(reply: Reply, *, applied: bool) -> Fault:
    def fault(turn: Turn) -> None:
        if applied:
            turn.forward()
        turn.answer(reply)

    return fault


def _date(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


def _busy(status: int, hint: Callable[[], str]) -> Fault:
    def fault(turn: Turn) -> None:
        turn.answer(_page(status, "too many requests").set("retry-after", hint()).set("date", _date(0)))

    return fault


def _short_body(turn: Turn, reply: Reply) -> None:
    raw = reply.raw()
    turn.send(raw[: len(raw) - max(1, len(reply.body) // 2)])
    turn.close()


def _short_head(turn: Turn, reply: Reply) -> None:
    turn.send(reply.raw()[:20])
    turn.close()


def _flipped(turn: Turn, reply: Reply) -> None:
    """One bit of the content; of a record its first, so that it cannot pass for one."""
    raw = bytearray(reply.raw())
    at = len(raw) - len(reply.body)
    record = (reply.header("content-type") or "").startswith("application/json")
    raw[at if record else at + len(reply.body) // 2 if reply.body else 0] ^= 1
    turn.send(bytes(raw))


def _stalled_body(turn: Turn, reply: Reply) -> None:
    raw = reply.raw()
    turn.send(raw[: len(raw) - max(1, len(reply.body) // 2)])
    turn.stall()


def _dripping(turn: Turn, reply: Reply) -> None:
    """Slow, but it ends: the head at once, then what a small record has in some milliseconds."""
    raw = reply.raw()
    tail = min(len(reply.body), 100)
    turn.send(raw[: len(raw) - tail])
    turn.drip(raw[len(raw) - tail :], 0.002)


def _dripping_for_ever(turn: Turn, reply: Reply) -> None:
    """Never silent for long, and not over before any deadline here is: no timeout of silences notices."""
    turn.drip(reply.raw()[:70], 0.1)
    turn.close()


def _surplus(turn: Turn, reply: Reply) -> None:
    turn.send(reply.raw() + b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")


def _unterminated(turn: Turn, reply: Reply) -> None:
    if reply.bodiless:
        turn.send(reply.raw())
    else:
        chunk = b"%x\r\n%s\r\n" % (len(reply.body), reply.body) if reply.body else b""
        turn.send(reply.head("transfer-encoding: chunked") + chunk)
    turn.close()


# -- ranges -----------------------------------------------------------------------------------------------------------


def _whole(turn: Turn, reply: Reply) -> None:
    """The range that was asked for is ignored: all of the object comes, as from a proxy's cache."""
    ranged = turn.seen.headers.pop("range", None)
    whole = turn.forward() if ranged else reply
    turn.answer(whole)


def _elsewhere_in_it(turn: Turn, reply: Reply) -> None:
    size = len(reply.body)
    turn.answer(reply.set("content-range", f"bytes 7-{7 + size - 1}/{10 * size}"))


def _no_content_range(turn: Turn, reply: Reply) -> None:
    kept = [(name, value) for name, value in reply.headers if name.lower() != "content-range"]
    turn.answer(Reply(reply.status, kept, reply.body, reply.reason))


def _changed_in_the_middle(turn: Turn, reply: Reply) -> None:
    """Half of the content comes, and the object is another one when the rest is asked for."""
    raw = reply.raw()
    turn.send(raw[: len(raw) - max(1, len(reply.body) // 2)])
    turn.close()


# -- bombs, refusals, other places ------------------------------------------------------------------------------------


def _bomb(mebibytes: int) -> bytes:
    """So many mebibytes of zeros, zipped: one block of them, compressed once and repeated."""
    packer, crc = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS), 0
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(mebibytes):
        crc = zlib.crc32(bytes(1 << 20), crc)
    head = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
    return head + block * mebibytes + packer.flush() + struct.pack("<II", crc, mebibytes << 20)


#: More than a client of the matrix takes for a record (`matrix.LIMITS`).
BOMB: Final = _bomb(8)


def _zipped_bomb(turn: Turn, reply: Reply) -> None:
    made = Reply(reply.status, reply.headers, BOMB, reply.reason).set("content-encoding", "gzip")
    turn.send(made.raw())


def _endless(turn: Turn, reply: Reply) -> None:
    turn.send(reply.raw(length=10 << 30))
    turn.close()


def _sent_elsewhere(status: int) -> Fault:
    def fault(turn: Turn) -> None:
        turn.answer(Reply(status, [("location", turn.proxy.elsewhere + "take?that=1")]))

    return fault


def _hints() -> dict[str, tuple[Callable[[], str], bool, bool]]:
    """Retry-After: the value, whether a client goes on after it, whether it takes a second."""
    return {
        "no hint": (lambda: "", True, False),
        "in 1 s": (lambda: "1", True, True),
        "in 3600 s": (lambda: "3600", False, False),
        "a date that is past": (lambda: _date(-60), True, False),
        "a date in an hour": (lambda: _date(3600), False, False),
        "no time at all": (lambda: "soon; \u00e9", True, False),
    }


def _catalogue() -> tuple[Kind, ...]:
    made: list[Kind] = []

    def add(row: str, variant: str, fault: Fault, **told: Any) -> None:
        made.append(Kind(row, f"{row} {variant}", fault, **told))

    add("F1", "connection refused", _passing, refused=True)
    add("F2", "reset before the request is read", _reset_early, recovers=True)
    add("F3", "reset before it is applied", _reset, recovers=True)
    add("F3", "closed before it is applied", _close, recovers=True)
    add("F3", "reset, and applied late", _late, recovers=True, lost=True)
    add("F4", "applied, then reset", _applied(lambda turn, _: turn.reset()), recovers=True, lost=True)
    add("F4", "applied, then closed", _applied(lambda turn, _: turn.close()), recovers=True, lost=True)
    for status, message in ((500, "internal error"), (502, None), (503, "slow down"), (504, None)):
        page = _page(status, message)
        add("F5", f"applied, then {status}", _says(page, applied=True), recovers=True, lost=True)
        add("F5", f"{status}, not applied", _says(page, applied=False), recovers=True)
    for status in (429, 503):
        for name, (hint, goes_on, slow) in _hints().items():
            add("F6", f"{status}, try again {name}", _busy(status, hint), recovers=goes_on, slow=slow)
    add("F7", "short body", _applied(_short_body), recovers=True, lost=True)
    add("F7", "short head", _applied(_short_head), lost=True)
    add("F8", "a flipped bit", _applied(_flipped))
    add("F9", "silent before it is applied", lambda turn: turn.stall(), recovers=True, slow=True)
    add("F9", "applied, then silent", _applied(lambda turn, _: turn.stall()), recovers=True, slow=True, lost=True)
    add("F9", "silent in the middle of the answer", _applied(_stalled_body), recovers=True, slow=True, lost=True)
    add("F10", "dripping to its end", _applied(_dripping), recovers=True)
    add("F10", "dripping for ever", _applied(_dripping_for_ever), slow=True, scope="record")
    add("F11", "a web page instead", _says(Reply(200, [("content-type", "text/html")], HTML), applied=False))
    add("F11", "applied, then a web page", _says(Reply(200, [("content-type", "text/html")], HTML), applied=True))
    add("F12", "surplus bytes", _applied(_surplus), recovers=True)
    add("F13", "unterminated chunks", _applied(_unterminated), recovers=True, lost=True)
    add("F14", "the whole instead of a range", _applied(_whole), scope="range")
    add("F14", "another range", _applied(_elsewhere_in_it), scope="range")
    add("F14", "a range without its place", _applied(_no_content_range), scope="range")
    add("F15", "changed in the middle", _applied(_changed_in_the_middle), scope="data")
    add("F16", "a zipped bomb", _applied(_zipped_bomb))
    add("F16", "ten gigabytes are promised", _applied(_endless))
    add("F17", "401", _says(_page(401, "error authenticating request"), applied=False))
    for status in (302, 307):
        add("F18", f"{status} to another server", _sent_elsewhere(status))
    return tuple(made)


KINDS: Final = _catalogue()
#: Stands for a schedule of faults, request by request.
RANDOM: Final = Kind("random", "a random schedule", _passing)


def fits(operation: Operation, kind: Kind) -> bool:
    """Whether an operation can meet a fault."""
    if kind.scope == "record":
        return not operation.data
    if kind.scope == "data":
        return operation.data and operation.kind == "A"
    if kind.row == "F8" and operation.unchecked:
        return False  # nothing says what the checksum of a part of an object is
    return kind.scope == "all" or operation.ranged
